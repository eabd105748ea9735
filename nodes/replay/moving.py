"""Knows when a node joins and another is drained, and when each is done. Must not know what is
played.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from actorchat.cluster.drained import drain
from actorchat.cluster.table_cache import TableCache
from actorchat.errors import ActorchatError
from actorchat.limits import PLACE_SLACK
from nodes.replay.child import NodeFailed
from nodes.replay.ledger import Ledger

if TYPE_CHECKING:
    from actorchat.cluster.registry import Registry
    from nodes.replay.children import ChildCluster

AT_ACKED = 0.2  # of the sends: then it begins
MOVE_TIMEOUT_S = 120.0
REFUSED_MAX_S = 2.0  # a send gets through in so long, whatever moves
# While slots move messages flow slowly, or all would be over before.
PACE_S = 0.005
LAST_SHARE = 0.1  # of the messages: these even more slowly
LAST_PACE_S = 0.05


class Moving:
    """Has a node join, then another drained and stopped, once enough was sent.

    It is watched as a `Disaster` is.

    Args:
        cluster: A node more of it is started; its second node is the one that is drained.
    """

    def __init__(self, cluster: ChildCluster, *, joins: bool, drains: bool) -> None:
        self._cluster = cluster
        self._joins = joins
        self._drains = drains
        self._is_due = False
        self._woken = asyncio.Event()  # it is due, or never will be
        self._turned = asyncio.Event()  # the table did
        self._table: TableCache
        self._task: asyncio.Task[None] | None = None
        self.is_striking = False  # slots are on their way
        self.error: ActorchatError | None = None
        self._joined = self._drained = ""  # once it has its share, or has been stopped
        self.slots_moved = 0
        self.seconds: dict[str, float] = {}  # that each of the two took

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._work(), name="moving")

    def on_acked(self, share: float) -> None:
        """Note how large a share of the sends was acked."""
        if share >= AT_ACKED:
            self._is_due = True
            self._woken.set()

    def on_drained(self, share: float) -> None:
        """Note how large a share of what they were owed the absent have: it makes no odds."""

    def pace_s(self, left: float) -> float:
        """Return how long to wait before the next send; a share of `left` is still to be sent."""
        if not self.is_striking:
            return 0.0
        return LAST_PACE_S if left < LAST_SHARE else PACE_S

    async def end(self) -> None:
        """Return when all that was due has taken place."""
        self._woken.set()
        if self._task is not None:
            await self._task

    async def cancel(self) -> None:
        """Begin nothing more, and see nothing through that is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def judge(self, ledger: Ledger, refused_max_s: float) -> None:
        """Note what did not take place, and a send that was refused for too long."""
        why = f": {self.error}" if self.error is not None else ""
        if self._joins and not self._joined:
            ledger.note_unmoved(f"no node joined{why}")
        if self._drains and not self._drained:
            ledger.note_unmoved(f"no node was drained{why}")
        if refused_max_s > REFUSED_MAX_S:
            ledger.note_kept_waiting(refused_max_s, REFUSED_MAX_S)

    # -- the work ----------------------------------------------------------------------------------
    async def _work(self) -> None:
        await self._woken.wait()
        if not self._is_due:
            return
        self.is_striking = True
        try:
            registry = self._cluster.open_registry()
            await registry.start()
            self._table = TableCache(registry, lambda *_: self._turned.set())
            self._table.start()
            try:
                await self._until(lambda: self._table.is_ready, "there is no table")
                if self._joins:
                    await self._timed("join", self._join())
                if self._drains:
                    await self._timed("empty", self._empty(registry))
            finally:
                await self._table.close()
                await registry.close()
        except ActorchatError as error:
            self.error = error
        finally:
            self.is_striking = False

    async def _timed(self, what: str, work: Awaitable[None]) -> None:
        began_s, before = time.monotonic(), self._table.table
        await work
        self.seconds[what] = time.monotonic() - began_s
        pairs = zip(before.slots, self._table.table.slots, strict=True)
        self.slots_moved += sum(was.leader != now.leader for was, now in pairs)

    async def _join(self) -> None:
        name = await asyncio.to_thread(self._cluster.join)

        def has_its_share() -> bool:
            slots = self._table.table.slots
            leaders = Counter(slot.leader for slot in slots)
            least = len(slots) / len(self._cluster.names) * (1 - PLACE_SLACK) - 1
            return leaders[name] >= least and not any(slot.coming for slot in slots)

        await self._until(has_its_share, f"{name} has not got its share of slots")
        self._joined = name

    async def _empty(self, registry: Registry) -> None:
        name = self._cluster.names[1]
        await drain(registry, name)

        def is_empty() -> bool:
            return all(slot.leader != name for slot in self._table.table.slots)

        await self._until(is_empty, f"{name} still leads slots")
        await asyncio.to_thread(self._cluster.retire, name)
        self._drained = name

    async def _until(self, holds: Callable[[], bool], why_not: str) -> None:
        """Look at each table until something holds.

        Raises:
            NodeFailed: It does not in `MOVE_TIMEOUT_S`.
        """
        try:
            async with asyncio.timeout(MOVE_TIMEOUT_S):
                while not holds():
                    self._turned.clear()
                    await self._turned.wait()
        except TimeoutError:
            raise NodeFailed(f"{why_not} after {MOVE_TIMEOUT_S:g} s") from None
