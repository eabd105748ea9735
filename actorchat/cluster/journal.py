"""Knows how the registry's changes are kept on disk: a snapshot, and a journal of what came after.
Must not know connections, or what a record means beyond how it is replayed.

    snapshot-7   whole or not there: written beside, synced, renamed
    journal-7    frames: u32 length, u32 CRC of the payload, u32 CRC of these eight bytes, payload

A frame is one batch of records and is synced before the next is written, so only the last one can
be torn by a crash; it was never acked and is cut off. Anything else that is wrong is damage: the
registry refuses to start rather than forget what it has said. Source: the same rule as RocksDB's
`kTolerateCorruptedTailRecords`.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from struct import Struct
from typing import Any, Protocol
from zlib import crc32

from actorchat.cluster.registry import RegistryRefusal
from actorchat.cluster.registry_machine import replay
from actorchat.cluster.registry_tree import Row, Session, Tree
from actorchat.cluster.registry_wire import Message, convert
from actorchat.errors import MalformedFrame, StoreBusy, StoreCorrupt, StoreIO, StoreTooNew
from actorchat.limits import REGISTRY_JOURNAL_RECORDS
from actorchat.protocol import codec

LAYOUT_VERSION = 1

_LENGTHS = Struct(">II")
_HEAD = Struct(">III")
_RECORD = Struct(">I")


class Folder(Protocol):
    """A directory with few files. Every method raises OSError as the system does."""

    def names(self) -> list[str]:
        """Return the names of its files."""
        ...

    def read(self, name: str) -> bytes:
        """Return a whole file."""
        ...

    def replace(self, name: str, content: bytes) -> None:
        """Write a whole file, durably, so that after a crash it is there in full or not at all."""
        ...

    def truncate(self, name: str, size: int) -> None:
        """Cut a file off behind `size` bytes, durably."""
        ...

    def append(self, name: str, content: bytes) -> None:
        """Add to the end of a file; durable after the next `sync` of it."""
        ...

    def sync(self, name: str) -> None:
        """Have what was appended on the disk when it returns. May run on another thread."""
        ...

    def delete(self, name: str) -> None:
        """Remove a file."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class DiskFolder:
    """A `Folder` on the disk, held by this process alone."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        self._files: dict[str, int] = {}
        self._folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._folder)
            raise StoreBusy(f"{path} is in use by another process") from None

    def names(self) -> list[str]:
        """Return the names of its files."""
        return [entry.name for entry in self._path.iterdir()]

    def read(self, name: str) -> bytes:
        """Return a whole file."""
        return (self._path / name).read_bytes()

    def replace(self, name: str, content: bytes) -> None:
        """Write beside it, sync, rename, sync the directory."""
        scratch = self._path / f".{name}"
        scratch.write_bytes(content)
        descriptor = os.open(scratch, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        scratch.replace(self._path / name)
        os.fsync(self._folder)

    def truncate(self, name: str, size: int) -> None:
        """Cut a file off and sync it."""
        descriptor = os.open(self._path / name, os.O_RDWR)
        try:
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def append(self, name: str, content: bytes) -> None:
        """Add to the end of a file, which is made, durably, where it is missing."""
        descriptor = self._files.get(name)
        if descriptor is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            descriptor = self._files[name] = os.open(self._path / name, flags, 0o600)
            os.fsync(self._folder)
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]

    def sync(self, name: str) -> None:
        """Have what was appended on the disk."""
        os.fdatasync(self._files[name])

    def delete(self, name: str) -> None:
        """Remove a file."""
        descriptor = self._files.pop(name, None)
        if descriptor is not None:
            os.close(descriptor)
        (self._path / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the files and let others have the directory."""
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()
        os.close(self._folder)


