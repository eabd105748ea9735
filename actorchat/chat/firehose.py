"""Knows who reads the events of a node, and how far each is. Must not know rows, HTTP or actors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from actorchat.chat.event import Address, Answer, Refused
from actorchat.chat.firehose_event import (
    Advanced,
    DropEvents,
    DropHook,
    Found,
    Granted,
    HookDue,
    HookRow,
    KeepHook,
    KeepPlace,
    Later,
    Open,
    Place,
    Posted,
    PostItems,
    Read,
    Say,
    TrimDue,
    WaitOver,
    Wanted,
)
from actorchat.chat.webhook import Webhook, why_bad_url
from actorchat.limits import EVENTS_KEEP_DAYS, EVENTS_TRIM_S, HOOKS_MAX
from actorchat.protocol.ops.firehose import Events, Hook, Hooks

MS_PER_DAY = 86_400_000.0
STARTED_ANEW = "the node started this part anew; ask again"


class Asking(msgspec.Struct, gc=False):
    """A bot's question for events that is not answered yet."""

    session: Address
    rid: int
    after: int
    limit: int
    missed: bool
    is_waiting: bool = False  # nothing is there; it is answered by the next, or when time is up
    waits: bool = False


class Reader:
    """A bot that may read events: of which kinds, how far it is, what it asks now."""

    __slots__ = ("asking", "kinds", "place")

    def __init__(self, kinds: list[str], place: Place) -> None:
        self.kinds = kinds
        self.place = place
        self.asking: Asking | None = None


