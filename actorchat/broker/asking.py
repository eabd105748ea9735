"""Knows which of a session's requests go to which desk, and what is answered if it is too busy.
Must not know what a desk does, or connections beyond where they come from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from actorchat.actor import Actor
from actorchat.broker.authenticator import AUTHENTICATOR
from actorchat.broker.file import FILES
from actorchat.broker.firehose import FIREHOSE
from actorchat.broker.inspection import show
from actorchat.broker.people import PEOPLE
from actorchat.broker.search import SEARCH
from actorchat.chat.effect import CheckSecret, MakeAccount
from actorchat.chat.event import Answer, Refused, SignInRefused
from actorchat.chat.file import Asked as FileAsked
from actorchat.chat.firehose_event import Wanted as EventsWanted
from actorchat.chat.invitation import InvitationAsked
from actorchat.chat.own_file import AskedOwn
from actorchat.chat.people import Asked
from actorchat.chat.signin_event import (
    Attempt,
    Enrolment,
    PasswordChange,
    Provisioning,
    Renewal,
    Revocation,
)
from actorchat.chat.source import source_of
from actorchat.errors import MailboxFull
from actorchat.protocol import ops

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.broker.outlet import Connection
    from actorchat.chat.session import Session

BUSY = "too much at once; send again a little later"
OWN_FILE_OPS = (ops.Files, ops.DropFile)
NO_ACTOR = "no actor has this name or id"


class Asking(Actor):
    """The part of a session that passes requests to the desks: the actors found by name.

    What is neither a conversation's nor the user's home's to answer goes this way.
    """

    _context: Context
    _connection: Connection
    _machine: Session
    _me: Any

    def _refused(self, event: Refused) -> None:
        raise NotImplementedError

    def _answer(self, event: Answer) -> None:
        raise NotImplementedError

    def _revoke(self, op: ops.Revoke) -> None:
        user = self._machine.user
        self._tell_authenticator(Revocation(self.ref, op.id, user, op.device), op.id)

    def _change_password(self, op: ops.Password) -> None:
        user, device = self._machine.user, self._machine.device
        change = PasswordChange(self.ref, op.id, user, device, op.old, op.new, op.revoke_others)
        change.keep = op.keep
        self._tell_authenticator(change, op.id)

    def _ask_people(self, op: Any) -> None:
        machine = self._machine
        desk = SEARCH if type(op) is ops.Search else PEOPLE
        if not self._reach(desk, Asked(self.ref, machine.user, machine.device, op)):
            self._refused(Refused(op.id, "busy", BUSY, "after", "none", 1_000))

    def _ask_files(self, op: Any) -> None:
        machine = self._machine
        asked: object = (
            AskedOwn(self._me, machine.user, op)
            if type(op) in OWN_FILE_OPS
            else FileAsked(self._me, machine.user, machine.device, op)
        )
        if not self._reach(FILES, asked):
            self._refused(Refused(op.id, "busy", BUSY, "after", "none", 1_000))

    def _ask_firehose(self, op: Any) -> None:
        if not self._reach(FIREHOSE, EventsWanted(self.ref, self._machine.user, op)):
            self._refused(Refused(op.id, "busy", BUSY, "after", "none", 1_000))

    def _provision(self, op: ops.Provision) -> None:
        asked = Provisioning(self.ref, op.id, op.user, op.password, op.device)
        self._tell_authenticator(asked, op.id)

    def _ask_invitations(self, op: ops.Invitation | ops.Invitations) -> None:
        self._tell_authenticator(InvitationAsked(self.ref, op), op.id)

    def _refresh(self, op: ops.Refresh) -> None:
        user, device = self._machine.user, self._machine.device
        self._tell_authenticator(Renewal(self.ref, op.id, user, device, op.token), op.id)

    def _status(self, op: ops.Status) -> None:
        self._answer(Answer(op.id, dict(self._context.report())))

    def _actors(self, op: ops.Actors) -> None:
        shown = show(self._context.system, op)
        if shown is None:
            self._refused(Refused(op.id, "no_such_actor", NO_ACTOR))
        else:
            self._answer(Answer(op.id, shown))

    def _check_secret(self, effect: CheckSecret) -> None:
        attempt = Attempt(self.ref, effect.user, effect.device, effect.mech, effect.secret)
        attempt.source = source_of(self._connection.source)
        self._sign_in_by(attempt)

    def _make_account(self, effect: MakeAccount) -> None:
        enrolment = Enrolment(self.ref, effect.user, effect.device, effect.password, effect.code)
        enrolment.source = source_of(self._connection.source)
        self._sign_in_by(enrolment)

    def _sign_in_by(self, event: Attempt | Enrolment) -> None:
        if not self._reach_authenticator(event):
            self.ref.tell(SignInRefused("busy", BUSY, "after", 1_000))

    def _tell_authenticator(self, event: object, rid: int) -> None:
        if not self._reach_authenticator(event):
            self._refused(Refused(rid, "busy", BUSY, "after", "none", 1_000))

    def _reach_authenticator(self, event: object) -> bool:
        return self._reach(AUTHENTICATOR, event)

    def _reach(self, name: str, event: object) -> bool:
        desk = self._context.system.names.whereis(name)
        if desk is None:
            return False
        try:
            desk.tell(event)
        except MailboxFull:
            return False
        return True

    ASKED: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        ops.Revoke: _revoke,
        **dict.fromkeys((*ops.PEOPLE_OPS, ops.Search), _ask_people),
        **dict.fromkeys(ops.FILE_OPS, _ask_files),
        **dict.fromkeys(ops.FIREHOSE_OPS, _ask_firehose),
        ops.Password: _change_password,
        ops.Provision: _provision,
        ops.Status: _status,
        ops.Actors: _actors,
        CheckSecret: _check_secret,
        MakeAccount: _make_account,
        **dict.fromkeys(ops.INVITATION_OPS, _ask_invitations),
        ops.Refresh: _refresh,
    }
