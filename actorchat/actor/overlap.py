"""Knows which messages need not wait for a handler that waits. Must not know who runs them.

After Orleans' `AlwaysInterleave`
(https://learn.microsoft.com/dotnet/orleans/grains/request-scheduling).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from actorchat.actor import kit as kits
from actorchat.actor.lifecycle import Suspended
from actorchat.actor.mailbox import NOTHING, Call, Signal
from actorchat.actor.monitor import DownSignal
from actorchat.actor.ref import IDLE
from actorchat.actor.timer import TimerMessage

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CoroutineType

    from actorchat.actor.behaviour import Actor
    from actorchat.actor.future import Reply
    from actorchat.actor.ref import LocalRef

C = TypeVar("C", bound="type[Actor]")


def interleave(*kinds: type) -> Callable[[C], C]:
    """Let an actor class handle messages of exactly these types while another handler awaits.

    Those of its bases count too. Timers' messages, Downs and calls are judged by what is in
    them.

    Raises:
        TypeError: Something is no type, or there is none.
    """
    if not kinds or not all(isinstance(kind, type) for kind in kinds):
        msg = f"expected types of messages, not {kinds!r}"
        raise TypeError(msg)

    def mark(cls: C) -> C:
        cls.interleaves = cls.interleaves | frozenset(kinds)
        return cls

    return mark


class Resume(Signal):
    """Lets an interleaved handler go on, in its actor's turn."""

    __slots__ = ("task",)

    def __init__(self, task: Overlapping) -> None:
        self.task = task

    def unwrap(self, ref: LocalRef) -> object:
        """Go on with it, if it has not been closed meanwhile."""
        lap = of(ref)
        if lap is not None and lap.tasks.pop(self.task, self) is None:
            ref._dispatcher.resume_overlapping(ref, self.task)
        return NOTHING

    def peek(self, ref: LocalRef) -> object:
        """Return NOTHING: no handler gets it."""
        del ref
        return NOTHING


class Overlapping(Suspended):
    """A suspended handler that does not shut the mailbox."""

    __slots__ = ()

    def resume(self, _settled: object = None) -> None:
        """Let it go on when the actor comes to it; from any thread."""
        assert self.ref is not None
        self.ref._signal(Resume(self))


class Overlap:
    """The handlers of one actor that wait beside another, and where to look for more of them.

    The first `scanned - ref._handled` messages of the mailbox were looked at already and have
    to wait: each message is looked at once, however often a handler waits.
    """

    __slots__ = ("kinds", "scanned", "tasks")

    def __init__(self, kinds: frozenset[type]) -> None:
        self.kinds = kinds
        self.scanned = 0
        self.tasks: dict[Overlapping, None] = {}

    def park(
        self,
        ref: LocalRef,
        coro: CoroutineType[Any, Any, Any],
        reply: Reply[Any] | None,
        message: Any,
        phase: int,
        since_s: float,
    ) -> Suspended:
        """Note a handler that waits; one that does not interleave shuts the mailbox."""
        if type(message) in self.kinds:
            task = Overlapping(ref, coro, reply, message, phase, since_s)
            self.tasks[task] = None
            return task
        ref._task = main = Suspended(ref, coro, reply, message, phase, since_s)
        ref._state = IDLE  # not PARKED: what is told now has to be looked at
        ref._schedule()
        return main

    def take(self, ref: LocalRef, count: int) -> list[Any]:
        """Take up to `count` messages that need not wait out of the mailbox."""
        queue = ref._queue
        end = len(queue)
        index = start = min(max(0, self.scanned - ref._handled), end)
        taken: list[Any] = []
        kept: list[Any] = []
        is_ending = ref._exit is not None  # then only what has begun goes on
        for item in queue[start:end]:
            if len(taken) == count:
                break
            index += 1
            is_next = type(item) is Resume or (not is_ending and _kind(item) in self.kinds)
            (taken if is_next else kept).append(item)
        queue[start:index] = kept
        ref._handled += len(taken)
        self.scanned = ref._handled + start + len(kept)
        return taken

    def give_back(self, ref: LocalRef, items: list[Any]) -> None:
        """Put messages that were taken, but may not be handled now, back to the front."""
        ref._queue[:0] = items
        ref._handled -= len(items)
        self.scanned = 0
        ref._schedule()


def _kind(item: Any) -> type:
    if type(item) is Call or type(item) is TimerMessage:
        return type(item.message)
    if type(item) is DownSignal:
        return type(item.down)
    return type(item)


def of(ref: LocalRef) -> Overlap | None:
    """Return the overlap of an actor whose class has messages that interleave."""
    bonds = ref._bonds
    return None if bonds is None or bonds.kit is None else bonds.kit.overlap


def install(ref: LocalRef) -> None:
    """Give an actor an overlap; before its first message."""
    kits.need(ref).overlap = Overlap(ref.actor_class.interleaves)


def is_busy(ref: LocalRef) -> bool:
    """Say whether an interleaved handler waits."""
    lap = of(ref)
    return lap is not None and bool(lap.tasks)


def release(ref: LocalRef) -> list[Overlapping]:
    """Take all interleaved handlers away, to be closed."""
    lap = of(ref)
    if lap is None:
        return []
    tasks = list(lap.tasks)
    lap.tasks.clear()
    return tasks
