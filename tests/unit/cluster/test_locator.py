"""Nodes hear how loaded the others are, and forget who is gone."""

from __future__ import annotations

import msgspec

from actorchat.cluster.load import Load
from actorchat.cluster.locator import LOCATOR, Locator, allow_load
from tests.unit.cluster.town import Town


class Node:
    """A node's load, and what it knows of others."""

    def __init__(self, town: Town, name: str) -> None:
        self.load = Load(name, "eu", f"tcp://{name}", 10, 100, is_open=True)
        self.loads: dict[str, Load] = {}
        self.rung = 0
        allow_load(town[name])
        town[name].system.spawn(
            Locator, town[name], lambda: self.load, self.loads, self.ring, name=LOCATOR
        )

    def ring(self) -> None:
        self.rung += 1

    def has(self, sessions: int) -> None:
        self.load = msgspec.structs.replace(self.load, sessions=sessions)


def test_loads_are_told_when_they_change_enough() -> None:
    town = Town("a", "b")
    a, b = Node(town, "a"), Node(town, "b")
    town.run(2.0)
    assert a.loads == {"b": b.load} and b.loads == {"a": a.load}
    told = town["a"].system.counts()["told"]
    b.has(11)
    town.run(3.0)
    assert a.loads["b"].sessions == 10
    assert town["a"].system.counts()["told"] - told <= 3  # its own beats
    b.has(20)
    town.run(3.0)
    assert a.loads["b"].sessions == 20
    b.load = msgspec.structs.replace(b.load, is_open=False)
    town.run(3.0)
    assert not a.loads["b"].is_open


def test_node_that_is_gone_is_forgotten_and_heard_again() -> None:
    town = Town("a", "b")
    a, b = Node(town, "a"), Node(town, "b")
    town.run(2.0)
    rung = a.rung
    del town.book["b"]
    town.run(3.0)
    assert a.loads == {} and a.rung > rung
    assert b.load.node == "b"


def test_load_of_a_node_that_is_no_peer_is_not_kept() -> None:
    town = Town("a", "b")
    a = Node(town, "a")
    town["a"].system.names.whereis(LOCATOR).tell(a.load)  # type: ignore[union-attr]
    town.run(1.0)
    assert a.loads == {}
