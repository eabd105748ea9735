"""Any node tells an operator where a user is, from the user's home."""

from __future__ import annotations

import pytest

from actorchat.ids import slot_of
from actorchat.protocol import ops
from tests.unit.broker.city import DOWN_S, City


@pytest.fixture
def city() -> City:
    return City({"ann": "a", "bob": "b"})


def test_home_says_by_which_nodes_a_user_is_connected(city: City) -> None:
    city.hello("bob", "c", "phone")
    city.hello("bob", "b", "laptop")
    operator = city["a"].operator()
    assert operator.ask(lambda rid: ops.Whereis(rid, "bob"))["ok"] == {
        "user": "bob",
        "slot": slot_of("bob"),
        "home": "b",
        "epoch": 1,
        "up": True,
        "account": True,
        "devices": [{"device": "laptop", "node": "b"}, {"device": "phone", "node": "c"}],
    }


def test_who_is_not_connected_or_has_no_account_is_nowhere(city: City) -> None:
    operator = city["a"].operator()
    ann = operator.ask(lambda rid: ops.Whereis(rid, "ann"))["ok"]
    assert (ann["account"], ann["devices"]) == (True, [])
    assert not operator.ask(lambda rid: ops.Whereis(rid, "zoe"))["ok"]["account"]


def test_home_that_is_down_is_named_all_the_same(city: City) -> None:
    operator = city["a"].operator()
    city["b"].power_off()
    city.run(DOWN_S)
    found = operator.ask(lambda rid: ops.Whereis(rid, "bob"))["ok"]
    assert (found["home"], found["up"]) == ("b", False)
    assert "devices" not in found


def test_user_may_not_ask(city: City) -> None:
    ann = city.hello("ann", "a")
    assert ann.ask(lambda rid: ops.Whereis(rid, "bob"))["err"]["code"] == "forbidden"


def test_best_node_is_told_before_signing_in(city: City) -> None:
    asked: list[tuple[str, str, str]] = []
    answer = {"node": "b", "region": "eu", "home": "a", "addresses": ["tcp://h:1"]}

    def locate(user: str, region: str, source: str) -> dict[str, object]:
        asked.append((user, region, source))
        return answer

    city["a"].broker.context.locate = locate
    device = city["a"].connect()
    assert device.ask(lambda rid: ops.Locate(rid, "ann", "eu"))["ok"] == answer
    assert asked[0][:2] == ("ann", "eu")
    stay = city["b"].connect().ask(lambda rid: ops.Locate(rid, "ann"))["ok"]
    assert stay == {"node": "", "region": "", "home": "", "addresses": []}