class Journal:
    """The registry's changes in a folder; `tree` is what they make.

    Raises, when made: `StoreCorrupt`, `StoreTooNew`, `StoreBusy` (from the folder), `StoreIO`.
    """

    def __init__(self, folder: Folder, *, records_max: int = REGISTRY_JOURNAL_RECORDS) -> None:
        self.tree = Tree()
        self.records = 0  # in the journal since the snapshot
        self.cut_bytes = 0  # of a torn frame that the last crash left
        self._folder = folder
        self._records_max = records_max
        try:
            self._generation = self._load()
        except OSError as error:
            raise StoreIO(f"the journal can't be read: {error}") from error

    @property
    def wants_snapshot(self) -> bool:
        """Say whether there is so much journal that a snapshot would pay."""
        return self.records >= self._records_max

    def write(self, records: Sequence[Message]) -> None:
        """Append `records` as one frame; durable after the next `sync`, which must come first.

        Raises:
            StoreIO: It can't be written; what is on the disk is unknown until the next start.
        """
        payload = b"".join(_framed(codec.encode(record)) for record in records)
        try:
            self._folder.append(self._journal, _frame(payload))
        except OSError as error:
            raise StoreIO(_why(error)) from error
        self.records += len(records)

    def sync(self) -> None:
        """Have all that was written on the disk. May run on another thread.

        Raises:
            StoreIO: It can't be synced: go no further.
        """
        try:
            self._folder.sync(self._journal)
        except OSError as error:
            raise StoreIO(_why(error)) from error

    def snapshot(self, tree: Tree) -> None:
        """Write the whole of `tree` and begin a new journal; nothing may be unsynced.

        Raises:
            StoreIO: It can't be written; the files before it are whole.
        """
        old = self._generation
        rows = list(tree.rows())
        head = {
            "layout": LAYOUT_VERSION,
            "revision": tree.revision,
            "sessions": len(tree.sessions),
            "rows": len(rows),
        }
        parts: list[Any] = [head, *tree.sessions.values(), *rows]
        payload = b"".join(_framed(codec.encode(part)) for part in parts)
        try:
            self._folder.replace(f"snapshot-{old + 1}", _frame(payload))
            self._generation = old + 1
            self.records = 0
            for name in (f"snapshot-{old}", f"journal-{old}"):
                if name in self._folder.names():
                    self._folder.delete(name)
        except OSError as error:
            raise StoreIO(_why(error)) from error

    def close(self) -> None:
        """Let go of the folder."""
        self._folder.close()

    @property
    def _journal(self) -> str:
        return f"journal-{self._generation}"

    # -- loading ----------------------------------------------------------------------------------
    def _load(self) -> int:
        names = set(self._folder.names())
        found = [int(n[9:]) for n in names if n.startswith("snapshot-") and n[9:].isdecimal()]
        generation = max(found, default=0)
        if found:
            self._load_snapshot(f"snapshot-{generation}")
        name = f"journal-{generation}"
        if not found and any(n.startswith("journal-") and n != name for n in names):
            raise StoreCorrupt("a journal without its snapshot")
        if name in names:
            self._replay(name)
        for stale in names - {name, f"snapshot-{generation}"}:
            if stale.startswith(("journal-", "snapshot-", ".snapshot-")):
                self._folder.delete(stale)
        return generation

    def _load_snapshot(self, name: str) -> None:
        content = self._folder.read(name)
        payload, end = _frame_at(content, 0)
        if payload is None or end != len(content):
            raise StoreCorrupt("the snapshot is damaged", name)
        parts = _parts(payload, name)
        head = next(parts, {})
        layout = head.get("layout", 0)
        if layout > LAYOUT_VERSION:
            raise StoreTooNew(layout, LAYOUT_VERSION)
        rest = list(parts)
        count = head.get("sessions", 0)
        if len(rest) != count + head.get("rows", -1):
            raise StoreCorrupt("the snapshot is not whole", name)
        try:
            sessions = [convert(part, Session) for part in rest[:count]]
            rows = [convert(part, Row) for part in rest[count:]]
        except MalformedFrame as error:
            raise StoreCorrupt(f"the snapshot is damaged: {error}", name) from error
        self.tree.restore(head["revision"], sessions, rows)

    def _replay(self, name: str) -> None:
        content = self._folder.read(name)
        at = 0
        while at < len(content):
            payload, end = _frame_at(content, at)
            if payload is None:
                if _holds_frame(content, at + 1):
                    raise StoreCorrupt(f"the journal is damaged at byte {at}", name)
                self.cut_bytes = len(content) - at
                self._folder.truncate(name, at)
                return
            for record in _parts(payload, name):
                try:
                    replay(self.tree, record)
                except (RegistryRefusal, KeyError) as error:
                    text = f"the journal can't be replayed at byte {at}: {error!r}"
                    raise StoreCorrupt(text, name) from error
                self.records += 1
            at = end


def _frame(payload: bytes) -> bytes:
    lengths = _LENGTHS.pack(len(payload), crc32(payload))
    return lengths + crc32(lengths).to_bytes(4, "big") + payload


def _frame_at(content: bytes, at: int) -> tuple[bytes | None, int]:
    """Return the payload of the frame at `at` and where it ends; None if there is no whole one."""
    if len(content) - at < _HEAD.size:
        return None, at
    length, crc, head_crc = _HEAD.unpack_from(content, at)
    end = at + _HEAD.size + length
    if crc32(content[at : at + _LENGTHS.size]) != head_crc or end > len(content):
        return None, at
    payload = content[at + _HEAD.size : end]
    return (payload, end) if crc32(payload) == crc else (None, at)


def _holds_frame(content: bytes, start: int) -> bool:
    """Say whether a whole frame lies anywhere from `start` on: then the one before was no tail."""
    return any(
        _frame_at(content, at)[0] is not None for at in range(start, len(content) - _HEAD.size + 1)
    )


def _framed(payload: bytes) -> bytes:
    return _RECORD.pack(len(payload)) + payload


def _parts(payload: bytes, name: str) -> Iterator[Message]:
    at = 0
    while at < len(payload):
        if len(payload) - at < _RECORD.size:
            raise StoreCorrupt("a record is cut off", name)
        (length,) = _RECORD.unpack_from(payload, at)
        at += _RECORD.size
        try:
            yield codec.decode(payload[at : at + length])
        except MalformedFrame as error:
            raise StoreCorrupt(f"a record is damaged: {error}", name) from error
        at += length


def _why(error: OSError) -> str:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    return "no space left for the journal" if full else f"the journal can't be written: {error}"
