"""Knows whom a client watches, and what it was told of them. Must not know how it is asked."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

import msgspec
from msgspec import Struct

from actorchat.client.feed import Feed
from actorchat.errors import InvalidOp
from actorchat.limits import SIGNAL_EXPIRES_S
from actorchat.protocol.ops import PresenceState, SignalKind, SignalPush

SIGHTINGS_MAX = 1_024  # news that wait, one a user; they are hints, so the oldest may go


class Presence(Struct, frozen=True):
    """Whether `user` is online; `last_seen` (ms since 1970) where they are not and it is known."""

    user: str
    online: bool
    last_seen: int | None = None


class Signal(Struct, frozen=True):
    """What `user` is doing: typing or recording, until `until_s` on the loop's clock; or stopped.

    Another one of the same user takes its place.
    """

    user: str
    kind: SignalKind
    until_s: float


Sight = TypeVar("Sight", Presence, Signal)


class SightBoard(Feed[Sight]):
    """The newest sight of each user that the application has not fetched."""

    def __init__(self, key: Callable[[Sight], Hashable]) -> None:
        super().__init__()
        self._newest: dict[Hashable, Sight] = {}
        self._key: Callable[[Sight], Hashable] = key

    def __len__(self) -> int:
        return len(self._newest)

    def put(self, sight: Sight) -> None:
        """Put up a sight in place of the same user's older one, and wake one who waits."""
        key = self._key(sight)
        if key not in self._newest and len(self._newest) >= SIGHTINGS_MAX:
            del self._newest[next(iter(self._newest))]
        self._newest[key] = sight
        if self._waiters:
            self._wake()

    def _pop(self) -> Sight:
        return self._newest.pop(next(iter(self._newest)))


class _WatchAnswer(Struct):
    states: list[PresenceState]


def watched_states(answer: object) -> list[PresenceState]:
    """Return the states of an answer to `watch`.

    Raises:
        InvalidOp: It makes no sense.
    """
    try:
        return msgspec.convert(answer, _WatchAnswer).states
    except msgspec.ValidationError as error:
        raise InvalidOp(f"the server's answer makes no sense: {error}") from error


class Sightings:
    """The users that the application watches, through any reconnect, and what is known of them."""

    def __init__(self) -> None:
        self.users: dict[str, None] = {}
        self.known: dict[str, Presence] = {}
        self.presence: SightBoard[Presence] = SightBoard(lambda sight: sight.user)
        self.signals: SightBoard[Signal] = SightBoard(lambda sight: sight.user)

    def watch(self, users: Iterable[str]) -> None:
        """Note that the server was asked for `users`; a new session must ask again."""
        self.users.update(dict.fromkeys(users))

    def unwatch(self, users: Iterable[str]) -> None:
        """Forget `users`."""
        for user in users:
            self.users.pop(user, None)
            self.known.pop(user, None)

    def learn(self, states: Iterable[PresenceState]) -> list[Presence]:
        """Take in an answer, whole; return it as the application gets it."""
        found = [Presence(state.user, state.online, state.last_seen) for state in states]
        self.known.update((sight.user, sight) for sight in found)
        return found

    def take(self, states: Iterable[PresenceState]) -> None:
        """Take in what may have changed; what has is news."""
        for state in states:
            sight = Presence(state.user, state.online, state.last_seen)
            if self.known.get(sight.user) != sight:
                self.known[sight.user] = sight
                self.presence.put(sight)

    def signalled(self, op: SignalPush, now_s: float) -> None:
        """Take in a signal, which is over by itself."""
        self.signals.put(Signal(op.user, op.kind, now_s + SIGNAL_EXPIRES_S))

    def close(self, error: Exception | None) -> None:
        """End both feeds."""
        self.presence.close(error)
        self.signals.close(error)
