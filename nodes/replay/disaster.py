"""Knows when a node is killed and that it is started again. Must not know what is played."""

from __future__ import annotations

import asyncio

from actorchat.errors import ActorchatError
from nodes.replay.child import ChildNode
from nodes.replay.children import ChildCluster

DRAIN_SHARE = 0.25  # of the kills: the rest comes while messages are being sent


def points(kills: int, *, has_drain: bool) -> tuple[list[float], list[float]]:
    """Return when to kill: shares of the acked sends, and of what the absent were owed.

    Both are spread evenly; from two kills on at least one comes while the absent catch up.
    """
    drain = max(1, round(kills * DRAIN_SHARE)) if has_drain and kills >= 2 else 0
    return _spread(kills - drain), _spread(drain)


def _spread(count: int) -> list[float]:
    return [(number + 1) / (count + 1) for number in range(count)]


class Disaster:
    """Kills a node whenever enough was done, and starts it again on the same data and port.

    Of a cluster it is another each time.
    """

    def __init__(self, child: ChildNode | ChildCluster, kills: int, *, has_drain: bool) -> None:
        self._child = child
        self._at_acked, self._at_drained = points(kills, has_drain=has_drain)
        self._acked = self._drained = 0.0
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_over = False
        self.is_striking = False  # the node is down, or on its way up
        self.error: ActorchatError | None = None  # the node did not come back

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._work(), name="disaster")

    def on_acked(self, share: float) -> None:
        """Note how large a share of the sends was acked."""
        self._acked = share
        if self._at_acked and share >= self._at_acked[0]:
            self._moved.set()

    def on_drained(self, share: float) -> None:
        """Note how large a share of what they were owed the absent have."""
        self._drained = share
        if self._at_drained and share >= self._at_drained[0]:
            self._moved.set()

    def pace_s(self, left: float) -> float:
        """Return how long to wait before the next send: not at all."""
        return 0.0

    def _take_due(self) -> bool:
        for at, share in ((self._at_acked, self._acked), (self._at_drained, self._drained)):
            if at and share >= at[0]:
                at.pop(0)
                return True
        return False

    async def _work(self) -> None:
        while True:
            if self._take_due():
                self.is_striking = True
                try:
                    await asyncio.to_thread(self._child.kill)
                    await asyncio.to_thread(self._child.start)
                except ActorchatError as error:
                    self.error = error
                    return
                finally:
                    self.is_striking = False
            elif self._is_over:
                return
            else:
                self._moved.clear()
                await self._moved.wait()

    async def end(self) -> None:
        """Stop watching, once every kill that is due took place and the node is back."""
        self._is_over = True
        self._moved.set()
        if self._task is not None:
            await self._task

    async def cancel(self) -> None:
        """Stop watching without any further kill; a restart that is under way is awaited."""
        self._at_acked, self._at_drained = [], []
        await self.end()
