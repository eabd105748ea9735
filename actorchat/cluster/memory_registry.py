"""Knows a registry in this process's memory: for one process, for simulations, for tests.
Must not know sockets, disks or threads.

`MemoryStore` is the registry, `MemoryRegistry` one session with it. What can happen to a real one
is done by hand: `suspend`, `recover`, `expire`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from actorchat.cluster.registry import (
    Entry,
    Op,
    RegistryAway,
    RegistryClosed,
    Result,
    check_path,
)
from actorchat.cluster.registry_session import Notify, RegistrySession
from actorchat.cluster.registry_tree import Touched, Tree
from actorchat.limits import REGISTRY_CALL_TIMEOUT_S, REGISTRY_TIMEOUT_S


class MemoryStore:
    """Entries and sessions; `writes` counts the transactions that changed something."""

    def __init__(self) -> None:
        self.tree = Tree()
        self.writes = 0
        self._clients: list[MemoryRegistry] = []

    def client(
        self,
        timeout_s: float = REGISTRY_TIMEOUT_S,
        call_timeout_s: float = REGISTRY_CALL_TIMEOUT_S,
    ) -> MemoryRegistry:
        """Return a registry of this store, which is to be started."""
        return MemoryRegistry(self, timeout_s, call_timeout_s)

    def begin(self, client: MemoryRegistry, timeout_s: float) -> int:
        """Begin a session for `client`."""
        self._clients.append(client)
        return self.tree.begin(timeout_s, b"").id

    def end(self, client: MemoryRegistry, session: int) -> None:
        """End a session; the others are told what went with it."""
        if client in self._clients:
            self._clients.remove(client)
        if session in self.tree.sessions:
            self.tell(self.tree.end(session))

    def multi(self, session: int, ops: Sequence[Op]) -> list[Result]:
        """Do all of `ops` or none, and tell who watches."""
        results, touched = self.tree.apply(session, ops)
        self.writes += 1
        self.tell(touched)
        return results

    def tell(self, touched: Sequence[Touched]) -> None:
        """Tell every client that is in reach what has changed."""
        for each in touched:
            for client in self._clients:
                if client.state == "connected":
                    client.changed((each.path, each.children))


class MemoryRegistry(RegistrySession):
    """A `Registry` of a `MemoryStore`. Its lease holds while it is in reach."""

    def __init__(self, store: MemoryStore, timeout_s: float, call_timeout_s: float) -> None:
        super().__init__()
        self._store = store
        self._timeout_s = timeout_s
        self._call_timeout_s = call_timeout_s

    @property
    def lease_end_s(self) -> float:
        """Until when the session's holder may act."""
        if self.state == "connected":
            self.lease.renew(asyncio.get_running_loop().time())
        return self.lease.end_s

    async def start(self) -> None:
        """Begin a session."""
        self._begin()

    async def close(self) -> None:
        """End it, with what it owns."""
        if self.state != "closed":
            self._store.end(self, self.session)
            self.closed()

    async def get(self, path: str) -> Entry | None:
        """Return the entry, None where there is none."""
        check_path(path)
        await self._reach()
        return self._store.tree.get(path)

    async def children(self, path: str) -> list[str]:
        """Return the names right below `path`, sorted."""
        check_path(path)
        await self._reach()
        return self._store.tree.children(path)

    async def multi(self, ops: Sequence[Op]) -> list[Result]:
        """Do all of `ops` or none; see the port."""
        await self._reach()
        return self._store.multi(self.session, ops)

    async def watch(
        self, path: str, notify: Notify, *, children: bool = False
    ) -> Callable[[], None]:
        """Have `notify(path)` called after changes; see the port."""
        check_path(path)
        await self._reach()
        if children:
            self._store.tree.children(path)
        self.watched((path, children), notify)

        def end() -> None:
            self.unwatched((path, children), notify)

        return end

    # -- what can happen --------------------------------------------------------------------------
    def suspend(self) -> None:
        """Put the registry out of this client's reach."""
        self.suspended()

    def recover(self) -> None:
        """Put it into reach again; with another session if `expire` has ended this one."""
        if self.session in self._store.tree.sessions:
            self.began(self.session, self._timeout_s, _now_s())
        else:
            self.lost()
            self._begin()

    def expire(self) -> None:
        """End the session at the store, as its timeout would; a client in reach sees it at once."""
        self._store.end(self, self.session)
        if self.state == "connected":
            self.recover()

    def _begin(self) -> None:
        session = self._store.begin(self, self._timeout_s)
        self.began(session, self._timeout_s, _now_s())

    async def _reach(self) -> None:
        if self.state == "closed":
            raise RegistryClosed("the session was closed", "none")
        await self.reach(self._call_timeout_s)
        if self.session not in self._store.tree.sessions:
            raise RegistryAway("no session", "none")


def _now_s() -> float:
    return asyncio.get_running_loop().time()
