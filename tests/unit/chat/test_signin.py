"""Who may sign in, who may make accounts, and what a wrong secret costs."""

from __future__ import annotations

import pytest

from actorchat.chat.account import Account, Device, token_digest
from actorchat.chat.bearer import DISABLED, Reading, refusal
from actorchat.chat.event import (
    Answer,
    Refused,
    SignedIn,
    SignedInOperator,
    SignInRefused,
)
from actorchat.chat.signin import TOO_MANY, WRONG, SignInDesk
from actorchat.chat.signin_event import (
    Attempt,
    DropDevice,
    EndAccount,
    Erasing,
    Hashed,
    HasherLost,
    HashPassword,
    IssueToken,
    KeepAccount,
    PasswordChange,
    Provisioning,
    ReadToken,
    ReplacePassword,
    Revocation,
    Tell,
    TokenRead,
    Verified,
    Verify,
)
from actorchat.limits import DEVICES_MAX, SECRET_CHARS_MAX, SIGN_IN_FAILURES_PER_MINUTE
from actorchat.testing.playbook import Playbook
from tests.unit.chat.cast import Peer

SESSION = Peer("session")
ANN = Account("ann", 5, "hash of secret")
PHONE = Device("phone", token_digest("token"), 5)
NAME_RULE = "a name is 1 to 64 of a-z 0-9 . _ - and begins and ends with a letter or digit"
BAD_NAMES = ["", "Ann", "-ann", "a" * 65, "ann\n", "a/b"]


def desk(operator_key: str = "key", hashes: int = 2) -> Playbook:
    return Playbook(SignInDesk(operator_key, hashes), now=1_000)


def by_password(account: Account | None = ANN, user: str = "ann") -> Attempt:
    return Attempt(SESSION, user, "phone", "password", "secret", account)


def by_token(secret: str, known: Device | None) -> Attempt:
    return Attempt(SESSION, "ann", "phone", "token", secret, ANN, known)


def as_operator(secret: str) -> Attempt:
    return Attempt(SESSION, "", "", "operator", secret)


def asked(
    password: str | None = None, device: str | None = None, account: Account | None = None
) -> Provisioning:
    return Provisioning(SESSION, 7, "ann", password, device, account)


def refused(code: str, reason: str, *more: object) -> Tell:
    return Tell(SESSION, Refused(7, code, reason, *more))


# -- the operator ------------------------------------------------------------------------------
def test_operator_signs_in_by_the_key() -> None:
    play = desk("kéy") >> as_operator("kéy") << Tell(SESSION, SignedInOperator())
    play = play >> as_operator("wrong") << Tell(SESSION, WRONG)
    assert play >> as_operator("\ud800") << Tell(SESSION, WRONG)


@pytest.mark.parametrize("secret", ["", "key"])
def test_nobody_is_operator_without_a_key(secret: str) -> None:
    assert desk(operator_key="") >> as_operator(secret) << Tell(SESSION, WRONG)


# -- tokens ------------------------------------------------------------------------------------
def test_device_signs_in_by_its_token() -> None:
    assert desk() >> by_token("token", PHONE) << Tell(SESSION, SignedIn("ann", "phone"))


def test_wrong_token_and_unknown_device_get_one_answer() -> None:
    play = desk() >> by_token("wrong", PHONE) << Tell(SESSION, WRONG)
    assert play >> by_token("token", None) << Tell(SESSION, WRONG)


@pytest.mark.parametrize("mech", ["token", "password"])
@pytest.mark.parametrize("name", BAD_NAMES)
def test_name_that_nobody_can_have_is_wrong(mech: str, name: str) -> None:
    user = Attempt(SESSION, name, "phone", mech, "token", ANN, PHONE)
    device = Attempt(SESSION, "ann", name, mech, "token", ANN, PHONE)
    assert desk() >> user << Tell(SESSION, WRONG) >> device << Tell(SESSION, WRONG)


