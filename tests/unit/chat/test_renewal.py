"""How old a token may become, and how one takes the place of another."""

from __future__ import annotations

import pytest

from actorchat.chat.account import Device, token_digest
from actorchat.chat.event import Refused, SignedIn
from actorchat.chat.renewal import (
    EXPIRED,
    lifetime_of,
    presented,
    shown_lifetime,
    with_next,
)
from actorchat.chat.signin import WRONG, SignInDesk
from actorchat.chat.signin_event import Attempt, KeepDevice, Renewal, RenewToken, Tell
from actorchat.testing.playbook import Playbook
from tests.unit.chat.cast import Peer

SESSION = Peer("session")
LIFE = 1_000
PHONE = Device("phone", token_digest("old"), 5_000)
BOTH = Device("phone", token_digest("old"), 5_000, token_digest("new"), 5_900)
NEW = Device("phone", token_digest("new"), 5_900)


def desk(now: int, life: int = LIFE) -> Playbook:
    return Playbook(SignInDesk("key", token_life_ms=life), now=now)


def by_token(secret: str, known: Device | None = PHONE) -> Attempt:
    return Attempt(SESSION, "ann", "phone", "token", secret, None, known)


@pytest.mark.parametrize(
    ("now", "left"), [(5_000, 1_000), (5_999, 1), (6_000, 0), (9_999, 0), (0, 1_000)]
)
def test_what_is_left_of_a_token(now: int, left: int) -> None:
    assert lifetime_of(5_000, LIFE, now) == (left, LIFE)
    assert lifetime_of(5_000, 0, now) is None
    assert shown_lifetime((left, LIFE)) == {"left_ms": left, "of_ms": LIFE}


def test_token_is_good_until_its_time_is_up() -> None:
    good = SignedIn("ann", "phone", None, (1, LIFE))
    assert desk(5_999) >> by_token("old") << Tell(SESSION, good)
    assert desk(6_000) >> by_token("old") << Tell(SESSION, EXPIRED)


def test_clock_that_is_set_back_locks_nobody_out() -> None:
    good = SignedIn("ann", "phone", None, (LIFE, LIFE))
    assert desk(0) >> by_token("old") << Tell(SESSION, good)


def test_token_lives_for_ever_unless_the_settings_say_otherwise() -> None:
    assert desk(10**15, life=0) >> by_token("old") << Tell(SESSION, SignedIn("ann", "phone"))


def test_who_guesses_does_not_learn_that_a_token_has_expired() -> None:
    assert desk(10**9) >> by_token("guess") << Tell(SESSION, WRONG)
    assert desk(10**9) >> by_token("old", None) << Tell(SESSION, WRONG)


def test_old_token_is_good_until_the_new_one_was_used() -> None:
    old = SignedIn("ann", "phone", None, (100, LIFE))
    assert desk(5_900) >> by_token("old", BOTH) << Tell(SESSION, old)
    new = SignedIn("ann", "phone", None, (LIFE, LIFE))
    assert desk(5_900) >> by_token("new", BOTH) << KeepDevice(SESSION, "ann", NEW, new)
    assert desk(5_900) >> by_token("old", NEW) << Tell(SESSION, WRONG)


def test_new_token_is_good_though_the_old_one_has_expired() -> None:
    assert desk(6_500) >> by_token("old", BOTH) << Tell(SESSION, EXPIRED)
    new = SignedIn("ann", "phone", None, (400, LIFE))
    assert desk(6_500) >> by_token("new", BOTH) << KeepDevice(SESSION, "ann", NEW, new)


@pytest.mark.parametrize("token", ["", "new", "\0" * 32, "\ud800"])
def test_without_a_next_token_nothing_fits_but_the_one(token: str) -> None:
    assert presented(PHONE, token) is None
    assert presented(None, token) is None


def test_renewal_wants_the_token_that_the_device_has() -> None:
    play = desk(5_900) >> Renewal(SESSION, 7, "ann", "phone", "guess", PHONE)
    reason = "this is not the device's token"
    assert play << Tell(SESSION, Refused(7, "unauthenticated", reason))
    play = desk(5_900) >> Renewal(SESSION, 7, "ann", "phone", "old", None)
    assert play << Tell(SESSION, Refused(7, "unauthenticated", reason))
    play = desk(5_900) >> Renewal(SESSION, 7, "ann", "phone", "old", PHONE)
    assert play << RenewToken(SESSION, 7, "ann", PHONE)


def test_renewal_by_the_next_token_has_it_take_the_place() -> None:
    play = desk(5_900) >> Renewal(SESSION, 7, "ann", "phone", "new", BOTH)
    assert play << RenewToken(SESSION, 7, "ann", NEW)


def test_second_renewal_by_the_old_token_replaces_what_was_never_used() -> None:
    twice = with_next(with_next(PHONE, "lost", 5_800), "new", 5_900)
    assert twice == BOTH
    assert presented(twice, "lost") is None
    assert presented(twice, "old") is twice
    assert presented(twice, "new") == NEW
