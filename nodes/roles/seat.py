"""Knows how a process proves that it is the only one over a node's data. Must not know registries.

Who holds the lock of a data directory may take away the entry that an earlier process of the same
directory left in the registry, which has ended without telling: there can't be a third.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

from actorchat.errors import StoreBusy

LOCK, ID = "member.lock", "member.id"
ID_BYTES = 12


class Seat:
    """The lock of one data directory, held until `close`; `id` is the directory's own.

    Raises:
        StoreBusy: Another process holds it.
        OSError: The directory can't be used.
    """

    def __init__(self, data: Path) -> None:
        self._lock = os.open(data / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise StoreBusy(f"{data} is another node's") from None
        self.id = _read(data / ID)

    def close(self) -> None:
        """Let it go."""
        os.close(self._lock)


def _read(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        found = path.read_text(encoding="ascii").strip()
        if found:
            return found
    made = secrets.token_urlsafe(ID_BYTES)
    path.write_text(made + "\n", encoding="ascii")
    return made
