"""Knows how a simulated disk is slow, full, broken or powerless. Must not know what is on it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from actorchat.actor import SeededDispatcher
from actorchat.errors import StoreFull, StoreIO
from actorchat.store.committer import Done
from actorchat.store.memory import Fault, MemoryEngine
from actorchat.testing.journal import Journal

FOR_EVER = 10**9


class Disk:
    """An engine that outlives the nodes on it, and the time that its syncs take."""

    def __init__(
        self, dispatcher: SeededDispatcher, rng: random.Random, journal: Journal, sync_s: float
    ) -> None:
        self.engine = MemoryEngine()
        self.sync_s = sync_s
        self.slowness = 1.0
        self.is_full = False
        self.rng = rng
        self.journal = journal
        self._freed_s = -math.inf
        self._now_s = dispatcher.now_s
        self.later = dispatcher.call_later
        self.on_sync: Callable[[float], None] | None = None  # once: the next sync takes so long

    def sync_time_s(self) -> float:
        """Return how long the next sync takes."""
        return self.rng.random() * self.sync_s * self.slowness

    def fill(self) -> None:
        """Have no space from the next write on, or from one soon after."""
        self.is_full = True
        nth = self.rng.randint(1, 5)
        self.engine.inject(Fault("write", StoreFull("no space left"), nth, FOR_EVER))

    def free(self) -> None:
        """Have space again."""
        if self.is_full:
            self.is_full = False
            self._freed_s = self._now_s()
            self.engine.reopen()

    def was_full_within(self, time_s: float) -> bool:
        """Say whether there was no space at some time in the last `time_s` seconds."""
        return self.is_full or self._now_s() - self._freed_s < time_s

    def break_sync(self) -> None:
        """Let a sync soon fail, as a disk does that can't write any more."""
        self.engine.inject(Fault("sync", StoreIO("simulated"), self.rng.randint(1, 3)))

    def lose_power(self) -> None:
        """Lose a part of what was not synced; come back without faults."""
        lost = self.engine.crash(self.rng)
        if self.is_full:
            self._freed_s = self._now_s()
        self.is_full = False
        self.slowness = 1.0
        self.on_sync = None
        self.journal.counts["writes_lost"] += lost
        self.journal.note(f"power lost {lost}")


class SimSyncer:
    """A `Syncer` on virtual time. It belongs to one life of the node, and dies with it."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._is_off = False

    def start(self, done: Done) -> None:
        """Sync what was written so far; `done` comes when it has taken its time."""
        disk = self._disk
        delay_s = disk.sync_time_s()
        disk.later(delay_s, self._finish, disk.engine.writes, done)
        if disk.on_sync is not None:
            on_sync, disk.on_sync = disk.on_sync, None
            on_sync(delay_s)

    def close(self) -> None:
        """Never call back again: the power is gone."""
        self._is_off = True

    def _finish(self, writes: int, done: Done) -> None:
        if self._is_off:
            return
        error: Exception | None = None
        try:
            self._disk.engine.sync_to(writes)
        except Exception as caught:  # noqa: BLE001 (the log must hear of anything)
            error = caught
        self._disk.journal.note(f"synced {writes} {error is None}")
        done(error)
