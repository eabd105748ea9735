"""What a client has, before any connection."""

from __future__ import annotations

from actorchat.client.event import State
from actorchat.client.life import Life, Options
from actorchat.client.signin import Identity
from actorchat.limits import CLIENT_UNSENT_MAX, CLIENT_WINDOW_SENDS


def test_a_new_client_is_idle_and_waits_for_nothing() -> None:
    life = Life(Identity("ann", "phone", "token", "t0"), Options(resume=7), lambda: 0.5)
    assert life.state is State.IDLE
    assert not life.is_expecting
    assert life.error is None
    assert life.incoming.taken == 7


def test_options_are_those_of_the_limits() -> None:
    assert (Options().window, Options().unsent_max) == (CLIENT_WINDOW_SENDS, CLIENT_UNSENT_MAX)
