"""A candidate hears over the links that slots are copied, and reads who is drained."""

from __future__ import annotations

from collections import Counter

from actorchat.actor import ActorSystem, LoopDispatcher
from actorchat.cluster.controller import COPIED_CODE, Controller, Copied
from actorchat.cluster.controller_actor import CONTROLLER, ControllerActor, allow_copied
from actorchat.cluster.drained import drain, undrain
from actorchat.cluster.link_codec import MessageCodec
from actorchat.cluster.member import MEMBERS, member_out
from actorchat.cluster.memory_registry import MemoryRegistry, MemoryStore
from actorchat.cluster.registry import child_of, create, ensure
from actorchat.cluster.slots import Member, SlotTable
from actorchat.cluster.table_store import load_table
from tests.unit.cluster.registry_world import opened, turns
from tests.unit.cluster.town import Town, heard

GOLDEN = bytes.fromhex("9307cd012ca26e32")
SLOTS = 12


def test_word_of_a_copy_is_what_it_was_when_it_got_its_code() -> None:
    codec = MessageCodec(bytes, bytes)
    codec.allow(COPIED_CODE, Copied)
    assert COPIED_CODE == 0x8002
    assert codec.encode(Copied(7, 300, "n2")) == (COPIED_CODE, GOLDEN)
    assert codec.decode(COPIED_CODE, GOLDEN) == Copied(7, 300, "n2")


def test_leader_tells_the_candidates_of_all_nodes() -> None:
    town = Town("a", "b", "c", up=False)
    for mesh in town.nodes.values():
        allow_copied(mesh)
    candidates = [town.scribe(name, CONTROLLER) for name in "abc"]
    town.run(2.0)
    word = Copied(7, 300, "n2")
    refs = [town["a"].named(name, CONTROLLER) for name in "abc"]
    assert town["a"].tell_all(refs, word) == 3
    town.run()
    assert [heard(ref) for ref in candidates] == [[word]] * 3


async def table_of(registry: MemoryRegistry) -> SlotTable:
    await turns(200)
    table, _ = await load_table(registry)
    assert table is not None
    return table


async def test_drained_node_is_emptied_and_filled_again() -> None:
    registry = await opened(MemoryStore())
    await ensure(registry, MEMBERS)
    for name in ("a", "b", "g"):
        entry = member_out(Member(name, leads=name != "g"))
        await create(registry, child_of(MEMBERS, name), entry)
    system = ActorSystem(LoopDispatcher())
    candidate = system.spawn(
        ControllerActor, registry, "a", Controller(SLOTS, 1, members_min=2), name=CONTROLLER
    )

    async def moved(*, drained: bool) -> Counter[str]:
        """Say so, and copy all that is announced; return who leads how many then."""
        await (drain if drained else undrain)(registry, "b")
        table = await table_of(registry)
        assert any(slot.coming for slot in table.slots)
        while any(slot.coming for slot in table.slots):
            for number, slot in enumerate(table.slots):
                for node in slot.coming:
                    candidate.tell(Copied(number, slot.epoch, node))
            table = await table_of(registry)
        return Counter(slot.leader for slot in table.slots)

    first = await table_of(registry)
    assert Counter(slot.leader for slot in first.slots) == {"a": 6, "b": 6}
    assert await moved(drained=True) == {"a": 12}
    assert await moved(drained=False) == {"a": 6, "b": 6}
    await system.stop()