# -- passwords ---------------------------------------------------------------------------------
def test_right_password_gets_a_token() -> None:
    attempt = by_password()
    play = desk() >> attempt << Verify(attempt, "hash of secret")
    assert play.machine.hashes_under_way == 1
    assert play >> Verified(attempt, True) << IssueToken(SESSION, "ann", "phone", None, None)
    assert play.machine.hashes_under_way == 0


def test_wrong_password_is_refused() -> None:
    attempt = by_password()
    play = desk() >> attempt << Verify(attempt, "hash of secret")
    assert play >> Verified(attempt, False) << Tell(SESSION, WRONG)


@pytest.mark.parametrize("account", [None, Account("ann", 5)])
def test_without_a_password_a_dummy_is_compared_and_never_fits(account: Account | None) -> None:
    attempt = by_password(account)
    play = desk() >> attempt << Verify(attempt, "")
    assert play >> Verified(attempt, True) << Tell(SESSION, WRONG)


@pytest.mark.parametrize("account", [ANN, None])
def test_too_many_wrong_passwords_must_wait(account: Account | None) -> None:
    play = desk()
    attempt = by_password(account)
    stored = "" if account is None else account.password_hash
    for _ in range(SIGN_IN_FAILURES_PER_MINUTE):
        play = play >> attempt << Verify(attempt, stored)
        play = play >> Verified(attempt, False) << Tell(SESSION, WRONG)
    wait_ms = 60_000 // SIGN_IN_FAILURES_PER_MINUTE
    reason = "too many wrong passwords for this user"
    held_up = Tell(SESSION, SignInRefused("rate_limited", reason, "after", wait_ms))
    play = play >> attempt << held_up
    other = by_password(None, "bob")
    play = play >> other << Verify(other, "") >> Verified(other, False) << Tell(SESSION, WRONG)
    play.now += wait_ms
    assert play >> attempt << Verify(attempt, stored)


def test_token_signs_in_while_passwords_must_wait() -> None:
    play = desk()
    for _ in range(SIGN_IN_FAILURES_PER_MINUTE):
        attempt = by_password()
        play = play >> attempt << Verify(attempt, "hash of secret")
        play = play >> Verified(attempt, False) << Tell(SESSION, WRONG)
    assert play >> by_token("token", PHONE) << Tell(SESSION, SignedIn("ann", "phone"))


def test_right_password_forgets_the_wrong_ones() -> None:
    play = desk()
    attempt = by_password()
    for fits in 3 * ([False] * (SIGN_IN_FAILURES_PER_MINUTE - 1) + [True]):
        answer = IssueToken(SESSION, "ann", "phone", None, None) if fits else Tell(SESSION, WRONG)
        play = play >> attempt << Verify(attempt, "hash of secret")
        play = play >> Verified(attempt, fits) << answer
    assert play


def test_full_queue_of_hashes_is_busy_until_one_is_done() -> None:
    one, two, three = by_password(), by_password(None, "bob"), by_password(None, "eve")
    busy = Tell(SESSION, SignInRefused("busy", "too many sign-ins at once", "after", 1_000))
    play = desk(hashes=2) >> one << Verify(one, "hash of secret") >> two << Verify(two, "")
    play = play >> three << busy
    play = play >> Verified(one, False) << Tell(SESSION, WRONG) >> three << Verify(three, "")
    assert play.machine.hashes_under_way == 2
    assert play >> by_token("token", PHONE) << Tell(SESSION, SignedIn("ann", "phone"))


# -- the hasher fails --------------------------------------------------------------------------
def test_lost_hash_frees_its_place_and_counts_no_failure() -> None:
    attempt = by_password()
    reason = "the password could not be checked"
    unavailable = Tell(SESSION, SignInRefused("unavailable", reason, "after", 1_000))
    play = desk(hashes=1)
    for _ in range(SIGN_IN_FAILURES_PER_MINUTE + 1):
        play = play >> attempt << Verify(attempt, "hash of secret")
        play = play >> HasherLost(attempt) << unavailable
    assert play
    assert play.machine.hashes_under_way == 0


