"""Knows how a use of an invitation is counted once where the account is made on another node.
Must not know hashing, rows or links.

```text
home of the name                         node of the invitation
  Reserve     ───────────────────────────►  a use is taken for a while, synced
              ◄───────────────────────────  Reserved
  the account, and that a use of it is owed, in one batch
  Settled     ───────────────────────────►  the use is counted, or free again, synced
              ◄───────────────────────────  Closed: nothing is owed any more
```

The node of the invitation asks (`AskSettled`) as long as it is not told what became of a use. The
home answers from its store, and that nothing came of it only once nothing can.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from actorchat.chat.event import Address, Event
from actorchat.chat.invitation import Invitation, is_good
from actorchat.protocol import ops

# `held`: all uses are taken, but some may become free. `away`: nobody can say now.
Verdict = Literal["good", "bad", "held", "away"]


class Reservation(msgspec.Struct, frozen=True):
    """One use of the invitation `digest` (16 bytes) that is taken for `user`, under a new `id`."""

    digest: bytes
    id: bytes
    user: str


# -- between the two desks -----------------------------------------------------------------------
class Reserve(Event):
    """The home of a name asks for a use."""

    asker: Address
    reservation: Reservation


class Reserved(Event):
    """What comes of it; with a `good` one, which is synced, the invitation as it is."""

    reservation: Reservation
    verdict: Verdict
    invitation: Invitation | None = None


class AskSettled(Event):
    """The node of an invitation asks what became of a use that it keeps."""

    asker: Address
    reservation: Reservation


class Settled(Event):
    """Whether an account was made by it, which is synced; if not, none will be."""

    asker: Address
    reservation: Reservation
    is_made: bool


class Closed(Event):
    """It is counted, which is synced."""

    reservation: Reservation


class SettleDue(Event):
    """Time to ask what became of uses that are taken."""


class ReservationLate(Event):
    """Time to give up waiting for a `Reserved`."""

    reservation: Reservation


# -- between the desks of invitations --------------------------------------------------------------
class InvitationWanted(Event):
    """An operator asks for `op` at another node than the invitation's."""

    session: Address
    op: ops.Invitation


class AskInvitations(Event):
    """A desk asks another one for the invitations that it has, and may give out or not."""

    asker: Address
    number: int


class InvitationsGiven(Event):
    """The invitations of `node`."""

    number: int
    node: str
    invitations: list[Invitation]


class ListDue(Event):
    """Time to give up a list that other nodes have not answered for."""

    number: int


def judge(invitation: Invitation | None, taken: int, now_wall_ms: int) -> Verdict:
    """Say whether one more use of an invitation may be taken, beside `taken` ones."""
    if invitation is None or not is_good(invitation, now_wall_ms):
        return "bad"
    return "good" if invitation.left > taken else "held"


class Pending:
    """The uses of which it is not known what became of them. Each is asked for after a while."""

    __slots__ = ("_is_timed", "_since", "kept")

    def __init__(self) -> None:
        self.kept: dict[bytes, Reservation] = {}
        self._since: set[bytes] = set()  # those that were there when was asked last
        self._is_timed = False

    def add(self, reservations: list[Reservation]) -> bool:
        """Take in some; say whether a timer must be started."""
        self.kept.update((one.id, one) for one in reservations)
        starts = bool(self.kept) and not self._is_timed
        self._is_timed = self._is_timed or starts
        return starts

    def due(self) -> list[Reservation]:
        """Return those to ask for; the timer is started again if there are any at all."""
        asked = [one for number, one in self.kept.items() if number in self._since]
        self._since = set(self.kept)
        self._is_timed = bool(self.kept)
        return asked

    def end(self, reservation: Reservation) -> None:
        """Forget one of which it is known, and kept."""
        self.kept.pop(reservation.id, None)
