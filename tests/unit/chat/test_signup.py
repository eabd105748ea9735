"""Who may make an account for oneself, and what is told to who may not."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.chat.account import Account
from actorchat.chat.event import SignInRefused
from actorchat.chat.invitation import Invitation, used_once
from actorchat.chat.signin import SignInDesk
from actorchat.chat.signin_event import (
    Attempt,
    Enrolment,
    Hashed,
    HasherLost,
    HashPassword,
    IssueToken,
    Tell,
    Verify,
)
from actorchat.chat.signup import (
    BAD_CODE,
    BAD_NAME,
    BAD_PASSWORD,
    CLOSED,
    TAKEN,
    SignUpMode,
    SignUpPolicy,
)
from actorchat.testing.playbook import Playbook
from tests.unit.chat.cast import Peer

SESSION = Peer("session")
ANN = Account("ann", 1_000, "hash")
GOOD = Invitation(b"i" * 16, "", 2, 2, 5)
LAST = Invitation(b"i" * 16, "", 2, 1, 5)
OLD = Invitation(b"i" * 16, "", 2, 2, 5, 1_000)


def desk(mode: SignUpMode = "open", per_minute: int = 3, hashes: int = 2) -> Playbook:
    policy = SignUpPolicy(mode, per_minute)
    return Playbook(SignInDesk("key", hashes, policy=policy), now=1_000)


def enrolment(**fields: Any) -> Enrolment:
    asked = Enrolment(SESSION, "ann", "phone", "password", source="192.0.2.1")
    for name, value in fields.items():
        setattr(asked, name, value)
    return asked


def issue(invitation: Invitation | None = None) -> IssueToken:
    return IssueToken(SESSION, "ann", "phone", None, ANN, None, invitation)


def test_nobody_signs_up_unless_the_settings_say_so() -> None:
    play = Playbook(SignInDesk("key"), now=1_000)
    assert play >> enrolment(invitation=GOOD, code="c") << Tell(SESSION, CLOSED)
    assert desk("closed") >> enrolment(account=ANN) << Tell(SESSION, CLOSED)


def test_open_server_makes_an_account_for_who_asks() -> None:
    asked = enrolment()
    play = desk() >> asked << HashPassword(asked)
    assert play.machine.hashes_under_way == 1
    assert play >> Hashed(asked, "hash") << issue()
    assert play.machine.hashes_under_way == 0


def test_open_server_does_not_count_invitations() -> None:
    asked = enrolment(invitation=GOOD)
    assert desk() >> asked << HashPassword(asked) >> Hashed(asked, "hash") << issue()


@pytest.mark.parametrize("invitation", [GOOD, LAST])
def test_invitation_lets_in_and_is_used_once(invitation: Invitation) -> None:
    asked = enrolment(invitation=invitation)
    play = desk("invitation") >> asked << HashPassword(asked)
    assert play >> Hashed(asked, "hash") << issue(used_once(invitation))


@pytest.mark.parametrize("invitation", [None, OLD, used_once(LAST)])
def test_no_good_invitation_gets_nothing_before_a_hash_is_made(
    invitation: Invitation | None,
) -> None:
    play = desk("invitation") >> enrolment(invitation=invitation)
    assert play << Tell(SESSION, BAD_CODE)


@pytest.mark.parametrize("invitation", [None, OLD, used_once(LAST)])
def test_invitation_that_went_while_the_password_was_hashed_makes_no_account(
    invitation: Invitation | None,
) -> None:
    asked = enrolment(invitation=LAST)
    play = desk("invitation") >> asked << HashPassword(asked)
    asked.invitation = invitation
    assert play >> Hashed(asked, "hash") << Tell(SESSION, BAD_CODE)


@pytest.mark.parametrize("fields", [{"account": ANN}, {"is_gone": True}])
def test_name_that_is_or_was_somebodys_is_taken(fields: dict[str, Any]) -> None:
    assert desk() >> enrolment(**fields) << Tell(SESSION, TAKEN)
    asked = enrolment()
    play = desk() >> asked << HashPassword(asked)
    for name, value in fields.items():
        setattr(asked, name, value)
    assert play >> Hashed(asked, "hash") << Tell(SESSION, TAKEN)


def test_who_has_no_code_learns_no_names() -> None:
    taken, free = enrolment(account=ANN), enrolment()
    play = desk("invitation") >> taken << Tell(SESSION, BAD_CODE)
    assert play >> free << Tell(SESSION, BAD_CODE)


@pytest.mark.parametrize("name", ["", "Ann", "-ann", "a" * 65, "ann\n", "a/b"])
def test_name_that_nobody_can_have_is_refused(name: str) -> None:
    assert desk() >> enrolment(user=name) << Tell(SESSION, BAD_NAME)
    assert desk() >> enrolment(device=name) << Tell(SESSION, BAD_NAME)


@pytest.mark.parametrize("password", ["", "1234567", "x" * 1_025])
def test_password_that_is_too_short_or_too_long_is_refused(password: str) -> None:
    assert desk() >> enrolment(password=password) << Tell(SESSION, BAD_PASSWORD)


def test_address_has_so_many_tries_and_others_have_theirs() -> None:
    play = desk("invitation")
    for _ in range(3):
        play = play >> enrolment() << Tell(SESSION, BAD_CODE)
    reason = "too many accounts were asked for from this address"
    wait = SignInRefused("rate_limited", reason, "after", 20_000)
    play = play >> enrolment(invitation=GOOD) << Tell(SESSION, wait)
    asked = enrolment(source="192.0.2.2", invitation=GOOD)
    assert play >> asked << HashPassword(asked)


def test_accounts_that_were_made_count_as_well() -> None:
    play = desk(per_minute=1)
    asked = enrolment()
    play = play >> asked << HashPassword(asked) >> Hashed(asked, "hash") << issue()
    effects = play.machine.handle(enrolment(user="bob"), 1_000)
    assert effects[0].event.code == "rate_limited"


def test_full_queue_is_told_to_come_back_and_not_counted() -> None:
    play = desk(hashes=0, per_minute=1)
    busy = SignInRefused("busy", "too many sign-ins at once", "after", 1_000)
    play = play >> enrolment() << Tell(SESSION, busy)
    assert play >> enrolment() << Tell(SESSION, busy)


def test_half_of_the_queue_is_for_those_who_have_an_account() -> None:
    first, second = enrolment(), enrolment(user="bob")
    play = desk(hashes=3) >> first << HashPassword(first) >> second << HashPassword(second)
    busy = SignInRefused("busy", "too many sign-ins at once", "after", 1_000)
    play = play >> enrolment(user="cid") << Tell(SESSION, busy)
    attempt = Attempt(SESSION, "ann", "phone", "password", "secret", ANN)
    assert play >> attempt << Verify(attempt, "hash")


def test_lost_hasher_is_not_counted() -> None:
    asked = enrolment()
    lost = SignInRefused("unavailable", "the password could not be checked", "after", 1_000)
    play = desk(per_minute=1) >> asked << HashPassword(asked)
    play = play >> HasherLost(asked) << Tell(SESSION, lost)
    assert play.machine.hashes_under_way == 0
    assert play >> asked << HashPassword(asked)
