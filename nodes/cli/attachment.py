"""Knows how the size of a file reads, and where one that comes may be put.
Must not know commands, or who sent it.
"""

from __future__ import annotations

from pathlib import Path

NAME_CHARS_MAX = 200
UNNAMED = "file"
_HASH_DIGITS = 64


def size_text(size: int) -> str:
    """Return a number of bytes as people say it."""
    if size < 1_024:
        return f"{size} B"
    value = float(size)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1_024
        if value < 1_024 or unit == "GiB":
            return f"{value:.1f} {unit}"
    raise AssertionError


def hash_in(text: str) -> bytes | None:
    """Return the SHA-256 that `text` is in hexadecimal; None if it is none."""
    try:
        return bytes.fromhex(text) if len(text) == _HASH_DIGITS and " " not in text else None
    except ValueError:
        return None


def free_path(directory: Path, name: str) -> Path:
    """Return where in `directory` a file that a stranger called `name` may be put.

    Nothing that is there has that path: neither a file, nor one that half came for another.
    """
    safe = safe_name(name)
    path, number = directory / safe, 0
    while path.exists() or path.is_symlink():
        number += 1
        stem, dot, suffix = safe.rpartition(".")
        numbered = f"{stem} ({number}).{suffix}" if dot and stem else f"{safe} ({number})"
        path = directory / numbered
    return path


def safe_name(name: str) -> str:
    """Return `name` without what could lead elsewhere, hide the file, or trick a reader."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(char if char.isprintable() and char not in '<>:"|?*' else "_" for char in last)
    return plain.strip(". ")[-NAME_CHARS_MAX:].lstrip(". -") or UNNAMED
