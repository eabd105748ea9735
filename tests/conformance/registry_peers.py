"""The registries that the battery runs against, each behind the same few words."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from actorchat.actor import ActorSystem, LoopDispatcher
from actorchat.cluster.journal import DiskFolder
from actorchat.cluster.memory_registry import MemoryStore
from actorchat.cluster.registry import Event, Registry
from actorchat.cluster.registry_actor import Plan
from actorchat.cluster.registry_client import RegistryClient
from actorchat.cluster.registry_supervision import spawn_registry
from actorchat.cluster.zookeeper import ZooKeeper
from actorchat.store.committer import ThreadSyncer
from tests.zookeeper import Ensemble

KEY = b"a secret of the cluster"
WAIT_S = 20.0


class Peer(Protocol):
    """A registry that is there, and can be stopped."""

    def client(self, timeout_s: float = 4.0, call_timeout_s: float = 8.0) -> Registry: ...

    async def stop(self) -> None: ...


class MemoryPeer:
    def __init__(self) -> None:
        self.store = MemoryStore()

    def client(self, timeout_s: float = 4.0, call_timeout_s: float = 8.0) -> Registry:
        return self.store.client(timeout_s, call_timeout_s)

    async def stop(self) -> None:
        pass


class ActorPeer:
    """The registry actor in this process, behind a real socket, over a real folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.addresses: dict[str, tuple[str, int]] = {}
        self.system: ActorSystem

    async def start(self) -> ActorPeer:
        loop = asyncio.get_running_loop()
        self.system = ActorSystem(LoopDispatcher(loop))
        plan = Plan(
            folder=lambda: DiskFolder(self._folder),
            syncer=lambda sync: ThreadSyncer(sync, loop.call_soon_threadsafe),
            key=KEY,
        )
        await spawn_registry(self.system, plan, self.addresses, "127.0.0.1", 0).started()
        return self

    def client(self, timeout_s: float = 4.0, call_timeout_s: float = 8.0) -> RegistryClient:
        host, port = self.addresses["bound"]
        return RegistryClient(
            host, port, key=KEY, timeout_s=timeout_s, call_timeout_s=call_timeout_s
        )

    async def stop(self) -> None:
        await self.system.stop()


class ZooKeeperPeer:
    """An ensemble, of which each test has a root of its own."""

    def __init__(self, ensemble: Ensemble) -> None:
        self.ensemble = ensemble
        self._root = f"/t{secrets.token_hex(6)}"

    def client(self, timeout_s: float = 4.0, call_timeout_s: float = 8.0) -> ZooKeeper:
        return ZooKeeper(
            self.ensemble.hosts,
            root=self._root,
            timeout_s=timeout_s,
            call_timeout_s=call_timeout_s,
        )

    async def stop(self) -> None:
        pass


class Diary:
    """What a registry tells of its session."""

    def __init__(self, registry: Registry) -> None:
        self.events: list[Event] = []
        registry.on_event(self.events.append)

    @property
    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


class Bell:
    """What a watch tells, and how to wait for it."""

    def __init__(self) -> None:
        self.rung = 0
        self._waiting = asyncio.Event()

    def __call__(self, path: str) -> None:
        self.rung += 1
        self._waiting.set()

    async def ring(self) -> None:
        """Wait for the next time."""
        async with asyncio.timeout(WAIT_S):
            await self._waiting.wait()
        self._waiting.clear()


async def until(condition: Callable[[], object], timeout_s: float = WAIT_S) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)
