"""Knows how invitations are kept where there are several nodes, each in the slot of its digest.
Must not know who signs up by them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from actorchat.actor import Actor, Mailbox
from actorchat.broker.inquiry import NO_ANSWER
from actorchat.broker.reach import NO_LEADER
from actorchat.chat.afar import TableTurned
from actorchat.chat.event import Answer, Refused
from actorchat.chat.invitation import (
    DropInvitation,
    Invitation,
    InvitationAsked,
    KeepInvitation,
    RefuseInvitation,
    TellInvitations,
    answer_operator,
    invitation_id,
    used_once,
)
from actorchat.chat.reservation import (
    AskInvitations,
    AskSettled,
    Closed,
    InvitationsGiven,
    InvitationWanted,
    ListDue,
    Pending,
    Reserve,
    Reserved,
    Settled,
    SettleDue,
    Verdict,
    judge,
)
from actorchat.errors import Unavailable
from actorchat.ids import slot_of
from actorchat.limits import (
    ENTITY_MAILBOX_MAX,
    INVITATION_SETTLE_S,
    UNAVAILABLE_AFTER_MS,
    WHOIS_WAIT_S,
)
from actorchat.protocol import ops

if TYPE_CHECKING:
    from actorchat.broker.context import Context

INVITATIONS = "invitations"
_AUTHENTICATOR = "authenticator"


class Gathering:
    """An operator's request that wants to know all invitations first."""

    __slots__ = ("asked", "found", "waiting")

    def __init__(self, asked: InvitationAsked, waiting: set[str]) -> None:
        self.asked = asked
        self.waiting = waiting
        self.found: list[Invitation] = []