def test_lost_hash_of_a_new_account_is_answered() -> None:
    new = asked("secret")
    reason = "the password could not be checked"
    play = desk(hashes=1) >> new << HashPassword(new)
    play = play >> HasherLost(new) << refused("unavailable", reason, "after")
    assert play >> new << HashPassword(new)


# -- accounts and devices ----------------------------------------------------------------------
def test_account_with_a_password_is_kept_when_it_is_hashed() -> None:
    new = asked("secret")
    play = desk() >> new << HashPassword(new)
    assert play.machine.hashes_under_way == 1
    play.now = 2_000
    assert play >> Hashed(new, "h") << KeepAccount(SESSION, 7, Account("ann", 2_000, "h"))
    assert play.machine.hashes_under_way == 0


def test_account_with_password_and_device_gets_a_token_too() -> None:
    new = asked("secret", "phone")
    play = desk() >> new << HashPassword(new)
    issue = IssueToken(SESSION, "ann", "phone", 7, Account("ann", 1_000, "h"))
    assert play >> Hashed(new, "h") << issue


def test_account_that_is_there_gets_no_other_password() -> None:
    play = desk() >> asked("secret", account=ANN) << refused("exists", "there is such a user")
    assert play.machine.hashes_under_way == 0
    assert play


def test_account_made_meanwhile_is_not_made_over() -> None:
    new = asked("secret", "phone")
    play = desk(hashes=1) >> new << HashPassword(new)
    hashed = Hashed(asked("secret", "phone", ANN), "h")
    assert play >> hashed << refused("exists", "there is such a user")
    assert play.machine.hashes_under_way == 0


def test_account_without_a_password_is_kept_at_once() -> None:
    assert desk() >> asked() << KeepAccount(SESSION, 7, Account("ann", 1_000))


def test_account_that_is_there_is_provided_already() -> None:
    assert desk() >> asked(account=ANN) << Tell(SESSION, Answer(7, {"user": "ann"}))


def test_device_gets_a_token_and_makes_the_account_where_it_lacks() -> None:
    play = desk() >> asked(device="phone", account=ANN)
    play = play << IssueToken(SESSION, "ann", "phone", 7, None)
    fresh = Account("ann", 1_000)
    assert play >> asked(device="phone") << IssueToken(SESSION, "ann", "phone", 7, fresh)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_nobody_can_have_are_not_given(name: str) -> None:
    bad = refused("bad_request", NAME_RULE)
    play = desk() >> Provisioning(SESSION, 7, name, "secret", None) << bad
    assert play >> Provisioning(SESSION, 7, "ann", None, name) << bad


def test_full_queue_of_hashes_makes_no_accounts_with_passwords() -> None:
    one = asked("secret")
    busy = refused("busy", "too many passwords to hash", "after", "none", 1_000)
    play = desk(hashes=1) >> one << HashPassword(one) >> asked("other") << busy
    assert play >> asked() << KeepAccount(SESSION, 7, Account("ann", 1_000))


def test_known_device_is_dropped_and_an_unknown_one_is_gone() -> None:
    known = Revocation(SESSION, 7, "ann", "phone", PHONE)
    unknown = Revocation(SESSION, 8, "ann", "laptop")
    play = desk() >> known << DropDevice(SESSION, 7, "ann", "phone")
    assert play >> unknown << Tell(SESSION, Answer(8, {}))


def test_many_guesses_at_once_wait_like_as_many_in_a_row() -> None:
    play = desk(hashes=64)
    attempts = [by_password() for _ in range(SIGN_IN_FAILURES_PER_MINUTE)]
    for attempt in attempts:
        play = play >> attempt << Verify(attempt, "hash of secret")
    play = play >> by_password()
    wait_ms = 60_000 // SIGN_IN_FAILURES_PER_MINUTE
    reason = "too many wrong passwords for this user"
    assert play << Tell(SESSION, SignInRefused("rate_limited", reason, "after", wait_ms))
    assert play.machine.hashes_under_way == len(attempts)


