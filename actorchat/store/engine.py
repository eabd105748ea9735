"""Knows what an engine must do: the port. Must not know RocksDB, threads or what the bytes mean.

`rocks.py` is the real engine, `memory.py` the executable specification; both pass
`tests/conformance/test_engines.py` unchanged.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias

FAMILIES = ("history", "inbox", "sent", "outbox", "state")

# Handed out by `Engine.family`; only the engine that made it can use it.
Family: TypeAlias = object
Row: TypeAlias = tuple[bytes, bytes]
# One change of an append; a value of None deletes the key.
Op: TypeAlias = tuple[Family, bytes, "bytes | None"]


class Batch(Protocol):
    """Changes that are written together or not at all; the last change of a key wins.

    The signatures are those of rocksdict's raw `WriteBatch`, so that the real engine hands out
    that very object and a put costs nothing in between.
    """

    def put(self, key: bytes, value: bytes, family: Family, /) -> None:
        """Set `key` to `value`; both are exactly `bytes`."""
        ...

    def delete(self, key: bytes, family: Family, /) -> None:
        """Remove `key` if it is there."""
        ...

    def delete_range(self, start: bytes, stop: bytes, family: Family, /) -> None:
        """Remove all keys of [start, stop)."""
        ...

    def is_empty(self) -> bool:
        """Say whether nothing was put or deleted yet."""
        ...

    def size_in_bytes(self) -> int:
        """Return about how many bytes of log this batch makes."""
        ...


class Engine(Protocol):
    """An ordered map of bytes to bytes for each family, with one log under all of them.

    All methods belong to one thread, but `sync`, which any thread may call.

    Raises, everywhere: `StoreClosed` after `close`, `StoreCorrupt` on a wrong checksum, `StoreIO`
    on any other I/O error; TypeError, KeyError or ValueError for what is not exactly `bytes`.

    A family handle keeps the store's files open: drop the handles and batches of a closed engine
    before the same process opens the store again.
    """

    def family(self, name: str) -> Family:
        """Return the handle of the family `name`; KeyError if it is not one of `FAMILIES`."""
        ...

    def batch(self) -> Batch:
        """Return a new, empty batch."""
        ...

    def write(self, batch: Batch) -> None:
        """Write `batch` atomically: visible to reads at once, durable only after `sync`.

        Consumes the batch, whether it succeeds or not; ValueError if it was consumed before.

        Raises:
            StoreFull: No space; nothing of the batch is visible, now or after a restart.
        """
        ...

    def sync(self) -> None:
        """Make everything that was written before the call durable; any thread, no GIL held.

        Raises:
            StoreFull: The last write met a full disk. Nothing is lost: sync again after a write
                that succeeds.
            StoreIO: Nothing is known about the unsynced writes; the store must be reopened.
        """
        ...

    def get(self, key: bytes, family: Family) -> bytes | None:
        """Return the value of `key`, or None."""
        ...

    def scan(
        self,
        family: Family,
        start: bytes,
        stop: bytes,
        limit: int | None = None,
        reverse: bool = False,
    ) -> list[Row]:
        """Return the rows of [start, stop) in key order, or from the end if `reverse`.

        Args:
            limit: At most so many rows, counted from where the scan begins.
        """
        ...

    def close(self) -> None:
        """Give up the store; may be called twice. What was not synced may be lost."""
        ...

    def stats(self) -> dict[str, int]:
        """Return gauges of the engine, by name."""
        ...
