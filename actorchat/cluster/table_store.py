"""Knows how the slot table lies in a registry. Must not know who makes it or who reads it.

    /slots             the header: how many, which version, which blocks changed when
    /slots/b-000 …     256 slots each

Blocks are written before the header. Who reads between the two sees some slots early, which is
harmless: each slot's place was decided, and carries its epoch.
"""

from __future__ import annotations

from collections.abc import Sequence

from actorchat.cluster.registry import (
    Check,
    Create,
    Op,
    Put,
    Registry,
    RegistryAway,
    child_of,
    ensure,
)
from actorchat.cluster.slots import (
    Header,
    Slot,
    SlotTable,
    block_in,
    block_out,
    header_in,
    header_out,
)
from actorchat.limits import SLOT_BLOCK

SLOTS = "/slots"
BATCH_BYTES_MAX = 524_288  # of one transaction; ZooKeeper takes a MiB with all its names


def block_path(index: int) -> str:
    """Return where a block lies."""
    return child_of(SLOTS, f"b-{index:03}")


async def load_header(registry: Registry) -> tuple[Header | None, int]:
    """Return the header and its entry's version; None where no table was ever written.

    Raises:
        MalformedFrame: What is there is no header.
    """
    await ensure(registry, SLOTS)
    entry = await registry.get(SLOTS)
    if entry is None:
        raise RegistryAway("the table's entry has gone")
    return (header_in(entry.value) if entry.value else None), entry.version


async def load_block(registry: Registry, index: int) -> tuple[tuple[Slot, ...], int]:
    """Return a block's slots and the version of the table at which they were written.

    Raises:
        MalformedFrame: What is there is no block.
    """
    entry = await registry.get(block_path(index))
    if entry is None:
        raise RegistryAway("a block of the table is not there")
    return block_in(entry.value)


async def load_table(registry: Registry) -> tuple[SlotTable | None, int]:
    """Return the whole table, and its header's version for the next `save_table`."""
    header, version = await load_header(registry)
    if header is None:
        return None, version
    slots: list[Slot] = []
    for index in range(len(header.blocks)):
        slots += (await load_block(registry, index))[0]
    return SlotTable(tuple(slots), header.version, header.controller), version


def blocks_of(table: SlotTable) -> list[tuple[Slot, ...]]:
    """Return the table in blocks."""
    return [table.slots[at : at + SLOT_BLOCK] for at in range(0, len(table.slots), SLOT_BLOCK)]


async def save_table(
    registry: Registry, table: SlotTable, old: SlotTable | None, version: int, guard: Sequence[Op]
) -> int:
    """Write what differs from `old`, if the header still has `version` and `guard` holds.

    Returns:
        The header's new version.

    Raises:
        BadVersion: Another has written; nothing of the last transaction was done.
        NoEntry: The guard's entry has gone: this node is no longer elected.
    """
    header, _ = await load_header(registry)
    written = dict(enumerate(header.blocks)) if header is not None else {}
    before = blocks_of(old) if old is not None and header is not None else []
    fence: list[Op] = [*guard, Check(SLOTS, version)]
    batch: list[Op] = []
    size = 0
    for index, block in enumerate(blocks_of(table)):
        if index < len(before) and before[index] == block:
            continue
        value = block_out(block, table.version)
        if batch and size + len(value) > BATCH_BYTES_MAX:
            await registry.multi([*fence, *batch])
            batch, size = [], 0
        is_there = index in written or await registry.get(block_path(index)) is not None
        batch.append((Put if is_there else Create)(block_path(index), value))
        size += len(value)
        written[index] = table.version
    blocks = [written[index] for index in sorted(written)]
    value = header_out(Header(len(table.slots), table.version, table.controller, blocks))
    *_, now = await registry.multi([*guard, *batch, Put(SLOTS, value, version)])
    assert isinstance(now, int)
    return now
