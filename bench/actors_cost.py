"""Knows what this process and all that it started have used. Must not know for what.

A runtime may do its work in threads or in processes of its own; both count.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import time
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of grandchildren whose parent ends, so that none escapes the count."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def parse_stat(text: str) -> tuple[int, int]:
    """Return parent and CPU ticks (its own and of children it waited for) of a /proc/PID/stat."""
    fields = text.rsplit(")", 1)[1].split()
    return int(fields[1]), sum(map(int, fields[11:15]))


def descendants(parents: dict[int, int], root: int) -> list[int]:
    """Return all that descend from `root`, given each process's parent."""
    found: list[int] = []
    ahead = [root]
    while ahead:
        above = ahead.pop()
        below = [pid for pid, parent in parents.items() if parent == above]
        found += below
        ahead += below
    return found


def _read_stats() -> dict[int, tuple[int, int]]:
    stats: dict[int, tuple[int, int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            stats[int(path.parent.name)] = parse_stat(path.read_text(encoding="ascii"))
        except OSError:  # it ended meanwhile
            continue
    return stats


def cpu_s(has_children: bool = False) -> float:
    """Return the CPU seconds of all threads of this process, and of its descendants if asked."""
    own = time.process_time()
    if not has_children:
        return own
    waited = resource.getrusage(resource.RUSAGE_CHILDREN)
    stats = _read_stats()
    below = descendants({pid: parent for pid, (parent, _) in stats.items()}, os.getpid())
    ticks = sum(stats[pid][1] for pid in below)
    return own + waited.ru_utime + waited.ru_stime + ticks / _TICKS_PER_S


def rss_bytes() -> int:
    """Return this process's resident memory when all garbage is gone."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES


class Stopwatch:
    """Counts CPU from its making on."""

    def __init__(self, has_children: bool = False) -> None:
        self._has_children = has_children
        self._began_s = cpu_s(has_children)

    def us_each(self, count: int) -> float:
        """Return the CPU microseconds since then for each of `count`."""
        return (cpu_s(self._has_children) - self._began_s) * 1e6 / count


def tune_collector() -> None:
    """Take what there is out of the collector's sight, and let it look less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def must(holds: bool, what: str) -> None:
    """End this measurement if what it relies on does not hold."""
    if not holds:
        raise SystemExit(f"not as promised: {what}")
