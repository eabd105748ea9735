"""Knows a registry that is a real ZooKeeper, through kazoo; the only module that imports it.
Must not know what is kept there.

Kazoo has threads of its own. Its callbacks do nothing but post to the loop: a call of kazoo's that
waits, made inside one, would wait for ever. What it can't say by itself is added here: how long a
session the server granted, until when its holder may act, and watches that come again.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Any

from kazoo import exceptions as zk
from kazoo.client import KazooClient
from kazoo.protocol.states import KazooState
from kazoo.retry import KazooRetry

from actorchat import logs
from actorchat.cluster.registry import (
    BadVersion,
    Check,
    Create,
    Delete,
    Entry,
    EntryExists,
    EphemeralParent,
    NoEntry,
    NotAllowed,
    NotEmpty,
    Op,
    Put,
    RegistryAway,
    RegistryClosed,
    RegistryRefusal,
    Result,
    SessionLost,
    check_ops,
    check_path,
)
from actorchat.cluster.registry_session import Notify, RegistrySession, Watch
from actorchat.limits import (
    REGISTRY_BEATS,
    REGISTRY_CALL_TIMEOUT_S,
    REGISTRY_RECONNECT_CAP_S,
    REGISTRY_RECONNECT_S,
    REGISTRY_TIMEOUT_S,
)

log = logs.logger(__name__)

ANY = -1
READ_SHARE = 2 / 3  # of the session's timeout is what kazoo waits for an answer

_REFUSALS: dict[type[BaseException], type[RegistryRefusal]] = {
    zk.BadVersionError: BadVersion,
    zk.NoNodeError: NoEntry,
    zk.NodeExistsError: EntryExists,
    zk.NotEmptyError: NotEmpty,
    zk.NoChildrenForEphemeralsError: EphemeralParent,
    zk.NoAuthError: NotAllowed,
    zk.AuthFailedError: NotAllowed,
}


class ZooKeeper(RegistrySession):
    """A `Registry` of an ensemble.

    Args:
        hosts: `host:port`, several separated by commas.
        root: The entry below which everything is kept; made where it is missing.
        timeout_s: The session's; the ensemble grants from 2 to 20 of its ticks.
        options: Given to `KazooClient`: TLS (`use_ssl`, `ca`, `certfile`, `keyfile`), SASL, ACLs.
    """

    def __init__(
        self,
        hosts: str,
        *,
        root: str = "/actorchat",
        timeout_s: float = REGISTRY_TIMEOUT_S,
        call_timeout_s: float = REGISTRY_CALL_TIMEOUT_S,
        options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        check_path(root)
        self._root = root
        self._call_timeout_s = call_timeout_s
        self._granted_s = timeout_s
        self._changes = 0  # of kazoo's state; what was begun under an older one is dropped
        self._armed: dict[Watch, Callable[[Any], None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop
        retry = KazooRetry(
            max_tries=-1,
            delay=REGISTRY_RECONNECT_S,
            backoff=2,
            max_delay=REGISTRY_RECONNECT_CAP_S,
            ignore_expire=False,
        )
        self._kazoo = KazooClient(
            hosts, timeout=timeout_s, connection_retry=retry, **(options or {})
        )
        self._kazoo.add_listener(self._on_kazoo_state)
        self._note_granted()

    def _note_granted(self) -> None:
        """Have the timeout that the server grants noted; kazoo keeps it to itself."""
        connection = self._kazoo._connection
        connect = connection._connect

        def noting(*args: Any) -> Any:
            read_timeout_ms, connect_timeout_ms = connect(*args)
            self._granted_s = read_timeout_ms / READ_SHARE / 1000
            return read_timeout_ms, connect_timeout_ms

        connection._connect = noting

    async def start(self) -> None:
        """Connect, and wait for the session.

        Raises:
            RegistryAway: None in time; nothing is left running.
        """
        self._loop = asyncio.get_running_loop()
        self._kazoo.start_async()
        self._spawn(self._beat())
        try:
            await self.reach(self._call_timeout_s)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End the session; what it owns goes at once, if the ensemble can be told."""
        if self.state == "closed":
            return
        self.closed()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        self._kazoo.stop()
        self._kazoo.close()

    # -- what is asked ----------------------------------------------------------------------------
    async def get(self, path: str) -> Entry | None:
        """Return the entry, None where there is none."""
        check_path(path)
        await self.reach(self._call_timeout_s)
        try:
            value, stat = await self._result(self._kazoo.get_async(self._there(path)), path)
        except NoEntry:
            return None
        return Entry(path, value, stat.version, stat.czxid, stat.mzxid, stat.ephemeralOwner)

    async def children(self, path: str) -> list[str]:
        """Return the names right below `path`, sorted."""
        check_path(path)
        await self.reach(self._call_timeout_s)
        asked = self._kazoo.get_children_async(self._there(path))
        return sorted(await self._result(asked, path))

    async def multi(self, ops: Sequence[Op]) -> list[Result]:
        """Do all of `ops` or none; see the port."""
        check_ops(ops)
        await self.reach(self._call_timeout_s)
        transaction = self._kazoo.transaction()
        for op in ops:
            self._add(transaction, op)
        results = await self._result(transaction.commit_async(), ops[0].path)
        # Kazoo returns the errors: the one that is meant among those of what it undid.
        for index, result in enumerate(results):
            is_undone = isinstance(result, zk.RolledBackError | zk.RuntimeInconsistency)
            if isinstance(result, Exception) and not is_undone:
                raise _error(result, ops[index].path, index)
        if any(isinstance(result, Exception) for result in results):
            raise RegistryAway("the transaction was undone", "none")
        return [self._given(op, result) for op, result in zip(ops, results, strict=True)]

    async def watch(
        self, path: str, notify: Notify, *, children: bool = False
    ) -> Callable[[], None]:
        """Have `notify(path)` called after changes; see the port."""
        check_path(path)
        await self.reach(self._call_timeout_s)
        watch = (path, children)
        self.watched(watch, notify)
        try:
            await self._arm(watch, again=False)
        except BaseException:
            self._unwatch(watch, notify)
            raise
        return functools.partial(self._unwatch, watch, notify)

    def _unwatch(self, watch: Watch, notify: Notify) -> None:
        if self.unwatched(watch, notify):
            self._armed.pop(watch, None)

    # -- kazoo ------------------------------------------------------------------------------------
    def _there(self, path: str) -> str:
        return self._root if path == "/" else f"{self._root}{path}"

    def _add(self, transaction: Any, op: Op) -> None:
        path = self._there(op.path)
        match op:
            case Create():
                transaction.create(path, op.value, ephemeral=op.ephemeral, sequence=op.sequential)
            case Put():
                transaction.set_data(path, op.value, ANY if op.version is None else op.version)
            case Delete():
                transaction.delete(path, ANY if op.version is None else op.version)
            case Check():
                transaction.check(path, ANY if op.version is None else op.version)

    def _given(self, op: Op, result: Any) -> Result:
        match op:
            case Create():
                return str(result).removeprefix(self._root)
            case Put():
                return int(result.version)
            case _:
                return None

    async def _result(self, asked: Any, path: str) -> Any:
        """Return what kazoo's `asked` comes to, with its errors as this port's."""
        loop, future, sent_s = self._loop, self._loop.create_future(), self._loop.time()

        def post(_: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(settle)

        def settle() -> None:
            if not future.done():
                future.set_result(None)

        asked.rawlink(post)
        try:
            async with asyncio.timeout(self._call_timeout_s):
                await future
        except TimeoutError:
            raise RegistryAway("the ensemble did not answer in time") from None
        if asked.exception is not None:
            raise _error(asked.exception, path, 0)
        self.lease.renew(sent_s)
        return asked.value

    def _on_kazoo_state(self, state: str) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._on_state, state)

    def _on_state(self, state: str) -> None:
        self._changes += 1
        if self.state == "closed":
            return
        if state == KazooState.SUSPENDED:
            self.suspended()
        elif state == KazooState.LOST:
            self.lost()
        else:
            self._spawn(self._enter(self._changes))

    async def _enter(self, change: int) -> None:
        """Look around after connecting: that the root is there, and what has been missed."""
        sent_s = self._loop.time()
        with contextlib.suppress(RegistryAway):
            found = await self._result(self._kazoo.exists_async(self._root), "/")
            if found is None:
                with contextlib.suppress(EntryExists):
                    making = self._kazoo.create_async(self._root, makepath=True)
                    await self._result(making, "/")
            for watch in self.watches:
                await self._arm(watch)
            if change == self._changes and self.state != "closed":
                self.began(self._kazoo.client_id[0], self._granted_s, sent_s)

    async def _arm(self, watch: Watch, *, again: bool = True) -> None:
        """Set the watch at the server, where it goes off once."""
        path, children = watch
        fire = self._armed.setdefault(watch, functools.partial(self._fire, watch))
        if not children:
            await self._result(self._kazoo.exists_async(self._there(path), watch=fire), path)
            return
        try:
            asked = self._kazoo.get_children_async(self._there(path), watch=fire)
            await self._result(asked, path)
        except NoEntry:
            if not again:
                raise
            # What it is below has gone: wait for it to come again.
            await self._result(self._kazoo.exists_async(self._there(path), watch=fire), path)

    def _fire(self, watch: Watch, _event: Any) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._on_fired, watch)

    def _on_fired(self, watch: Watch) -> None:
        if watch in self._armed and self.state == "connected":
            self._spawn(self._arm_again(watch))

    async def _arm_again(self, watch: Watch) -> None:
        # First set again, then told: what changes after the one who is told has read is not missed.
        with contextlib.suppress(RegistryAway):
            await self._arm(watch)
            self.changed(watch)

    async def _beat(self) -> None:
        """Renew the lease; that the ensemble is away is kazoo's to notice."""
        while True:
            await asyncio.sleep(self._granted_s / REGISTRY_BEATS)
            if self.state == "connected":
                with contextlib.suppress(RegistryAway):
                    await self._result(self._kazoo.exists_async(self._root), "/")

    def _spawn(self, coro: Any) -> None:
        task = self._loop.create_task(coro, name="zookeeper")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _error(error: BaseException, path: str, index: int) -> RegistryRefusal | RegistryAway:
    refusal = _REFUSALS.get(type(error))
    if refusal is not None:
        return refusal(path, index)
    if isinstance(error, zk.ConnectionClosedError):
        return RegistryClosed("the connection was closed")
    if isinstance(error, zk.SessionExpiredError | zk.SessionMovedError):
        return SessionLost("the session has ended")
    return RegistryAway(f"the ensemble can't say: {type(error).__name__}")
