"""Knows files on disk, each under the hash of its content. Must not know whose they are.

    root/ab/ab12…     a file that is whole, synced, and named by its SHA-256
    root/partial/     what is still coming; emptied when a node starts

A file is written under `partial`, synced, renamed to its place, and the directory is synced: so
whatever stands under a hash has that hash, also after a power cut at any moment.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from actorchat.errors import StoreFull, Unavailable

HASH_BYTES = 32
_PARTIAL = "partial"
_NO_SPACE = frozenset((errno.ENOSPC, errno.EDQUOT))
_READ_BYTES = 1_048_576


class BlobInfo(NamedTuple):
    """A file that is there: its hash, its size, and when it was last put there (wall ms)."""

    sha256: bytes
    size: int
    at_wall_ms: int


class Partial(Protocol):
    """A file that is coming."""

    @property
    def size(self) -> int:
        """How many bytes came."""
        ...

    def write(self, chunk: bytes) -> None:
        """Append `chunk`."""
        ...

    def digest(self) -> bytes:
        """Return the SHA-256 of what came."""
        ...

    def keep(self) -> None:
        """Put it in its place for good; it is durable when this returns."""
        ...

    def drop(self) -> None:
        """Take it away again; after `keep`, or twice, nothing happens."""
        ...


class DiskPartial:
    """A file that is coming, on disk. Thread: any, one at a time."""

    __slots__ = ("_digest", "_file", "_path", "_root", "size")

    def __init__(self, root: Path, path: Path) -> None:
        self._root = root
        self._path = path
        self._file: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Append `chunk`.

        Raises:
            StoreFull, Unavailable: The disk does not take it; the caller drops the file.
        """
        assert self._file is not None
        self._digest.update(chunk)
        self.size += len(chunk)
        with _disk_errors():
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(self._file, rest) :]

    def digest(self) -> bytes:
        """Return the SHA-256 of what came."""
        return self._digest.digest()

    def keep(self) -> None:
        """Sync it, rename it to its place, sync the directory.

        A file that stands there already has the same content and is replaced: one copy is kept, and
        one that rotted is healed.

        Raises:
            StoreFull, Unavailable: It is not kept; the caller drops it.
        """
        assert self._file is not None
        place = place_of(self._root, self.digest())
        with _disk_errors():
            os.fsync(self._file)
            os.close(self._file)
            self._file = None
            if not place.parent.is_dir():
                place.parent.mkdir(exist_ok=True)
                _sync_directory(self._root)
            self._path.replace(place)
            _sync_directory(place.parent)

    def drop(self) -> None:
        """Take it away again; after `keep`, or twice, nothing happens."""
        file, self._file = self._file, None
        with contextlib.suppress(OSError):
            if file is not None:
                os.close(file)
        with contextlib.suppress(OSError):
            self._path.unlink()


class Blobs:
    """The files of one node. All of it blocks. Thread: any, several at once; never the loop's.

    Args:
        root: The directory; made if it is missing.
        free_bytes_min: So much of the disk is left to the store: a file that would take it is
            refused as if the disk were full.
    """

    def __init__(self, root: Path, free_bytes_min: int = 0) -> None:
        self.root = root
        self._free_bytes_min = free_bytes_min
        self._numbers = itertools.count()  # whose next is one step for all threads

    def start(self) -> int:
        """Make the directories, and throw away what was half there; return how many files.

        Raises:
            StoreFull, Unavailable: The disk does not let us.
        """
        partial = self.root / _PARTIAL
        with _disk_errors():
            partial.mkdir(parents=True, exist_ok=True)
            _sync_directory(self.root)
            left = list(partial.iterdir())
            for path in left:
                path.unlink()
        return len(left)

    def begin(self, size: int) -> DiskPartial:
        """Return a new file, of which `size` bytes are expected.

        Raises:
            StoreFull: There is no space for so many. Unavailable: the disk fails otherwise.
        """
        with _disk_errors():
            free = os.statvfs(self.root)
            if free.f_bavail * free.f_frsize < size + self._free_bytes_min:
                raise StoreFull("no space for a file of that size")
            return DiskPartial(self.root, self.root / _PARTIAL / str(next(self._numbers)))

    def path(self, sha256: bytes) -> Path:
        """Return where the file with this hash is, if it is."""
        return place_of(self.root, sha256)

    def infos(self) -> Iterator[BlobInfo]:
        """Yield every file that is there, in no order; what has no hash for a name is passed."""
        for place in self._places():
            facts = place.stat()
            yield BlobInfo(bytes.fromhex(place.name), facts.st_size, facts.st_mtime_ns // 1_000_000)

    def is_sound(self, sha256: bytes) -> bool:
        """Read a file and say whether it has the hash that it is named by."""
        digest = hashlib.sha256()
        try:
            with self.path(sha256).open("rb") as file:
                while chunk := file.read(_READ_BYTES):
                    digest.update(chunk)
        except FileNotFoundError:
            return False
        return digest.digest() == sha256

    def remove(self, sha256: bytes) -> None:
        """Take a file away, if it is there."""
        self.path(sha256).unlink(missing_ok=True)

    def _places(self) -> Iterator[Path]:
        if not self.root.is_dir():
            return
        for directory in self.root.iterdir():
            if len(directory.name) == 2 and directory.is_dir():
                for place in directory.iterdir():
                    if is_hash(place.name) and place.name.startswith(directory.name):
                        yield place


def place_of(root: Path, sha256: bytes) -> Path:
    """Return the path of the file with this hash; nothing but hex digits gets into it."""
    assert len(sha256) == HASH_BYTES
    name = sha256.hex()
    return root / name[:2] / name


def is_hash(text: str) -> bool:
    """Say whether `text` is a SHA-256 in lower-case hexadecimal."""
    return len(text) == 2 * HASH_BYTES and all(digit in "0123456789abcdef" for digit in text)


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise StoreFull("no space left on the disk of the files") from error
        raise Unavailable(f"the disk of the files fails: {error.strerror}") from error


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
