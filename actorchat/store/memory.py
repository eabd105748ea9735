"""Knows what an engine does, in memory: the executable specification. Must not know RocksDB.

Beyond the port it can lose what was not synced, as a power cut does (`crash`), and fail on
demand (`inject`), so that every owner of an engine can be tested without a disk.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Literal, Protocol

from actorchat.errors import ActorchatError, Fatal, StoreClosed, StoreFull, StoreIO
from actorchat.store.engine import FAMILIES, Batch, Family, Row
from actorchat.store.format import claim

# A put costs RocksDB's log about so much beside the key and the value.
_ENTRY_BYTES = 5


class Randomness(Protocol):
    """The one method of `random.Random` that is needed here."""

    def randint(self, a: int, b: int) -> int:
        """Return an integer of [a, b]."""
        ...


@dataclass
class Fault:
    """An error for the `nth` next write or sync, and for the `count` - 1 after it.

    A `Fatal` error stays until `crash` or `reopen`, as RocksDB's background error does.
    """

    on: Literal["write", "sync"]
    error: ActorchatError
    nth: int = 1
    count: int = 1


class _Table:
    """One family: a dict, and its keys in order."""

    __slots__ = ("order", "rows")

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.order: list[bytes] = []

    def set(self, key: bytes, value: bytes | None) -> bytes | None:
        """Set or (None) remove `key`; return what was there."""
        before = self.rows.get(key)
        if value is not None:
            if before is None:
                insort(self.order, key)
            self.rows[key] = value
        elif before is not None:
            del self.rows[key]
            del self.order[bisect_left(self.order, key)]
        return before

    def between(self, start: bytes, stop: bytes) -> list[bytes]:
        """Return the keys of [start, stop)."""
        return self.order[bisect_left(self.order, start) : bisect_left(self.order, stop)]


_Undo = tuple[_Table, bytes, "bytes | None"]


class MemoryBatch:
    """A list of steps, run by `MemoryEngine.write`."""

    __slots__ = ("_bytes", "_steps")

    def __init__(self) -> None:
        self._steps: list[Callable[[], list[_Undo]]] | None = []
        self._bytes = 0

    def put(self, key: bytes, value: bytes, family: Family, /) -> None:
        """Set `key` to `value`."""
        self._set(key, _exact(value), _table(family), len(value))

    def delete(self, key: bytes, family: Family, /) -> None:
        """Remove `key` if it is there."""
        self._set(key, None, _table(family), 0)

    def delete_range(self, start: bytes, stop: bytes, family: Family, /) -> None:
        """Remove all keys of [start, stop)."""
        table, start, stop = _table(family), _exact(start), _exact(stop)
        self._open().append(
            lambda: [(table, key, table.set(key, None)) for key in table.between(start, stop)]
        )
        self._bytes += len(start) + len(stop) + _ENTRY_BYTES

    def is_empty(self) -> bool:
        """Say whether nothing was put or deleted yet."""
        return not self._open()

    def size_in_bytes(self) -> int:
        """Return about how many bytes of log this batch makes."""
        self._open()
        return self._bytes

    def consume(self) -> list[Callable[[], list[_Undo]]]:
        """Return the steps; the batch can't be used again."""
        steps, self._steps = self._open(), None
        return steps

    def _set(self, key: bytes, value: bytes | None, table: _Table, value_bytes: int) -> None:
        key = _exact(key)
        self._open().append(lambda: [(table, key, table.set(key, value))])
        self._bytes += len(key) + value_bytes + _ENTRY_BYTES

    def _open(self) -> list[Callable[[], list[_Undo]]]:
        if self._steps is None:
            raise ValueError("the batch was written already")
        return self._steps


