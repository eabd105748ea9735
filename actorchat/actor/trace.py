"""Knows how somebody looks on while messages are handled. Must not know who looks, or why.

While nothing is traced none of this exists: a traced dispatcher gets a `drain` of its own, in
front of its class's, and loses it afterwards.
"""

from __future__ import annotations

import inspect
import threading
from typing import TYPE_CHECKING, Any

from actorchat.actor.mailbox import NOTHING, Call, Signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from actorchat.actor.dispatcher import Dispatcher
    from actorchat.actor.future import Reply
    from actorchat.actor.ref import LocalRef
    from actorchat.actor.system import ActorSystem

    Trace = Callable[[LocalRef, Any, "Reply[Any] | None"], object]

_SWAPPING = threading.Lock()  # systems with locks of their own can share a dispatcher


class Tracing:
    """The trace of one system, on all dispatchers that run its actors.

    A trace that raises is taken off and the error logged: it would raise again at the next
    message.
    """

    __slots__ = ("_dispatchers", "_system", "fn")

    def __init__(self, system: ActorSystem, fn: Any) -> None:
        if not callable(fn) or inspect.iscoroutinefunction(fn):
            msg = f"expected a plain function, not {fn!r}"
            raise TypeError(msg)
        self.fn: Trace = fn
        self._system = system
        self._dispatchers: set[Dispatcher] = set()

    def watch(self, dispatcher: Dispatcher) -> None:
        """Look on at `dispatcher` too, from its next turn on; any thread."""
        with _SWAPPING:
            drain = vars(dispatcher).get("drain")
            if not isinstance(drain, TracedDrain):
                drain = TracedDrain(dispatcher)
                dispatcher.drain = drain  # type: ignore[method-assign]
            drain.tracings[self._system] = self
            self._dispatchers.add(dispatcher)

    def end(self) -> None:
        """Look on no more, from the next message on; any thread."""
        with _SWAPPING:
            for dispatcher in self._dispatchers:
                drain = vars(dispatcher).get("drain")
                if isinstance(drain, TracedDrain):
                    drain.tracings.pop(self._system, None)
                    if not drain.tracings:
                        del dispatcher.drain
            self._dispatchers.clear()

    def look(self, ref: LocalRef, item: Any) -> BaseException | None:
        """Tell of the message that `ref` handles next; return what the trace raised."""
        message, reply = item, None
        if type(item) is Call:
            message, reply = item.message, item.reply
        elif isinstance(item, Signal):
            message = item.peek(ref)
            if message is NOTHING:
                return None
        try:
            self.fn(ref, message, reply)
        except BaseException as error:  # noqa: BLE001  # let out, it would lose the visit
            self._system.trace_failed(self, error)
            return error
        return None


class TracedDrain:
    """Stands before a dispatcher's `drain`: the same visits, one message at a time.

    Who runs when is the same as without it: an actor that has more to do, and share left, is
    taken back from the end of the run queue, where `drain` has just put it.
    """

    __slots__ = ("_dispatcher", "_drain", "tracings")

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._drain = dispatcher.drain
        self.tracings: dict[ActorSystem, Tracing] = {}

    def __call__(self, ref: LocalRef) -> int:
        """Visit one actor; return the cost of it in messages."""
        system, dispatcher = ref._system, self._dispatcher
        if system not in self.tracings:
            return self._drain(ref)
        if ref._task is not None and not dispatcher._go_on(ref):
            return 1
        share = dispatcher.visit_max
        left = count = max(1, min(len(ref._queue), share))
        dispatcher.visit_max = 1
        try:
            while True:
                tracing = self.tracings.get(system)
                if tracing is not None and ref._actor is not None and ref._queue:
                    error = tracing.look(ref, ref._queue[0])
                    if isinstance(error, (KeyboardInterrupt, SystemExit)):
                        dispatcher._escaped = error  # leaves when the turn is over
                self._drain(ref)
                left -= 1
                if not left or not self._take_back(ref):
                    break
        finally:
            dispatcher.visit_max = share
        return 1 if count == 1 else 1 + count - left

    def _take_back(self, ref: LocalRef) -> bool:
        run_queue = self._dispatcher.run_queue
        if ref._task is not None or not run_queue or run_queue[-1] is not ref:
            return False
        last = run_queue.pop()
        if last is not ref:  # another thread's tell came between
            run_queue.append(last)
            return False
        return True
