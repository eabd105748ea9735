"""A slot that comes: whoever gives it waits, whatever this node knows of it yet."""

from __future__ import annotations

from actorchat.broker.search import IndexActor
from actorchat.cluster.handoff import State
from actorchat.cluster.slots import Slot
from actorchat.ids import SLOTS, group_address, slot_of
from actorchat.protocol import ops
from actorchat.protocol.ops.group import Alter, Create
from actorchat.store.verify import verify
from tests.unit.broker.city import City
from tests.unit.broker.test_handing_over import rows_of, run_to

SLOT = slot_of("ann")


def test_slot_that_comes_back_waits_until_what_left_is_settled() -> None:
    city = City({"ann": "a", "bob": "b", "cat": "c"})
    city.announce("ann", "c")
    run_to(city, State.SAID)
    city["a"].power_off()
    epoch = city.table[SLOT].epoch + 1
    city.write(SLOT, Slot("c", epoch, ("c",), ("c",)))
    city.run(1.0)
    city["a"].version, city["a"].table = 1_000, [Slot()] * SLOTS  # its registry is out of reach
    city["a"].start()
    city.write(SLOT, Slot("c", epoch, ("c",), ("c",), ("a",)))
    city.run(3.0)
    assert city.crashes == []
    assert rows_of(city, "c", "ann")
    city["a"].version = 0
    city["a"].turn(city.table)
    city.run(15.0)
    assert city.crashes == []
    assert city.table[SLOT].leader == "a"
    assert rows_of(city, "a", "ann")
    assert not rows_of(city, "c", "ann")
    assert all(verify(node.engine).is_sound for node in city.nodes.values())


def test_words_of_a_slot_go_with_it() -> None:
    city = City({"ann": "a", "bob": "b"}, search=True)
    ann = city.hello("ann", "b")
    ann.send("bob", "the secret plan")
    ann.send("ann", "notes of the plan")
    city.run(1.0)
    found = ann.ask(lambda rid: ops.Search(rid, "plan"))
    assert len(found["ok"]["hits"]) == 2
    assert words_of(city, "a") == 2
    city.announce("ann", "c")
    city.run(3.0)
    assert city.table[SLOT].leader == "c"
    assert words_of(city, "a") == 0
    assert city.crashes == []


def words_of(city: City, node: str) -> int:
    """Return how many texts the index of a node keeps."""
    (actor,) = (ref._actor for ref in city[node].system.refs() if ref.actor_class is IndexActor)
    assert isinstance(actor, IndexActor)
    (count,) = actor._index._opened().execute("SELECT count(*) FROM place").fetchone()
    assert isinstance(count, int)
    return count


def test_who_waits_for_a_change_of_a_group_that_moves_connects_again() -> None:
    group = group_address(bytes(16))
    city = City({"ann": "a", "bob": "b", group: "c"})
    ann, bob = city.hello("ann", "b"), city.hello("bob", "b")
    create = Create("all", ["bob"])
    assert "ok" in ann.ask(lambda rid: ops.Change(rid, group, bytes(16), create))
    city["c"].syncer.is_held = True
    ann.start(lambda rid: ops.Change(rid, group, b"\1" * 16, Alter(name="both")))
    city.run(0.2)
    city.write(slot_of(group), Slot("b", 2, ("b",), ("b",)))
    city.run(0.2)
    assert ann.connection.is_closed
    assert ann.connection.bye == {"op": "bye", "code": "drain", "reconnect": "now"}
    assert not bob.connection.is_closed  # who waits for nothing stays


def test_who_has_its_answers_stays_when_a_slot_moves() -> None:
    group = group_address(bytes(16))
    city = City({"ann": "a", group: "c"})
    ann = city.hello("ann", "b")
    assert "ok" in ann.ask(lambda rid: ops.Change(rid, group, bytes(16), Create("all", [])))
    city.write(slot_of(group), Slot("b", 2, ("b",), ("b",)))
    city.run(0.2)
    assert not ann.connection.is_closed
