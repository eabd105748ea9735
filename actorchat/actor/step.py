"""Knows how a message is handled to its end, pauses included. Must not know whose turn is next."""

from __future__ import annotations

from types import CoroutineType
from typing import TYPE_CHECKING, Any

from pykka import messages as pykka_messages

from actorchat.actor import lifecycle, overlap, stash
from actorchat.actor.future import Reply
from actorchat.actor.groups import ChangeSignal
from actorchat.actor.lifecycle import (
    ENDING,
    HANDLING,
    LINGERING,
    SPENT,
    START,
    STARTING,
    STOPPING,
    Suspended,
)
from actorchat.actor.mailbox import NOTHING, Call, Signal, Stop
from actorchat.actor.monitor import ChildExit, DownSignal
from actorchat.actor.overlap import Resume
from actorchat.actor.reason import KILLED, Crash
from actorchat.actor.ref import IDLE, PARKED, LocalRef
from actorchat.actor.stash import Aside
from actorchat.actor.task import TaskFailed
from actorchat.actor.timer import TimerMessage

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
        ChangeSignal,
        Resume,
        TaskFailed,
        pykka_messages._ActorStop,
        pykka_messages.ProxyCall,
        pykka_messages.ProxyGetAttr,
        pykka_messages.ProxySetAttr,
    }
)


def _is_future(awaited: object) -> bool:
    """Say whether it speaks asyncio's future protocol."""
    return hasattr(awaited, "_asyncio_future_blocking")


