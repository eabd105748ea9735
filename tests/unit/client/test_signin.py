"""Who signs in, and which endings are for good."""

from __future__ import annotations

from actorchat.client.signin import Identity, end_by_bye, end_by_refused_hello
from actorchat.errors import Refusal, SessionEnded
from actorchat.protocol import ops


def test_only_a_device_with_a_token_has_one() -> None:
    identity = Identity("ann", "phone", "password", "secret")
    assert identity.token is None
    identity.keep(None)
    assert identity.hello(1, None).mech == "password"
    identity.keep("t1")
    assert identity.token == "t1"
    assert identity.hello(2, 5) == ops.Hello(2, 1, "ann", "phone", "token", "t1", 5)


def test_an_operators_secret_is_no_token() -> None:
    assert Identity("root", "cli", "operator", "secret").token is None


def test_a_refused_hello_keeps_the_servers_words() -> None:
    error = end_by_refused_hello(ops.Failure("closed_shop", "members only", "never", "none"))
    assert isinstance(error, Refusal)
    assert (error.code, error.reason) == ("closed_shop", "members only")
    assert end_by_refused_hello(ops.Failure("busy", "later", "after", "none", 5)) is None


def test_a_bye_of_a_later_version_is_judged_by_what_it_asks_for() -> None:
    error = end_by_bye(ops.Bye("eviction", "never"))
    assert isinstance(error, SessionEnded)
    assert error.code == "eviction"
    assert end_by_bye(ops.Bye("eviction", "elsewhere")) is None
