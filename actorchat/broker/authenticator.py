"""Knows how to do what the sign-in desk decides: look up, hash, keep.
Must not know ops or connections.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from actorchat.actor import Mailbox
from actorchat.broker.enrolling import Enrolling
from actorchat.broker.eraser import ERASER
from actorchat.broker.reach import MOVING
from actorchat.broker.turned_away import turn_away
from actorchat.chat.account import Device, token_digest
from actorchat.chat.erasure import AccountGone
from actorchat.chat.event import Answer, DeviceRevoked, SignedIn
from actorchat.chat.firehose_event import Granted
from actorchat.chat.invitation import (
    DropInvitation,
    InvitationAsked,
    KeepInvitation,
    RefuseInvitation,
    TellInvitations,
    answer_operator,
)
from actorchat.chat.people import Card
from actorchat.chat.renewal import lifetime_of, shown_lifetime, with_next
from actorchat.chat.signin import SignInDesk
from actorchat.chat.signin_event import (
    AskReservation,
    Attempt,
    DropDevice,
    EndAccount,
    Enrolment,
    Erasing,
    FreeReservation,
    Hashed,
    HashPassword,
    IssueToken,
    KeepAccount,
    KeepDevice,
    PasswordChange,
    Provisioning,
    ReadToken,
    Renewal,
    RenewToken,
    ReplacePassword,
    Revocation,
    Tell,
    TokenRead,
    Verified,
    Verify,
)
from actorchat.chat.signup import SignUpPolicy
from actorchat.errors import SlotClosed, Unavailable
from actorchat.limits import (
    DEVICES_MAX,
    ENTITY_MAILBOX_MAX,
    MOVED_AFTER_MS,
    SOURCE_FAILURES_PER_MINUTE,
)
from actorchat.store.engine import Op

if TYPE_CHECKING:
    from actorchat.broker.context import Context

AUTHENTICATOR = "authenticator"


class AuthenticatorActor(Enrolling):
    """The sign-in desk of a node. One a node, under the name `authenticator`.

    Args:
        operator_key, hashes_queued_max, devices_max, takes_jwt, makes_users,
            source_failures_per_minute, policy, token_life_ms: As in `SignInDesk`.
        hashers: The refs that take `Verify` and `HashPassword`, in turn; see `hasher.py`.
    """

    mailbox: ClassVar[Mailbox] = Mailbox(limit=ENTITY_MAILBOX_MAX, overflow="fail")

    def __init__(
        self,
        context: Context,
        operator_key: str,
        hashes_queued_max: int,
        hashers: list[Any],
        devices_max: int = DEVICES_MAX,
        takes_jwt: bool = False,
        makes_users: bool = False,
        source_failures_per_minute: int = SOURCE_FAILURES_PER_MINUTE,
        policy: SignUpPolicy | None = None,
        token_life_ms: int = 0,
    ) -> None:
        super().__init__()
        self._context = context
        self._token_life_ms = token_life_ms
        self._desk = SignInDesk(
            operator_key,
            hashes_queued_max,
            devices_max,
            takes_jwt,
            makes_users,
            source_failures_per_minute,
            policy,
            token_life_ms,
        )
        self._invitations = context.invitations
        self._hashers = hashers
        self._next_hasher = 0

    def on_start(self) -> None:
        """Take the name."""
        self.system.names.register(AUTHENTICATOR, self.ref)

    def on_receive(self, event: Any) -> None:
        """Look up what the desk must know, feed it, perform its effects."""
        if self._context.reach is None or not self._from_afar(event):
            self._feed(event)

    def _feed(self, event: Any) -> None:
        try:
            self._decide(event)
        except SlotClosed:  # since it was asked, or while its password was looked at
            turn_away(_asked(event), Unavailable.code, MOVING, after_ms=MOVED_AFTER_MS)

    def _decide(self, event: Any) -> None:
        self._look_up(event)
        if type(event) is InvitationAsked:
            effect = answer_operator(event, self._context.clock.wall_ms())
            self._PERFORM[type(effect)](self, effect)
            return
        for effect in self._desk.handle(event, self._context.clock.wall_ms()):
            self._PERFORM[type(effect)](self, effect)

    def _look_up(self, event: Any) -> None:
        archive = self._context.archive
        kind = type(event)
        if kind is Attempt:
            if event.mech == "token":
                device = archive.device(event.user, event.device)
                if device is not None and device.next_sha256:
                    # It may be written again, which must not undo what is about to be written.
                    self._context.log.apply()
                    device = archive.device(event.user, event.device)
                event.known_device = device
            elif event.mech == "password":
                event.account = archive.account(event.user)
        elif kind in {Revocation, Renewal}:
            self._context.log.apply()
            event.known_device = archive.device(event.user, event.device)
        elif kind is InvitationAsked:
            self._context.log.apply()
            event.invitations = self._invitations.all()
        elif kind in {Provisioning, PasswordChange, Hashed, Erasing, Enrolment}:
            # An account that was made a moment ago may not have been written yet.
            self._context.log.apply()
            asked = event.provisioning if kind is Hashed else event
            asked.account = archive.account(asked.user)
            asked.devices = self._context.census.device_names(asked.user)
            if isinstance(asked, Provisioning | Enrolment):
                asked.is_gone = self._context.tombs.has(asked.user)
            if isinstance(asked, Enrolment):
                asked.is_afar = self._context.reach is not None
                if asked.code is not None and not asked.is_afar:
                    asked.invitation = self._invitations.of_code(asked.code)
        elif kind is TokenRead:
            self._context.log.apply()
            attempt = event.attempt
            attempt.account = archive.account(attempt.user)
            attempt.devices = self._context.census.device_names(attempt.user)
            attempt.is_gone = self._context.tombs.has(attempt.user)
        elif kind is Verified:
            self._context.log.apply()
            if isinstance(event.attempt, Erasing):  # it may have been asked for twice
                event.attempt.account = archive.account(event.attempt.user)
            event.attempt.devices = self._context.census.device_names(event.attempt.user)

    # -- effects -----------------------------------------------------------------------------------
    def _tell(self, effect: Tell) -> None:
        if type(effect.event) is SignedIn:
            self._note_seen(effect.event.user, effect.event.device)
        effect.session.tell(effect.event)

    def _note_seen(self, user: str, device: str) -> None:
        context = self._context
        seen = context.census.seen_row(user, device, context.clock.wall_ms())
        context.log.append_lazily((seen,))

    def _hash(self, effect: Verify | HashPassword | ReadToken) -> None:
        hasher = self._hashers[self._next_hasher]
        self._next_hasher = (self._next_hasher + 1) % len(self._hashers)
        hasher.tell((effect, self.ref))

    def _issue_token(self, effect: IssueToken) -> None:
        context, user = self._context, effect.user
        token = context.token_source()
        device = Device(effect.device, token_digest(token), context.clock.wall_ms())
        changes = [context.rows.device(user, device)]
        if effect.account is not None:
            changes.append(context.rows.account(effect.account))
        if effect.invitation is not None:  # in the account's own batch: both are there, or neither
            changes.append(self._invitations.row(effect.invitation))
        reserved = effect.reservation
        if reserved is not None:  # so is what is owed for it
            changes.append(self._invitations.owed_row(reserved))
            self._under_way.pop(reserved.id, None)
        done: SignedIn | Answer
        if effect.rid is None:
            changes.append(context.census.seen_row(user, effect.device, context.clock.wall_ms()))
            life_ms = self._token_life_ms
            done = SignedIn(user, effect.device, token, lifetime_of(0, life_ms, 0))
        else:
            done = Answer(effect.rid, {"user": user, "device": effect.device, "token": token})
        if effect.bot_kinds is None:
            context.log.append(changes, effect.session.tell, done)
            if reserved is not None:
                context.log.append((), self._made, reserved)
            return
        kinds = sorted(set(effect.bot_kinds))
        changes += context.firehose.grant_rows(user, kinds)
        changes.append(context.moderators.row(user, effect.moderates))
        granted = Granted(user, kinds)
        context.log.append(changes, self._tell_firehose, granted, effect.session.tell, done)

    def _keep_device(self, effect: KeepDevice) -> None:
        context, user, device = self._context, effect.user, effect.device
        if context.log.is_full:  # reading goes on: both tokens stay good until it can be written
            effect.session.tell(effect.signed_in)
            return
        seen = context.census.seen_row(user, device.device, context.clock.wall_ms())
        changes = (context.rows.device(user, device), seen)
        context.log.append(changes, effect.session.tell, effect.signed_in)

    def _renew_token(self, effect: RenewToken) -> None:
        context = self._context
        token, now_wall_ms = context.token_source(), context.clock.wall_ms()
        device = with_next(effect.device, token, now_wall_ms)
        ok: dict[str, object] = {"token": token}
        lifetime = lifetime_of(now_wall_ms, self._token_life_ms, now_wall_ms)
        if lifetime is not None:
            ok["lifetime"] = shown_lifetime(lifetime)
        changes = (context.rows.device(effect.user, device),)
        context.log.append(changes, effect.session.tell, Answer(effect.rid, ok))

    def _keep_invitation(self, effect: KeepInvitation) -> None:
        rows = [self._invitations.no_row(one) for one in effect.expired]
        rows.append(self._invitations.row(effect.invitation))
        answer = Answer(effect.rid, {"invitation": effect.invitation.id.hex()})
        self._context.log.append(rows, effect.session.tell, answer)

    def _drop_invitation(self, effect: DropInvitation) -> None:
        rows = (self._invitations.no_row(effect.invitation),)
        answer = Answer(effect.rid, {"invitation": effect.invitation.id.hex()})
        self._context.log.append(rows, effect.session.tell, answer)

    def _tell_invitations(self, effect: TellInvitations) -> None:
        self._context.log.append((), effect.session.tell, effect.answer)

    def _refuse_invitation(self, effect: RefuseInvitation) -> None:
        effect.session.tell(effect.refused)

    def _tell_firehose(self, granted: Granted) -> None:
        firehose = self.system.names.whereis("firehose")
        if firehose is not None:  # one that is just being started reads the rows
            firehose.tell(granted)

    def _keep_account(self, effect: KeepAccount) -> None:
        context = self._context
        done = Answer(effect.rid, {"user": effect.account.user})
        context.log.append((context.rows.account(effect.account),), effect.session.tell, done)

    def _drop_device(self, effect: DropDevice) -> None:
        context = self._context
        home = context.router.user(effect.user)
        context.log.append(
            (
                context.rows.no_device(effect.user, effect.device),
                context.census.title_row(effect.user, effect.device, ""),
                context.census.seen_row(effect.user, effect.device, None),
            ),
            home.tell,
            DeviceRevoked(effect.device),
            effect.session.tell,
            Answer(effect.rid, {}),
        )

    def _replace_password(self, effect: ReplacePassword) -> None:
        context, user = self._context, effect.account.user
        rows = [context.rows.account(effect.account), *self._no_devices(user, effect.devices)]
        context.log.append(rows, effect.session.tell, Answer(effect.rid, {}))
        home = context.router.user(user)
        for device in effect.devices:
            context.log.append((), home.tell, DeviceRevoked(device))

    def _no_devices(self, user: str, devices: list[str]) -> list[Op]:
        context = self._context
        rows = []
        for device in devices:
            rows.append(context.rows.no_device(user, device))
            rows.append(context.census.title_row(user, device, ""))
            rows.append(context.census.seen_row(user, device, None))
        return rows

    def _end_account(self, effect: EndAccount) -> None:
        context, user = self._context, effect.user
        rows = [
            *context.tombs.new_rows(user, context.clock.wall_ms()),
            context.rows.no_account(user),
            context.census.card_row(user, Card()),
            *self._no_devices(user, effect.devices),
        ]
        context.log.append(rows, effect.session.tell, Answer(effect.rid, {}))
        # The eraser tells all others who must know; should it not hear, it reads it at its start.
        context.log.append((), self._tell_eraser, AccountGone(user))

    def _tell_eraser(self, gone: AccountGone) -> None:
        eraser = self.system.names.whereis(ERASER)
        if eraser is not None:
            eraser.tell(gone)

    _PERFORM: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        Tell: _tell,
        AskReservation: Enrolling._reserve,
        FreeReservation: Enrolling._free,
        Verify: _hash,
        ReadToken: _hash,
        HashPassword: _hash,
        IssueToken: _issue_token,
        KeepAccount: _keep_account,
        DropDevice: _drop_device,
        ReplacePassword: _replace_password,
        EndAccount: _end_account,
        KeepDevice: _keep_device,
        RenewToken: _renew_token,
        KeepInvitation: _keep_invitation,
        DropInvitation: _drop_invitation,
        TellInvitations: _tell_invitations,
        RefuseInvitation: _refuse_invitation,
    }


def _asked(event: Any) -> Any:
    """Return what a session asked, which a hasher's answer is about."""
    if isinstance(event, Hashed):
        return event.provisioning
    return event.attempt if isinstance(event, Verified | TokenRead) else event
