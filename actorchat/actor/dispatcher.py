"""Knows which actor runs next and for how long. Must not know what actors do."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from pykka import messages as pykka_messages

from actorchat import limits
from actorchat.actor import lifecycle
from actorchat.actor.future import Reply
from actorchat.actor.lifecycle import HANDLING, START, STARTING, STOPPING, Suspended
from actorchat.actor.mailbox import NOTHING, Call, Signal, Stop
from actorchat.actor.monitor import ChildExit, DownSignal
from actorchat.actor.reason import KILLED, Crash
from actorchat.actor.ref import IDLE, PARKED, LocalRef
from actorchat.actor.timer import Cancellable, TimerMessage, Timers, Wheel
from actorchat.clock import Clock, SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from actorchat.actor.behaviour import Actor

# What may not go to on_receive as it is. Types, not a base class: one look-up a message.
SPECIAL = frozenset(
    {
        Call,
        Stop,
        DownSignal,
        TimerMessage,
        ChildExit,
        pykka_messages._ActorStop,
        pykka_messages.ProxyCall,
        pykka_messages.ProxyGetAttr,
        pykka_messages.ProxySetAttr,
    }
)


class Dispatcher:
    """Runs actors in one thread, each for up to `visit_max` messages, then the next.

    After `turn_max` messages or `turn_s` seconds it hands the thread back, so that sockets and
    timers have their turn, and goes on soon. Subclasses say what thread that is.

    `over_budget` counts runs of at most four visits that took longer than `turn_s`: somebody
    computes or blocks. `lag_s` is how long the last turn waited for the thread, `lag_max_s` the
    longest such wait.
    """

    timers: Timers
    clock: Clock

    def __init__(
        self,
        visit_max: int = limits.VISIT_MESSAGES_MAX,
        turn_max: int = limits.TURN_MESSAGES_MAX,
        turn_s: float = limits.TURN_S,
    ) -> None:
        self.run_queue: deque[LocalRef] = deque()
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
        run_queue, drain, now = self.run_queue, self.drain, time.perf_counter
        self.awake = True
        looked_s = now()
        self.lag_s = lag_s = looked_s - self._armed_s
        if lag_s > self.lag_max_s:
            self.lag_max_s = lag_s
        until_s = looked_s + self.turn_s
        left = self.turn_max
        visits = 0
        while run_queue and left > 0:
            left -= drain(run_queue.popleft())
            visits += 1
            if not visits & 3:  # a look at the clock costs a fifth of a visit
                before_s, looked_s = looked_s, now()
                if looked_s >= until_s:
                    if looked_s - before_s > self.turn_s:
                        self.over_budget += 1
                    break
        else:
            if now() - looked_s > self.turn_s:
                self.over_budget += 1
        if not run_queue:
            self.awake = False
        if run_queue:
            self.awake = True
            self._armed_s = now()
            self.call_soon(self.turn)
        if self._escaped is not None:
            escaped, self._escaped = self._escaped, None
            raise escaped

    def drain(self, ref: LocalRef) -> int:
        """Visit one actor; return the cost of it in messages."""
        if ref._task is not None and not self._go_on(ref):
            return 1
        queue = ref._queue
        actor = ref._actor
        if actor is None:
            lifecycle.bury_late(ref)
            cost = 1
        elif len(queue) != 1:
            cost = 1 + self._drain_batch(ref, actor)
        else:  # the usual case, so the loop of _drain_batch stands here once more for one message
            cost = 1
            message = queue.pop()
            ref._handled += 1
            try:
                if type(message) in SPECIAL:
                    self._special(ref, actor, message)
                else:
                    result = actor.on_receive(message)
                    if result is not None and type(result) is CoroutineType:
                        self._step(ref, result, None, message, HANDLING)
            except BaseException as error:  # noqa: BLE001  # a crash, whatever it is
                self._fail(actor, error, None, message)
            if ref._exit is not None and ref._task is None:
                self._end(ref)
        if ref._task is not None:
            return cost
        if queue:
            self.run_queue.append(ref)  # behind the others: nobody starves
        else:
            ref._state = IDLE
            if queue:
                ref._schedule()
        return cost

    def _drain_batch(self, ref: LocalRef, actor: Actor) -> int:
        queue = ref._queue
        batch = queue[: self.visit_max]
        del queue[: len(batch)]
        ref._handled += len(batch)
        pending = iter(batch)
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
                rest = list(pending)
                queue[:0] = rest
                ref._handled -= len(rest)
                if ref._task is None:
                    self._end(ref)
                return len(batch) - len(rest)
        return len(batch)

    def kill(self, ref: LocalRef) -> None:
        """End an actor at once; in this dispatcher's thread, between two visits."""
        if ref._actor is None:
            return
        ref._exit = KILLED
        task = ref._task
        if task is not None and task.coro is not None:
            try:
                task.coro.close()
            except BaseException as error:  # noqa: BLE001  # its finally clauses are user code
                ref._system.crashed(ref, Crash.of(error))
            if task.reply is not None:
                task.reply.settle(None, ref.dead())
        lifecycle.bury(ref)
        ref._state = IDLE
        if ref._queue:
            ref._schedule()

    # -- one actor -------------------------------------------------------------------------

    def _go_on(self, ref: LocalRef) -> bool:
        """Start an actor or resume its handler; say whether its mailbox is open now."""
        task = ref._task
        assert task is not None
        if task is START:
            self._start(ref)
        elif not task.is_ready:
            return False  # a visit without cause
        else:
            assert task.coro is not None
            self._step(ref, task.coro, task.reply, task.message, task.phase)
        if ref._task is None and ref._exit is not None:
            self._end(ref)
        return ref._task is None

    def _start(self, ref: LocalRef) -> None:
        actor = ref._actor
        assert actor is not None
        try:
            result: Any = actor.on_start()
        except BaseException as error:  # noqa: BLE001
            self._fail(actor, error, None, START)
            lifecycle.bury(ref)
            return
        if type(result) is CoroutineType:
            self._step(ref, result, None, START, STARTING)
        else:
            lifecycle.started(ref)

    def _special(self, ref: LocalRef, actor: Actor, item: Any) -> None:
        message, reply = item, None
        if type(item) is Call:
            message, reply = item.message, item.reply
        elif isinstance(item, Signal):
            message = item.unwrap(ref)
            if message is NOTHING:
                return
        try:
            is_pykkas = type(message) in SPECIAL
            result = (actor._handle_receive if is_pykkas else actor.on_receive)(message)
        except BaseException as error:  # noqa: BLE001
            self._fail(actor, error, reply, message)
            return
        if type(result) is CoroutineType:
            self._step(ref, result, reply, message, HANDLING)
        elif reply is not None:
            reply.settle(result)

    def _step(
        self,
        ref: LocalRef,
        coro: CoroutineType[Any, Any, Any],
        reply: Reply[Any] | None,
        message: Any,
        phase: int,
    ) -> None:
        """Run a coroutine up to its next wait; `ref._task` tells whether there is one."""
        try:
            awaited = coro.send(None)
            if awaited is not None and not hasattr(awaited, "_asyncio_future_blocking"):
                coro.close()
                msg = f"a handler can't await {awaited!r}"
                raise TypeError(msg)
        except StopIteration as stop:
            if phase == STARTING:
                lifecycle.started(ref)
                return
            ref._task = None
            if reply is not None:
                reply.settle(stop.value)
            if phase == STOPPING:
                lifecycle.bury(ref)
            return
        except BaseException as error:  # noqa: BLE001
            assert ref._actor is not None
            self._fail(ref._actor, error, reply, message)
            ref._task = None
            if phase != HANDLING:
                lifecycle.bury(ref)
            return
        # Parked before anybody can resume it: once registered, another thread may.
        ref._task = task = Suspended(ref, coro, reply, message, phase)
        ref._state = PARKED
        if awaited is None:  # asyncio.sleep(0)
            self.call_soon(task.resume)
            return
        awaited._asyncio_future_blocking = False
        if type(awaited) is Reply:
            awaited.on_settled(task.resume)
        else:
            awaited.add_done_callback(task.resume)

    def _end(self, ref: LocalRef) -> None:
        actor = ref._actor
        if actor is None:
            return
        lifecycle.discard(ref, actor)  # while it still has what on_stop will let go
        try:
            result: Any = actor.terminate(ref._exit)
        except BaseException as error:  # noqa: BLE001
            self._fail(actor, error, None, STOPPING)
        else:
            if type(result) is CoroutineType:
                self._step(ref, result, None, None, STOPPING)
                return
        lifecycle.bury(ref)

    def _fail(
        self, actor: Actor, error: BaseException, reply: Reply[Any] | None, message: Any
    ) -> None:
        actor.failed(error, reply, message)
        if isinstance(error, (KeyboardInterrupt, SystemExit)) and not actor.compat:
            self._escaped = error  # leaves through the loop when the turn is over


class LoopDispatcher(Dispatcher):
    """Runs actors on an asyncio or uvloop event loop, beside its sockets."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None, **budget: Any) -> None:
        super().__init__(**budget)
        running = asyncio._get_running_loop()
        self.loop = loop if loop is not None else asyncio.get_running_loop()
        if running is self.loop:
            self.thread_id = threading.get_ident()
        self.clock = SystemClock()
        self.timers = Wheel(self)
        self.call_soon = self.loop.call_soon  # type: ignore[method-assign, assignment]

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
