"""A place leads to an entity wherever it is, and says so when it can't."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker.place import FarPlace, Place, QuietPlace
from actorchat.broker.reach import Reach
from actorchat.chat.event import Acked, Reached
from actorchat.errors import Unavailable
from actorchat.limits import SHUT_S, UNAVAILABLE_AFTER_MS
from tests.unit.broker.city import DOWN_S, City, table_of


@pytest.fixture
def city() -> City:
    return City({"ann": "a", "bob": "b"})


def spawned(city: City, node: str) -> dict[str, int]:
    return city[node].broker.context.router.counts()


def test_entity_is_started_on_the_node_that_leads_its_slot(city: City) -> None:
    place = city["a"].broker.context.router.user("bob")
    assert isinstance(place, FarPlace)
    assert place.node == "b"
    place.tell(Acked("phone", 1))
    city.run()
    assert (spawned(city, "a")["users"], spawned(city, "b")["users"]) == (0, 1)


def test_entity_that_is_led_here_is_told_here(city: City) -> None:
    place = city["a"].broker.context.router.conversation(("ann", "bob"))
    assert place.node == "a"
    place.tell(Reached("ann", 1))
    city.run()
    assert spawned(city, "a")["conversations"] == 1
    assert city["a"].mesh.counts()["up"] == 2


def test_place_of_a_node_that_is_down_says_so_unless_it_is_quiet(city: City) -> None:
    router = city["a"].broker.context.router
    city["b"].power_off()
    city.run(DOWN_S)
    with pytest.raises(Unavailable, match="can't be reached"):
        router.user("bob").tell(Acked("phone", 1))
    quiet = router.user("bob", is_quiet=True)
    assert isinstance(quiet, QuietPlace)
    quiet.tell(Acked("phone", 1))
    city["b"].start()
    city.run(6)
    quiet.tell(Acked("phone", 1))
    city.run()
    assert spawned(city, "b")["users"] == 1


def test_what_comes_behind_a_refusal_does_not_overtake_it(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = city["a"].broker.context.router.user("bob")
    is_up = [False]
    monkeypatch.setattr(Reach, "is_up", lambda _reach, _node: is_up[0])
    with pytest.raises(Unavailable):
        place.tell(Acked("phone", 1))
    is_up[0] = True
    with pytest.raises(Unavailable):
        place.tell(Acked("phone", 2))
    city.run(SHUT_S)
    place.tell(Acked("phone", 1))
    assert SHUT_S * 1_000 < UNAVAILABLE_AFTER_MS


def test_place_follows_the_table(city: City) -> None:
    place = city["c"].broker.context.router.user("bob")
    place.tell(Acked("phone", 1))
    city.run()
    for node in "abc":
        city[node].turn(table_of({"ann": "a", "bob": "a"}, "a", epoch=2))
    place.tell(Acked("phone", 1))
    city.run()
    assert place.node == "a"
    assert spawned(city, "a")["users"] == 1


def test_nobody_leads_a_slot_before_there_is_a_table(city: City) -> None:
    table: list[Any] = table_of({"bob": ""}, "a", epoch=2)
    city["a"].turn(table)
    with pytest.raises(Unavailable, match="nobody answers"):
        city["a"].broker.context.router.user("bob").tell(Acked("phone", 1))


def test_without_other_nodes_a_place_is_plain() -> None:
    told: list[object] = []

    class Ref:
        def is_alive(self) -> bool:
            return True

        def tell(self, event: object) -> None:
            told.append(event)

    place = Place(lambda _id: Ref(), "ann")
    place.tell(1)
    assert (told, place.node) == ([1], "")


def test_place_takes_the_new_epoch_of_the_same_leader(city: City) -> None:
    node = city["a"]
    place = node.broker.context.router.user("bob")
    assert (place.ref().node, place.ref().epoch) == ("b", 1)
    node.table = table_of({"ann": "a", "bob": "b"}, "a", epoch=2)  # a hand-over was given up
    node.reach.turn += 1
    assert (place.ref().node, place.ref().epoch) == ("b", 2)
    city["b"].mesh.fence("user/bob", 2)
    place.tell(Acked("phone", 1))
    city.run()
    assert spawned(city, "b")["users"] == 1
    assert "dropped_moved" not in city["b"].mesh.counts()
