"""Who is to lead nothing is said once, by whoever may, and never of all."""

from __future__ import annotations

import asyncio

import pytest

from actorchat.cluster.drained import (
    DRAINED,
    LastLeader,
    NoSuchNode,
    count_led,
    drain,
    read_drained,
    undrain,
)
from actorchat.cluster.member import MEMBERS, member_out
from actorchat.cluster.memory_registry import MemoryRegistry, MemoryStore
from actorchat.cluster.place import place
from actorchat.cluster.registry import RegistryAway, child_of, create, delete, ensure
from actorchat.cluster.slots import Member, empty_table
from actorchat.cluster.table_store import load_header, save_table
from tests.unit.cluster.registry_world import opened


async def town(store: MemoryStore, *names: str, leads: bool = True) -> MemoryRegistry:
    registry = await opened(store)
    await ensure(registry, MEMBERS)
    for name in names:
        await create(registry, child_of(MEMBERS, name), member_out(Member(name, leads=leads)))
    return registry


async def lead(registry: MemoryRegistry, *names: str) -> None:
    """Write a table in which these lead all."""
    table = place([Member(name) for name in names], empty_table(8), 1)
    _, version = await load_header(registry)
    await save_table(registry, table, None, version, [])


async def test_node_is_drained_and_put_back_once() -> None:
    registry = await town(MemoryStore(), "a", "b")
    assert await read_drained(registry) == frozenset()
    assert await drain(registry, "a") and not await drain(registry, "a")
    assert await read_drained(registry) == {"a"}
    assert await undrain(registry, "a") and not await undrain(registry, "a")
    assert await read_drained(registry) == frozenset()


async def test_node_that_nobody_knows_is_refused() -> None:
    registry = await town(MemoryStore(), "a", "b")
    gate = await town(registry._store, "g", leads=False)
    for name in ("c", "g", "", "../members", "A b"):
        for say in (drain, undrain):
            with pytest.raises(NoSuchNode):
                await say(gate, name)
    assert await read_drained(registry) == frozenset()


async def test_last_node_that_may_lead_anything_is_refused() -> None:
    registry = await town(MemoryStore(), "a", "b")
    await drain(registry, "a")
    with pytest.raises(LastLeader, match="what b leads"):
        await drain(registry, "b")
    await undrain(registry, "a")
    assert await drain(registry, "b")


async def test_node_that_is_down_is_known_by_what_it_leads() -> None:
    registry = await town(MemoryStore(), "a")
    await lead(registry, "a", "b")
    assert await drain(registry, "b")
    assert await undrain(registry, "b")
    assert not await undrain(registry, "b")
    with pytest.raises(LastLeader):
        await drain(registry, "a")  # b is not there to take anything
    assert await count_led(registry, "a") + await count_led(registry, "b") == 8
    await delete(registry, child_of(MEMBERS, "a"))
    with pytest.raises(LastLeader):
        await drain(registry, "b")


async def test_nothing_is_led_where_there_is_no_table() -> None:
    assert await count_led(await town(MemoryStore(), "a"), "a") == 0


async def test_two_that_drain_at_the_same_time_leave_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    one, other = await town(store, "a", "b"), await opened(store)
    multi, halted = one.multi, asyncio.Event()

    async def late(ops: object) -> object:
        halted.set()
        monkeypatch.undo()
        await drain(other, "b")
        return await multi(ops)  # type: ignore[arg-type]

    await ensure(one, DRAINED)
    monkeypatch.setattr(one, "multi", late)
    with pytest.raises(LastLeader):
        await drain(one, "a")
    assert halted.is_set()
    assert await read_drained(one) == {"b"}


async def test_registry_that_is_away_is_said_so() -> None:
    registry = await town(MemoryStore(), "a", "b")
    registry.suspend()
    for say in (drain, undrain):
        with pytest.raises(RegistryAway):
            await say(registry, "a")
