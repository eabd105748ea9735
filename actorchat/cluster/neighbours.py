"""Knows the nodes as they were last seen in the registry, and where their links are.
Must not know links, slots or what a node is for.

While the registry is away all stay as they are. One whose entry has gone, because it died or
because only the registry lost sight of it, is kept while somebody here still needs it, or two
nodes that talk to each other would part for the sake of a third.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from actorchat.cluster.drained import DRAINED, read_drained
from actorchat.cluster.link import PeerAddress
from actorchat.cluster.member import MEMBERS, read_members
from actorchat.cluster.registry import Connected, Event, Recovered, Registry, ensure
from actorchat.cluster.slots import Member
from actorchat.cluster.upkeep import Upkeep


class Neighbours:
    """All members. `on_change()` is told on the loop when there is anything new.

    Args:
        is_needed: Says of a name whose entry has gone whether it is to be kept.
    """

    def __init__(
        self,
        registry: Registry,
        is_needed: Callable[[str], bool],
        on_change: Callable[[], object],
    ) -> None:
        self.members: dict[str, Member] = {}
        self.drained: frozenset[str] = frozenset()  # who is to lead nothing, by name
        self._registry = registry
        self._is_needed = is_needed
        self._on_change = on_change
        self._is_watching = False
        self._upkeep = Upkeep("neighbours", self._refresh)

    def start(self) -> None:
        """Begin to look; the registry may be out of reach."""
        self._registry.on_event(self._on_event)
        self._upkeep.poke()

    async def close(self) -> None:
        """Keep all as they are from now on."""
        await self._upkeep.close()

    def poke(self) -> None:
        """Look again soon: somebody may no longer be needed."""
        self._upkeep.poke()

    def addresses(self) -> dict[str, PeerAddress]:
        """Return where the links of each are; the `Peers` of a mesh."""
        return {
            name: PeerAddress(member.address, member.key or None, member.incarnation)
            for name, member in self.members.items()
            if member.address
        }

    def up(self) -> list[Member]:
        """Return those whose entries were there when the registry was last asked."""
        return [member for member in self.members.values() if member.is_up]

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Connected | Recovered):
            self._upkeep.poke()

    async def _refresh(self) -> None:
        registry = self._registry
        if not self._is_watching:
            await ensure(registry, MEMBERS)
            await ensure(registry, DRAINED)
            await registry.watch(MEMBERS, self._upkeep.poke, children=True)
            await registry.watch(DRAINED, self._upkeep.poke, children=True)
            self._is_watching = True
        self.drained = await read_drained(registry)
        found = {member.name: member for member in await read_members(registry)}
        for name, member in self.members.items():
            if name not in found and self._is_needed(name):
                found[name] = msgspec.structs.replace(member, is_up=False)
        if found != self.members:
            self.members = found
            self._on_change()
