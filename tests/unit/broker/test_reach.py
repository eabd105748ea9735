"""What a node knows of the others: who leads what, who is up, and how they are told."""

from __future__ import annotations

import pytest

from actorchat.broker.whois import WHOIS
from actorchat.chat.afar import WhoIs
from actorchat.errors import Unavailable
from actorchat.ids import slot_of
from tests.unit.broker.city import DOWN_S, City, table_of


@pytest.fixture
def city() -> City:
    return City({"ann": "a", "bob": "b"})


def test_leaders_are_those_of_the_table(city: City) -> None:
    reach = city["b"].reach
    assert reach.leader(slot_of("bob")) == reach.home("bob") == "b"
    assert reach.is_here("bob")
    assert not reach.is_here("ann")
    assert reach.nodes() == ["a", "b"]


def test_node_is_up_as_long_as_its_link(city: City) -> None:
    reach = city["a"].reach
    assert reach.is_up("a")
    assert reach.is_up("b")
    assert not reach.is_up("nobody")
    city["b"].power_off()
    city.run(DOWN_S)
    assert not reach.is_up("b")


def test_desk_is_that_of_the_users_home(city: City) -> None:
    reach = city["a"].reach
    assert reach.desk("ann", WHOIS) is city["a"].system.names.whereis(WHOIS)
    assert reach.desk("bob", WHOIS).node == "b"
    assert reach.desk("ann", "nobody") is None
    city["b"].power_off()
    city.run(DOWN_S)
    with pytest.raises(Unavailable):
        reach.desk("bob", WHOIS)


def test_all_are_told_wherever_they_are(city: City) -> None:
    reach = city["a"].reach
    refs = [reach.named("a", WHOIS), reach.named("b", WHOIS)]
    handled = {node: city[node].system.counts()["handled"] for node in "ab"}
    assert reach.tell_all(refs, WhoIs("ann", city["a"].system.names.whereis("people"))) == 2
    city.run(0.01)
    assert all(city[node].system.counts()["handled"] > handled[node] for node in "ab")


def test_turn_grows_with_the_table(city: City) -> None:
    before = city["a"].reach.turn
    city["a"].turn(table_of({"bob": "c"}, "a", epoch=2))
    assert city["a"].reach.turn == before + 1
    assert city["a"].reach.home("bob") == "c"
