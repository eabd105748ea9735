"""Knows how an actor runs a coroutine as a task of its loop. Must not know what the task does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from actorchat.actor import kit as kits
from actorchat.actor.mailbox import NOTHING, Signal
from actorchat.errors import NoEventLoop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

    from actorchat.actor.ref import LocalRef

T = TypeVar("T")


class TaskFailed(Signal):
    """A task failed; its error ends the actor unless somebody awaited it meanwhile."""

    __slots__ = ("task",)

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task

    def unwrap(self, ref: LocalRef) -> object:
        """Raise the error in the actor's turn, if nobody else has seen it."""
        error = _unseen(self.task)
        if error is not None:
            raise error
        return NOTHING


def spawn_task(ref: LocalRef, coro: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Run `coro` as a task of the dispatcher's loop, until the actor ends.

    Raises:
        NoEventLoop: The dispatcher has none, or this is not its thread.
        TypeError: `coro` is no coroutine.
    """
    loop = ref._dispatcher.loop
    if loop is None or not ref._dispatcher.is_here():
        getattr(coro, "close", lambda: None)()  # or Python warns that it never ran
        msg = f"{ref.label} does not run on an event loop here, so it can't have tasks"
        raise NoEventLoop(msg)
    task = loop.create_task(coro)
    tasks = kits.need(ref).tasks
    tasks.add(task)

    def over(done: asyncio.Task[Any]) -> None:
        tasks.discard(done)
        if not done.cancelled() and done._log_traceback:
            ref._signal(TaskFailed(done))

    task.add_done_callback(over)
    return task


def _unseen(task: asyncio.Task[Any]) -> BaseException | None:
    # asyncio's own note of an error that nobody has asked for, from which it makes its warning.
    return task.exception() if task._log_traceback else None
