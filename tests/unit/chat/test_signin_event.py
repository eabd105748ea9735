"""The vocabulary of the sign-in desk."""

from __future__ import annotations

from actorchat.chat.signin_event import Attempt, IssueToken, Provisioning
from tests.unit.chat.cast import Peer


def test_attempt_knows_nothing_of_the_store_before_it_is_filled_in() -> None:
    attempt = Attempt(Peer(), "ann", "phone", "token", "secret")
    assert (attempt.account, attempt.known_device, attempt.devices) == (None, None, [])
    assert not attempt.is_gone


def test_account_is_no_bot_unless_it_is_said() -> None:
    assert Provisioning(Peer(), 1, "ann", None, None).bot_kinds is None
    assert IssueToken(Peer(), "ann", "phone", None, None).bot_kinds is None
