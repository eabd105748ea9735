"""Knows who may sign in and who may make accounts.
Must not know hashing, randomness, rows or threads.
"""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest
from typing import Any

from actorchat.chat.account import Account
from actorchat.chat.bearer import DISABLED, refusal
from actorchat.chat.event import (
    Answer,
    Refused,
    SignedIn,
    SignedInOperator,
    SignInRefused,
)
from actorchat.chat.renewal import EXPIRED, lifetime_of, presented
from actorchat.chat.signin_event import (
    AskReservation,
    Attempt,
    DropDevice,
    EndAccount,
    Enrolment,
    Erasing,
    FreeReservation,
    Hashed,
    HasherLost,
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
from actorchat.chat.signup import SignUpPolicy, SignUps
from actorchat.chat.source import Guesses
from actorchat.ids import is_name
from actorchat.limits import (
    DEVICES_MAX,
    HASHES_QUEUED_MAX,
    SECRET_CHARS_MAX,
    SOURCE_FAILURES_PER_MINUTE,
)

TOO_MANY = "the user has as many devices as may be; revoke one first"
AWAY = SignInRefused("unavailable", "the invitation can't be used now; try again", "after", 1_000)
WRONG = SignInRefused("unauthenticated", "wrong user, device or secret", "never")


class SignInDesk:
    """Checks secrets: tokens at once, passwords through a bounded queue of hashes.

    Unknown user, unknown device and wrong secret get the same answer in the same time: a password
    is compared with a dummy hash when there is no account, and a failure is counted for a name
    whether or not somebody has it. An attempt counts as failed until it has succeeded: many at once
    get no more guesses than as many in a row.

    Args:
        operator_key: The secret of the `operator` mechanism; empty: nobody is operator.
        hashes_queued_max: How many passwords may wait to be hashed; the next is told `busy`.
        devices_max: How many devices of a user may sign in; one more is refused.
        takes_jwt: Whether tokens of another issuer sign in. makes_users: and make accounts.
        policy: Who may make an account. token_life_ms: how old a token may become; 0: any age.
    """

    __slots__ = (
        *("_devices_max", "_guesses", "_hashes_queued_max", "_hashing", "_makes_users"),
        *("_life_ms", "_operator_key", "_sign_ups", "_takes_jwt"),
    )

    def __init__(
        self,
        operator_key: str,
        hashes_queued_max: int = HASHES_QUEUED_MAX,
        devices_max: int = DEVICES_MAX,
        takes_jwt: bool = False,
        makes_users: bool = False,
        source_failures_per_minute: int = SOURCE_FAILURES_PER_MINUTE,
        policy: SignUpPolicy | None = None,
        token_life_ms: int = 0,
    ) -> None:
        self._sign_ups = SignUps(policy or SignUpPolicy())
        self._life_ms = token_life_ms
        self._takes_jwt = takes_jwt
        self._makes_users = makes_users
        self._devices_max = devices_max
        self._operator_key = operator_key
        self._hashes_queued_max = hashes_queued_max
        self._guesses = Guesses(source_failures_per_minute)
        self._hashing = 0

    @property
    def hashes_under_way(self) -> int:
        """How many passwords are queued or being hashed."""
        return self._hashing

    def handle(self, event: object, now_wall_ms: int) -> list[object]:
        """Take `event` in; return what must be done, in this order."""
        return self._HANDLERS[type(event)](self, event, now_wall_ms)

    def _on_attempt(self, event: Attempt, now_wall_ms: int) -> list[object]:
        if event.mech == "operator":
            return self._operator(event, now_wall_ms)
        if not (is_name(event.user) and is_name(event.device)):
            return [Tell(event.session, WRONG)]
        is_jwt = event.mech == "jwt"
        if is_jwt and not self._takes_jwt:
            return [Tell(event.session, DISABLED)]
        if not is_jwt and len(event.secret) > SECRET_CHARS_MAX:
            return [Tell(event.session, WRONG)]
        if event.mech == "token":
            return self._by_token(event, now_wall_ms)
        wait_ms, reason = self._guesses.wait_ms(
            None if is_jwt else event.user, event.source, now_wall_ms
        )
        if wait_ms:
            refused = SignInRefused("rate_limited", reason, "after", wait_ms)
            return [Tell(event.session, refused)]
        if self._hashing >= self._hashes_queued_max:
            refused = SignInRefused("busy", "too many sign-ins at once", "after", 1_000)
            return [Tell(event.session, refused)]
        self._hashing += 1
        if is_jwt:  # nobody guesses a signature, so failures are not counted
            return [ReadToken(event)]
        self._guesses.failed(event.user, event.source, now_wall_ms)
        account = event.account
        return [Verify(event, account.password_hash if account is not None else "")]

    def _by_token(self, event: Attempt, now_wall_ms: int) -> list[object]:
        device = presented(event.known_device, event.secret)
        if device is None:
            return [Tell(event.session, WRONG)]
        lifetime = lifetime_of(device.created_at_wall_ms, self._life_ms, now_wall_ms)
        if lifetime is not None and not lifetime[0]:
            return [Tell(event.session, EXPIRED)]
        signed_in = SignedIn(event.user, event.device, None, lifetime)
        if device is event.known_device:
            return [Tell(event.session, signed_in)]
        return [KeepDevice(event.session, event.user, device, signed_in)]

    def _on_renewal(self, event: Renewal, now_wall_ms: int) -> list[object]:
        # One that has expired meanwhile is good for this: who asks is signed in.
        device = presented(event.known_device, event.secret)
        if device is None:
            reason = "this is not the device's token"
            return [Tell(event.session, Refused(event.rid, "unauthenticated", reason))]
        return [RenewToken(event.session, event.rid, event.user, device)]

    def _on_enrolment(self, event: Enrolment, now_wall_ms: int) -> list[object]:
        if event.verdict:
            return self._on_reserved(event, now_wall_ms)
        refused = self._sign_ups.refusal(event, now_wall_ms)
        if refused is None and self._sign_ups.reserves(event):
            return [AskReservation(event)]
        return self._hash_enrolment(event, refused)

    def _on_reserved(self, event: Enrolment, now_wall_ms: int) -> list[object]:
        """Go on with who has a use of an invitation for now, or not."""
        if event.verdict in {"held", "away"}:
            self._sign_ups.give_back(event)
            return [Tell(event.session, AWAY)]
        return self._hash_enrolment(event, self._sign_ups.late_refusal(event, now_wall_ms))

    def _hash_enrolment(self, event: Enrolment, refused: SignInRefused | None) -> list[object]:
        # Half of the queue is for those who have an account already.
        if refused is None and self._hashing >= (self._hashes_queued_max + 1) // 2:
            self._sign_ups.give_back(event)
            refused = SignInRefused("busy", "too many sign-ins at once", "after", 1_000)
        if refused is not None:
            return self._refuse_enrolment(event, refused)
        self._hashing += 1
        return [HashPassword(event)]

    def _refuse_enrolment(self, event: Enrolment, refused: SignInRefused) -> list[object]:
        tell, reservation = Tell(event.session, refused), event.reservation
        return [tell] if reservation is None else [tell, FreeReservation(reservation)]

    def _on_enrolled(self, event: Enrolment, account: Account, now_wall_ms: int) -> list[object]:
        """Make the account, unless somebody else had the name or the last use meanwhile."""
        if (refused := self._sign_ups.late_refusal(event, now_wall_ms)) is not None:
            return self._refuse_enrolment(event, refused)
        left, reservation = self._sign_ups.spent(event), event.reservation
        to = (event.session, event.user, event.device)
        return [IssueToken(*to, None, account, None, left, reservation=reservation)]

    def _on_token_read(self, event: TokenRead, now_wall_ms: int) -> list[object]:
        self._hashing -= 1
        attempt, reading = event.attempt, event.reading
        if reading.problem or reading.user != attempt.user:
            return [Tell(attempt.session, refusal(reading))]
        account = attempt.account
        makes = self._makes_users and not attempt.is_gone
        if not makes if account is None else account.is_bot:
            return [Tell(attempt.session, WRONG)]
        if self._is_too_many(attempt.device, attempt.devices):
            return [Tell(attempt.session, SignInRefused("too_many_devices", TOO_MANY))]
        fresh = Account(attempt.user, now_wall_ms) if account is None else None
        return [IssueToken(attempt.session, attempt.user, attempt.device, None, fresh)]

    def _on_password_given(self, event: PasswordChange | Erasing, now_wall_ms: int) -> list[object]:
        wait_ms, reason = self._guesses.wait_ms(event.user, None, now_wall_ms)
        if wait_ms:
            refused = Refused(event.rid, "rate_limited", reason, "after", "none", wait_ms)
            return [Tell(event.session, refused)]
        if self._hashing >= self._hashes_queued_max:
            reason = "too many passwords to hash"
            refused = Refused(event.rid, "busy", reason, "after", "none", 1_000)
            return [Tell(event.session, refused)]
        self._hashing += 1
        self._guesses.failed(event.user, None, now_wall_ms)
        account = event.account
        return [Verify(event, account.password_hash if account is not None else "")]

    def _on_right_to_erase(self, event: Erasing, fits: bool) -> list[object]:
        self._hashing -= 1
        account = event.account
        if not fits or account is None or not account.password_hash:
            refused = Refused(event.rid, "unauthenticated", "the password is wrong")
            return [Tell(event.session, refused)]
        self._guesses.succeeded(event.user, None)
        return [EndAccount(event.session, event.rid, event.user, event.devices)]

    def _on_old_password(self, event: PasswordChange, fits: bool) -> list[object]:
        """Go on with a change of password; its place among the hashes is kept if it goes on."""
        account = event.account
        if not fits or account is None or not account.password_hash:
            self._hashing -= 1
            refused = Refused(event.rid, "unauthenticated", "the old password is wrong")
            return [Tell(event.session, refused)]
        self._guesses.succeeded(event.user, None)
        return [HashPassword(event)]

    def _on_new_password(self, event: PasswordChange, password_hash: str) -> list[object]:
        account = event.account
        assert account is not None
        changed = Account(account.user, account.created_at_wall_ms, password_hash)
        kept = {event.device, *event.keep}
        others = [device for device in event.devices if device not in kept]
        devices = others if event.revokes_others else []
        return [ReplacePassword(event.session, event.rid, changed, devices)]

    def _operator(self, event: Attempt, now_wall_ms: int) -> list[object]:
        wait_ms, reason = self._guesses.wait_ms(None, event.source, now_wall_ms)
        if wait_ms:
            refused = SignInRefused("rate_limited", reason, "after", wait_ms)
            return [Tell(event.session, refused)]
        key = self._operator_key
        fits = compare_digest(key.encode(), event.secret.encode("utf-8", "surrogatepass"))
        if fits and key:
            return [Tell(event.session, SignedInOperator())]
        self._guesses.failed(None, event.source, now_wall_ms)
        return [Tell(event.session, WRONG)]

    def _on_verified(self, event: Verified, now_wall_ms: int) -> list[object]:
        if isinstance(event.attempt, PasswordChange):
            return self._on_old_password(event.attempt, event.fits)
        if isinstance(event.attempt, Erasing):
            return self._on_right_to_erase(event.attempt, event.fits)
        self._hashing -= 1
        attempt = event.attempt
        account = attempt.account
        if not event.fits or account is None or not account.password_hash:
            return [Tell(attempt.session, WRONG)]
        self._guesses.succeeded(attempt.user, attempt.source)
        if self._is_too_many(attempt.device, attempt.devices):
            return [Tell(attempt.session, SignInRefused("too_many_devices", TOO_MANY))]
        return [IssueToken(attempt.session, attempt.user, attempt.device, None, None)]

    def _on_provisioning(self, event: Provisioning, now_wall_ms: int) -> list[object]:
        if not is_name(event.user) or (event.device is not None and not is_name(event.device)):
            reason = "a name is 1 to 64 of a-z 0-9 . _ - and begins and ends with a letter or digit"
            return [Tell(event.session, Refused(event.rid, "bad_request", reason))]
        if event.is_gone:
            return [self._exists(event)]
        if event.password is not None:
            if event.account is not None:
                return [self._exists(event)]
            if self._hashing >= self._hashes_queued_max:
                reason = "too many passwords to hash"
                busy = Refused(event.rid, "busy", reason, "after", "none", 1_000)
                return [Tell(event.session, busy)]
            self._hashing += 1
            return [HashPassword(event)]
        is_bot = event.bot_kinds is not None
        if is_bot and event.account is not None and not event.account.is_bot:
            return [self._exists(event)]
        return self._provide(event, Account(event.user, now_wall_ms, "", is_bot))

    def _on_hashed(self, event: Hashed, now_wall_ms: int) -> list[object]:
        self._hashing -= 1
        provisioning = event.provisioning
        if isinstance(provisioning, PasswordChange):
            return self._on_new_password(provisioning, event.password_hash)
        account = Account(provisioning.user, now_wall_ms, event.password_hash)
        if isinstance(provisioning, Enrolment):
            return self._on_enrolled(provisioning, account, now_wall_ms)
        if (
            provisioning.account is not None or provisioning.is_gone
        ):  # made by somebody else while this one was hashed
            return [self._exists(provisioning)]
        return self._provide(provisioning, account)

    def _is_too_many(self, device: str, devices: list[str]) -> bool:
        return device not in devices and len(devices) >= self._devices_max

    def _exists(self, event: Provisioning) -> object:
        return Tell(event.session, Refused(event.rid, "exists", "there is such a user"))

    def _provide(self, event: Provisioning, account: Account) -> list[object]:
        fresh = account if event.account is None else None
        if event.device is not None and self._is_too_many(event.device, event.devices):
            return [Tell(event.session, Refused(event.rid, "too_many_devices", TOO_MANY))]
        if event.device is not None:
            user, kinds = event.user, event.bot_kinds
            to = (event.session, user, event.device, event.rid)
            return [IssueToken(*to, fresh, kinds, moderates=event.moderates)]
        if fresh is not None:
            return [KeepAccount(event.session, event.rid, fresh)]
        return [Tell(event.session, Answer(event.rid, {"user": event.user}))]

    def _on_hasher_lost(self, event: HasherLost, now_wall_ms: int) -> list[object]:
        self._hashing -= 1
        job = event.job
        reason = "the password could not be checked"
        if isinstance(job, Attempt | Enrolment):
            refused = SignInRefused("unavailable", reason, "after", 1_000)
            if isinstance(job, Enrolment):
                self._sign_ups.give_back(job)
                return self._refuse_enrolment(job, refused)
            if job.mech == "password":
                self._guesses.give_back(job.user, job.source)
            return [Tell(job.session, refused)]
        if isinstance(job, PasswordChange | Erasing):
            self._guesses.give_back(job.user, None)
        return [Tell(job.session, Refused(job.rid, "unavailable", reason, "after"))]

    def _on_revocation(self, event: Revocation, now_wall_ms: int) -> list[object]:
        if event.known_device is None:
            return [Tell(event.session, Answer(event.rid, {}))]
        return [DropDevice(event.session, event.rid, event.user, event.device)]

    _HANDLERS: dict[type, Callable[[Any, Any, int], list[object]]] = {
        Attempt: _on_attempt,
        PasswordChange: _on_password_given,
        Erasing: _on_password_given,
        Verified: _on_verified,
        TokenRead: _on_token_read,
        Provisioning: _on_provisioning,
        Hashed: _on_hashed,
        HasherLost: _on_hasher_lost,
        Revocation: _on_revocation,
        Renewal: _on_renewal,
        Enrolment: _on_enrolment,
    }
