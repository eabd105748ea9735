"""Knows which actor runs next and for how long. Must not know what actors do."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from operator import length_hint
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from actorchat import limits
from actorchat.actor import lifecycle
from actorchat.actor.broadcast import Burst
from actorchat.actor.lifecycle import HANDLING
from actorchat.actor.mailbox import NOTHING
from actorchat.actor.ref import IDLE, LocalRef
from actorchat.actor.stash import Aside, is_over, release
from actorchat.actor.step import SPECIAL, Steps
from actorchat.actor.timer import Cancellable, Timers, Wheel
from actorchat.clock import Clock, SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actorchat.actor.behaviour import Actor


LOOK_EVERY = 16  # visits between two looks at the clock: a look costs a fifth of a visit


class Dispatcher(Steps):
    """Runs actors in one thread, each for up to `visit_max` messages, then the next.

    After `turn_max` messages or `turn_s` seconds it hands the thread back, so that sockets and
    timers have their turn, and goes on soon. Subclasses say what thread that is.

    `over_budget` counts stretches between two looks at the clock, `LOOK_EVERY` visits or
    `visit_max` messages at most, that took longer than `turn_s`: somebody computes or blocks.
    `lag_s` is how long the last turn waited for the thread, `lag_max_s` the longest such wait.
    """

    timers: Timers
    clock: Clock
    loop: asyncio.AbstractEventLoop | None = None  # where actors can have tasks
    takes_bursts = True  # many visits may be one entry of the run queue

    def __init__(
        self,
        visit_max: int = limits.VISIT_MESSAGES_MAX,
        turn_max: int = limits.TURN_MESSAGES_MAX,
        turn_s: float = limits.TURN_S,
    ) -> None:
        self.run_queue: deque[Any] = deque()  # of LocalRef, and of Burst where it takes those
        self.awake = False  # a turn is under way or scheduled
        self.thread_id: int | None = None
        self.visit_max = visit_max
        self.turn_max = turn_max
        self.turn_s = turn_s
        self.over_budget = 0
        self.lag_s = 0.0
        self.lag_max_s = 0.0
        self._armed_s = 0.0
        self._escaped: BaseException | None = None

    # -- the thread ------------------------------------------------------------------------

    def now_s(self) -> float:
        """Return this dispatcher's monotonic time."""
        return time.monotonic()

    def is_here(self) -> bool:
        """Say whether the caller is in this dispatcher's thread."""
        return threading.get_ident() == self.thread_id

    def call_soon(self, fn: Callable[..., object], *args: Any) -> None:
        """Run `fn(*args)` soon; from this dispatcher's thread."""
        raise NotImplementedError

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        """Run `fn(*args)` in this dispatcher's thread soon; from any thread."""
        raise NotImplementedError

    def call_later(self, delay_s: float, fn: Callable[..., object], *args: Any) -> Cancellable:
        """Run `fn(*args)` after `delay_s` seconds; from this dispatcher's thread."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the thread, if it is this dispatcher's own."""

    # -- turns -----------------------------------------------------------------------------

    def wake(self) -> None:
        """Schedule a turn. Two at once are harmless: the second finds nothing to do.

        Lost wake-ups are impossible: a sender fills the run queue before it reads `awake`, a
        turn clears `awake` before it looks into the run queue once more.
        """
        self.awake = True
        self._armed_s = time.perf_counter()
        self.post(self.turn)

    def turn(self) -> None:
        """Run actors until none is ready or the budget is spent."""
        run_queue, drain, special, now = self.run_queue, self.drain, SPECIAL, time.perf_counter
        # Whoever has put itself before `drain` sees every visit.
        is_plain = getattr(drain, "__func__", None) is Dispatcher.drain
        self.awake = True
        looked_s = now()
        self.lag_s = lag_s = looked_s - self._armed_s
        if lag_s > self.lag_max_s:
            self.lag_max_s = lag_s
        until_s = looked_s + self.turn_s
        left = self.turn_max
        while run_queue and left > 0:
            ref = run_queue.popleft()
            queue = ref._queue
            actor = ref._actor
            if is_plain and len(queue) == 1 and ref._task is None and actor is not None:
                # The usual case: what `drain` does, for one message, without two calls.
                message = queue.pop(0)  # not the last: another thread may have added one
                ref._handled += 1
                try:
                    if type(message) in special:
                        self._special(ref, actor, message)
                    else:
                        result = actor.on_receive(message)
                        if result is not None and type(result) is CoroutineType:
                            self._step(ref, result, None, message, HANDLING)
                except BaseException as error:  # noqa: BLE001  # a crash, whatever it is
                    self._fail(actor, error, None, message)
                if ref._exit is not None or ref._task is not None:
                    self._leave(ref, message)
                elif queue:
                    run_queue.append(ref)  # behind the others: nobody starves
                else:
                    ref._state = IDLE
                    if queue:
                        ref._schedule()
                left -= 1
                if left % LOOK_EVERY:
                    continue
            elif type(ref) is Burst:
                left -= self._drain_burst(ref, is_plain)
            else:
                left -= drain(ref)
            before_s, looked_s = looked_s, now()
            if looked_s >= until_s:
                if looked_s - before_s > self.turn_s:
                    self.over_budget += 1
                break
        else:
            if now() - looked_s > self.turn_s:
                self.over_budget += 1
        self._close_turn()

    def _close_turn(self) -> None:
        run_queue = self.run_queue
        if not run_queue:
            self.awake = False
        if run_queue:
            self.awake = True
            self._armed_s = time.perf_counter()
            self.call_soon(self.turn)
        if self._escaped is not None:
            escaped, self._escaped = self._escaped, None
            raise escaped

    def drain(self, ref: LocalRef) -> int:
        """Visit one actor; return the cost of it in messages."""
        if ref._task is not None and not self._go_on(ref):
            return 1
        actor = ref._actor
        if actor is None:
            lifecycle.bury_late(ref)
            cost = 1
        else:
            cost = self._drain_batch(ref, actor)
            if cost != 1:
                cost += 1  # a visit costs something by itself
        if ref._task is None:
            self._close_visit(ref)
        return cost

    def _close_visit(self, ref: LocalRef) -> None:
        if ref._queue:
            self.run_queue.append(ref)  # behind the others: nobody starves
        else:
            ref._state = IDLE
            if ref._queue:
                ref._schedule()

    def _leave(self, ref: LocalRef, message: Any) -> None:
        """Close a visit after which the actor ends, waits, or asked for something."""
        if ref._exit is not None and ref._task is None:
            self._end(ref)
        if type(ref._task) is Aside:
            self._put_aside(ref, message)
        if ref._task is None:
            self._close_visit(ref)

    def _drain_burst(self, burst: Burst, is_plain: bool) -> int:
        """Visit as many of a burst as one actor may have messages; return how many."""
        at, message, run_queue = burst.at, burst.message, self.run_queue
        refs = burst.refs[at : at + self.visit_max]
        burst.at = at + len(refs)
        if burst.at < len(burst.refs):
            run_queue.appendleft(burst)
        if not is_plain or type(message) in SPECIAL:
            return sum([self.drain(ref) for ref in refs])
        for ref in refs:
            queue = ref._queue
            actor = ref._actor
            if queue and queue[0] is message and ref._task is None and actor is not None:
                del queue[0]
                ref._handled += 1
                try:
                    result = actor.on_receive(message)
                    if result is not None and type(result) is CoroutineType:
                        self._step(ref, result, None, message, HANDLING)
                except BaseException as error:  # noqa: BLE001
                    self._fail(actor, error, None, message)
                if ref._exit is not None or ref._task is not None:
                    self._leave(ref, message)
                elif queue:
                    run_queue.append(ref)
                else:
                    ref._state = IDLE
                    if queue:
                        ref._schedule()
            else:
                self.drain(ref)
        return len(refs)

    def _drain_batch(self, ref: LocalRef, actor: Actor) -> int:
        queue = ref._queue
        batch = queue[: self.visit_max]
        del queue[: len(batch)]
        ref._handled += len(batch)
        pending = iter(batch)
        if actor.takes:
            return self._drain_usual(ref, actor, batch, pending)
        for message in pending:
            try:
                if type(message) in SPECIAL:
                    self._special(ref, actor, message)
                else:
                    result = actor.on_receive(message)
                    if result is not None and type(result) is CoroutineType:
                        self._step(ref, result, None, message, HANDLING)
            except BaseException as error:  # noqa: BLE001
                self._fail(actor, error, None, message)
            if ref._exit is not None or ref._task is not None:
                left = self._put_back(ref, message, pending)
                if left is not None:
                    return len(batch) - left
        return len(batch)

    def _drain_usual(
        self, ref: LocalRef, actor: Actor, batch: list[Any], pending: Iterator[Any]
    ) -> int:
        """As `_drain_batch`, for an actor that takes what is usual by itself."""
        while True:
            message = NOTHING
            try:
                message = actor.take(pending)
                if message is NOTHING:
                    if ref._exit is None:
                        return len(batch)
                elif type(message) in SPECIAL:
                    self._special(ref, actor, message)
                else:
                    result = actor.on_receive(message)
                    if result is not None and type(result) is CoroutineType:
                        self._step(ref, result, None, message, HANDLING)
            except BaseException as error:  # noqa: BLE001
                message = batch[len(batch) - length_hint(pending) - 1]
                self._fail(actor, error, None, message)
            if ref._exit is not None or ref._task is not None:
                left = self._put_back(ref, message, pending)
                if left is not None:
                    return len(batch) - left

    def _put_back(self, ref: LocalRef, message: Any, pending: Iterator[Any]) -> int | None:
        """End a visit, as the actor ends or waits; return how many it left. None: it goes on."""
        if type(ref._task) is Aside and is_over(ref, message):
            return None
        rest = list(pending)
        ref._queue[:0] = rest
        ref._handled -= len(rest)
        if type(ref._task) is Aside:  # what goes back must come before the rest
            release(ref)
            ref._task = None
        if ref._exit is not None and ref._task is None:
            self._end(ref)
        return len(rest)


