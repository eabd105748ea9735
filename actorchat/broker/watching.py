"""Knows how a session takes part in presence: its own edges, whom it watches, its signals.
Must not know who may see whom.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from actorchat.chat.effect import StartTimer
from actorchat.chat.event import Answer, Refused
from actorchat.chat.sighting import (
    Arrived,
    AskSettings,
    Departed,
    LevelChanged,
    PushDue,
    SetPrivacy,
    Sighted,
    Signalled,
    SignalSeen,
    Subscribe,
    TrackerId,
    TrackerLost,
    Watched,
)
from actorchat.chat.watchlist import ToTracker, Watchlist
from actorchat.errors import BUSY, MailboxFull, Unavailable
from actorchat.limits import IDLE_TIMEOUT_S, PRESENCE_PUSH_S, SIGNALS_BURST, SIGNALS_PER_S
from actorchat.protocol import codec, ops

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.protocol.ops import PrivacyLevel


class Outlet(Protocol):
    """What is needed of the session's connection."""

    def push(self, payload: bytes) -> None:
        """Send what answers nothing."""
        ...

    def reply(self, payload: bytes) -> None:
        """Send the answer to one request."""
        ...


class Watching:
    """The presence side of one signed-in session; the session's thread only.

    A session that watches nobody costs this object and one event at its start and at its end;
    pings are answered without it.

    Args:
        send_after: The session's own timers: (seconds, event, key=...).
    """

    __slots__ = ("_connection", "_context", "_early", "_list", "_me", "_send_after", "_signals_s",
                 "_user")  # fmt: skip

    def __init__(
        self,
        context: Context,
        connection: Outlet,
        user: str,
        me: Any,
        send_after: Callable[..., object],
    ) -> None:
        self._context = context
        self._connection = connection
        self._user = user
        self._me = me
        self._send_after = send_after
        self._list: Watchlist | None = None
        self._early: list[Any] | None = None  # what came before the settings of a user elsewhere
        self._signals_s = 0.0  # the time until which signals are used up
        self._arrive()

    def handle(self, event: object) -> None:
        """Take an op of the client, or what a tracker says."""
        self._HANDLERS[type(event)](self, event)

    def end(self, why: str) -> None:
        """Leave the trackers; `why` is the code of a bye, or the reason of the close."""
        silent_s = IDLE_TIMEOUT_S if why == "idle" else 0.0
        departed = Departed(self._user, self._me, silent_s, is_final=why == "revoked")
        last = [ToTracker(self._number, departed)]  # type: ignore[arg-type]
        if self._list is not None:
            last += self._list.close()
        for effect in last:
            try:
                self._context.trackers.place(effect.tracker).tell(effect.event)
            except Unavailable:
                continue  # the tracker finds that nobody is behind this address any more

    def turned(self) -> None:
        """Look anew for one's own tracker, and those of whom one watches."""
        self._arrive()
        if self._list is not None:
            self._on_watchlist(LevelChanged(self._list.level))

    def node_lost(self, node: str) -> None:
        """Go on without the trackers of a node until they can be reached again."""
        for tracker in self._context.trackers.ids_at(node):
            self._on_tracker_lost(TrackerLost(tracker))

    @property
    def _number(self) -> TrackerId:
        return self._context.trackers.id_of(self._user)

    def _arrive(self) -> None:
        number = self._number
        try:
            self._context.trackers.place(number).tell(Arrived(self._user, self._me))
        except Unavailable:
            self._try_later(number)

    def _try_later(self, number: TrackerId) -> None:
        lost = TrackerLost(number)
        self._send_after(PRESENCE_PUSH_S, lost, key=(TrackerLost, number))

    # -- what the client asks ----------------------------------------------------------------------
    def _on_watch(self, op: ops.Watch) -> None:
        context = self._context
        if self._list is None and not context.has(self._user):
            if self._early is None:
                self._early = []
                self._ask_settings()
            self._early.append(op)
            return
        if self._list is None:
            level = context.archive.presence(self._user)[1]
            self._begin(level, frozenset(context.blocks.blocked(self._user)))
        self._on_watchlist(op)

    def _begin(self, level: PrivacyLevel, blocked: frozenset[str]) -> None:
        tracker_of = self._context.trackers.id_of
        self._list = Watchlist(self._user, level, self._me, tracker_of, blocked)

    def _ask_settings(self) -> None:
        number = self._number
        try:
            self._context.trackers.place(number).tell(AskSettings(self._user, self._me))
        except Unavailable:
            self._try_later(number)

    def _on_level_changed(self, event: LevelChanged) -> None:
        early, self._early = self._early, None
        if early is None:
            self._on_watchlist(event)
            return
        self._begin(event.level, event.blocked or frozenset())
        for op in early:
            self._on_watchlist(op)

    def _on_privacy(self, op: ops.Privacy) -> None:
        asked = SetPrivacy(self._user, self._me, op.id, op.level)
        try:
            self._context.trackers.place(self._number).tell(asked)
        except Unavailable as error:
            self._refuse(Refused(op.id, error.code, BUSY, error.retry, "none", 1_000))

    def _on_signal(self, op: ops.Signal) -> None:
        trackers = self._context.trackers
        now_s = self._context.clock.monotonic_s()
        used_s = max(self._signals_s, now_s) + 1 / SIGNALS_PER_S
        if used_s - now_s > SIGNALS_BURST / SIGNALS_PER_S:
            trackers.signals_dropped += 1
            return
        self._signals_s = used_s
        try:
            trackers.place(self._number).tell(Signalled(self._user, op.to, op.kind))
        except Unavailable:
            trackers.signals_dropped += 1

    # -- what the trackers say ---------------------------------------------------------------------
    def _on_watchlist(self, event: object) -> None:
        if self._list is None:
            if self._early is not None and type(event) is ops.Unwatch:
                self._early.append(event)
            return
        for effect in self._list.handle(event):
            if isinstance(effect, ToTracker):
                self._tell(effect)
            elif isinstance(effect, ops.Presence):
                self._context.trackers.pushes += 1
                self._connection.push(codec.encode_push(effect))
            elif isinstance(effect, StartTimer):
                self._send_after(effect.delay_s, effect.event, key=PushDue)
            elif isinstance(effect, Answer):
                self._connection.reply(codec.encode_reply(effect.rid, effect.ok))
            else:
                assert isinstance(effect, Refused)
                self._refuse(effect)

    def _tell(self, effect: ToTracker) -> None:
        try:
            self._context.trackers.place(effect.tracker).tell(effect.event)
        except MailboxFull:
            self._try_later(effect.tracker)
        except Unavailable:
            # Who is there nobody knows now: what was shown last is the answer.
            self._try_later(effect.tracker)
            rid = effect.event.rid if isinstance(effect.event, Subscribe) else None
            if rid is not None:
                self._on_watchlist(Watched(effect.tracker, rid, []))

    def _on_tracker_lost(self, event: TrackerLost) -> None:
        if event.tracker == self._number:
            self._arrive()
            if self._early is not None:
                self._ask_settings()
        self._on_watchlist(event)

    def _on_signal_seen(self, event: SignalSeen) -> None:
        self._connection.push(codec.encode_push(ops.SignalPush(event.user, event.kind)))

    def _refuse(self, refused: Refused) -> None:
        error = codec.encode_error(
            *(refused.rid, refused.code, refused.reason, refused.retry),
            *(refused.outcome, refused.after_ms),
        )
        self._connection.reply(error)

    _HANDLERS: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        ops.Watch: _on_watch,
        ops.Unwatch: _on_watchlist,
        ops.Signal: _on_signal,
        ops.Privacy: _on_privacy,
        Watched: _on_watchlist,
        Sighted: _on_watchlist,
        LevelChanged: _on_level_changed,
        PushDue: _on_watchlist,
        TrackerLost: _on_tracker_lost,
        SignalSeen: _on_signal_seen,
    }
