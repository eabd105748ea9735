"""Knows how the broker of one node reaches those of others. Must not know what they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actorchat.cluster.mesh import Mesh
    from actorchat.cluster.slots import Slot


class Reach:
    """The other nodes, as the broker sees them.

    Args:
        mesh: The links of this node.
        slot: Says of each slot who leads it now, and at which epoch.
    """

    def __init__(self, mesh: Mesh, slot: Callable[[int], Slot]) -> None:
        self.mesh = mesh
        self.slot = slot
        self.node = mesh.node

    def leader(self, number: int) -> str:
        """Return the node that leads a slot; empty if nobody does."""
        return self.slot(number).leader

    def is_up(self, node: str) -> bool:
        """Say whether a node is this one, or its link is up."""
        return node == self.node or node in self.mesh.nodes()

    def named(self, node: str, name: str) -> Any:
        """Return the ref of who is called `name` on `node`."""
        return self.mesh.named(node, name)

    def tell_all(self, refs: Iterable[Any], event: object) -> int:
        """Tell all the same, encoded once."""
        return self.mesh.tell_all(refs, event)

    def on_table(self, changed: list[int]) -> None:
        """Take note of slots that have changed."""
