"""Knows which files nobody refers to any more, and how they go. Must not know who asks for it.

A file is kept as long as a record in history names it, and, as long as some user has it, for so
many days after it came, or came again; what is sealed the server can't read, so a file that only
sealed messages name is kept by its age alone. The store must be this process's own: it is swept
while no node runs on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from actorchat.errors import MalformedFrame, StoreCorrupt
from actorchat.protocol import codec
from actorchat.store import keys, kinds, values
from actorchat.store.blobs import BlobInfo
from actorchat.store.engine import Engine, Family, Row

_PAGE_ROWS = 4_096
_END = b"\xff" * (keys.OWNER_BYTES + 1)
_MARK = b"\x65files"  # the key that a record with files has, in CBOR


class Shelves(Protocol):
    """Where files are kept; `store.blobs.Blobs`."""

    def infos(self) -> Iterator[BlobInfo]:
        """Yield every file that is there."""
        ...

    def remove(self, sha256: bytes) -> None:
        """Take a file away, if it is there."""
        ...


@dataclass
class Survey:
    """What there is: on disk, in rows, in records.

    `owners` has for each file whose it is (owner's key, size, wall ms of its coming). `stray` are
    files on disk that no row knows: an upload was killed behind the rename. `dropped` is what every
    user who had it has dropped.
    """

    files: dict[bytes, BlobInfo] = field(default_factory=dict)
    known: set[bytes] = field(default_factory=set)
    owners: dict[bytes, list[tuple[bytes, int, int]]] = field(default_factory=dict)
    referenced: set[bytes] = field(default_factory=set)

    @property
    def size(self) -> int:
        """How many bytes the files on disk have together."""
        return sum(info.size for info in self.files.values())

    @property
    def missing(self) -> list[bytes]:
        """Which files have rows and are not on disk, which never should be."""
        return sorted(self.known - self.files.keys())

    @property
    def stray(self) -> list[bytes]:
        """Which files are on disk and have no row."""
        return sorted(self.files.keys() - self.known)

    @property
    def dropped(self) -> list[bytes]:
        """Which files on disk are known and nobody's any more."""
        return sorted((self.files.keys() & self.known) - self.owners.keys())

    def unreferenced(self, before_wall_ms: int) -> list[bytes]:
        """Return the files that no record names and that came before then, each time they came.

        What was dropped goes however young it is: nobody will refer to it.
        """
        dropped = set(self.dropped)
        return sorted(
            sha256
            for sha256 in self.files
            if sha256 not in self.referenced
            and (sha256 in dropped or self._came(sha256) < before_wall_ms)
        )

    def _came(self, sha256: bytes) -> int:
        came = [at for _, _, at in self.owners.get(sha256, ())]
        return max(self.files[sha256].at_wall_ms, *came, 0)


def survey(engine: Engine, blobs: Shelves) -> Survey:
    """Return what there is. Cost: reads history and state once, and one entry a file.

    Raises:
        StoreCorrupt: A row can't be read; then no file may go.
    """
    found = Survey(files={info.sha256: info for info in blobs.infos()})
    of_themselves: set[bytes] = set()  # owners' keys of the rows that files have of their own
    for _, value in _walk(engine, engine.family("history")):
        found.referenced.update(_named_in(keys.unpack_history(value)[1]))
    for key, value in _walk(engine, engine.family("state")):
        owner, kind, sha256 = keys.parse_state_key(key)
        if kind == kinds.FILE:
            size, at_wall_ms, _ = values.unpack_file(value)
            if sha256:
                found.owners.setdefault(sha256, []).append((owner, size, at_wall_ms))
                found.known.add(sha256)
            else:
                of_themselves.add(owner)
    for sha256 in (*found.files, *found.referenced):
        if keys.file_key(sha256) in of_themselves:
            found.known.add(sha256)
    return found


def sweep(engine: Engine, blobs: Shelves, found: Survey, files: list[bytes]) -> None:
    """Take `files` of `found` away: first their rows, synced, then they themselves.

    A crash in between leaves strays, which the next sweep finds.
    """
    state, batch = engine.family("state"), engine.batch()
    freed: dict[bytes, tuple[int, int]] = {}
    for sha256 in files:
        batch.delete(keys.state_key(keys.file_key(sha256), kinds.FILE), state)
        for owner, size, _ in found.owners.get(sha256, ()):
            batch.delete(keys.state_key(owner, kinds.FILE, sha256), state)
            had = freed.get(owner, (0, 0))
            freed[owner] = (had[0] + size, had[1] + 1)
    for owner, (size, count) in freed.items():
        key = keys.state_key(owner, kinds.USAGE)
        value = engine.get(key, state)
        had = (0, 0) if value is None else values.unpack_positions(value)
        batch.put(key, values.pack_positions(had[0] - size, had[1] - count), state)
    if not batch.is_empty():
        engine.write(batch)
        engine.sync()
    for sha256 in files:
        blobs.remove(sha256)


def _named_in(record: bytes) -> Iterator[bytes]:
    """Yield the hashes of the files that a record names, as it says it on the wire."""
    if _MARK not in record:
        return
    try:
        extra = codec.decode(record).get("extra")
    except MalformedFrame as error:
        # It may name files, so none may go.
        raise StoreCorrupt(f"a record of {len(record)} bytes can't be read") from error
    files = extra.get("files") if isinstance(extra, dict) else None
    for file in files if isinstance(files, list) else ():
        sha256 = file.get("hash") if isinstance(file, dict) else None
        if isinstance(sha256, bytes):
            yield sha256


def _walk(engine: Engine, family: Family) -> Iterator[Row]:
    start = b""
    while rows := engine.scan(family, start, _END, limit=_PAGE_ROWS):
        yield from rows
        start = rows[-1][0] + b"\0"
