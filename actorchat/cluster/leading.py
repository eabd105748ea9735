"""Knows which slots this node may lead now. Must not know what it does with them.

Past the end of its lease the registry may have given a node's slots to others, so it stops to lead
them, whatever its copy of the table says. A slot of which it has the only copy is no such: there
is nobody else who could lead it, and it goes on however long the registry is away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from actorchat.cluster.registry import State
from actorchat.cluster.slots import NOBODY, Slot, SlotTable


class Session(Protocol):
    """What is asked of a registry's session."""

    @property
    def state(self) -> State:
        """How it stands."""
        ...

    @property
    def lease_end_s(self) -> float:
        """Until when its holder may act."""
        ...


class Leading:
    """The table as this node may act on it. `now_s` is the time in which leases end."""

    def __init__(
        self,
        node: str,
        session: Session,
        table: Callable[[], SlotTable],
        now_s: Callable[[], float],
    ) -> None:
        self._node = node
        self._session = session
        self._table = table
        self._now_s = now_s

    def slot(self, number: int) -> Slot:
        """Return who leads a slot; nobody while it would be this node past its lease."""
        slots = self._table().slots
        slot = slots[number] if number < len(slots) else Slot()
        if slot.leader == self._node and not self._is_alone(slot) and self.is_overdue:
            return msgspec.structs.replace(slot, leader=NOBODY)
        return slot

    @property
    def is_overdue(self) -> bool:
        """Say whether the lease is over."""
        return self._now_s() >= self._session.lease_end_s

    def count(self) -> int:
        """Return how many slots this node leads by the table."""
        return sum(slot.leader == self._node for slot in self._table().slots)

    def names(self) -> set[str]:
        """Return all nodes that lead any by the table."""
        return {slot.leader for slot in self._table().slots} - {NOBODY}

    def standing(self) -> str:
        """Say how it stands with the registry, for people."""
        state = self._session.state
        if state == "connected" or not self._table().slots:
            return state
        if not self.is_overdue:
            return f"{state}; goes on by its own copy of the table"
        alone = sum(s.leader == self._node and self._is_alone(s) for s in self._table().slots)
        if alone == self.count():
            return f"{state}; goes on, for nobody else has a copy of what it leads"
        return f"{state}; leads no more what others have copies of"

    def _is_alone(self, slot: Slot) -> bool:
        return slot.replicas == (self._node,)
