"""A registry in memory, and turns of the loop instead of time."""

from __future__ import annotations

import asyncio

from actorchat.cluster.memory_registry import MemoryRegistry, MemoryStore

TURNS = 60


async def opened(store: MemoryStore) -> MemoryRegistry:
    """Return a session that has begun; its calls give up at once when it is out of reach."""
    registry = store.client(call_timeout_s=0.0)
    await registry.start()
    return registry


async def turns(count: int = TURNS) -> None:
    """Let all that can go on without time go on."""
    for _ in range(count):
        await asyncio.sleep(0)
