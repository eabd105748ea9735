"""Sessions whose home, or whose conversations, are on a node that is gone end at once."""

from __future__ import annotations

import pytest

from actorchat.protocol import ops
from tests.unit.broker.city import DOWN_S, City


@pytest.fixture
def city() -> City:
    return City({"ann": "a", "bob": "b", "cat": "c"})


def test_sessions_that_have_told_a_node_anything_end_with_it(city: City) -> None:
    ann, bob, cat = (city.hello(user, "c") for user in ("ann", "bob", "cat"))
    idle = city.hello("cat", "c", device="laptop")
    assert "ok" in cat.send("bob", "hi")  # led by bob's node
    city["b"].power_off()
    city.run(DOWN_S)
    bye = {"op": "bye", "code": "drain", "reconnect": "now"}
    assert [device.connection.bye for device in (ann, bob, cat, idle)] == [None, bye, bye, None]


def test_sign_in_that_is_under_way_is_refused(city: City) -> None:
    city.cut("b", "c")  # nobody knows yet
    device = city["c"].connect()
    secret = "token of bob phone"
    rid = device.start(lambda rid: ops.Hello(rid, 1, "bob", "phone", "token", secret))
    city.run(DOWN_S)
    error = device.connection.replies[rid]["err"]
    assert (error["code"], error["retry"]) == ("unavailable", "after")
    assert device.connection.is_closed


def test_lookout_that_is_started_again_tells_of_nodes_that_are_down(city: City) -> None:
    bob = city.hello("bob", "c")
    lookout = next(ref for ref in city["c"].system.refs() if "Lookout" in ref.label)
    lookout.stop("crash")
    city["b"].power_off()
    city.run(DOWN_S)
    assert bob.connection.bye is not None


def test_home_lets_go_of_sessions_of_a_node_that_is_gone(city: City) -> None:
    city.hello("bob", "c")
    city["c"].power_off()
    city.run(DOWN_S)
    (home,) = (ref for ref in city["b"].system.refs() if ref.label == "UserActor")
    assert home._actor._machine.sessions() == []  # type: ignore[union-attr]
