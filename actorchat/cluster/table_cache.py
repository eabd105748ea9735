"""Knows a node's own copy of the slot table, and how it is kept fresh.
Must not know what a node does with a slot.

While the registry is away the copy stays as it is and is used: what it says may be old, which the
node that is asked wrongly finds out and answers with `moved`. It never goes back.
"""

from __future__ import annotations

from collections.abc import Callable

from actorchat import logs
from actorchat.cluster.registry import Connected, Event, Recovered, Registry, ensure
from actorchat.cluster.slots import Header, Slot, SlotTable
from actorchat.cluster.table_store import SLOTS, load_block, load_header
from actorchat.cluster.upkeep import Upkeep
from actorchat.errors import MalformedFrame

log = logs.logger(__name__)

OnChange = Callable[[SlotTable, list[int]], object]


class TableCache:
    """The last table that was seen. `on_change(table, changed slots)` is told on the loop."""

    def __init__(self, registry: Registry, on_change: OnChange | None = None) -> None:
        self.table = SlotTable(())
        self.refused = 0  # reads that were older than what is known, or no table at all
        self._registry = registry
        self._on_change = on_change
        self._blocks: dict[int, int] = {}  # which version of each block is in `table`
        self._is_watching = False
        self._upkeep = Upkeep("slot table", self._refresh)

    @property
    def is_ready(self) -> bool:
        """Say whether there ever was a table."""
        return bool(self.table.slots)

    def slot(self, number: int) -> Slot:
        """Return where a slot is, as far as is known; nowhere before there is a table."""
        slots = self.table.slots
        return slots[number] if number < len(slots) else Slot()

    def start(self) -> None:
        """Begin to keep it fresh; the registry may be out of reach."""
        self._registry.on_event(self._on_event)
        self._upkeep.poke()

    async def close(self) -> None:
        """Keep it as it is from now on."""
        await self._upkeep.close()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Connected | Recovered):
            self._upkeep.poke()

    async def _refresh(self) -> None:
        registry = self._registry
        if not self._is_watching:
            await ensure(registry, SLOTS)
            await registry.watch(SLOTS, self._upkeep.poke)
            self._is_watching = True
        try:
            header, _ = await load_header(registry)
            if header is None:
                return
            blocks = {}
            for index, version in enumerate(header.blocks):
                if self._blocks.get(index) != version:
                    blocks[index] = await load_block(registry, index)
        except MalformedFrame as error:
            self.refused += 1
            log.error("the slot table can't be read", reason=str(error))
            return
        self.accept(header, blocks)

    def accept(self, header: Header, blocks: dict[int, tuple[tuple[Slot, ...], int]]) -> bool:
        """Take in what was read; say whether it was any newer.

        A header that is older than what is known, as of a server that lags or of a registry that
        was put back from a copy, is refused, and so is a slot at an older epoch.
        """
        old = self.table
        if header.version <= old.version and old.slots:
            self.refused += header.version < old.version
            return False
        slots = list(old.slots) if len(old.slots) == header.slots else [Slot()] * header.slots
        changed = []
        for index, (block, version) in blocks.items():
            for offset, slot in enumerate(block):
                number = index * header.block_slots + offset
                if number >= header.slots or slot.epoch < slots[number].epoch:
                    self.refused += 1
                elif slot != slots[number]:
                    slots[number] = slot
                    changed.append(number)
            self._blocks[index] = version
        self.table = SlotTable(tuple(slots), header.version, header.controller)
        if self._on_change is not None:
            self._on_change(self.table, sorted(changed))
        return True
