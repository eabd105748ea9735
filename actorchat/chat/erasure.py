"""Knows in which order what a deleted account had is taken away. Must not know rows.

The account, its tokens and its profile go in the batch that says that it is gone; the rest here, a
user after the other. Each step may be done again, after a crash at any moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actorchat.chat.afar import TableTurned
from actorchat.chat.effect import Effect, StartTimer
from actorchat.chat.event import Accepted, Address, Answer, Conv, Event, Pair, Refused
from actorchat.limits import ERASURE_RETRY_S


# -- events --------------------------------------------------------------------------------------
class AccountGone(Event):
    """The log says that the account of `user` has ended."""

    user: str


class Unfinished(Event):
    """Accounts that have ended, of which something is left; maybe not all of them."""

    users: list[str]


class GroupsFound(Event):
    """The groups of a part of the log in which `user` is; `after` is where to go on, if at all.

    On several nodes, direct conversations in other slots, too.
    """

    user: str
    groups: list[Conv]
    after: bytes


class PeerGone(Event):
    """The account of `user`, at home in another slot, has ended; an `Answer`: that is kept."""

    user: str
    session: Address
    rid: int


class Stray(Event):
    """A conversation has told the home of `user`, which is gone, something up to `seq`."""

    user: str
    conv: Conv
    seq: int


class WipeHome(Event):
    """Take away all rows of the home of `user`; then tell `eraser` `HomeWiped`."""

    user: str
    eraser: Address


class HomeWiped(Event):
    """It is durable that the home of `user` has no rows."""

    user: str


class ErasureDue(Event):
    """Time to do again what was not answered."""


# -- effects -------------------------------------------------------------------------------------
class ReadUnfinished(Effect):
    """Feed back `Unfinished`."""


class EndAccount(Effect):
    """Have the home of `user`, conversations that run, and presence know that it is gone."""

    user: str


class ReadGroups(Effect):
    """Feed back `GroupsFound` of the part of the log behind `after`."""

    user: str
    after: bytes


class LeaveGroup(Effect):
    """Have `user` leave `group`; the answer comes back under `rid`.

    Once more, if the user was let in behind that, which is known from what it told up to `seq`.
    """

    user: str
    group: str
    rid: int
    seq: int = 0


class TellPeer(Effect):
    """Tell the direct conversation of `pair` that `user` is gone; an answer comes back."""

    user: str
    pair: Pair
    rid: int


class KeepGone(Effect):
    """Keep beside the conversation that the account of a user of it has ended; answer."""

    asked: PeerGone
    at_wall_ms: int


class AskWipe(Effect):
    """Tell the home of `user` to take its rows away."""

    user: str


class Finish(Effect):
    """Keep that nothing is left of `user`."""

    user: str


class Eraser:
    """Takes away what is left of deleted accounts."""

    __slots__ = ("_after", "_is_wiping", "_rid", "_user", "_waiting")

    def __init__(self) -> None:
        self._user: str | None = None
        self._after = b""
        self._waiting: dict[int, Conv] = {}  # those whose answer is to come, by request
        self._is_wiping = False
        self._rid = 0

    def start(self) -> list[Effect]:
        """Return what must be done first: see what is left from before."""
        return [ReadUnfinished()]

    def handle(self, event: Event, now_wall_ms: int) -> list[Effect]:
        """Take `event` in; return what must be done, in this order."""
        return self._HANDLERS[type(event)](self, event)

    def _on_account_gone(self, event: AccountGone) -> list[Effect]:
        return [ReadUnfinished()] if self._user is None else []

    def _on_unfinished(self, event: Unfinished) -> list[Effect]:
        if self._user is not None or not event.users:
            return []
        self._user = user = event.users[0]
        self._after, self._waiting, self._is_wiping = b"", {}, False
        timer = StartTimer(ERASURE_RETRY_S, ErasureDue())
        return [EndAccount(user), ReadGroups(user, b""), timer]

    def _on_groups_found(self, event: GroupsFound) -> list[Effect]:
        if event.user != self._user or self._waiting or self._is_wiping:
            return []  # it was asked twice
        self._after = event.after
        for group in event.groups:
            self._rid += 1
            self._waiting[self._rid] = group
        return self._leave_all() if self._waiting else self._go_on()

    def _leave_all(self) -> list[Effect]:
        assert self._user is not None
        return [_told(self._user, conv, rid) for rid, conv in self._waiting.items()]

    def _go_on(self) -> list[Effect]:
        assert self._user is not None
        if self._after:
            return [ReadGroups(self._user, self._after)]
        self._is_wiping = True
        return [AskWipe(self._user)]

    def _on_stray(self, event: Stray) -> list[Effect]:
        self._rid += 1  # nobody waits for the answer: if need be there will be another one
        return [_told(event.user, event.conv, self._rid, event.seq)]

    def _on_turned(self, event: TableTurned) -> list[Effect]:
        self._user, self._waiting = None, {}
        return [ReadUnfinished()]

    def _on_answer(self, event: Accepted | Answer | Refused) -> list[Effect]:
        # Refused for good: the user is not in it, or it is none any more.
        if isinstance(event, Refused) and event.retry != "never":
            return []
        if event.rid not in self._waiting:
            return []
        del self._waiting[event.rid]
        return [] if self._waiting else self._go_on()

    def _on_home_wiped(self, event: HomeWiped) -> list[Effect]:
        if event.user != self._user or not self._is_wiping:
            return []
        self._user = None
        return [Finish(event.user), ReadUnfinished()]

    def _on_due(self, event: ErasureDue) -> list[Effect]:
        if self._user is None:
            return []
        again = StartTimer(ERASURE_RETRY_S, ErasureDue())
        if self._waiting:
            return [*self._leave_all(), again]
        if self._is_wiping:
            return [AskWipe(self._user), again]
        return [ReadGroups(self._user, self._after), again]

    _HANDLERS: dict[type, Callable[[Any, Any], list[Effect]]] = {
        AccountGone: _on_account_gone,
        Unfinished: _on_unfinished,
        GroupsFound: _on_groups_found,
        Stray: _on_stray,
        TableTurned: _on_turned,
        Accepted: _on_answer,
        Answer: _on_answer,
        Refused: _on_answer,
        HomeWiped: _on_home_wiped,
        ErasureDue: _on_due,
    }


def _told(user: str, conv: Conv, rid: int, seq: int = 0) -> Effect:
    return LeaveGroup(user, conv, rid, seq) if isinstance(conv, str) else TellPeer(user, conv, rid)
