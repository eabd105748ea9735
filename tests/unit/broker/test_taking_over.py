"""A slot that comes: whoever gives it waits, whatever this node knows of it yet."""

from __future__ import annotations

from actorchat.cluster.handoff import State
from actorchat.cluster.slots import Slot
from actorchat.ids import SLOTS, slot_of
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
