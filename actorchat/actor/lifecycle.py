"""Knows the order of events when an actor starts, crashes and ends. Must not know scheduling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actorchat.actor import monitor
from actorchat.actor.mailbox import Call, Signal
from actorchat.actor.reason import NOPROC, Crash

if TYPE_CHECKING:
    from types import CoroutineType

    from actorchat.actor.behaviour import Actor
    from actorchat.actor.future import Reply
    from actorchat.actor.ref import LocalRef

STARTING, HANDLING, STOPPING = 0, 1, 2


class Suspended:
    """A coroutine handler that waits for something; until it goes on the mailbox is shut.

    Each wait has an object of its own, so a late wake-up of an earlier wait changes nothing.
    """

    __slots__ = ("coro", "is_ready", "message", "phase", "ref", "reply")

    def __init__(
        self,
        ref: LocalRef | None,
        coro: CoroutineType[Any, Any, Any] | None,
        reply: Reply[Any] | None,
        message: Any,
        phase: int,
    ) -> None:
        self.ref = ref
        self.coro = coro
        self.reply = reply
        self.message = message
        self.phase = phase
        self.is_ready = False

    @property
    def is_start(self) -> bool:
        """Say whether the actor has not started yet."""
        return self.phase == STARTING

    def resume(self, _settled: object = None) -> None:
        """Let it go on at its actor's next visit; from any thread."""
        self.is_ready = True
        if self.ref is not None:
            self.ref._schedule()


# What a new actor "waits" for: its first visit. One for all, so that it costs an actor nothing.
START = Suspended(None, None, None, None, STARTING)


def started(ref: LocalRef) -> None:
    """Note that `on_start` has returned."""
    # Written before the lock is taken: who asks later sees it, who asked before is found here.
    ref._task = None
    if ref._exit is not None:
        return
    with ref._system.lock:
        bonds = ref._bonds
        reply = None
        if bonds is not None:
            reply, bonds.started = bonds.started, None
    if reply is not None:
        reply.settle(None)


def crash(ref: LocalRef, error: BaseException, reply: Reply[Any] | None) -> None:
    """Decide the end of an actor whose handler let `error` out; who called it is told."""
    reason = Crash.of(error)
    ref._exit = reason
    ref._system.crashed(ref, reason)
    if reply is not None:
        reply.settle(None, ref.dead())


def bury(ref: LocalRef) -> None:
    """End the actor: nothing of it is left afterwards but its ref and the reason.

    Order: the mailbox is emptied, timers and the name go, children of a killed supervisor
    follow it, the supervisor learns, and after all that the watchers' Downs are sent.
    """
    actor = ref._actor
    if actor is None:
        return
    system = ref._system
    ref._limit = 0
    discard(ref, actor)
    ref._actor = ref._task = None
    bonds = ref._bonds
    if bonds is not None:
        for timer in bonds.timers.values():
            ref._dispatcher.timers.discard(timer)
        bonds.timers.clear()
        system.names.release(ref)
    for child in actor.orphans():
        child.kill()
    with system.lock:
        system.handled_by_ended += ref._handled
        ref._handled = 0
        ended = None
        if bonds is not None:
            ended, begun = bonds.ended, bonds.started
            bonds.ended = bonds.started = None
    parent = None if ref._supervisor is None else ref._supervisor._actor
    if parent is not None:
        parent.child_ended(ref, ref._exit)
    if ref._bonds is not None:  # looked at anew: a monitor may have been made meanwhile
        monitor.release(system, ref)
    if bonds is not None:
        if begun is not None:
            begun.settle(None, ref.dead())
        if ended is not None:
            ended.settle(ref._exit)


def bury_late(ref: LocalRef) -> None:
    """Make dead letters of what other threads told while the actor ended."""
    queue = ref._queue
    items = queue[:]
    del queue[: len(items)]
    for item in items:
        if isinstance(item, Signal):
            with ref._system.lock:
                ref._system.handled_by_ended += 1
        else:
            ref._system.dead_letters.bury(ref, item, NOPROC)


def discard(ref: LocalRef, actor: Actor) -> None:
    """Let the actor see what is left in its mailbox, and make dead letters of it."""
    queue = ref._queue
    items = queue[:]
    del queue[: len(items)]
    for item in items:
        if isinstance(item, Signal):
            ref._handled += 1
            continue
        try:
            actor.unhandled(item.message if isinstance(item, Call) else item, item)
        except Exception as error:  # noqa: BLE001  # the others must have their turn
            ref._system.crashed(ref, Crash.of(error))
        ref._system.dead_letters.bury(ref, item, "left")


def abandon(ref: LocalRef) -> None:
    """Undo a spawn whose `__init__` raised: free the name, bury what was told meanwhile."""
    ref._limit = 0
    ref._exit = NOPROC
    ref._actor = None
    ref._system.names.release(ref)
    bury_late(ref)