class InvitationsActor(Actor):
    """The desk of the invitations whose slots are led here. One a node, named `invitations`.

    A use is taken for whoever is about to get an account, in a row of its own; then it is counted,
    or free again. What became of it is asked for until it is known.
    """

    mailbox: ClassVar[Mailbox] = Mailbox(limit=ENTITY_MAILBOX_MAX, overflow="fail")

    def __init__(self, context: Context) -> None:
        super().__init__()
        assert context.reach is not None
        self._context = context
        self._reach = context.reach
        self._rows = context.invitations
        self._pending = Pending()
        self._lists: dict[int, Gathering] = {}
        self._numbers = 0

    def on_start(self) -> None:
        """Take the name; look what is taken."""
        self.system.names.register(INVITATIONS, self.ref)
        self._look()

    def on_stop(self, reason: object) -> None:
        """Answer those that wait."""
        for number in list(self._lists):
            self._drop(number)

    def on_receive(self, event: Any) -> None:
        """Do what is asked, behind all that was appended."""
        self._context.log.apply()
        self._HANDLERS[type(event)](self, event)

    def _leads(self, digest: bytes) -> bool:
        return self._reach.is_open(slot_of(digest.hex()))

    # -- uses --------------------------------------------------------------------------------------
    def _look(self, _event: TableTurned | None = None) -> None:
        self._context.log.apply()
        self._pending.kept.clear()
        if self._pending.add(self._rows.all_taken(self._reach.led())):
            self._time()

    def _time(self) -> None:
        self.send_after(INVITATION_SETTLE_S, SettleDue(), key=SettleDue)

    def _reserve(self, event: Reserve) -> None:
        one, now_wall_ms = event.reservation, self._context.clock.wall_ms()
        found: Invitation | None = None
        verdict: Verdict = "away"
        if self._leads(one.digest) and not self._context.log.is_full:
            found = self._rows.find(one.digest)
            verdict = judge(found, self._rows.taken(one.digest), now_wall_ms)
        reserved = Reserved(one, verdict, found if verdict == "good" else None)
        if verdict != "good":
            _tell((event.asker, reserved))
            return
        self._context.log.append((self._rows.taken_row(one),), _tell, (event.asker, reserved))
        if self._pending.add([one]):
            self._time()

    def _settled(self, event: Settled) -> None:
        one = event.reservation
        if not self._leads(one.digest) or self._context.log.is_full:
            return  # it is asked for
        rows = []
        if self._rows.is_taken(one):
            rows.append(self._rows.taken_row(one, False))
            found = self._rows.find(one.digest)
            if event.is_made and found is not None:  # it may have been revoked meanwhile
                rows.append(self._rows.row(used_once(found)))
        self._context.log.append(rows, self._close, event)

    def _close(self, event: Settled) -> None:
        self._pending.end(event.reservation)
        if event.is_made:
            _tell((event.asker, Closed(event.reservation)))

    def _ask_settled(self, _event: SettleDue) -> None:
        for one in self._pending.due():
            with suppress(Unavailable):  # it is asked again
                desk = self._reach.desk(one.user, _AUTHENTICATOR)
                if desk is not None:
                    desk.tell(AskSettled(self.ref, one))
        if self._pending.kept:
            self._time()

    # -- operators ---------------------------------------------------------------------------------
    def _asked(self, event: InvitationAsked) -> None:
        """See first what there is on all nodes; what is to be revoked is its own node's."""
        op = event.op
        if isinstance(op, ops.Invitation) and op.do == "revoke":
            self._pass_on(event, bytes.fromhex(op.invitation or ""))
            return
        nodes = self._reach.nodes()
        self._numbers += 1
        number = self._numbers
        gathering = self._lists[number] = Gathering(event, set(nodes) - {self._reach.node})
        gathering.found += self._rows.all(self._reach.led())
        try:
            for node in gathering.waiting:
                if not self._reach.is_up(node):
                    raise Unavailable
                self._reach.named(node, INVITATIONS).tell(AskInvitations(self.ref, number))
        except Unavailable:
            self._drop(number)
            return
        if gathering.waiting:
            self.send_after(WHOIS_WAIT_S, ListDue(number), key=(ListDue, number))
        else:
            self._gathered(number)

    def _give(self, event: AskInvitations) -> None:
        given = InvitationsGiven(event.number, self._reach.node, self._rows.all(self._reach.led()))
        self._context.log.append((), _tell, (event.asker, given))

    def _take(self, event: InvitationsGiven) -> None:
        gathering = self._lists.get(event.number)
        if gathering is None or event.node not in gathering.waiting:
            return
        gathering.waiting.discard(event.node)
        gathering.found += event.invitations
        if not gathering.waiting:
            self._gathered(event.number)

    def _gathered(self, number: int) -> None:
        gathering = self._lists.pop(number)
        asked = gathering.asked
        asked.invitations = gathering.found
        effect = answer_operator(asked, self._context.clock.wall_ms())
        if isinstance(effect, KeepInvitation):
            assert isinstance(asked.op, ops.Invitation)
            self._pass_on(asked, invitation_id(asked.op.code or ""))
        else:
            self._perform(effect)

    def _pass_on(self, event: InvitationAsked, digest: bytes) -> None:
        """Have the invitation's own node do it, which answers."""
        assert isinstance(event.op, ops.Invitation)
        wanted = InvitationWanted(event.session, event.op)
        if self._leads(digest):
            self._do(wanted)
            return
        try:
            self._reach.desk_of(slot_of(digest.hex()), INVITATIONS).tell(wanted)
        except Unavailable as error:
            event.session.tell(_refused(event.op.id, str(error)))

    def _do(self, event: InvitationWanted) -> None:
        op = event.op
        digest = invitation_id(op.code or "")
        if op.do == "revoke":
            digest = bytes.fromhex(op.invitation or "")
        if not self._leads(digest):
            event.session.tell(_refused(op.id, NO_LEADER))
            return
        # Others were looked at before, or don't matter; expired ones here may go.
        here = self._rows.all([slot_of(digest.hex())])
        asked = InvitationAsked(event.session, op, here)
        self._perform(answer_operator(asked, self._context.clock.wall_ms()))

    def _perform(self, effect: object) -> None:
        log, rows = self._context.log, self._rows
        if isinstance(effect, TellInvitations):
            log.append((), effect.session.tell, effect.answer)
        elif isinstance(effect, RefuseInvitation):
            effect.session.tell(effect.refused)
        elif isinstance(effect, KeepInvitation):
            kept = [*map(rows.no_row, effect.expired), rows.row(effect.invitation)]
            log.append(kept, effect.session.tell, _done(effect.rid, effect.invitation))
        elif isinstance(effect, DropInvitation):
            gone = (rows.no_row(effect.invitation),)
            log.append(gone, effect.session.tell, _done(effect.rid, effect.invitation))

    def _due(self, event: ListDue) -> None:
        self._drop(event.number)

    def _drop(self, number: int) -> None:
        gathering = self._lists.pop(number, None)
        if gathering is not None:
            gathering.asked.session.tell(_refused(gathering.asked.op.id, NO_ANSWER))

    _HANDLERS: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        TableTurned: _look,
        Reserve: _reserve,
        Settled: _settled,
        SettleDue: _ask_settled,
        InvitationAsked: _asked,
        InvitationWanted: _do,
        AskInvitations: _give,
        InvitationsGiven: _take,
        ListDue: _due,
    }


def _done(rid: int, invitation: Invitation) -> Answer:
    return Answer(rid, {"invitation": invitation.id.hex()})


def _refused(rid: int, reason: str) -> Refused:
    about = (rid, Unavailable.code, reason, Unavailable.retry)
    return Refused(*about, "none", UNAVAILABLE_AFTER_MS)


def _tell(answer: tuple[Any, object]) -> None:
    asker, event = answer
    with suppress(Unavailable):  # who asked gives up after a while, or is asked
        asker.tell(event)
