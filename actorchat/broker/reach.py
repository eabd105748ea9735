"""Knows on which node an entity is, and how it is told something there or here.
Must not know what it is told, or how the slot table came about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from actorchat.cluster.mesh import Mesh
from actorchat.cluster.slots import Slot
from actorchat.errors import Unavailable
from actorchat.ids import SLOTS, slot_of

NO_LEADER = "nobody answers for this part of the server now"
MOVE_COUNTS = ("slots_handed_over", "handed_over_bytes", "held_max_ms", "slots_taken_over")
MOVING = "this part of the server is on its way to another node; try again"
NODE_DOWN = "the node that answers for this can't be reached now"


class Reach:
    """What a node of many knows of the others; a node that is alone has none.

    Args:
        mesh: The links to the other nodes.
        slot: Says where a slot is, by the newest table that this node has seen.

    Thread: the loop's only.
    """

    __slots__ = (
        "_mesh",
        "_on_moves",
        "_on_table",
        "_slot",
        "closed",
        "counts",
        "handoffs",
        "held",
        "node",
        "turn",
    )

    def __init__(self, mesh: Mesh, slot: Callable[[int], Slot]) -> None:
        self._mesh = mesh
        self._slot = slot
        self._on_table: Callable[[list[int]], object] = lambda _changed: None
        self.node = mesh.node
        self._on_moves: Callable[[list[int]], object] = lambda _changed: None
        self.held: set[int] = set()  # slots whose entities put aside what comes ...
        self.closed: set[int] = set()  # ... and those into which nothing is written any more
        self.counts = dict.fromkeys(MOVE_COUNTS, 0)  # since the start
        self.handoffs: dict[int, Any] = {}  # slots on their way: they outlive whoever looks after
        self.turn = 0  # counts changes of the table: a place that was found before looks again

    # -- who leads what ----------------------------------------------------------------------------
    def slot(self, number: int) -> Slot:
        """Return where a slot is."""
        return self._slot(number)

    def leader(self, slot: int) -> str:
        """Return the node that leads a slot; empty if nobody does."""
        return self._slot(slot).leader

    def home(self, name: str) -> str:
        """Return the node at which a user, or a group by its address, is at home."""
        return self._slot(slot_of(name)).leader

    def is_here(self, name: str) -> bool:
        """Say whether a user, or a group by its address, is at home on this node."""
        return self._slot(slot_of(name)).leader == self.node

    def led(self) -> list[int]:
        """Return the slots that this node leads."""
        return [slot for slot in range(SLOTS) if self._slot(slot).leader == self.node]

    def is_up(self, node: str) -> bool:
        """Say whether what is told `node` now is sent."""
        if node == self.node:
            return True
        peer = self._mesh.peers.get(node)
        return peer is not None and peer.machine.takes

    def up(self) -> list[str]:
        """Return the nodes that can be reached, this one among them."""
        return sorted({*self._mesh.nodes(), self.node})

    def nodes(self) -> list[str]:
        """Return the nodes that lead a slot, in order."""
        return sorted({self.leader(slot) for slot in range(SLOTS)} - {""})

    def on_table(self, changed: list[int]) -> None:
        """Take note that the leaders of some slots have changed; the role calls it."""
        self.turn += 1
        self._on_table(changed)

    def on_moves(self, changed: list[int]) -> None:
        """Take note that slots are to move, or have; the role calls it, behind `on_table`."""
        self._on_moves(changed)

    def is_open(self, slot: int) -> bool:
        """Say whether this node leads a slot, and may write into it."""
        return self._slot(slot).leader == self.node and slot not in self.closed

    def now_s(self) -> float:
        """Return the time of timers."""
        return self._mesh.system.dispatcher.now_s()

    # -- ways --------------------------------------------------------------------------------------
    def named(self, node: str, name: str) -> Any:
        """Return a lasting ref of whoever is called `name` on `node`."""
        return self._mesh.named(node, name)

    def find(self, slot: int, name: str) -> Any:
        """Return the ref of `name` on another node, which leads `slot`.

        Raises:
            Unavailable: That node can't be reached.
        """
        where = self._slot(slot)
        if not self.is_up(where.leader):
            raise Unavailable(NODE_DOWN if where.leader else NO_LEADER)
        return self._mesh.named(where.leader, name).at_epoch(where.epoch)

    def desk(self, whose: str, name: str) -> Any:
        """Return the ref of a desk at the home of a user; None if it does not run, here.

        Raises:
            Unavailable: The home's node can't be reached.
        """
        return self.desk_of(slot_of(whose), name)

    def desk_of(self, slot: int, name: str) -> Any:
        """Return the ref of a desk of the node that leads a slot; as `desk`."""
        where = self._slot(slot)
        leader = where.leader
        if leader == self.node:
            if slot in self.closed:
                raise Unavailable(MOVING)
            return self._mesh.system.names.whereis(name)
        if not self.is_up(leader):
            raise Unavailable(NODE_DOWN if leader else NO_LEADER)
        # By the slot, so that who does not lead it any more does not answer for it.
        return self._mesh.named(leader, f"desk/{name}/{slot}").at_epoch(where.epoch)

    def tell_all(self, refs: Iterable[Any], event: object) -> int:
        """Tell all of `refs` the same; return how many were told."""
        return self._mesh.tell_all(refs, event)

    def monitor_nodes(self, ref: Any) -> dict[str, int]:
        """Tell `ref` of nodes that come and go; return those that are up."""
        return self._mesh.monitor_nodes(ref)

    # -- for the broker ----------------------------------------------------------------------------
    def serve(
        self,
        allow: Callable[[Any], None],
        resolve: Callable[[str], Any],
        undelivered: Callable[[Any, object, int, str], object],
        on_table: Callable[[list[int]], object],
        on_moves: Callable[[list[int]], object] = lambda _changed: None,
    ) -> None:
        """Let other nodes' actors reach those of this broker."""
        allow(self._mesh.codec)
        self._mesh.resolve = resolve
        self._mesh.undelivered = undelivered
        self._on_table = on_table
        self._on_moves = on_moves
