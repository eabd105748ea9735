"""Knows how a reply travels to whoever waits: a coroutine handler, a task, a thread.

Must not know actors.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import pykka

from actorchat.errors import CallTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextvars import Context
    from types import TracebackType

    from actorchat.actor.timer import Timer, Timers

T = TypeVar("T")

# One lock for all replies: it is held for a few instructions, and a lock of its own would cost
# each reply more than it saves. It makes "first to settle wins" true between threads. It is
# reentrant because a collection of garbage inside may run finalizers that settle others.
_SETTLING = threading.RLock()


class Reply(pykka.Future[T]):
    """The result of a call: awaitable from a coroutine handler or an asyncio task, else `get()`.

    Settled once: by the callee, its death, the deadline or the waiter's own cancellation;
    whatever comes later is dropped. It speaks asyncio's future protocol, so `asyncio.gather`
    and `asyncio.wait_for` take it as it is. Any thread may settle it.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_done",
        "_error",
        "_timer",
        "_traceback",
        "_value",
        "_waiters",
    )

    # Not set for each instance: only `map` and its kin, and a `defer`, need them.
    _get_hook: Any = None
    is_deferred: bool = False

    def __init__(self) -> None:  # pykka's own is bypassed: it would fill the instance dict
        self._asyncio_future_blocking = False
        self._done = False
        self._error: BaseException | None = None
        self._timer: tuple[Timers, Timer] | None = None
        self._traceback: TracebackType | None = None
        self._value: Any = None
        self._waiters: list[Callable[[Any], object]] | None = None

    def __repr__(self) -> str:
        return f"<Reply {'done' if self._done else 'pending'}>"

    # -- settling --------------------------------------------------------------------------

    def settle(self, value: T | None = None, error: BaseException | None = None) -> bool:
        """Give the result; False when it was settled before (the new result is dropped)."""
        with _SETTLING:
            if self._done or self._get_hook is not None:
                return False
            self._value, self._error = value, error
            if error is not None:
                self._traceback = error.__traceback__
            self._done = True
            waiters, self._waiters = self._waiters, None
        if self._timer is not None:
            timers, timer = self._timer
            self._timer = None
            timers.discard(timer)
        if waiters is not None:
            for waiter in waiters:
                waiter(self)
        return True

    def on_settled(self, waiter: Callable[[Any], object]) -> None:
        """Call `waiter(self)` once settled: at once, or in the thread that settles."""
        with _SETTLING:
            if not self._done:
                if self._waiters is None:
                    self._waiters = [waiter]
                else:
                    self._waiters.append(waiter)
                return
        waiter(self)

    def set(self, value: T | None = None) -> None:
        """Settle with a value; raises queue.Full when settled before (pykka's contract)."""
        if not self.settle(value):
            raise queue.Full

    def set_exception(self, exc_info: Any = None) -> None:
        """Settle with an exception, by default the one being handled."""
        kind, error, trace = exc_info or sys.exc_info()
        if error is None:
            assert kind is not None, "there is no exception to settle with"
            error = kind()
        if not self.settle(None, error.with_traceback(trace)):
            raise queue.Full

    def set_get_hook(self, func: Callable[[float | None], T]) -> None:
        """Make `get()` compute the value with `func`; raises queue.Full when settled before."""
        if self._done:
            raise queue.Full
        self._get_hook_result = pykka._future._Unset()
        self._get_hook = func

    # -- waiting ---------------------------------------------------------------------------

    def get(self, *, timeout: float | None = None) -> T:
        """Block this thread until settled; raises pykka.Timeout.

        Raises RuntimeError in a thread that runs an event loop: blocking it would stop every
        actor there, most likely the very one that is to answer.
        """
        if self._get_hook is not None:
            return super().get(timeout=timeout)
        if not self.wait(timeout):
            msg = f"{timeout} seconds"
            raise pykka.Timeout(msg)
        return self.result()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Block this thread until settled; False when `timeout_s` passed first."""
        if self._done:
            return True
        if asyncio._get_running_loop() is not None:
            msg = "waiting here would block the event loop: await the reply instead"
            raise RuntimeError(msg)
        gate = threading.Lock()
        gate.acquire()
        self.on_settled(lambda _reply: gate.release())
        return gate.acquire(timeout=-1 if timeout_s is None else max(0.0, timeout_s))

    def __await__(self) -> Generator[Any, None, T]:
        if self._get_hook is not None:  # a blocking hook of map, filter, join or reduce
            loop = asyncio.get_running_loop()
            return (yield from loop.run_in_executor(None, self.get).__await__())
        # A loop, not an if: whoever resumes this coroutine too early does no harm.
        while not self._done:
            self._asyncio_future_blocking = True
            yield self
        return self._value if self._error is None else self.result()

    __iter__ = __await__

    # -- asyncio's future protocol ---------------------------------------------------------

    def done(self) -> bool:
        """Say whether the reply is settled."""
        return self._done

    def result(self) -> T:
        """Return the value or raise the error; raises asyncio.InvalidStateError when pending."""
        if not self._done:
            msg = "the reply is not settled yet"
            raise asyncio.InvalidStateError(msg)
        if self._error is not None:
            # Reset, or it would grow by a few frames each time that somebody looks.
            raise self._error.with_traceback(self._traceback)
        return self._value  # type: ignore[no-any-return]

    def exception(self) -> BaseException | None:
        """Return the error, or None; raises asyncio.CancelledError when cancelled."""
        if isinstance(self._error, asyncio.CancelledError):
            raise self._error
        return self._error

    def cancel(self, msg: object = None) -> bool:
        """Stop waiting; the callee's answer will be dropped."""
        return self.settle(None, asyncio.CancelledError(*(() if msg is None else (msg,))))

    def cancelled(self) -> bool:
        """Say whether the waiter gave up."""
        return isinstance(self._error, asyncio.CancelledError)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop that asks: a reply belongs to no loop."""
        return asyncio.get_running_loop()

    def add_done_callback(
        self, fn: Callable[[Any], object], *, context: Context | None = None
    ) -> None:
        """Call `fn(self)` soon after settling, on the loop that runs now."""
        self.on_settled(_Callback(fn, context))

    def remove_done_callback(self, fn: Callable[[Any], object]) -> int:
        """Forget `fn`; returns how often it was registered."""
        with _SETTLING:
            before = self._waiters or []
            after = [w for w in before if not (isinstance(w, _Callback) and w.fn == fn)]
            if self._waiters is not None:
                self._waiters = after
        return len(before) - len(after)

    # -- deadlines -------------------------------------------------------------------------

    def expire_with(self, timers: Timers, timer: Timer) -> None:
        """Remember the timer that settles this reply, to be discarded if it is not needed."""
        self._timer = (timers, timer)

    def expire(self, what: str, timeout_s: float) -> None:
        """Settle with CallTimeout."""
        self.settle(None, CallTimeout(f"{what} did not answer within {timeout_s:g} s"))


class _Callback:
    """A callback on an asyncio loop; asyncio's own callbacks may never run inside each other."""

    __slots__ = ("context", "fn", "loop", "thread_id")

    def __init__(self, fn: Callable[[Any], object], context: Context | None) -> None:
        self.fn = fn
        self.context = context
        self.loop = asyncio.get_running_loop()
        self.thread_id = threading.get_ident()

    def __call__(self, reply: Reply[Any]) -> None:
        if threading.get_ident() == self.thread_id:
            self.loop.call_soon(self.fn, reply, context=self.context)
        else:
            try:
                self.loop.call_soon_threadsafe(self.fn, reply, context=self.context)
            except RuntimeError:  # the loop was closed: nobody waits any more
                return
