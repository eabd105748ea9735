"""When a use of an invitation may be taken, and when is asked what became of it."""

from __future__ import annotations

import pytest

from actorchat.chat.invitation import Invitation
from actorchat.chat.reservation import Pending, Reservation, judge
from actorchat.chat.signin import AWAY, SignInDesk
from actorchat.chat.signin_event import (
    AskReservation,
    Enrolment,
    FreeReservation,
    Hashed,
    HasherLost,
    HashPassword,
    IssueToken,
    Tell,
)
from actorchat.chat.signup import BAD_CODE, BAD_NAME, CLOSED, TAKEN, SignUpMode, SignUpPolicy
from actorchat.testing.playbook import Playbook
from tests.unit.chat.cast import Peer
from tests.unit.chat.test_signup import ANN

SESSION = Peer("session")
GOOD = Invitation(b"i" * 16, "", 3, 2, 5)
ONE, TWO = (Reservation(b"i" * 16, bytes([n]) * 16, "ann") for n in (1, 2))


@pytest.mark.parametrize(
    ("invitation", "taken", "verdict"),
    [
        (None, 0, "bad"),
        (Invitation(b"i" * 16, "", 3, 2, 5, 1_000), 0, "bad"),
        (GOOD, 1, "good"),
        (GOOD, 2, "held"),
        (GOOD, 3, "held"),
    ],
)
def test_uses_that_are_taken_are_none_to_be_had(
    invitation: Invitation | None, taken: int, verdict: str
) -> None:
    assert judge(invitation, taken, 1_000) == verdict


def test_each_use_is_asked_for_after_a_while_until_its_end_is_known() -> None:
    pending = Pending()
    assert pending.add([ONE])  # start the timer
    assert not pending.add([TWO])
    assert pending.due() == []
    pending.end(TWO)
    assert pending.due() == [ONE]
    assert pending.due() == [ONE]
    pending.end(ONE)
    assert pending.due() == []
    pending.end(ONE)
    assert pending.add([TWO])  # it had run out
    assert not pending.add([])


def desk(mode: SignUpMode = "invitation", hashes: int = 2) -> Playbook:
    return Playbook(SignInDesk("key", hashes, policy=SignUpPolicy(mode, 3)), now=1_000)


def asked(name: str = "ann", verdict: str = "", is_taken: bool = False) -> Enrolment:
    enrolment = Enrolment(SESSION, name, "phone", "password", "code", "192.0.2.1", is_afar=True)
    if verdict:
        enrolment.reservation, enrolment.verdict = ONE, verdict
        enrolment.invitation = GOOD if verdict == "good" else None
    if is_taken:
        enrolment.account = ANN
    return enrolment


def test_use_is_taken_before_the_hash_and_owed_with_the_account() -> None:
    play = desk()
    first = asked()
    assert play >> first << AskReservation(first)
    given = asked(verdict="good")
    assert play >> given << HashPassword(given)
    issue = IssueToken(SESSION, "ann", "phone", None, ANN, reservation=ONE)
    assert play >> Hashed(given, "hash") << issue


@pytest.mark.parametrize(
    ("mode", "name", "code", "refused"),
    [
        ("closed", "ann", "code", CLOSED),
        ("invitation", "Ann", "code", BAD_NAME),
        ("invitation", "ann", None, BAD_CODE),
    ],
)
def test_nothing_is_taken_for_who_is_refused_anyway(
    mode: SignUpMode, name: str, code: str | None, refused: object
) -> None:
    enrolment = asked(name)
    enrolment.code = code
    assert desk(mode) >> enrolment << Tell(SESSION, refused)


def test_use_is_free_again_where_no_account_comes_of_it() -> None:
    play = desk(hashes=2)
    for verdict, is_taken, refused in (("good", True, TAKEN), ("bad", True, BAD_CODE)):
        tell = Tell(SESSION, refused)
        play.now = 1_000
        assert play >> asked(verdict=verdict, is_taken=is_taken) << tell << FreeReservation(ONE)
    given = asked(verdict="good")
    assert play >> given << HashPassword(given)
    busy = play.machine.handle(asked(verdict="good"), 1_000)
    assert [type(effect) for effect in busy] == [Tell, FreeReservation]
    lost = play.machine.handle(HasherLost(given), 1_000)
    assert [type(effect) for effect in lost] == [Tell, FreeReservation]
    given.account = ANN
    play.machine.handle(asked(verdict="good"), 1_000)
    late = play.machine.handle(Hashed(given, "hash"), 1_000)
    assert late == [Tell(SESSION, TAKEN), FreeReservation(ONE)]


@pytest.mark.parametrize("verdict", ["held", "away"])
def test_what_nobody_can_say_now_is_no_try(verdict: str) -> None:
    play = desk()
    for _ in range(9):  # three a minute
        first = asked()
        assert play >> first << AskReservation(first)
        assert play >> asked(verdict=verdict) << Tell(SESSION, AWAY)


def test_without_invitations_nothing_is_taken() -> None:
    enrolment = asked()
    assert desk("open") >> enrolment << HashPassword(enrolment)
