"""Knows what sessions and trackers tell each other about presence. Must not know what follows.

The same closed vocabulary as `event` and `effect`, for presence alone.
"""

from __future__ import annotations

from actorchat.chat.effect import Effect
from actorchat.chat.event import Address, Event
from actorchat.protocol.ops import PresenceState, PrivacyLevel, SignalKind

TrackerId = int | str  # of one node its number; of several `NODE/NUMBER`


# -- to a tracker --------------------------------------------------------------------------------
class Arrived(Event):
    """A device of `user` is signed in; telling it again changes nothing."""

    user: str
    session: Address


class Departed(Event):
    """A session of `user` is over.

    `silent_s`: for how long nothing had come from it. `is_final`: it was sent away for good, so
    that there is nothing to wait for.
    """

    user: str
    session: Address
    silent_s: float = 0.0
    is_final: bool = False


class Subscribe(Event):
    """`session` of `watcher`, whose own setting is `level`, looks at `users`; answer `Watched`.

    `rid` None: not for the first time. `blocked` are those whom the watcher blocks.
    """

    watcher: str
    level: PrivacyLevel
    session: Address
    users: list[str]
    rid: int | None = None
    blocked: frozenset[str] = frozenset()


class Unsubscribe(Event):
    """`session` of `watcher` does not look at `users` any more."""

    watcher: str
    session: Address
    users: list[str]


class Signalled(Event):
    """`user` is typing, or recording, to the user `to`."""

    user: str
    to: str
    kind: SignalKind


class SetPrivacy(Event):
    """`user` sets (None: asks) who may see them."""

    user: str
    session: Address
    rid: int
    level: PrivacyLevel | None


class BlockChanged(Event):
    """`user` blocks `other` from now on, or, `on` being false, not any more."""

    user: str
    other: str
    on: bool


class Forget(Event):
    """The account of `user` has ended: nothing is known of them any more."""

    user: str


class AskSettings(Event):
    """A session of `user`, whose home is on another node, asks for a `LevelChanged`."""

    user: str
    session: Address


class Due(Event):
    """The tracker's deadline has come."""


# -- to a session --------------------------------------------------------------------------------
class Watched(Event):
    """The tracker `tracker` answers a subscription."""

    tracker: TrackerId
    rid: int | None
    states: list[PresenceState]


class Sighted(Event):
    """These watched users have changed."""

    states: list[PresenceState]


class SignalSeen(Event):
    """The watched `user` is typing to this one."""

    user: str
    kind: SignalKind


class LevelChanged(Event):
    """The session's own user has set who may see them: what it watches must be asked anew.

    `blocked` are those whom the user blocks; None: as before.
    """

    level: PrivacyLevel
    blocked: frozenset[str] | None = None


class TrackerLost(Event):
    """A tracker has stopped, and is started again by the next event: tell it all again."""

    tracker: TrackerId


class PushDue(Event):
    """A session may push again."""


# -- what a tracker's machine can want done --------------------------------------------------------
class Tell(Effect):
    """Tell `event` to a session; should it not take it, `untold` its users."""

    session: Address
    event: Event


class SaveSeen(Effect):
    """Keep when a user was seen last, and their setting; a hint."""

    user: str
    last_seen: int
    level: PrivacyLevel


class SaveLevel(Effect):
    """Keep a user's setting; once that is synced answer request `rid`."""

    user: str
    last_seen: int
    level: PrivacyLevel
    session: Address
    rid: int


class AnswerLevel(Effect):
    """Answer request `rid` with the setting as it is."""

    session: Address
    rid: int
    level: PrivacyLevel