class LoopDispatcher(Dispatcher):
    """Runs actors on an asyncio or uvloop event loop, beside its sockets."""

    loop: asyncio.AbstractEventLoop

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None, **budget: Any) -> None:
        super().__init__(**budget)
        running = asyncio._get_running_loop()
        self.loop = loop if loop is not None else asyncio.get_running_loop()
        if running is self.loop:
            self.thread_id = threading.get_ident()
        self.clock = SystemClock()
        # The functions themselves: every call would pay for the methods around them.
        self.now_s = time.monotonic  # type: ignore[method-assign]
        self.call_soon = self.loop.call_soon  # type: ignore[method-assign, assignment]
        self.timers = Wheel(self)

    def turn(self) -> None:
        """Run actors until none is ready or the budget is spent."""
        if self.thread_id is None:  # made before the loop ran: now the thread is known
            self.thread_id = threading.get_ident()
        super().turn()

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        """Run `fn(*args)` on the loop soon; nothing when the loop is closed."""
        try:
            if threading.get_ident() == self.thread_id:
                self.loop.call_soon(fn, *args)
            else:
                self.loop.call_soon_threadsafe(fn, *args)
        except RuntimeError:
            # A late tell from another thread must not fail because the program is ending.
            if not self.loop.is_closed():
                raise

    def call_later(self, delay_s: float, fn: Callable[..., object], *args: Any) -> Cancellable:
        """Run `fn(*args)` on the loop after `delay_s` seconds."""
        return self.loop.call_later(delay_s, fn, *args)