# -- devices and passwords ---------------------------------------------------------------------
MANY = [f"d{number}" for number in range(DEVICES_MAX)]


def test_one_device_too_many_is_refused_by_password() -> None:
    attempt = by_password()
    attempt.devices = MANY
    play = desk() >> attempt << Verify(attempt, "hash of secret") >> Verified(attempt, True)
    assert play << Tell(SESSION, SignInRefused("too_many_devices", TOO_MANY))


def test_device_that_is_there_may_get_another_token() -> None:
    attempt = by_password()
    attempt.devices = [*MANY[1:], "phone"]
    play = desk() >> attempt << Verify(attempt, "hash of secret") >> Verified(attempt, True)
    assert play << IssueToken(SESSION, "ann", "phone", None, None)


def test_one_device_too_many_is_refused_to_the_operator() -> None:
    provisioning = asked(device="phone", account=ANN)
    provisioning.devices = MANY
    assert desk() >> provisioning << refused("too_many_devices", TOO_MANY)


def change(revokes_others: bool = False, account: Account | None = ANN) -> PasswordChange:
    devices = ["phone", "tv"]
    return PasswordChange(
        SESSION, 7, "ann", "phone", "secret", "better", revokes_others, account, devices
    )


@pytest.mark.parametrize("revokes_others", [False, True])
def test_password_is_changed_by_who_knows_the_old_one(revokes_others: bool) -> None:
    event = change(revokes_others)
    play = desk() >> event << Verify(event, "hash of secret")
    play = play >> Verified(event, True) << HashPassword(event)
    now = Account("ann", 5, "hash of better")
    gone = ["tv"] if revokes_others else []
    play = play >> Hashed(event, "hash of better") << ReplacePassword(SESSION, 7, now, gone)
    assert play
    assert play.machine.hashes_under_way == 0


@pytest.mark.parametrize("account", [ANN, None, Account("ann", 5)])
def test_wrong_old_password_changes_nothing(account: Account | None) -> None:
    event = change(account=account)
    kept = account.password_hash if account else ""
    play = desk() >> event << Verify(event, kept) >> Verified(event, False)
    assert play << refused("unauthenticated", "the old password is wrong")
    assert play.machine.hashes_under_way == 0


def test_guesses_at_the_old_password_are_throttled_like_those_at_sign_in() -> None:
    play = desk(hashes=100)
    for _ in range(SIGN_IN_FAILURES_PER_MINUTE):
        event = change()
        play = play >> event << Verify(event, "hash of secret") >> Verified(event, False)
        play = play << refused("unauthenticated", "the old password is wrong")
    reason = "too many wrong passwords for this user"
    play = play >> change() << refused("rate_limited", reason, "after", "none", 6_000)
    late = SignInRefused("rate_limited", reason, "after", 6_000)
    assert play >> by_password() << Tell(SESSION, late)


def test_change_beyond_the_queue_of_hashes_is_busy() -> None:
    play = desk(hashes=0) >> change()
    assert play << refused("busy", "too many passwords to hash", "after", "none", 1_000)


def test_change_whose_hash_was_lost_may_be_tried_again() -> None:
    event = change()
    play = desk() >> event << Verify(event, "hash of secret") >> HasherLost(event)
    play = play << refused("unavailable", "the password could not be checked", "after")
    assert play
    assert play.machine.hashes_under_way == 0


def test_secret_longer_than_a_password_may_be_is_no_secret() -> None:
    machine = SignInDesk("key")
    for mech in ("password", "token"):
        attempt = Attempt(SESSION, "ann", "phone", mech, "s" * (SECRET_CHARS_MAX + 1))
        assert machine.handle(attempt, 0) == [Tell(SESSION, WRONG)]


