"""Knows which connection's deadline falls in which tick. Must not know what deadlines mean."""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle
from math import ceil
from typing import Protocol

# So many are looked at before the loop has its turn; at 1 to 20 µs each no pause is felt.
BATCH = 500


class Timed(Protocol):
    """Something with one deadline; `due` belongs to the sweep, 0 when there is none."""

    due: int

    def on_due(self) -> None:
        """Look at the deadline: act on it, or ask for a later one."""
        ...


class Sweep:
    """One coarse timer for all connections: a bucket of them for each tick to come.

    A connection that is heard only notes the tick. It is looked at when the deadline that it once
    asked for comes, and asks for the next one then: once an idle timeout, not once a frame nor
    once a tick. Time is counted in ticks that were worked, so after a stall of the whole process
    nobody is blamed for what could not be read.
    """

    __slots__ = ("now", "tick_s", "_buckets", "_overdue", "_loop", "_timer")

    def __init__(self, tick_s: float) -> None:
        self.now = 0
        self.tick_s = tick_s
        self._buckets: dict[int, set[Timed]] = {}
        self._overdue: list[Timed] = []
        self._loop: AbstractEventLoop | None = None
        self._timer: TimerHandle | None = None

    def __len__(self) -> int:
        """Return how many deadlines are watched."""
        return sum(map(len, self._buckets.values())) + len(self._overdue)

    def ticks(self, duration_s: float) -> int:
        """Return the ticks that surely last `duration_s`, whenever in a tick they start."""
        return ceil(duration_s / self.tick_s) + 1

    def watch(self, timed: Timed, due: int) -> None:
        """Have `timed` looked at in tick `due`, and not at the tick that it asked for before."""
        if timed.due == due:
            return
        self.forget(timed)
        due = max(due, self.now + 1)
        timed.due = due
        bucket = self._buckets.get(due)
        if bucket is None:
            bucket = self._buckets[due] = set()
        bucket.add(timed)

    def forget(self, timed: Timed) -> None:
        """Look at `timed` no more."""
        bucket = self._buckets.get(timed.due)
        timed.due = 0
        if bucket is not None:
            bucket.discard(timed)

    def tick(self) -> None:
        """Let one tick pass; `work` looks at what is due."""
        self.now += 1
        self._overdue.extend(self._buckets.pop(self.now, ()))

    def work(self) -> bool:
        """Look at one batch of what is due; say whether more is left."""
        overdue, now = self._overdue, self.now
        batch = overdue[-BATCH:]
        del overdue[-BATCH:]
        for timed in batch:
            # Those that were forgotten, or got a later deadline, since the tick are passed over.
            if 0 < timed.due <= now:
                timed.due = 0
                timed.on_due()
        return bool(overdue)

    def start(self, loop: AbstractEventLoop) -> None:
        """Tick on `loop` until `stop`."""
        self._loop = loop
        self._timer = loop.call_later(self.tick_s, self._on_timer)

    def stop(self) -> None:
        """Tick no more."""
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        assert self._loop is not None
        self._timer = self._loop.call_later(self.tick_s, self._on_timer)
        idle = not self._overdue
        self.tick()
        if idle:
            self._work_on()

    def _work_on(self) -> None:
        if self._loop is not None and self.work():
            self._loop.call_soon(self._work_on)