class MemoryEngine:
    """An `Engine` whose log is a list of undo steps: what is synced can't be undone any more."""

    def __init__(self) -> None:
        self._tables = {name: _Table() for name in FAMILIES}
        self._unsynced: list[list[_Undo]] = []
        self._faults: list[Fault] = []
        self._broken: ActorchatError | None = None
        self._is_full = False
        self._is_closed = False
        # `sync` may run on another thread while the owner writes.
        self._lock = Lock()
        self.writes = 0
        self.syncs = 0
        claim(self)

    def family(self, name: str) -> Family:
        """Return the handle of the family `name`."""
        self._check()
        return self._tables[name]

    def batch(self) -> Batch:
        """Return a new, empty batch."""
        return MemoryBatch()

    def write(self, batch: Batch) -> None:
        """Write `batch` atomically; consumes it, whether it succeeds or not."""
        assert isinstance(batch, MemoryBatch)
        steps = batch.consume()
        with self._lock:
            self._check("write")
            self._is_full = False
            undo: list[_Undo] = []
            for step in steps:
                undo += step()
            self._unsynced.append(undo)
            self.writes += 1

    def sync(self) -> None:
        """Make everything that was written before the call durable; any thread."""
        self.sync_to(self.writes)

    def sync_to(self, writes: int) -> None:
        """Make the first `writes` writes durable, for a sync that began when there were so many."""
        with self._lock:
            self._check("sync")
            if self._is_full and self._unsynced:
                raise StoreFull("a write failed, and none has succeeded since")
            synced = self.writes - len(self._unsynced)
            del self._unsynced[: max(0, writes - synced)]
            self.syncs += 1

    def get(self, key: bytes, family: Family) -> bytes | None:
        """Return the value of `key`, or None."""
        self._check()
        return _table(family).rows.get(_exact(key))

    def scan(
        self,
        family: Family,
        start: bytes,
        stop: bytes,
        limit: int | None = None,
        reverse: bool = False,
    ) -> list[Row]:
        """Return the rows of [start, stop) in key order, or from the end if `reverse`."""
        self._check()
        table = _table(family)
        found = table.between(_exact(start), _exact(stop))
        if reverse:
            found.reverse()
        return [(key, table.rows[key]) for key in found[:limit]]

    def close(self) -> None:
        """Give up the store; may be called twice."""
        self._is_closed = True

    def stats(self) -> dict[str, int]:
        """Return gauges of the engine, by name."""
        self._check()
        rows = {f"rows_{name}": len(table.rows) for name, table in self._tables.items()}
        return {**rows, "unsynced_writes": len(self._unsynced)}

    # -- beyond the port --------------------------------------------------------------------

    def crash(self, rng: Randomness) -> int:
        """Cut the power and come back; return how many unsynced writes are lost, the last ones.

        A log is a prefix on disk, so a write survives only with all before it; and a batch is
        one record, so it survives whole or not at all. Handles stay valid.
        """
        with self._lock:
            lost = rng.randint(0, len(self._unsynced))
            for _ in range(lost):
                for table, key, before in reversed(self._unsynced.pop()):
                    table.set(key, before)
            self._unsynced.clear()
        self.reopen()
        return lost

    def reopen(self) -> None:
        """Close and open again, with everything written; injected faults are gone."""
        self._faults.clear()
        self._broken = None
        self._is_full = False
        self._is_closed = False

    def inject(self, fault: Fault) -> None:
        """Let the nth next write or sync fail."""
        self._faults.append(fault)

    def unsynced(self) -> list[list[bytes]]:
        """Return the keys of each write that a crash may lose, oldest first."""
        with self._lock:
            return [[key for _, key, _ in undo] for undo in self._unsynced]

    def _check(self, kind: Literal["write", "sync"] | None = None) -> None:
        if self._is_closed:
            raise StoreClosed("the store is closed")
        if kind is None:
            return
        if self._broken is not None:
            raise StoreIO(f"reopen the store after: {self._broken}") from self._broken
        for fault in self._faults:
            if fault.on == kind and (error := self._strike(fault)) is not None:
                raise error

    def _strike(self, fault: Fault) -> ActorchatError | None:
        fault.nth -= 1
        if fault.nth > 0:
            return None
        fault.count -= 1
        if fault.count <= 0:
            self._faults.remove(fault)
        if isinstance(fault.error, Fatal):
            self._broken = fault.error
        elif fault.on == "write":
            self._is_full = True
        return fault.error


def _table(family: Family) -> _Table:
    if not isinstance(family, _Table):
        raise TypeError("not a family of this engine")
    return family


def _exact(content: bytes) -> bytes:
    # The real engine takes nothing else, so that no view of a buffer can change later.
    if type(content) is not bytes:
        raise TypeError(f"a key or value must be bytes, not {type(content).__name__}")
    return content