class Firehose:
    """Hooks and bots that read what is stored, each from a position of its own.

    Args:
        hooks: What is kept of each hook. readers: bot → (kinds, place).
        head, trimmed: The last position that is given out and synced, the last that was dropped.
        keep_days: How long a hook may fail, and an event may lie.
        chance: Returns a number of [0, 1), for jitter.
        can_post: Whether this node can post at all.
    """

    __slots__ = (
        *("_can_post", "_chance", "_give_up_ms", "_is_open", "_serial", "_tests"),
        *("head", "hooks", "readers", "trimmed"),
    )

    def __init__(
        self,
        hooks: Iterable[tuple[HookRow, Place]],
        readers: dict[str, tuple[list[str], Place]],
        head: int,
        trimmed: int,
        chance: Callable[[], float],
        keep_days: float = EVENTS_KEEP_DAYS,
        can_post: bool = True,
    ) -> None:
        self._give_up_ms = keep_days * MS_PER_DAY
        self._chance = chance
        self._can_post = can_post
        self._is_open = False
        self._serial = 0
        self._tests: dict[int, tuple[Address, int, str]] = {}
        self.head = head
        self.trimmed = trimmed
        self.hooks = {row.name: self._webhook(row, place) for row, place in hooks}
        self.readers = {user: Reader(kinds, place) for user, (kinds, place) in readers.items()}

    @property
    def is_read(self) -> bool:
        """Whether anybody may want what is stored from now on."""
        return bool(self.hooks or self.readers)

    def handle(self, event: object, now_wall_ms: int) -> list[object]:
        """Take `event` in; return what must be done, in this order."""
        return self._HANDLERS[type(event)](self, event, now_wall_ms)

    def start(self) -> list[object]:
        """Return what must be done first."""
        return [*self._set_open(), *self._go_on()]

    def abandon(self) -> list[object]:
        """Return what those who wait are told before this machine is given up."""
        out: list[object] = []
        for session, rid, _ in self._tests.values():
            refused = Refused(rid, "unavailable", STARTED_ANEW, "now", "unknown")
            out.append(Say(session, refused))
        self._tests.clear()
        asking = [reader for reader in self.readers.values() if reader.asking is not None]
        return out + [self._end(reader) for reader in asking]

    def _webhook(self, row: HookRow, place: Place) -> Webhook:
        return Webhook(row, place, self._give_up_ms, self._chance)

    def _set_open(self) -> list[object]:
        if self.is_read is self._is_open:
            return []
        self._is_open = self.is_read
        return [Open(True), Later(EVENTS_TRIM_S, TrimDue())] if self._is_open else [Open(False)]

    def _go_on(self) -> list[object]:
        out = [effect for hook in self.hooks.values() for effect in hook.go_on(self.head)]
        for user, reader in self.readers.items():
            asking = reader.asking
            if asking is not None and asking.is_waiting and asking.after < self.head:
                asking.is_waiting = False
                out.append(self._read(user, reader, asking))
        return out

    # -- what is asked ---------------------------------------------------------------------------
    def _on_wanted(self, event: Wanted, now_wall_ms: int) -> list[object]:
        return self._WANTED[type(event.op)](self, event, event.op, now_wall_ms)

    def _on_hooks(self, event: Wanted, op: Hooks, now_wall_ms: int) -> list[object]:
        shown = [self.hooks[name].shown(self.head) for name in sorted(self.hooks)]
        return [Say(event.session, Answer(op.id, {"hooks": shown}))]

    def _on_hook(self, event: Wanted, op: Hook, now_wall_ms: int) -> list[object]:
        if op.do == "add":
            return self._add(event, op, now_wall_ms)
        hook = self.hooks.get(op.name)
        if hook is None:
            return [_refuse(event, "no_such_hook", "there is no such hook")]
        if op.do == "remove":
            del self.hooks[op.name]
            return [DropHook(op.name, event.session, op.id), *self._set_open()]
        if op.do == "test":
            return self._test(event, hook)
        hook.set_state("active" if op.do == "resume" else "paused")
        return [KeepHook(hook.row, hook.place, event.session, op.id), *hook.go_on(self.head)]

    def _add(self, event: Wanted, op: Hook, now_wall_ms: int) -> list[object]:
        assert op.url is not None
        assert op.secret is not None
        assert op.kinds is not None
        if op.name in self.hooks:
            return [_refuse(event, "exists", "there is such a hook")]
        if len(self.hooks) >= HOOKS_MAX:
            return [_refuse(event, "too_many", f"a node has at most {HOOKS_MAX} hooks")]
        if reason := why_bad_url(op.url):
            return [_refuse(event, "bad_request", reason)]
        kinds: list[str] = sorted(set(op.kinds))
        row = HookRow(op.name, op.url, op.secret, kinds, "active", now_wall_ms)
        place = Place(self.head)
        self.hooks[op.name] = self._webhook(row, place)
        # Positions are given out before anybody is told that the hook is there.
        return [*self._set_open(), KeepHook(row, place, event.session, op.id)]

    def _test(self, event: Wanted, hook: Webhook) -> list[object]:
        rid, row = event.op.id, hook.row
        if not self._can_post:
            return [_refuse(event, "unavailable", "this node posts nothing")]
        if any(name == row.name for _, _, name in self._tests.values()):
            return [_refuse(event, "busy", "a test is under way", "after")]
        self._serial += 1
        self._tests[self._serial] = (event.session, rid, row.name)
        items: list[dict[str, object]] = [{"id": 0, "kind": "test"}]
        return [PostItems(self._serial, row.name, row.url, row.secret, items, False)]

    # -- bots ------------------------------------------------------------------------------------
    def _on_granted(self, event: Granted, now_wall_ms: int) -> list[object]:
        known = self.readers.get(event.user)
        if known is not None:
            ended = [] if known.asking is None else [self._end(known)]
            if event.kinds:
                known.kinds = event.kinds
            else:
                del self.readers[event.user]
            return [*ended, *self._set_open()]
        if not event.kinds:
            return []
        place = Place(self.head)
        self.readers[event.user] = Reader(event.kinds, place)
        return [*self._set_open(), KeepPlace(f"bot/{event.user}", place)]

    def _on_events(self, event: Wanted, op: Events, now_wall_ms: int) -> list[object]:
        user, reader = event.user, self.readers.get(event.user)
        if reader is None:
            return [_refuse(event, "forbidden", "no events were granted to this user")]
        after = reader.place.position if op.after is None else op.after
        if after > self.head:
            return [_refuse(event, "bad_request", f"the last position is {self.head}")]
        out: list[object] = []
        if reader.asking is not None:  # a bot asks one thing at a time: the newer one counts
            out.append(self._end(reader))
        if after > reader.place.position:
            reader.place = Place(after)
            out.append(KeepPlace(f"bot/{user}", reader.place))
        missed = after < self.trimmed
        asking = Asking(event.session, op.id, max(after, self.trimmed), op.limit, missed)
        reader.asking = asking
        asking.waits = op.wait_ms > 0
        if op.wait_ms:
            out.append(Later(op.wait_ms / 1000, WaitOver(f"bot/{user}", op.id)))
        return [*out, *self._look(user, reader, asking)]

    def _look(self, user: str, reader: Reader, asking: Asking) -> list[object]:
        """Read on, or wait, or say that there is nothing."""
        if asking.after < self.head:
            return [self._read(user, reader, asking)]
        if asking.waits:
            asking.is_waiting = True
            return []
        return [self._answer(reader, [], asking.after)]

    def _read(self, user: str, reader: Reader, asking: Asking) -> object:
        return Read(f"bot/{user}", asking.after, self.head, asking.limit, reader.kinds)

    def _end(self, reader: Reader) -> object:
        """Answer a question with nothing; the bot asks again."""
        assert reader.asking is not None
        return self._answer(reader, [], reader.asking.after)

    def _answer(self, reader: Reader, items: list[dict[str, object]], upto: int) -> object:
        asking, reader.asking = reader.asking, None
        assert asking is not None
        ok: dict[str, object] = {"events": items, "position": upto, "head": self.head}
        if asking.missed:
            ok["missed"] = True
        return Say(asking.session, Answer(asking.rid, ok))

    def _on_wait_over(self, event: WaitOver, now_wall_ms: int) -> list[object]:
        reader = self.readers.get(event.reader.removeprefix("bot/"))
        asking = None if reader is None else reader.asking
        if reader is None or asking is None or asking.rid != event.rid:
            return []
        asking.waits = False
        return [self._answer(reader, [], asking.after)] if asking.is_waiting else []

    # -- what happens ------------------------------------------------------------------------------
    def _on_advanced(self, event: Advanced, now_wall_ms: int) -> list[object]:
        self.head = max(self.head, event.head)
        return self._go_on()

    def _on_found(self, event: Found, now_wall_ms: int) -> list[object]:
        whose, _, name = event.reader.partition("/")
        if whose == "hook":
            hook = self.hooks.get(name)
            if hook is None:
                return []
            self._serial += 1
            missed = hook.place.position < self.trimmed
            return [*hook.found(event, self._serial, missed), *hook.go_on(self.head)]
        reader = self.readers.get(name)
        asking = None if reader is None else reader.asking
        if reader is None or asking is None or asking.is_waiting:
            return []
        if event.items:
            return [self._answer(reader, event.items, event.upto)]
        asking.after = max(asking.after, event.upto)
        return self._look(name, reader, asking)

    def _on_posted(self, event: Posted, now_wall_ms: int) -> list[object]:
        asked = self._tests.pop(event.serial, None)
        if asked is not None:
            session, rid, _ = asked
            ok: dict[str, object] = {"status": event.status, "reason": event.reason}
            return [Say(session, Answer(rid, ok))]
        for hook in self.hooks.values():
            if hook.serial == event.serial:
                return [*hook.posted(event, now_wall_ms), *hook.go_on(self.head)]
        return []

    def _on_hook_due(self, event: HookDue, now_wall_ms: int) -> list[object]:
        hook = self.hooks.get(event.name)
        return hook.go_on(self.head) if hook is not None and hook.due(event) else []

    def _on_trim_due(self, event: TrimDue, now_wall_ms: int) -> list[object]:
        if not self._is_open:
            return []
        places = [hook.place for hook in self.hooks.values() if hook.row.state != "dead"]
        places += [reader.place for reader in self.readers.values()]
        upto = min((place.position for place in places), default=self.head)
        return [DropEvents(upto), Later(EVENTS_TRIM_S, TrimDue())]

    _WANTED: dict[type, Callable[[Any, Wanted, Any, int], list[object]]] = {
        Hook: _on_hook,
        Hooks: _on_hooks,
        Events: _on_events,
    }
    _HANDLERS: dict[type, Callable[[Any, Any, int], list[object]]] = {
        Wanted: _on_wanted,
        Granted: _on_granted,
        Advanced: _on_advanced,
        Found: _on_found,
        Posted: _on_posted,
        HookDue: _on_hook_due,
        WaitOver: _on_wait_over,
        TrimDue: _on_trim_due,
    }


def _refuse(event: Wanted, code: str, reason: str, retry: Any = "never") -> object:
    return Say(event.session, Refused(event.op.id, code, reason, retry))
