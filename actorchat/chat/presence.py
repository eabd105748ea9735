"""Knows who is online, when users were last seen, and who is to be told.
Must not know connections, heartbeats or rows.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from actorchat.chat.effect import Effect
from actorchat.chat.event import Address, Event
from actorchat.chat.sighting import (
    AnswerLevel,
    Arrived,
    BlockChanged,
    Departed,
    Due,
    Forget,
    LevelChanged,
    SaveLevel,
    SaveSeen,
    SetPrivacy,
    Sighted,
    Signalled,
    SignalSeen,
    Subscribe,
    Tell,
    TrackerId,
    Unsubscribe,
    Watched,
)
from actorchat.chat.visibility import Apart, HasContact, RecallBlocked, may_see
from actorchat.limits import (
    OFFLINE_AFTER_S,
    PRESENCE_FLUSH_S,
    PRESENCE_FORGET_S,
    SIGNALS_PER_FLUSH_MAX,
)
from actorchat.protocol.ops import PresenceState, PrivacyLevel

# What the log knows of a user: (last seen in wall ms, 0 for never; their setting).
Recall = Callable[[str], tuple[int, PrivacyLevel]]


class Watcher:
    """One user who looks at another; `sessions`, mostly one, as a tuple: a set has 216 bytes."""

    __slots__ = ("level", "sees", "sessions")

    def __init__(self, level: PrivacyLevel) -> None:
        self.level = level
        self.sees = False
        self.sessions: tuple[Address, ...] = ()


class Entry:
    """What is known of a user who is online, was so lately, or is watched.

    `fades_at_s` is when they go offline unless somebody comes back, None while nothing is to fade;
    `queued_s` when the tracker looks at them next, 0 if it does not.
    """

    __slots__ = (
        *("fades_at_s", "is_online", "last_seen", "level"),
        *("queued_s", "sessions", "watchers"),
    )

    def __init__(self, last_seen: int, level: PrivacyLevel) -> None:
        self.last_seen = last_seen
        self.level = level
        self.is_online = False
        self.fades_at_s: float | None = None
        self.queued_s = 0.0
        self.sessions: set[Address] = set()
        self.watchers: dict[str, Watcher] | None = None


class Presence:
    """The presence of the users of some slots: edges in, changes out.

    A user is online from the first session on until `offline_after_s` after the last sign of life
    of the last one. A connection that drops changes nothing by itself. Who was seen within that
    time according to the log counts as online, so that a tracker, or a node, that starts anew
    shows nobody offline who is about to come back. Changes are told at once to whoever watches,
    then at most every `PRESENCE_FLUSH_S`, all of a session in one event.

    Cost: an edge O(1); a change O(who watches that user), once a flush however often it changed.

    Args:
        recall: Looks a user up in the log.
        has_contact: Says whether a user counts another among their contacts.
        offline_after_s: From the last sign of life until a user is offline.
        recall_blocked: Looks up whom a user blocks; asked of those who are watched.
    """

    __slots__ = (
        *("_after_s", "_dirty", "_entries", "_flushes_at_s", "_has_contact"),
        *("_apart", "_queue", "_recall", "_signals", "number"),
    )

    def __init__(
        self,
        number: TrackerId,
        recall: Recall,
        has_contact: HasContact,
        offline_after_s: float = OFFLINE_AFTER_S,
        recall_blocked: RecallBlocked = lambda user: (),
    ) -> None:
        self.number = number
        self._apart = Apart(recall_blocked)
        self._recall = recall
        self._has_contact = has_contact
        self._after_s = offline_after_s
        self._entries: dict[str, Entry] = {}
        self._queue: list[tuple[float, str]] = []
        self._dirty: dict[str, None] = {}  # in the order of change
        self._flushes_at_s = 0.0
        self._signals = 0

    def handle(self, event: Event, now_s: float, now_wall_ms: int) -> list[Effect]:
        """Take `event` in; `now_s` is monotonic. Return what must be done, in this order."""
        out: list[Effect] = []
        self._HANDLERS[type(event)](self, event, now_s, now_wall_ms, out)
        if self._dirty and now_s >= self._flushes_at_s:
            self._flush(now_s, out)
        return out

    def deadline(self) -> float | None:
        """Return when `Due` should come; None when nothing waits for the time."""
        at_s = self._queue[0][0] if self._queue else None
        if self._dirty and (at_s is None or self._flushes_at_s < at_s):
            return self._flushes_at_s
        return at_s

    def is_online(self, user: str) -> bool:
        """Say whether `user` is online here, as everybody would see it who may."""
        entry = self._entries.get(user)
        return entry is not None and entry.is_online

    def counts(self) -> tuple[int, int]:
        """Return (users online, users that are watched)."""
        entries = self._entries.values()
        return (
            sum(entry.is_online for entry in entries),
            sum(entry.watchers is not None for entry in entries),
        )

    def sessions(self) -> set[Address]:
        """Return every session that came or watches here."""
        found: set[Address] = set()
        for entry in self._entries.values():
            found |= entry.sessions
            for watcher in (entry.watchers or {}).values():
                found.update(watcher.sessions)
        return found

    def last_words(self, now_wall_ms: int) -> list[Effect]:
        """Return what to keep when the tracker stops: who is here is seen now."""
        return [
            SaveSeen(user, now_wall_ms, entry.level)
            for user, entry in self._entries.items()
            if entry.sessions
        ]

    def untold(self, states: list[PresenceState]) -> None:
        """Note that a session did not take these: they are told again with the next flush."""
        self._dirty.update((state.user, None) for state in states if state.user in self._entries)

    def reload(self) -> None:
        """Read every setting anew: one may not have reached the log."""
        for user, entry in self._entries.items():
            level = self._recall(user)[1]
            if level != entry.level:
                self._set_level(user, entry, level)

    # -- coming and going ------------------------------------------------------------------------
    def _entry(self, user: str, now_s: float, now_wall_ms: int) -> Entry:
        entry = self._entries.get(user)
        if entry is None:
            entry = self._entries[user] = Entry(*self._recall(user))
            left_s = self._after_s - (now_wall_ms - entry.last_seen) / 1000
            if entry.last_seen and left_s > 0:
                entry.is_online = True
                self._fade(user, entry, now_s + min(left_s, self._after_s))
        return entry

    def _on_arrived(
        self, event: Arrived, now_s: float, now_wall_ms: int, out: list[Effect]
    ) -> None:
        user = event.user
        entry = self._entry(user, now_s, now_wall_ms)
        entry.sessions.add(event.session)
        entry.fades_at_s = None
        if not entry.is_online:
            entry.is_online = True
            self._changed(user, entry)
            # Should the node be killed, they were seen at this moment at least.
            entry.last_seen = now_wall_ms
            out.append(SaveSeen(user, now_wall_ms, entry.level))

    def _on_departed(
        self, event: Departed, now_s: float, now_wall_ms: int, out: list[Effect]
    ) -> None:
        user = event.user
        entry = self._entries.get(user)
        if entry is None or event.session not in entry.sessions:
            return
        entry.sessions.discard(event.session)
        if entry.sessions:
            return
        entry.last_seen = now_wall_ms - round(event.silent_s * 1000)
        out.append(SaveSeen(user, entry.last_seen, entry.level))
        if event.is_final or event.silent_s >= self._after_s:
            self._go_offline(user, entry, now_s)
        else:
            self._fade(user, entry, now_s + self._after_s - event.silent_s)

    def _fade(self, user: str, entry: Entry, at_s: float) -> None:
        entry.fades_at_s = at_s
        self._look_at(user, entry, at_s)

    def _go_offline(self, user: str, entry: Entry, now_s: float) -> None:
        entry.is_online = False
        entry.fades_at_s = None
        self._changed(user, entry)
        if entry.watchers is None:
            self._look_at(user, entry, now_s + PRESENCE_FORGET_S)

    def _look_at(self, user: str, entry: Entry, at_s: float) -> None:
        # One place in the queue is enough: who comes and goes often does not fill it.
        if not entry.queued_s or at_s < entry.queued_s:
            entry.queued_s = at_s
            heappush(self._queue, (at_s, user))

    def _on_due(self, event: Due, now_s: float, now_wall_ms: int, out: list[Effect]) -> None:
        queue = self._queue
        while queue and queue[0][0] <= now_s:
            at_s, user = heappop(queue)
            entry = self._entries.get(user)
            if entry is None or at_s != entry.queued_s:
                continue
            entry.queued_s = 0.0
            if entry.fades_at_s is None:
                if user in self._dirty:
                    self._look_at(user, entry, now_s + PRESENCE_FORGET_S)
                elif not entry.is_online and entry.watchers is None:
                    del self._entries[user]
            elif entry.fades_at_s <= now_s:
                self._go_offline(user, entry, now_s)
            else:
                self._look_at(user, entry, entry.fades_at_s)

    # -- watching --------------------------------------------------------------------------------
    def _on_subscribe(
        self, event: Subscribe, now_s: float, now_wall_ms: int, out: list[Effect]
    ) -> None:
        name, level, session, states = event.watcher, event.level, event.session, []
        entries = self._entries
        for user in event.users:
            entry = entries.get(user) or self._entry(user, now_s, now_wall_ms)
            if entry.watchers is None:
                entry.watchers = {}
                self._apart.learn(user)
            watcher = entry.watchers.get(name)
            if watcher is None:
                watcher = entry.watchers[name] = Watcher(level)
            if session not in watcher.sessions:
                watcher.sessions += (session,)
            watcher.level = level
            # Most show themselves to everyone: that must cost nothing.
            watcher.sees = level == entry.level == "everyone" or may_see(
                user, entry.level, name, level, self._has_contact
            )
            if event.blocked or self._apart:
                self._apart.note(user, name, event.blocked)
                watcher.sees = watcher.sees and not self._apart.parts(user, name)
            states.append(_state(user, entry, watcher.sees))
        out.append(Tell(session, Watched(self.number, event.rid, states)))

    def _on_unsubscribe(
        self, event: Unsubscribe, now_s: float, now_wall_ms: int, out: list[Effect]
    ) -> None:
        for user in event.users:
            entry = self._entries.get(user)
            if entry is None or entry.watchers is None:
                continue
            watcher = entry.watchers.get(event.watcher)
            if watcher is None:
                continue
            watcher.sessions = tuple(one for one in watcher.sessions if one != event.session)
            if not watcher.sessions:
                del entry.watchers[event.watcher]
                self._apart.note(user, event.watcher, ())
            if not entry.watchers:
                entry.watchers = None
                self._apart.forget(user)
                if not entry.is_online:
                    self._look_at(user, entry, now_s + PRESENCE_FORGET_S)

    def _changed(self, user: str, entry: Entry) -> None:
        if entry.watchers is not None:
            self._dirty[user] = None

    def _flush(self, now_s: float, out: list[Effect]) -> None:
        told: dict[Address, list[PresenceState]] = {}
        for user in self._dirty:
            entry = self._entries[user]
            seen, hidden = _state(user, entry, True), _state(user, entry, False)
            for watcher in (entry.watchers or {}).values():
                state = seen if watcher.sees else hidden
                for session in watcher.sessions:
                    told.setdefault(session, []).append(state)
        self._dirty.clear()
        self._signals = 0
        self._flushes_at_s = now_s + PRESENCE_FLUSH_S
        out.extend(Tell(session, Sighted(states)) for session, states in told.items())

    # -- typing ----------------------------------------------------------------------------------
    def _on_signalled(
        self, event: Signalled, now_s: float, now_wall_ms: int, out: list[Effect]
    ) -> None:
        entry = self._entries.get(event.user)
        if entry is None or entry.watchers is None:
            return
        watcher = entry.watchers.get(event.to)
        if watcher is None or not watcher.sees:
            return
        if now_s >= self._flushes_at_s:
            self._signals, self._flushes_at_s = 0, now_s + PRESENCE_FLUSH_S
        if self._signals >= SIGNALS_PER_FLUSH_MAX:
            return
        self._signals += 1
        seen = SignalSeen(event.user, event.kind)
        out.extend(Tell(session, seen) for session in watcher.sessions)

    # -- privacy ---------------------------------------------------------------------------------
    def _on_set_privacy(
        self, event: SetPrivacy, now_s: float, now_wall_ms: int, out: list[Effect]
    ) -> None:
        user = event.user
        entry = self._entry(user, now_s, now_wall_ms)
        if event.level is None:
            out.append(AnswerLevel(event.session, event.rid, entry.level))
            return
        self._set_level(user, entry, event.level)
        out.append(SaveLevel(user, entry.last_seen, event.level, event.session, event.rid))
        # Two users see each other or neither does: what this one watches has changed, too.
        out.extend(Tell(session, LevelChanged(event.level)) for session in entry.sessions)

    def _set_level(self, user: str, entry: Entry, level: PrivacyLevel) -> None:
        entry.level = level
        for name, watcher in (entry.watchers or {}).items():
            watcher.sees = may_see(
                user, level, name, watcher.level, self._has_contact
            ) and not self._apart.parts(user, name)
        self._changed(user, entry)

    # -- blocks ----------------------------------------------------------------------------------
    def _on_block_changed(
        self, event: BlockChanged, now_s: float, now_wall_ms: int, out: list[Effect]
    ) -> None:
        user = event.user
        entry = self._entries.get(user)
        if entry is None:
            return
        if entry.watchers is not None:
            self._apart.learn(user)
            self._set_level(user, entry, entry.level)
        changed = LevelChanged(entry.level, self._apart.blocked(user))
        out.extend(Tell(session, changed) for session in entry.sessions)

    def _on_forget(self, event: Forget, now_s: float, now_wall_ms: int, out: list[Effect]) -> None:
        entry = self._entries.get(event.user)
        if entry is not None:
            entry.sessions.clear()
            entry.last_seen = 0
            self._go_offline(event.user, entry, now_s)

    _HANDLERS: dict[type, Callable[[Any, Any, float, int, list[Effect]], None]] = {
        Arrived: _on_arrived,
        Departed: _on_departed,
        Due: _on_due,
        Subscribe: _on_subscribe,
        Unsubscribe: _on_unsubscribe,
        Signalled: _on_signalled,
        SetPrivacy: _on_set_privacy,
        BlockChanged: _on_block_changed,
        Forget: _on_forget,
    }


def _state(user: str, entry: Entry, sees: bool) -> PresenceState:
    """Return what a watcher is shown; who may not be seen looks like who never was here."""
    if not sees:
        return PresenceState(user, False)
    if entry.is_online:
        return PresenceState(user, True)
    return PresenceState(user, False, entry.last_seen or None)
