"""Knows how the sign-in desk of one of several nodes takes a use of an invitation of another one.
Must not know who may sign up.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from actorchat.actor import Actor
from actorchat.broker.inviting import INVITATIONS
from actorchat.chat.invitation import invitation_id
from actorchat.chat.moderating import BotWanted
from actorchat.chat.reservation import (
    AskSettled,
    Closed,
    Reservation,
    ReservationLate,
    Reserve,
    Reserved,
    Settled,
)
from actorchat.chat.signin_event import (
    AskReservation,
    Enrolment,
    FreeReservation,
    Provisioning,
)
from actorchat.errors import MailboxFull, SlotClosed, Unavailable
from actorchat.ids import slot_of
from actorchat.limits import WHOIS_WAIT_S

if TYPE_CHECKING:
    from actorchat.broker.context import Context


class Enrolling(Actor):
    """The part of the sign-in desk that is at work only where there are several nodes.

    What it is about to make an account by is in memory: after a crash nothing comes of that.
    """

    _context: Context

    def __init__(self) -> None:
        super().__init__()
        self._under_way: dict[bytes, Enrolment] = {}  # by the id of what was asked for them

    def _feed(self, event: object) -> None:
        raise NotImplementedError

    def _reserve(self, effect: AskReservation) -> None:
        asked, context = effect.enrolment, self._context
        assert asked.code is not None
        fresh = invitation_id(context.token_source())
        asked.reservation = one = Reservation(invitation_id(asked.code), fresh, asked.user)
        self._under_way[one.id] = asked
        if self._tell_invitations_desk(one, Reserve(self.ref, one)):
            self.send_after(WHOIS_WAIT_S, ReservationLate(one), key=(ReservationLate, one.id))
        else:
            self._give_up(one)

    def _from_afar(self, event: Any) -> bool:
        """Take in what has to do with other nodes; say whether it did."""
        kind = type(event)
        if kind is Reserved:
            self._reserved(event)
        elif kind is ReservationLate:
            asked = self._under_way.get(event.reservation.id)
            if asked is not None and asked.verdict == "":
                self._give_up(event.reservation)
        elif kind is BotWanted:
            self._want_bot(event)
        elif kind is AskSettled:
            self._settle(event)
        elif kind is Closed:
            row = self._context.invitations.owed_row(event.reservation, False)
            with suppress(SlotClosed):  # one row too many is no harm
                self._context.log.append_lazily((row,))
        else:
            return False
        return True

    def _want_bot(self, event: BotWanted) -> None:
        """Make a bot that reads no events; a session can't say more than its op does."""
        op = event.op
        asked = Provisioning(event.session, op.id, op.user, None, op.device, bot_kinds=[])
        asked.moderates = op.moderates
        self._feed(asked)

    def _reserved(self, event: Reserved) -> None:
        asked = self._under_way.get(event.reservation.id)
        if asked is None:  # nobody waits any more
            if event.verdict == "good":
                self._settled(event.reservation, False)
        elif asked.verdict == "":
            asked.verdict, asked.invitation = event.verdict, event.invitation
            if event.verdict != "good":
                del self._under_way[event.reservation.id]
            self._feed(asked)

    def _give_up(self, reservation: Reservation) -> None:
        asked = self._under_way.pop(reservation.id)
        asked.verdict = "away"
        self._feed(asked)

    def _free(self, effect: FreeReservation) -> None:
        if self._under_way.pop(effect.reservation.id, None) is not None:
            self._settled(effect.reservation, False)

    def _made(self, reservation: Reservation) -> None:
        """Tell that there is the account, which is synced."""
        self._settled(reservation, True)

    def _settle(self, event: AskSettled) -> None:
        """Answer from the store; nothing, while it is about to be written."""
        context, one = self._context, event.reservation
        context.log.apply()
        if one.id in self._under_way:
            return
        settled = Settled(self.ref, one, context.invitations.owes(one))
        context.log.append((), _tell, (event.asker, settled))

    def _settled(self, reservation: Reservation, is_made: bool) -> None:
        # Should it not arrive, it is asked for.
        self._tell_invitations_desk(reservation, Settled(self.ref, reservation, is_made))

    def _tell_invitations_desk(self, reservation: Reservation, event: object) -> bool:
        reach = self._context.reach
        assert reach is not None
        try:
            desk = reach.desk_of(slot_of(reservation.digest.hex()), INVITATIONS)
            if desk is None:
                return False
            desk.tell(event)
        except (Unavailable, MailboxFull):
            return False
        return True


def _tell(answer: tuple[Any, Settled]) -> None:
    asker, settled = answer
    with suppress(Unavailable):
        asker.tell(settled)
