"""Knows whom one session watches, what it was shown, and when it may be pushed.
Must not know who is online.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from actorchat.chat.effect import Effect, StartTimer
from actorchat.chat.event import Address, Answer, Refused
from actorchat.chat.sighting import (
    LevelChanged,
    PushDue,
    Sighted,
    Subscribe,
    TrackerId,
    TrackerLost,
    Unsubscribe,
    Watched,
)
from actorchat.limits import PRESENCE_PUSH_S, WATCHED_MAX
from actorchat.protocol.ops import Presence, PresenceState, PrivacyLevel, Unwatch, Watch

PUSH_DUE = PushDue()


class ToTracker(Effect):
    """Tell `event` to the tracker with this number."""

    tracker: TrackerId
    event: Subscribe | Unsubscribe


class _Question:
    """A `watch` that some trackers have not answered yet."""

    __slots__ = ("trackers", "users")

    def __init__(self, users: list[str], trackers: set[TrackerId]) -> None:
        self.users = users
        self.trackers = trackers


class Watchlist:
    """The users on one device's screen: subscribed at their trackers, pushed when they change.

    What the client was shown is remembered, so that it is pushed differences alone, however often
    trackers tell the same; at most one push in `PRESENCE_PUSH_S`, the first at once.

    Args:
        user: Whose session it is. level: their own setting. blocked: whom they block.
        me: The session.
        tracker_of: Returns the number of the tracker of a user.
    """

    __slots__ = ("_asked", "_blocked", "_is_cooling", "_level", "_me", "_pending", "_tracker_of",
                 "_user", "shown")  # fmt: skip

    def __init__(
        self,
        user: str,
        level: PrivacyLevel,
        me: Address,
        tracker_of: Callable[[str], TrackerId],
        blocked: frozenset[str] = frozenset(),
    ) -> None:
        self._blocked = blocked
        self._user = user
        self._level = level
        self._me = me
        self._tracker_of = tracker_of
        self.shown: dict[str, PresenceState] = {}
        self._pending: dict[str, None] = {}  # shown otherwise than the client was told
        self._asked: dict[int, _Question] = {}
        self._is_cooling = False

    @property
    def level(self) -> PrivacyLevel:
        """The user's own setting."""
        return self._level

    def handle(self, event: object) -> list[Effect | Presence | Answer | Refused]:
        """Take an op or event in; return what must be done, in this order."""
        out: list[Any] = []
        self._HANDLERS[type(event)](self, event, out)
        return out

    def close(self) -> list[ToTracker]:
        """Return what to tell the trackers at the end of the session."""
        by_tracker = self._by_tracker(self.shown)
        return [
            ToTracker(tracker, Unsubscribe(self._user, self._me, users))
            for tracker, users in by_tracker.items()
        ]

    # -- what the client asks --------------------------------------------------------------------
    def _on_watch(self, op: Watch, out: list[Any]) -> None:
        users = list(dict.fromkeys(op.users))
        new = [user for user in users if user not in self.shown]
        if len(self.shown) + len(new) > WATCHED_MAX:
            reason = f"a session may watch {WATCHED_MAX} users"
            out.append(Refused(op.id, "too_many", reason))
            return
        if op.id in self._asked:
            out.append(Refused(op.id, "bad_request", "this id waits for an answer already"))
            return
        for user in new:
            self.shown[user] = PresenceState(user, False)
        by_tracker = self._by_tracker(users)
        self._asked[op.id] = _Question(users, set(by_tracker))
        for tracker, some in by_tracker.items():
            out.append(self._subscribe(tracker, some, op.id))

    def _on_unwatch(self, op: Unwatch, out: list[Any]) -> None:
        users = [user for user in dict.fromkeys(op.users) if user in self.shown]
        for user in users:
            del self.shown[user]
            self._pending.pop(user, None)
        for tracker, some in self._by_tracker(users).items():
            out.append(ToTracker(tracker, Unsubscribe(self._user, self._me, some)))

    # -- what trackers say -----------------------------------------------------------------------
    def _on_watched(self, event: Watched, out: list[Any]) -> None:
        question = None if event.rid is None else self._asked.get(event.rid)
        if question is None:
            self._see(event.states, out)
            return
        for state in event.states:
            if state.user in self.shown:
                self.shown[state.user] = state
                self._pending.pop(state.user, None)  # the answer tells it
        question.trackers.discard(event.tracker)
        if not question.trackers:
            assert event.rid is not None
            del self._asked[event.rid]
            states = [_wire(self.shown.get(u) or PresenceState(u, False)) for u in question.users]
            out.append(Answer(event.rid, {"states": states}))

    def _on_sighted(self, event: Sighted, out: list[Any]) -> None:
        self._see(event.states, out)

    def _see(self, states: Iterable[PresenceState], out: list[Any]) -> None:
        shown = self.shown
        for state in states:
            before = shown.get(state.user)
            if before is not None and before != state:
                shown[state.user] = state
                self._pending[state.user] = None
        self._push(out)

    def _push(self, out: list[Any]) -> None:
        if self._pending and not self._is_cooling:
            self._is_cooling = True
            out.append(Presence([self.shown[user] for user in self._pending]))
            out.append(StartTimer(PRESENCE_PUSH_S, PUSH_DUE))
            self._pending.clear()

    def _on_push_due(self, event: PushDue, out: list[Any]) -> None:
        self._is_cooling = False
        self._push(out)

    def _on_level_changed(self, event: LevelChanged, out: list[Any]) -> None:
        self._level = event.level
        if event.blocked is not None:
            self._blocked = event.blocked
        for tracker, users in self._by_tracker(self.shown).items():
            out.append(self._subscribe(tracker, users, None))

    def _on_tracker_lost(self, event: TrackerLost, out: list[Any]) -> None:
        tracker = event.tracker
        users = self._by_tracker(self.shown).get(tracker, [])
        if users:
            out.append(self._subscribe(tracker, users, None))
        for rid, question in self._asked.items():
            if tracker in question.trackers:
                some = self._by_tracker(question.users)[tracker]
                out.append(self._subscribe(tracker, some, rid))

    def _subscribe(self, tracker: TrackerId, users: list[str], rid: int | None) -> ToTracker:
        asked = Subscribe(self._user, self._level, self._me, users, rid, self._blocked)
        return ToTracker(tracker, asked)

    def _by_tracker(self, users: Iterable[str]) -> dict[TrackerId, list[str]]:
        found: dict[TrackerId, list[str]] = {}
        tracker_of = self._tracker_of
        for user in users:
            tracker = tracker_of(user)
            if tracker in found:
                found[tracker].append(user)
            else:
                found[tracker] = [user]
        return found

    _HANDLERS: dict[type, Callable[[Any, Any, list[Any]], None]] = {
        Watch: _on_watch,
        Unwatch: _on_unwatch,
        Watched: _on_watched,
        Sighted: _on_sighted,
        LevelChanged: _on_level_changed,
        TrackerLost: _on_tracker_lost,
        PushDue: _on_push_due,
    }


def _wire(state: PresenceState) -> dict[str, object]:
    shown: dict[str, object] = {"user": state.user, "online": state.online}
    if state.last_seen is not None:
        shown["last_seen"] = state.last_seen
    return shown
