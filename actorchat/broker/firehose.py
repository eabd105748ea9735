"""Knows how to do what the firehose decides: keep, read, have events posted. Must not know HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from actorchat.actor import Actor, Mailbox
from actorchat.broker.authenticator import AUTHENTICATOR
from actorchat.chat.event import Answer, Refused
from actorchat.chat.firehose import MS_PER_DAY, Firehose
from actorchat.chat.firehose_event import (
    Advanced,
    DropEvents,
    DropHook,
    Found,
    KeepHook,
    KeepPlace,
    Later,
    Open,
    Posted,
    PostItems,
    Read,
    Say,
    Wanted,
)
from actorchat.chat.signin_event import Provisioning
from actorchat.errors import BUSY, MailboxFull
from actorchat.limits import ENTITY_MAILBOX_MAX, EVENTS_KEEP_DAYS, FIREHOSE_BEAT_S
from actorchat.protocol import jsontext, signature
from actorchat.protocol.ops.firehose import Bot

if TYPE_CHECKING:
    from actorchat.broker.context import Context

FIREHOSE = "firehose"
NO_COURIER = "this node posts nothing"


class News:
    """Something was stored since the last time."""


class Beat:
    """Time to see whether anything was missed."""


NEWS, BEAT = News(), Beat()


class Courier(Protocol):
    """Posts to the world; the seam between hooks and HTTP."""

    def post(
        self, url: str, headers: dict[str, str], body: bytes, done: Callable[[int, str], object]
    ) -> None:
        """Post `body`; call `done(status, reason)` on the loop later, once.

        `status` is 0 where there was no answer, for `reason`. Never raises, never waits.
        """
        ...


class FirehoseActor(Actor):
    """Hooks and the bots that read everything. One a node, named `firehose`.

    While nobody reads it does nothing, and nothing is stored for it.
    """

    mailbox: ClassVar[Mailbox] = Mailbox(limit=ENTITY_MAILBOX_MAX, overflow="fail")

    def __init__(
        self, context: Context, courier: Courier | None, keep_days: float = EVENTS_KEEP_DAYS
    ) -> None:
        super().__init__()
        self._context = context
        self._log = context.log
        self._rows = context.firehose
        self._courier = courier
        self._keep_days = keep_days
        self._generation = -1
        self._machine: Firehose

    def on_start(self) -> None:
        """Take the name; go on where the log stands."""
        self.system.names.register(FIREHOSE, self.ref)
        self._build()

    def on_stop(self, reason: object) -> None:
        """Answer who waits; whoever is next begins anew."""
        self._perform_all(self._machine.abandon())

    def on_receive(self, event: Any) -> None:
        """Feed the machine; perform its effects."""
        if self._generation != self._log.committer.generation:
            # A full disk may have lost what this machine holds for kept.
            self._perform_all(self._machine.abandon())
            self._build()
        if event is NEWS or event is BEAT:
            self._listen(event)
        elif isinstance(event, Wanted) and isinstance(event.op, Bot):
            self._make_bot(event, event.op)
        else:
            self._perform_all(self._machine.handle(event, self._context.clock.wall_ms()))

    def _build(self) -> None:
        log, rows = self._log, self._rows
        log.apply()
        self._generation = log.committer.generation
        hooks, bots = rows.hooks(), rows.bots()
        places = [place for _, place in (*hooks, *bots.values())]
        self._machine = Firehose(
            hooks,
            bots,
            max((place.position for place in places), default=rows.last()),
            max(rows.first() - 1, 0),
            self.rng.random,
            self._keep_days,
            self._courier is not None,
        )
        log.committer.tap(None)
        self._perform_all(self._machine.start())
        if self._machine.is_read:
            self._listen(NEWS)

    def _listen(self, event: object) -> None:
        """Go on with what was stored, once it is synced."""
        if event is BEAT:
            if not self._machine.is_read:
                return
            self.send_after(FIREHOSE_BEAT_S, BEAT, key=Beat)
            if self._rows.head == self._machine.head:
                return
        self._log.append((), self.ref.tell, Advanced(self._rows.take()))

    def _make_bot(self, event: Wanted, op: Bot) -> None:
        kinds: list[str] = [*op.events]
        asked = Provisioning(event.session, op.id, op.user, None, op.device, bot_kinds=kinds)
        asked.moderates = op.moderates
        desk = self.system.names.whereis(AUTHENTICATOR)
        try:
            if desk is not None:
                desk.tell(asked)
                return
        except MailboxFull:
            pass
        event.session.tell(Refused(op.id, "busy", BUSY, "after", "none", 1_000))

    # -- effects -----------------------------------------------------------------------------------
    def _perform_all(self, effects: list[object]) -> None:
        for effect in effects:
            self._PERFORM[type(effect)](self, effect)

    def _open(self, effect: Open) -> None:
        committer = self._log.committer
        if effect.is_open:
            self._rows.begin(self._hear)
            committer.tap(self._rows.tap)
            self.send_after(FIREHOSE_BEAT_S, BEAT, key=Beat)
        else:
            committer.tap(None)
            self._drop(DropEvents(self._rows.head))

    def _hear(self) -> None:
        try:
            self.ref.tell(NEWS)
        except MailboxFull:
            self._rows.take()  # the beat comes later

    def _read(self, effect: Read) -> None:
        now = self._context.clock.wall_ms()
        upto, items = self._rows.read(effect.after, effect.upto, effect.limit, effect.kinds, now)
        self.ref.tell(Found(effect.reader, upto, items))

    def _post(self, effect: PostItems) -> None:
        me, serial = self.ref, effect.serial
        if self._courier is None:
            me.tell(Posted(serial, 0, NO_COURIER))
            return
        said: dict[str, object] = {"hook": effect.name, "events": effect.items}
        if effect.missed:
            said["missed"] = True
        body = jsontext.encode(said)
        headers = {
            "Content-Type": "application/json",
            **signature.sign(effect.secret, body, self._context.clock.wall_ms() // 1000),
        }

        def done(status: int, reason: str) -> None:
            if me.is_alive():
                me.tell(Posted(serial, status, reason))

        self._courier.post(effect.url, headers, body, done)

    def _keep_hook(self, effect: KeepHook) -> None:
        ops = self._rows.hook_rows(effect.row, effect.place)
        if effect.session is None:
            self._log.append(ops)
        else:
            self._log.append(ops, effect.session.tell, Answer(effect.rid, {}))

    def _drop_hook(self, effect: DropHook) -> None:
        answer = Answer(effect.rid, {})
        self._log.append(self._rows.no_hook(effect.name), effect.session.tell, answer)

    def _keep_place(self, effect: KeepPlace) -> None:
        self._log.append_lazily((self._rows.place_row(effect.reader, effect.place),))

    def _drop(self, effect: DropEvents) -> None:
        before = self._context.clock.wall_ms() - self._keep_days * MS_PER_DAY
        dropped = self._rows.drop_range(effect.upto, before)
        if dropped is not None and not self._log.is_full:
            self._machine.trimmed, rows = dropped
            self._log.delete_range(*rows)

    def _say(self, effect: Say) -> None:
        effect.session.tell(effect.event)

    def _later(self, effect: Later) -> None:
        event = effect.event
        name = getattr(event, "name", getattr(event, "reader", ""))
        self.send_after(effect.delay_s, event, key=(type(event), name))

    _PERFORM: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        Open: _open,
        Read: _read,
        PostItems: _post,
        KeepHook: _keep_hook,
        DropHook: _drop_hook,
        KeepPlace: _keep_place,
        DropEvents: _drop,
        Say: _say,
        Later: _later,
    }
