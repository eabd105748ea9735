"""Knows which awaited calls wait for each other. Must not know timeouts, or what is asked.

Only in a system with `debug`: there refs are of classes made here, so that elsewhere a call
costs nothing more. Wait-for graphs of actors: Bernstein, Hadzilacos and Goodman, "Concurrency
Control and Recovery in Database Systems", 1987, section 3.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actorchat.actor import overlap
from actorchat.actor.future import Reply
from actorchat.actor.lifecycle import Suspended
from actorchat.actor.ref import LocalRef
from actorchat.actor.timer import Deadline
from actorchat.errors import CallCycle
from actorchat.limits import CALL_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context


class TracedReply(Reply[Any]):
    """A reply that knows who owes it, and looks for a cycle when a handler awaits it."""

    __slots__ = ("message", "target")

    def __init__(self, target: LocalRef, message: Any) -> None:
        super().__init__()
        self.target = target
        self.message = message

    def add_done_callback(
        self, fn: Callable[[Any], object], *, context: Context | None = None
    ) -> None:
        """Note which handler waits; asyncio's own waiters are none."""
        task = getattr(fn, "__self__", None)
        if not isinstance(task, Suspended) or task.ref is None:
            super().add_done_callback(fn, context=context)
            return
        waits = task.ref._system.waits
        # Noted first, looked at second: of two threads that close a cycle one sees it.
        waits[task] = self
        self.on_settled(lambda _reply: waits.pop(task, None))
        self.on_settled(fn)
        chain = _chain(task, self)
        if chain is not None:
            labels = tuple(ref.label for ref in chain)
            self.settle(None, CallCycle(f"a call waits for itself: {' → '.join(labels)}", labels))

    def holder(self) -> Suspended | None:
        """Return the waiting handler that must return before this can be answered, if any."""
        if self._done or self.is_deferred:
            return None
        main, lap = self.target._task, overlap.of(self.target)
        if lap is not None:
            for task in list(lap.tasks):
                if task.reply is self:
                    return task
            if type(self.message) in lap.kinds and (main is None or main.reply is not self):
                return None  # it need not wait for anybody
        return main


def _chain(origin: Suspended, reply: TracedReply) -> list[LocalRef] | None:
    """Follow who waits for whom from `origin`; return the actors on the way if it comes back."""
    assert origin.ref is not None
    chain = [origin.ref]
    seen: set[Suspended] = set()
    while True:
        chain.append(reply.target)
        holder = reply.holder()
        if holder is origin:
            return chain
        if holder is None or holder.ref is None or holder in seen:
            return None
        seen.add(holder)
        awaited = holder.ref._system.waits.get(holder)
        if awaited is None:
            return None
        reply = awaited


class _TracedCalls(LocalRef):
    """Mixed into a class of refs: its calls are looked at."""

    __slots__ = ()

    def call(self, message: Any, timeout_s: float = CALL_TIMEOUT_S) -> Reply[Any]:
        """Send `message` now; fails with CallCycle, too, when awaited by whom it waits for."""
        reply = TracedReply(self, message)
        self._ask(message, reply)
        if not reply.done():
            timers = self._system.dispatcher.timers
            timer = Deadline(reply, self, timeout_s)
            reply.expire_with(timers, timer)
            timers.add(timer, timeout_s)
        return reply


_TRACED: dict[str, type[LocalRef]] = {}


def traced(ref_class: type[LocalRef]) -> type[LocalRef]:
    """Return a class like `ref_class` whose calls are looked at; the same each time."""
    name = f"{ref_class.__module__}.{ref_class.__qualname__}"
    known = _TRACED.get(name)
    if known is None or not issubclass(known, ref_class):
        known = type(f"Traced{ref_class.__name__}", (_TracedCalls, ref_class), {"__slots__": ()})
        _TRACED[name] = known
    return known
