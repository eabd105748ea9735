"""Knows a thread of its own for actors that block. Must not know event loops."""

from __future__ import annotations

import heapq
import itertools
import queue
import threading
from typing import TYPE_CHECKING, Any

from actorchat.actor.dispatcher import Dispatcher
from actorchat.actor.timer import Wheel
from actorchat.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

Job = tuple["Callable[..., object]", tuple[Any, ...]]


class ScheduledCall:
    """A callback that waits for its time."""

    __slots__ = ("args", "fn", "is_cancelled")

    def __init__(self, fn: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.fn = fn
        self.args = args
        self.is_cancelled = False

    def cancel(self) -> None:
        """Never run it."""
        self.is_cancelled = True


class PinnedDispatcher(Dispatcher):
    """Runs actors on one plain thread, where blocking calls harm nobody else.

    The same turns as on a loop; there is no loop, so a coroutine handler may await replies and
    `self.sleep`, but nothing of asyncio. A hand-over between threads costs 10 µs and more under
    the GIL: pin what blocks, nothing else.
    """

    def __init__(self, name: str, **budget: Any) -> None:
        super().__init__(**budget)
        self.name = name
        self.clock = SystemClock()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._later: list[tuple[float, int, ScheduledCall]] = []
        self._sequence = itertools.count()
        self.timers = Wheel(self)
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call_soon(self, fn: Callable[..., object], *args: Any) -> None:
        """Run `fn(*args)` in the thread, after what was asked for before."""
        self._jobs.put((fn, args))

    post = call_soon

    def call_later(self, delay_s: float, fn: Callable[..., object], *args: Any) -> ScheduledCall:
        """Run `fn(*args)` in the thread after `delay_s` seconds; called in the thread."""
        call = ScheduledCall(fn, args)
        heapq.heappush(self._later, (self.now_s() + delay_s, next(self._sequence), call))
        return call

    def close(self) -> None:
        """End the thread when it has done what was asked for before; wait for that."""
        if not self._is_closed:
            self._is_closed = True
            self._jobs.put(None)
        if not self.is_here():
            self._thread.join()

    def _run(self) -> None:
        self.thread_id = threading.get_ident()
        get = self._jobs.get
        while True:
            try:
                job = get(timeout=self._until_next_s())
            except queue.Empty:
                pass
            else:
                if job is None:
                    return
                fn, args = job
                fn(*args)
            if self._later:
                self._run_due()

    def _until_next_s(self) -> float | None:
        if not self._later:
            return None
        return max(0.0, self._later[0][0] - self.now_s())

    def _run_due(self) -> None:
        now_s = self.now_s()
        while self._later and self._later[0][0] <= now_s:
            call = heapq.heappop(self._later)[2]
            if not call.is_cancelled:
                call.fn(*call.args)
