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
from actorchat.broker.hiding import conversation_key_of
from actorchat.broker.inspection import show
from actorchat.broker.inviting import INVITATIONS
from actorchat.broker.roundup import PEOPLE
from actorchat.broker.search import SEARCH
from actorchat.broker.whereabouts import home_of
from actorchat.chat.afar import Where
from actorchat.chat.effect import CheckSecret, MakeAccount
from actorchat.chat.event import Answer, Conv, Refused, SignInRefused
from actorchat.chat.file import Asked as FileAsked
from actorchat.chat.firehose_event import Wanted as EventsWanted
from actorchat.chat.invitation import InvitationAsked
from actorchat.chat.moderating import BotWanted, Moderate
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
from actorchat.errors import BUSY, LinkFull, MailboxFull, Unavailable
from actorchat.ids import is_name
from actorchat.protocol import ops
from actorchat.store import keys

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.broker.outlet import Connection
    from actorchat.chat.session import Session

OWN_FILE_OPS = (ops.Files, ops.DropFile)
NO_ACTOR = "no actor has this name or id"
NOT_YET = "this is not possible yet where the server has several nodes"


class Asking(Actor):
    """The part of a session that passes requests to the desks: the actors found by name.

    What is neither a conversation's nor the user's home's to answer goes this way.
    """

    _context: Context
    _connection: Connection
    _machine: Session
    _me: Any
    _nodes: frozenset[str] = frozenset()  # those other nodes that were told anything

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
        asked = Asked(self.ref, machine.user, machine.device, op)
        self._ask_desk(desk, asked, op.id, op.user if type(op) is ops.Profile else "")

    def _ask_files(self, op: Any) -> None:
        machine = self._machine
        if self._is_not_yet(op):
            return
        asked: object = (
            AskedOwn(self._me, machine.user, op)
            if type(op) in OWN_FILE_OPS
            else FileAsked(self._me, machine.user, machine.device, op)
        )
        self._ask_desk(FILES, asked, op.id)

    def _ask_firehose(self, op: Any) -> None:
        if self._context.reach is not None and type(op) is ops.Bot and not op.events:
            self._ask_desk(AUTHENTICATOR, BotWanted(self.ref, op), op.id, op.user)
        elif not self._is_not_yet(op):
            self._ask_desk(FIREHOSE, EventsWanted(self.ref, self._machine.user, op), op.id)

    def _moderate_afar(self, op: ops.Delete, where: Conv) -> None:
        """Ask the home of the bot that this is, which alone knows what was granted."""
        self._uses(self._context.router.conversation(where).node)
        asked = Moderate(self._machine.user, self._me, op.id, op.cid, where, op.seqs)
        self._ask_desk(PEOPLE, asked, op.id)

    def _provision(self, op: ops.Provision) -> None:
        asked = Provisioning(self.ref, op.id, op.user, op.password, op.device)
        self._ask_desk(AUTHENTICATOR, asked, op.id, op.user)

    def _ask_invitations(self, op: ops.Invitation | ops.Invitations) -> None:
        desk = AUTHENTICATOR if self._context.reach is None else INVITATIONS
        self._ask_desk(desk, InvitationAsked(self.ref, op), op.id)

    def _refresh(self, op: ops.Refresh) -> None:
        user, device = self._machine.user, self._machine.device
        self._tell_authenticator(Renewal(self.ref, op.id, user, device, op.token), op.id)

    def _status(self, op: ops.Status) -> None:
        self._answer(Answer(op.id, dict(self._context.report())))

    def _locate(self, op: ops.Locate) -> None:
        source = self._connection.source
        self._answer(Answer(op.id, self._context.locate(op.user, op.region, source)))

    def _whereis(self, op: ops.Whereis) -> None:
        try:
            self._context.router.user(op.user).tell(Where(self._me, op.id))
        except Unavailable:
            self._answer(Answer(op.id, home_of(self._context, op.user, is_up=False)))

    def _actors(self, op: ops.Actors) -> None:
        shown = show(self._context.system, op)
        if shown is None:
            self._refused(Refused(op.id, "no_such_actor", NO_ACTOR))
        else:
            self._answer(Answer(op.id, shown))

    def _check_secret(self, effect: CheckSecret) -> None:
        attempt = Attempt(self.ref, effect.user, effect.device, effect.mech, effect.secret)
        attempt.source = source_of(self._connection.source)
        # Every node knows the operator's key.
        self._sign_in_by(attempt, "" if effect.mech == "operator" else effect.user)

    def _make_account(self, effect: MakeAccount) -> None:
        enrolment = Enrolment(self.ref, effect.user, effect.device, effect.password, effect.code)
        enrolment.source = source_of(self._connection.source)
        # A bad name, which is nobody's, is refused by any desk.
        self._sign_in_by(enrolment, effect.user if is_name(effect.user) else "")

    def _sign_in_by(self, event: Attempt | Enrolment, whose: str) -> None:
        error = self._tell_desk(AUTHENTICATOR, event, whose)
        if error is not None:
            self.ref.tell(SignInRefused(error.code, why(error), "after", 1_000))

    def _tell_authenticator(self, event: object, rid: int) -> None:
        self._ask_desk(AUTHENTICATOR, event, rid)

    def _ask_desk(self, name: str, event: object, rid: int, whose: str = "") -> None:
        """Ask a desk at the home of `whose`, or of this session's user."""
        error = self._tell_desk(name, event, whose or self._machine.user)
        if error is not None:
            self._refused(Refused(rid, error.code, why(error), "after", "none", 1_000))

    def _tell_desk(self, name: str, event: object, whose: str) -> Unavailable | None:
        reach = self._context.reach
        try:
            if reach is None or not whose:
                desk: Any = self._context.system.names.whereis(name)
            else:
                desk = reach.desk(whose, name)
                self._uses(reach.home(whose))
            if desk is None:
                return MailboxFull()
            desk.tell(event)
        except Unavailable as error:
            return error
        return None

    def _is_apart(self, conv: Conv) -> bool:
        """Say whether a conversation and this user's home each keep what the user hides."""
        whose, key = keys.user_key(self._machine.user), conversation_key_of(conv)
        return self._context.archive.concealed.is_apart(whose, key)

    def _uses(self, node: str) -> None:
        """Take note of a node that was told something: with its link this session ends."""
        if node not in self._nodes:
            self._nodes = self._nodes | {node}

    def _is_not_yet(self, op: Any) -> bool:
        """Refuse what is not possible on several nodes; say whether it was."""
        if self._context.reach is None:
            return False
        self._refused(Refused(op.id, Unavailable.code, NOT_YET))
        return True

    ASKED: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        ops.Revoke: _revoke,
        **dict.fromkeys((*ops.PEOPLE_OPS, ops.Search), _ask_people),
        **dict.fromkeys(ops.FILE_OPS, _ask_files),
        **dict.fromkeys(ops.FIREHOSE_OPS, _ask_firehose),
        ops.Password: _change_password,
        ops.Provision: _provision,
        ops.Status: _status,
        ops.Locate: _locate,
        ops.Whereis: _whereis,
        ops.Actors: _actors,
        CheckSecret: _check_secret,
        MakeAccount: _make_account,
        **dict.fromkeys(ops.INVITATION_OPS, _ask_invitations),
        ops.Refresh: _refresh,
    }


def why(error: Unavailable) -> str:
    """Return what a user is told of why something could not be asked."""
    return BUSY if isinstance(error, MailboxFull | LinkFull) else str(error)
