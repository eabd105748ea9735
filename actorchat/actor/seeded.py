"""Knows how to run actors in one thread, in an order and a time that a seed decides.

Must not know loops.
"""

from __future__ import annotations

import heapq
import random
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from actorchat.actor.dispatcher import Dispatcher
from actorchat.actor.pinned import ScheduledCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from actorchat.actor.timer import Timer

EPOCH_MS = 1_700_000_000_000  # where virtual wall clocks begin
STEPS_MAX = 10_000_000


class VirtualClock:
    """Time that stands still until the dispatcher moves it."""

    __slots__ = ("now_s",)

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic_s(self) -> float:
        """Return virtual seconds since the start."""
        return self.now_s

    def wall_ms(self) -> int:
        """Return virtual milliseconds since 1970."""
        return EPOCH_MS + round(self.now_s * 1000)


class VirtualTimers:
    """Timers on virtual time: exact, without ticks."""

    __slots__ = ("_dispatcher",)

    def __init__(self, dispatcher: SeededDispatcher) -> None:
        self._dispatcher = dispatcher

    def add(self, timer: Timer, delay_s: float) -> None:
        """Fire `timer` in `delay_s` virtual seconds."""
        if not timer.is_over:
            timer.due = self._dispatcher.call_later(delay_s, timer.fire)

    def discard(self, timer: Timer) -> None:
        """Never fire `timer`."""
        timer.is_over = True
        if timer.due is not None:
            timer.due.cancel()


class SeededDispatcher(Dispatcher):
    """Runs actors one message a step; the seed chooses who is next among those that are ready.

    Nothing runs outside `run`, and all in its thread. Time passes only when nobody is ready, in
    leaps to the next timer; with `haste` above 0 it also leaps with that probability while
    somebody is ready, as if the machine were slow. The same seed and inputs give the same
    schedule; `trace` is a digest of it. Several systems can share one dispatcher.
    """

    clock: VirtualClock
    takes_bursts = False  # the seed decides about each visit

    def __init__(self, seed: int, haste: float = 0.0) -> None:
        super().__init__(visit_max=1)
        self.thread_id = threading.get_ident()
        self.rng = random.Random(seed)
        self.haste = haste
        self.clock = VirtualClock()
        self.timers = VirtualTimers(self)
        self.awake = True  # always: senders never have to wake it
        self.trace = 0
        self.steps = 0
        self._soon: deque[ScheduledCall] = deque()
        self._later: list[tuple[float, int, ScheduledCall]] = []
        self._sequence = 0

    def now_s(self) -> float:
        """Return virtual time."""
        return self.clock.now_s

    def call_soon(self, fn: Callable[..., object], *args: Any) -> None:
        """Run `fn(*args)` in a later step; callbacks keep their order among themselves."""
        self._soon.append(ScheduledCall(fn, args))

    post = call_soon

    def call_later(self, delay_s: float, fn: Callable[..., object], *args: Any) -> ScheduledCall:
        """Run `fn(*args)` in `delay_s` virtual seconds."""
        call = ScheduledCall(fn, args)
        self._sequence += 1
        heapq.heappush(self._later, (self.clock.now_s + max(0.0, delay_s), self._sequence, call))
        return call

    def run(
        self,
        until: float | Callable[[], bool] | None = None,
        steps_max: int = STEPS_MAX,
    ) -> int:
        """Run until nothing is left to do; return the number of steps.

        Args:
            until: A virtual time, where the clock then stands, or a condition that ends the run.
            steps_max: A bound for systems that never come to rest.
        Raises:
            RuntimeError: Still busy after `steps_max` steps.
        """
        until_s = until if isinstance(until, (int, float)) else None
        is_done = until if callable(until) else None
        for step in range(steps_max):
            if is_done is not None and is_done():
                return step
            if not self._step_once(until_s):
                if until_s is not None:
                    self.clock.now_s = max(self.clock.now_s, until_s)
                return step
        msg = f"still busy after {steps_max} steps at {self.clock.now_s:.3f} s"
        raise RuntimeError(msg)

    def _step_once(self, until_s: float | None) -> bool:
        run_queue, soon = self.run_queue, self._soon
        ready = len(run_queue) + (1 if soon else 0)
        if not ready or (self.haste and self.rng.random() < self.haste):
            if self._leap(until_s):
                return True
            if not ready:
                return False
        self.steps += 1
        choice = self.rng.randrange(ready)
        self.trace = (self.trace * 1_000_003 ^ (choice * 65_537 + ready)) & 0xFFFF_FFFF_FFFF_FFFF
        if choice == len(run_queue):
            call = soon.popleft()
            call.fn(*call.args)
        else:
            ref = run_queue[choice]
            del run_queue[choice]
            self.drain(ref)
        if self._escaped is not None:
            escaped, self._escaped = self._escaped, None
            raise escaped
        return True

    def _leap(self, until_s: float | None) -> bool:
        """Move time to the next timer and fire it; False when there is none in time."""
        later = self._later
        while later and later[0][2].is_cancelled:
            heapq.heappop(later)
        if not later or (until_s is not None and later[0][0] > until_s):
            return False
        due_s, _, call = heapq.heappop(later)
        self.steps += 1
        self.clock.now_s = max(self.clock.now_s, due_s)
        call.fn(*call.args)
        return True
