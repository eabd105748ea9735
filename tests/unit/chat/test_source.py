"""Wrong secrets are counted for users and for where they come from."""

from __future__ import annotations

import pytest

from actorchat.chat.signin import WRONG, SignInDesk
from actorchat.chat.signin_event import Attempt, Tell, Verified, Verify
from actorchat.chat.source import Guesses, source_of
from actorchat.limits import HASHES_QUEUED_MAX, SOURCE_FAILURES_PER_MINUTE
from tests.unit.chat.cast import Peer

SESSION = Peer("session")
FROM_USER = "too many wrong passwords for this user"
FROM_SOURCE = "too many wrong secrets from this address"


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", "127.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("/run/actorchat.sock", ""),
    ],
)
def test_address_stands_for_its_network(address: str, source: str) -> None:
    assert source_of(address) == source


def test_source_that_guesses_at_many_users_must_wait_and_others_need_not() -> None:
    guesses = Guesses(per_source=3)
    for user in ("a", "b", "c"):
        assert guesses.wait_ms(user, "x", 0) == (0, "")
        guesses.failed(user, "x", 0)
    assert guesses.wait_ms("d", "x", 0) == (20_000, FROM_SOURCE)
    assert guesses.wait_ms("d", "y", 0) == (0, "")
    assert guesses.wait_ms("d", "x", 20_000) == (0, "")


def test_success_takes_back_one_try_of_the_source_and_all_of_the_user() -> None:
    guesses = Guesses(per_source=3)
    for user in ("a", "b", "me"):
        guesses.failed(user, "x", 0)
    guesses.succeeded("me", "x")
    assert guesses.wait_ms("me", "x", 0) == (0, "")
    guesses.failed("c", "x", 0)
    assert guesses.wait_ms("me", "x", 0)[1] == FROM_SOURCE
    guesses.give_back("c", "x")
    assert guesses.wait_ms("me", "x", 0) == (0, "")


def test_user_must_wait_from_wherever() -> None:
    guesses = Guesses()
    for number in range(10):
        guesses.failed("ann", f"192.0.2.{number}", 0)
    assert guesses.wait_ms("ann", "192.0.2.99", 0)[1] == FROM_USER


def test_all_who_may_be_hashed_at_once_may_come_from_one_address() -> None:
    assert SOURCE_FAILURES_PER_MINUTE > HASHES_QUEUED_MAX


def test_desk_holds_up_a_source_that_sprays_passwords() -> None:
    desk = SignInDesk("key", source_failures_per_minute=2)
    for user in ("ann", "bob"):
        attempt = Attempt(SESSION, user, "phone", "password", "guess", source="x")
        assert desk.handle(attempt, 0) == [Verify(attempt, "")]
        assert desk.handle(Verified(attempt, False), 0) == [Tell(SESSION, WRONG)]
    for mech in ("password", "operator"):
        (held_up,) = desk.handle(Attempt(SESSION, "eve", "phone", mech, "guess", source="x"), 0)
        assert held_up.event.code == "rate_limited"  # type: ignore[attr-defined]
        (let_in,) = desk.handle(Attempt(SESSION, "eve", "phone", mech, "guess", source="y"), 0)
        assert let_in != held_up


def test_wrong_keys_of_operators_count() -> None:
    desk = SignInDesk("key", source_failures_per_minute=2)
    for _ in range(2):
        attempt = Attempt(SESSION, "operator", "cli", "operator", "guess", source="x")
        assert desk.handle(attempt, 0) == [Tell(SESSION, WRONG)]
    right = Attempt(SESSION, "operator", "cli", "operator", "key", source="x")
    (held_up,) = desk.handle(right, 0)
    assert held_up.event.code == "rate_limited"  # type: ignore[attr-defined]
