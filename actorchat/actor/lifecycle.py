"""Knows the order of events when an actor starts, crashes and ends. Must not know scheduling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actorchat.actor import kit, monitor
from actorchat.actor.mailbox import Call, Signal
from actorchat.actor.reason import NOPROC, Crash
from actorchat.actor.ref import QUEUED, LocalRef

if TYPE_CHECKING:
    import threading
    from types import CoroutineType

    from actorchat.actor.behaviour import Actor
    from actorchat.actor.future import Reply

# Of a handler: on_start, a message, on_stop; ASIDE and SPENT are explained in stash.py.
STARTING, HANDLING, STOPPING, ASIDE, SPENT = 0, 1, 2, 3, 4


class Suspended:
    """A coroutine handler that waits for something; until it goes on the mailbox is shut.

    Each wait has an object of its own, so a late wake-up of an earlier wait changes nothing.
    `since_s` is when the handler waited first, on its dispatcher's clock.
    """

    __slots__ = ("coro", "is_ready", "message", "phase", "ref", "reply", "since_s")

    def __init__(
        self,
        ref: LocalRef | None,
        coro: CoroutineType[Any, Any, Any] | None,
        reply: Reply[Any] | None,
        message: Any,
        phase: int,
        since_s: float = 0.0,
    ) -> None:
        self.ref = ref
        self.coro = coro
        self.reply = reply
        self.message = message
        self.phase = phase
        self.is_ready = False
        self.since_s = since_s

    @property
    def is_start(self) -> bool:
        """Say whether the actor has not started yet."""
        return self.phase == STARTING

    def resume(self, _settled: object = None) -> None:
        """Let it go on at its actor's next visit; from any thread."""
        self.is_ready = True
        ref = self.ref
        if ref is not None:
            ref._state = QUEUED  # _schedule(), inlined
            dispatcher = ref._dispatcher
            dispatcher.run_queue.append(ref)
            if not dispatcher.awake:
                dispatcher.wake()


# What a new actor "waits" for: its first visit. One for all, so that it costs an actor nothing.
START = Suspended(None, None, None, None, STARTING)
# And what one that ends does: for the last interleaved handlers, and then while no message is
# handled any more.
LINGERING = Suspended(None, None, None, None, HANDLING)
ENDING = Suspended(None, None, None, None, STOPPING)


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

    Order: it leaves its groups, the mailbox is emptied, timers and the name go, its tasks are
    cancelled and those to whom it owes answers told, children of a killed supervisor follow it,
    the supervisor learns, and after all that the watchers' Downs are sent.
    """
    actor = ref._actor
    if actor is None:
        return
    system = ref._system
    withdraw(ref)
    ref._task = ENDING
    discard(ref, actor)
    ref._actor = ref._task = None
    bonds = ref._bonds
    if bonds is not None:
        for timer in bonds.timers.values():
            ref._dispatcher.timers.discard(timer)
        bonds.timers.clear()
        system.names.release(ref)
        kit.clear(ref, actor)
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


def withdraw(ref: LocalRef) -> None:
    """Close the mailbox, and in the same step let groups and the event stream forget the actor.

    In one step, so that no other thread finds a dead member or can join the dead.
    """
    system = ref._system
    with system.lock:
        ref._limit = 0
        system.groups.release(ref)
        system.events.release(ref)
    system.groups.tell_watchers()


def require_alive(ref: object, lock: threading.RLock) -> None:
    """Check that what `ref` is tied to now will be cut at its end; the caller holds `lock`.

    Raises:
        ActorDead: The actor has ended.
        TypeError: `ref` is no ref of a local actor.
        ValueError: The actor lives in a system that has another lock.
    """
    if not isinstance(ref, LocalRef):
        msg = f"{ref!r} is no local actor"
        raise TypeError(msg)
    if ref._system.lock is not lock:
        msg = f"{ref!r} lives in another system"
        raise ValueError(msg)
    if not ref._limit:
        raise ref.dead()


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
    """Let the actor see what it put aside and what is left in its mailbox: dead letters now."""
    queue = ref._queue
    items = queue[:]
    del queue[: len(items)]
    kept = kit.look(ref)
    if kept is not None:
        items[:0] = kept.stash
        kept.stash.clear()
        kept.releasing = 0
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
    ref._exit = NOPROC
    withdraw(ref)
    ref._actor = None
    ref._system.names.release(ref)
    bury_late(ref)
