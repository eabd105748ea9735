"""A node's table only goes forward, and stays while the registry is away."""

from __future__ import annotations

from actorchat.cluster.memory_registry import MemoryRegistry, MemoryStore
from actorchat.cluster.registry import Put, create, put
from actorchat.cluster.slots import Header, Slot, SlotTable, empty_table, replaced
from actorchat.cluster.table_cache import TableCache
from actorchat.cluster.table_store import SLOTS, block_path, load_table, save_table
from tests.unit.cluster.registry_world import opened, turns


async def saved(registry: MemoryRegistry, table: SlotTable, old: SlotTable | None = None) -> int:
    _, version = await load_table(registry)
    return await save_table(registry, table, old, version, [])


async def test_cache_follows_the_table_and_says_what_changed() -> None:
    store = MemoryStore()
    one, other = await opened(store), await opened(store)
    told: list[tuple[int, list[int]]] = []
    cache = TableCache(one, lambda table, changed: told.append((table.version, changed)))
    assert not cache.is_ready and cache.slot(7) == Slot()
    cache.start()
    await turns()
    assert not cache.is_ready  # there is none yet
    first = replaced(empty_table(600), {0: Slot("a", 1), 599: Slot("b", 1)})
    await saved(other, first)
    await turns()
    assert cache.table == first
    second = replaced(first, {599: Slot("c", 2)})
    await saved(other, second, first)
    await turns()
    assert cache.slot(599).leader == "c"
    assert told == [(1, [0, 599]), (2, [599])]
    await cache.close()


async def test_hand_over_that_is_given_up_is_seen_and_never_again_what_was_before() -> None:
    told: list[list[int]] = []
    cache = TableCache(await opened(MemoryStore()), lambda _, changed: told.append(changed))
    steps = [Slot("a", 1), Slot("a", 1, coming=("b",)), Slot("a", 2), Slot("b", 3)]
    for version, slot in enumerate(steps, 1):
        assert cache.accept(Header(1, version, 1, [version]), {0: ((slot,), version)})
        assert cache.slot(0) == slot
    assert told == [[0]] * 4
    assert cache.accept(Header(1, 5, 1, [5]), {0: ((steps[1],), 5)})
    assert (cache.slot(0), cache.refused, told[4:]) == (steps[-1], 1, [[]])


async def test_cache_stays_as_it_is_while_the_registry_is_away_and_catches_up() -> None:
    store = MemoryStore()
    one, other = await opened(store), await opened(store)
    cache = TableCache(one)
    cache.start()
    first = replaced(empty_table(4), {0: Slot("a", 1)})
    await saved(other, first)
    await turns()
    one.suspend()
    await saved(other, replaced(first, {0: Slot("b", 2)}), first)
    await turns()
    assert cache.slot(0).leader == "a"
    one.recover()
    await turns()
    assert cache.slot(0).leader == "b"
    one.expire()  # a new session: it goes on all the same
    await turns()
    await put(other, SLOTS, (await other.get(SLOTS)).value)  # type: ignore[union-attr]
    await turns()
    assert cache.slot(0).leader == "b"
    await cache.close()


def test_older_table_and_older_epoch_are_refused() -> None:
    cache = TableCache(MemoryStore().client())
    slots = (Slot("a", 5), Slot("b", 3))
    assert cache.accept(Header(2, 9, 1, [9]), {0: (slots, 9)})
    assert not cache.accept(Header(2, 8, 1, [8]), {0: ((Slot("z", 4), Slot("z", 2)), 8)})
    assert not cache.accept(Header(2, 9, 1, [9]), {0: (slots, 9)})
    assert cache.refused == 1
    mixed = (Slot("z", 4), Slot("c", 4))
    assert cache.accept(Header(2, 10, 2, [10]), {0: (mixed, 10)})
    assert cache.table.slots == (Slot("a", 5), Slot("c", 4))
    assert cache.refused == 2


async def test_table_that_can_not_be_read_is_passed_over() -> None:
    store = MemoryStore()
    one, other = await opened(store), await opened(store)
    cache = TableCache(one)
    cache.start()
    first = replaced(empty_table(4), {0: Slot("a", 1)})
    await saved(other, first)
    await turns()
    await put(other, SLOTS, b"nonsense")
    await turns()
    assert cache.table == first
    assert cache.refused == 1
    await cache.close()


async def test_table_is_written_whole_read_back_and_only_its_changes_again() -> None:
    store = MemoryStore()
    registry = await opened(store)
    assert await load_table(registry) == (None, 0)
    table = replaced(empty_table(1_000), {n: Slot("a", 1, ("a",), ("a",)) for n in range(1_000)})
    version = await saved(registry, table)
    back = await load_table(registry)
    assert back == (table, version)
    blocks = [await registry.get(block_path(index)) for index in range(4)]
    await save_table(registry, replaced(table, {999: Slot("b", 2)}), table, version, [])
    again = [await registry.get(block_path(index)) for index in range(4)]
    assert [a == b for a, b in zip(blocks, again, strict=True)] == [True, True, True, False]


async def test_table_too_large_for_one_transaction_is_written_in_several() -> None:
    store = MemoryStore()
    registry = await opened(store)
    names = [f"{n:064}" for n in range(600)]
    slots = tuple(
        Slot(names[n % 600], 1, tuple(names[(n + k) % 600] for k in range(3)))
        for n in range(16_384)
    )
    table = SlotTable(slots, 1, 1)
    before = store.writes
    version = await saved(registry, table)
    assert store.writes - before > 2
    assert await load_table(registry) == (table, version)


async def test_block_that_lies_there_from_a_write_that_was_cut_off_is_no_hindrance() -> None:
    store = MemoryStore()
    registry = await opened(store)
    table = replaced(empty_table(4), {0: Slot("a", 1)})
    await load_table(registry)
    await create(registry, block_path(0), b"half")
    version = await saved(registry, table)
    assert await load_table(registry) == (table, version)
    await registry.multi([Put(SLOTS, b"x", version)])