class Steps:
    """What a dispatcher does with one actor: start it, hand it a message, go on, end it.

    While a handler runs `ref._task` is None, or an `Aside` once it asked for something that
    must wait until it returns or pauses; `on_start` and `on_stop` have their own there.
    """

    visit_max: int
    call_soon: Callable[..., object]
    _escaped: BaseException | None

    def now_s(self) -> float:
        """Return this dispatcher's monotonic time."""
        raise NotImplementedError

    # -- life ------------------------------------------------------------------------------

    def kill(self, ref: LocalRef) -> None:
        """End an actor at once; in this dispatcher's thread, between two visits."""
        if ref._actor is None:
            return
        ref._exit = KILLED
        task, ref._task = ref._task, ENDING
        if task is not None:
            self._close(ref, task)
        self._close_overlapping(ref)
        lifecycle.bury(ref)
        ref._state = IDLE
        if ref._queue:
            ref._schedule()

    def _close(self, ref: LocalRef, task: Suspended) -> None:
        """Close a handler that waits; who called it learns that the actor is dead."""
        if task.coro is None:
            return
        try:
            task.coro.close()
        except BaseException as error:  # noqa: BLE001  # its finally clauses are user code
            ref._system.crashed(ref, Crash.of(error))
        if task.reply is not None:
            task.reply.settle(None, ref.dead())

    def _close_overlapping(self, ref: LocalRef) -> None:
        for task in overlap.release(ref):
            self._close(ref, task)

    def _start(self, ref: LocalRef) -> None:
        actor = ref._actor
        assert actor is not None
        if actor.interleaves:
            overlap.install(ref)
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

    def _end(self, ref: LocalRef) -> None:
        actor = ref._actor
        if actor is None:
            return
        if overlap.of(ref) is not None and not self._has_let_go(ref):
            return
        ref._task = ENDING
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

    def _has_let_go(self, ref: LocalRef) -> bool:
        """Say whether no interleaved handler is left; otherwise the mailbox is shut until then."""
        if isinstance(ref._exit, Crash):  # what they work on may be half changed
            ref._task = ENDING
            self._close_overlapping(ref)
            return True
        if not overlap.is_busy(ref):
            return True
        ref._task = LINGERING
        ref._state = IDLE
        ref._schedule()
        return False

    def _fail(
        self, actor: Actor, error: BaseException, reply: Reply[Any] | None, message: Any
    ) -> None:
        actor.failed(error, reply, message)
        if isinstance(error, (KeyboardInterrupt, SystemExit)) and not actor.compat:
            self._escaped = error  # leaves through the loop when the turn is over

    # -- one message -----------------------------------------------------------------------

    def _special(self, ref: LocalRef, actor: Actor, item: Any) -> None:
        message, reply = item, None
        if type(item) is Call:
            message, reply = item.message, item.reply
        elif isinstance(item, Signal):
            message = item.unwrap(ref)
            if message is NOTHING:
                return
        try:
            if type(message) in SPECIAL:
                result = actor._handle_receive(message)
            else:
                result = actor.on_receive(message)
        except BaseException as error:  # noqa: BLE001
            self._fail(actor, error, reply, message)
            if ref._task is not None:
                stash.settle(ref, message, reply)
            return
        if type(result) is CoroutineType:
            self._step(ref, result, reply, message, HANDLING)
            return
        if ref._task is not None:
            reply = stash.settle(ref, message, reply)
        if reply is not None:
            reply.settle(result)

    def _step(
        self,
        ref: LocalRef,
        coro: CoroutineType[Any, Any, Any],
        reply: Reply[Any] | None,
        message: Any,
        phase: int,
        since_s: float | None = None,
    ) -> None:
        """Run a coroutine up to its next wait; `ref._task` tells whether there is one."""
        try:
            awaited = coro.send(None)
            if not (type(awaited) is Reply or awaited is None or _is_future(awaited)):
                coro.close()
                msg = f"a handler can't await {awaited!r}"
                raise TypeError(msg)
        except StopIteration as stop:
            if phase == HANDLING:
                if ref._task is not None:
                    reply = stash.settle(ref, message, reply)
                if reply is not None:
                    reply.settle(stop.value)
            elif phase == STARTING:
                lifecycle.started(ref)
            else:
                ref._task = None
                lifecycle.bury(ref)
            return
        except BaseException as error:  # noqa: BLE001
            assert ref._actor is not None
            self._fail(ref._actor, error, reply, message)
            if phase != HANDLING:
                ref._task = None
                lifecycle.bury(ref)
            elif ref._task is not None:
                stash.settle(ref, message, reply)
            return
        if since_s is None:
            since_s = self.now_s()
        mark = ref._task
        if type(mark) is Aside:
            reply = stash.settle(ref, message, reply)
            if mark.is_spent:
                phase = SPENT
        # Parked before anybody can resume it: once registered, another thread may.
        kit = None if ref._bonds is None else ref._bonds.kit
        lap = None if kit is None else kit.overlap
        if lap is not None and phase in {HANDLING, SPENT}:
            task = lap.park(ref, coro, reply, message, phase, since_s)
        else:
            ref._task = task = Suspended(ref, coro, reply, message, phase, since_s)
            ref._state = PARKED
        if awaited is None:  # asyncio.sleep(0)
            self.call_soon(task.resume)
            return
        awaited._asyncio_future_blocking = False
        if type(awaited) is Reply:
            awaited.on_settled(task.resume)
        else:
            awaited.add_done_callback(task.resume)

    # -- what is not over with one call ----------------------------------------------------

    def _go_on(self, ref: LocalRef) -> bool:
        """Start an actor or resume its handler; say whether its mailbox is open now."""
        task = ref._task
        assert task is not None
        if task is START:
            self._start(ref)
        elif task.is_ready:
            assert task.coro is not None
            phase = task.phase
            if phase == HANDLING:
                ref._task = None
            elif phase == SPENT:
                ref._task, phase = Aside(is_spent=True), HANDLING
            self._step(ref, task.coro, task.reply, task.message, phase, task.since_s)
        elif type(task) is Aside:  # `stash` or its like were called outside of a turn
            ref._task = None
        elif overlap.of(ref) is not None and task.phase in {HANDLING, SPENT}:
            self._overlap(ref, task)
        else:
            return False  # a visit without cause
        if ref._task is None or type(ref._task) is Aside:
            ref._task = None
            if ref._bonds is not None:
                stash.release(ref)
            if ref._exit is not None:
                self._end(ref)
        return ref._task is None

    def _put_aside(self, ref: LocalRef, message: Any) -> bool:
        """Do what the handler asked for with its message; say whether the mailbox is open."""
        stash.settle(ref, message, None)
        stash.release(ref)
        ref._task = None
        if ref._exit is not None:
            self._end(ref)
        return ref._task is None

    def _overlap(self, ref: LocalRef, main: Suspended) -> None:
        """Handle messages that interleave while the handler `main` waits."""
        lap, actor = overlap.of(ref), ref._actor
        assert lap is not None
        assert actor is not None
        ref._state = IDLE  # before the look: who tells from now on schedules a visit
        taken = lap.take(ref, self.visit_max)
        if len(taken) >= self.visit_max:
            ref._schedule()  # there may be more
        pending = iter(taken)
        was_ending = ref._exit is not None
        for item in pending:
            ref._task = None
            self._show(ref, item)
            try:
                if type(item) in SPECIAL:
                    self._special(ref, actor, item)
                else:
                    result = actor.on_receive(item)
                    if type(result) is CoroutineType:
                        self._step(ref, result, None, item, HANDLING)
            except BaseException as error:  # noqa: BLE001
                self._fail(actor, error, None, item)
            stash.settle(ref, item, None)
            if ref._exit is not None and not was_ending:
                lap.give_back(ref, list(pending))
        ref._task = main
        if isinstance(ref._exit, Crash):
            self._close(ref, main)
            ref._task = None
        elif main is LINGERING and not lap.tasks:
            ref._task = None

    def _show(self, ref: LocalRef, item: Any) -> None:
        tracing = ref._system._tracing
        error = None if tracing is None else tracing.look(ref, item)
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            self._escaped = error  # leaves when the turn is over

    def resume_overlapping(self, ref: LocalRef, task: Suspended) -> None:
        """Go on with an interleaved handler that waited; in its actor's turn."""
        assert task.coro is not None
        if task.phase == SPENT:
            ref._task = Aside(is_spent=True)
        self._step(ref, task.coro, task.reply, task.message, HANDLING, task.since_s)
