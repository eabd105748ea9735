"""A slot moves: what is in it is elsewhere after, and nobody has missed anything."""

from __future__ import annotations

from actorchat.ids import slot_of
from actorchat.protocol import ops
from actorchat.store import keys
from tests.unit.broker.city import City

HOMES = {"ann": "a", "bob": "b"}


def rows_of(city: City, node: str, name: str) -> int:
    """Return how many rows of a name's slot a node has."""
    engine = city[node].engine
    start, stop = keys.slot_range(slot_of(name))
    families = ("history", "inbox", "sent", "outbox", "state")
    return sum(len(engine.scan(engine.family(f), start, stop)) for f in families)


def test_slot_moves_with_all_that_is_in_it() -> None:
    city = City(HOMES, nodes="ab")
    ann, bob = city.hello("ann", "a"), city.hello("bob", "b")
    for number in range(20):
        ann.send("bob", f"a{number}")
        bob.send("ann", f"b{number}")
    before = rows_of(city, "a", "ann")
    assert before > 40
    city.announce("ann", "b")
    city.run(3.0)
    assert city.table[slot_of("ann")].leader == "b"
    assert rows_of(city, "a", "ann") == 0
    assert rows_of(city, "b", "ann") >= before - 2
    assert not city.crashes
    assert ann.send("bob", "after")["ok"]["seq"] == 41
    city.run(1.0)
    assert bob.bodies[-1] == "after"
    page = bob.ask(lambda rid: ops.History(rid, "ann", 0, None, 100))
    assert len(page["ok"]["events"]) == 41
    assert not city.crashes