def test_token_of_an_issuer_is_read_where_it_is_taken_and_bounded_like_passwords() -> None:
    attempt = Attempt(SESSION, "ann", "phone", "jwt", "t" * 3_000)
    assert SignInDesk("key").handle(attempt, 0) == [Tell(SESSION, DISABLED)]
    machine = SignInDesk("key", hashes_queued_max=1, takes_jwt=True)
    assert machine.handle(attempt, 0) == [ReadToken(attempt)]
    (busy,) = machine.handle(attempt, 0)
    assert isinstance(busy, Tell)
    assert isinstance(busy.event, SignInRefused)
    assert busy.event.code == "busy"
    (gone,) = machine.handle(HasherLost(attempt), 0)
    assert isinstance(gone, Tell)
    assert machine.hashes_under_way == 0


@pytest.mark.parametrize("makes_users", [True, False])
def test_token_signs_in_whom_it_names_and_makes_accounts_where_that_is_set(
    makes_users: bool,
) -> None:
    machine = SignInDesk("key", devices_max=1, takes_jwt=True, makes_users=makes_users)

    def answer(reading: Reading, account: Account | None, *devices: str) -> object:
        attempt = Attempt(SESSION, "ann", "phone", "jwt", "t", account, None, list(devices))
        machine.handle(attempt, 7)
        (effect,) = machine.handle(TokenRead(attempt, reading), 7)
        return effect

    known = Account("ann", 1, "hash")
    assert answer(Reading("ann"), known) == IssueToken(SESSION, "ann", "phone", None, None)
    for reading in (Reading("bob"), Reading("", "expired")):
        assert answer(reading, known) == Tell(SESSION, refusal(reading))
    assert answer(Reading("ann"), Account("ann", 1, "", True)) == Tell(SESSION, WRONG)
    full = answer(Reading("ann"), known, "other")
    assert isinstance(full, Tell)
    made = IssueToken(SESSION, "ann", "phone", None, Account("ann", 7))
    assert answer(Reading("ann"), None) == (made if makes_users else Tell(SESSION, WRONG))


# -- the end of an account ---------------------------------------------------------------------
def test_account_ends_for_who_knows_the_password() -> None:
    event = Erasing(SESSION, 7, "ann", "phone", "secret", ANN, ["phone", "web"])
    play = desk() >> event << Verify(event, "hash of secret")
    play = play >> Verified(event, True) << EndAccount(SESSION, 7, "ann", ["phone", "web"])
    assert play.machine.hashes_under_way == 0


def test_account_stays_for_who_does_not() -> None:
    event = Erasing(SESSION, 7, "ann", "phone", "wrong", ANN)
    wrong = Tell(SESSION, Refused(7, "unauthenticated", "the password is wrong"))
    play = desk()
    for _ in range(SIGN_IN_FAILURES_PER_MINUTE):
        play = play >> event << Verify(event, "hash of secret") >> Verified(event, False) << wrong
    (effect,) = play.machine.handle(event, play.now)
    assert effect.event.code == "rate_limited"


def test_name_of_an_account_that_ended_is_taken() -> None:
    exists = refused("exists", "there is such a user")
    assert desk() >> Provisioning(SESSION, 7, "ann", None, None, is_gone=True) << exists
    new = Provisioning(SESSION, 7, "ann", "secret", None)
    play = desk() >> new << HashPassword(new)
    new.is_gone = True
    assert play >> Hashed(new, "h") << exists


def test_devices_that_are_kept_stay_signed_in() -> None:
    devices = ["phone", "web", "old"]
    change = PasswordChange(
        SESSION, 7, "ann", "phone", "secret", "new", True, ANN, devices, keep=["web"]
    )
    play = desk() >> change << Verify(change, "hash of secret")
    play = play >> Verified(change, True) << HashPassword(change)
    (effect,) = play.machine.handle(Hashed(change, "h"), 0)
    assert effect.devices == ["old"]
