"""A conversation asks the other user's home who that is, before the first message."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.limits import WHOIS_WAIT_S
from actorchat.protocol import ops
from tests.unit.broker.city import DOWN_S, City
from tests.unit.broker.stage import Device


@pytest.fixture
def city() -> City:
    return City({"ann": "a", "bob": "b", "cat": "c", "zed": "b", "abe": "b"})


def start(city: City, device: Device, to: str, body: str) -> int:
    cid = city["a"].new_cid()
    return device.start(lambda rid: ops.Send(rid, to, cid, body))


def test_first_messages_wait_in_order_for_the_answer(city: City) -> None:
    ann, bob = city.hello("ann", "c"), city.hello("bob", "b")
    rids = [start(city, ann, "bob", f"{number}") for number in range(5)]
    city.run()
    assert [ann.connection.replies[rid]["ok"]["seq"] for rid in rids] == [1, 2, 3, 4, 5]
    assert bob.bodies == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("name", ["zoe", "aaa"])  # its conversation would be here, or there
def test_unknown_user_is_refused_and_nothing_stays(city: City, name: str) -> None:
    ann = city.hello("ann", "c")
    reply = ann.send(name, "hi")
    assert reply["err"]["code"] == "no_such_user"
    city.run()
    for node in "abc":
        assert city[node].broker.context.router.counts()["conversations"] == 0


def test_user_whose_node_is_down_can_be_written_to_once_known(city: City) -> None:
    ann = city.hello("ann", "a")
    assert "ok" in ann.send("bob", "1")
    city["b"].power_off()
    city.run(DOWN_S)
    assert ann.send("zed", "hi")["err"] == {
        "code": "unavailable",
        "reason": "the node that answers for this can't be reached now",
        "retry": "after",
        "outcome": "none",
        "after_ms": 1_000,
    }
    assert "ok" in ann.send("bob", "2")


def test_no_answer_is_given_up_after_a_while(city: City) -> None:
    ann = city.hello("ann", "a")
    city.cut("a", "b")  # nobody knows yet
    rid = start(city, ann, "bob", "hi")
    city.run(WHOIS_WAIT_S + 0.5)
    assert ann.connection.replies[rid]["err"]["code"] == "unavailable"


def test_both_users_have_the_conversation_in_their_list(city: City) -> None:
    ann, bob = city.hello("ann", "c"), city.hello("bob", "c")
    assert "ok" in bob.send("ann", "hi")  # led by ann's node; bob's home gets no delivery of it
    city.run()
    lists: dict[str, Any] = {
        user: city[node].broker.context.census.peers(user)
        for user, node in (("ann", "a"), ("bob", "b"))
    }
    assert lists == {"ann": ["bob"], "bob": ["ann"]}
    assert city["a"].broker.context.census.peers("bob") == []
    assert ann.bodies == ["hi"]
