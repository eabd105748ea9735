"""Knows what an actor is to the one who writes it. Must not know who runs or supervises it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import pykka

from actorchat import limits
from actorchat.actor import kit, lifecycle, monitor, stash, task
from actorchat.actor.future import Reply
from actorchat.actor.mailbox import NOTHING, Mailbox
from actorchat.actor.reason import NORMAL
from actorchat.actor.ref import LocalRef
from actorchat.actor.timer import TimerMessage, Wake

if TYPE_CHECKING:
    import asyncio
    import random
    from collections.abc import Callable, Coroutine, Hashable, Iterator, Sequence

    from actorchat.actor.defer import ReplyTo
    from actorchat.actor.system import ActorSystem

    class Base:
        """What is used of pykka.Actor; its full types forbid coroutines and reasons in hooks."""

        _actor_ref: Any
        actor_ref: Any
        on_failure: Any
        on_receive: Any
        _handle_failure: Any
        _handle_receive: Any

else:
    Base = pykka.Actor

T = TypeVar("T")


class Actor(Base):
    """State that only its own handlers touch, one message at a time.

    Subclasses write `on_receive` and, if need be, `on_start`, `on_stop` and `discarded`; the
    first three may be coroutines. While a coroutine waits the mailbox is shut: no other message
    is handled in between. Started by `ActorSystem.spawn`, never by calling the class.

    Any exception that a handler lets out, in a tell and in a call alike, ends the actor (its
    state may be half changed); a supervisor decides what comes next. `self.ref` and
    `self.system` are there from `__init__` on, which need not call `super().__init__`.
    """

    __slots__ = ("_actor_ref",)

    mailbox: ClassVar[Mailbox] = Mailbox()
    mailbox_bound: ClassVar[int] = Mailbox().bound
    stash_max: ClassVar[int] = limits.STASH_MAX
    interleaves: ClassVar[frozenset[type]] = frozenset()  # see `interleave`
    ref_class: ClassVar[type[LocalRef]] = LocalRef
    is_supervisor: ClassVar[bool] = False
    is_ephemeral: ClassVar[bool] = False  # its dead letters are no mistake: counted, not logged
    compat: ClassVar[bool] = False  # pykka's own rules for failures, see compat.py
    takes: ClassVar[bool] = False  # it has a `take` of its own

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.mailbox_bound = cls.mailbox.bound
        cls.takes = cls.take is not Actor.take

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        # Pykka's own makes a UUID, a queue, an Event and a ref: 30 µs and 2 kB that the ref,
        # which `spawn` has set already, makes needless.
        pass

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self._actor_ref!r}>"

    # -- what subclasses write -------------------------------------------------------------

    def on_start(self) -> Coroutine[Any, Any, None] | None:
        """Prepare, in the actor's own turn, before the first message."""
        return None

    def on_receive(self, message: Any) -> Any:
        """Handle one message; what is returned answers a call."""
        return super().on_receive(message)

    def take(self, messages: Iterator[Any]) -> Any:
        """Handle the next of `messages` for as long as they are usual; return the first that isn't.

        Where many messages of few kinds wait, it spares each of them two calls. NOTHING is returned
        when there are no more, and at once after a handler that has stopped the actor. What `take`
        does with a message must be what `on_receive` would do; none of it may be a coroutine, or
        answer a call.
        """
        return next(messages, NOTHING)

    def on_stop(self, reason: object) -> Coroutine[Any, Any, None] | None:
        """Clean up, after the last message; not when killed or when `on_start` failed."""
        return None

    def discarded(self, message: Any) -> None:
        """Take leave of a message that was left in the mailbox, so that its sender can be told.

        Called before `on_stop`; after it for what arrives while that awaits.
        """

    # -- what subclasses use; in their own turn only ---------------------------------------

    @property
    def ref(self) -> LocalRef:
        """This actor's address."""
        return self._actor_ref  # type: ignore[no-any-return]

    @property
    def system(self) -> ActorSystem:
        """The system it runs in."""
        return self.ref._system

    @property
    def rng(self) -> random.Random:
        """The system's randomness: seeded in a simulation."""
        return self.ref._system.rng

    def now_s(self) -> float:
        """Return monotonic time in seconds: virtual in a simulation."""
        return self.ref._dispatcher.now_s()

    def stop(self, reason: object = NORMAL) -> None:
        """End when this handler returns; what still waits in the mailbox is discarded.

        To handle what waits first, use `self.ref.stop()`.
        """
        self.ref.leave(reason)

    def send_after(self, delay_s: float, message: Any, key: Hashable | None = None) -> Hashable:
        """Have `message` handled in `delay_s` seconds, if the actor lives.

        A timer with the same `key` is replaced. Returns the key, or a handle if none was given,
        for `cancel`.
        """
        ref = self.ref
        timer = TimerMessage(ref, message, key)
        if key is None:
            key = timer
        bonds = ref._bonds
        if bonds is None:
            with ref._system.lock:
                bonds = ref._bond()
        timers = ref._dispatcher.timers
        old = bonds.timers.get(key)
        if old is not None:
            timers.discard(old)
        bonds.timers[key] = timer
        timers.add(timer, delay_s)
        return key

    def cancel(self, key: Hashable) -> bool:
        """Cancel a timer; its message will not be handled, even if it waits already."""
        bonds = self.ref._bonds
        timer = None if bonds is None else bonds.timers.pop(key, None)
        if timer is None:
            return False
        self.ref._dispatcher.timers.discard(timer)
        return True

    def sleep(self, delay_s: float) -> Reply[None]:
        """Await this to pause the handler, mailbox shut; virtual in a simulation."""
        reply: Reply[None] = Reply()
        timer = Wake(reply)
        timers = self.ref._dispatcher.timers
        reply.expire_with(timers, timer)
        timers.add(timer, delay_s)
        return reply

    def monitor(self, ref: LocalRef | monitor.Foreign) -> int:
        """Receive a `Down` when `ref` ends, at once if it is dead; returns its `mref`."""
        return monitor.monitor(self.system, self.ref, ref)

    def demonitor(self, mref: int) -> bool:
        """Take a monitor back; its Down will not be handled, even if it waits already."""
        return monitor.demonitor(self.system, self.ref, mref)

    # -- other messages first, other handlers, later answers, tasks -----------------------

    def stash(self) -> None:
        """Put the message that is being handled aside; a call keeps its reply.

        It is neither handled nor lost: it counts as queued, and is discarded before the mailbox
        if the actor ends. A timer's message or a Down is an ordinary message from then on.

        Raises:
            StashFull: `stash_max` messages lie there.
            NoMessage: No message is being handled, or it was put aside, or its answer put off,
                already.
        """
        stash.put(self.ref, self.stash_max)

    def unstash_all(self) -> None:
        """Put all that was put aside back at the front of the mailbox, in the old order.

        They come next when this handler has returned. The mailbox may hold more than its limit
        then, and takes no new message until it does not.
        """
        stash.unstash_all(self.ref)

    def become(self, handler: Callable[[Any], Any], discard_old: bool = True) -> None:
        """Have the next messages handled by `handler(message)` instead of `on_receive`.

        It may be a coroutine function. It takes the place of the one before it; with
        `discard_old=False` that one comes back at `unbecome`, so each needs one.

        Raises:
            TypeError: `handler` can't be called.
        """
        if not callable(handler):
            msg = f"expected a handler, not {handler!r}"  # type: ignore[unreachable]
            raise TypeError(msg)
        handlers = kit.need(self.ref).handlers
        if discard_old and handlers:
            handlers.pop()
        handlers.append(handler)
        # Every actor has a dict, whatever slots its class has, for pykka.Actor has no slots.
        vars(self)["on_receive"] = handler

    def unbecome(self) -> None:
        """Go back to the handler before the last `become`; in the end that is `on_receive`."""
        handlers = kit.need(self.ref).handlers
        if handlers:
            handlers.pop()
            if handlers:
                vars(self)["on_receive"] = handlers[-1]
            else:
                del vars(self)["on_receive"]

    def defer(self) -> ReplyTo:
        """Put off the answer to the call that is being handled; return the right to give it.

        What the handler returns is not used then. Any actor may answer, once. If this one ends
        before, the caller gets ActorDead. For a message that was told nobody waits.

        Raises:
            NoMessage: No message is being handled, or it was put aside, or its answer put off,
                already.
        """
        return stash.defer(self.ref)

    def spawn_task(self, coro: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `coro` as a task of the event loop, cancelled when the actor ends; or await it.

        For what needs a real task: timeouts, task groups, libraries of asyncio. It runs beside
        the actor: give it values, and let it return or tell. An error that nobody has awaited
        when the actor next comes to its mailbox ends the actor.

        Raises:
            NoEventLoop: The dispatcher has none (pinned, seeded), or this is not its thread.
            TypeError: `coro` is no coroutine.
        """
        return task.spawn_task(self.ref, coro)

    # -- for the runtime -------------------------------------------------------------------

    def failed(self, error: BaseException, reply: Reply[Any] | None, message: Any) -> None:
        """Let the error end the actor."""
        del message
        lifecycle.crash(self.ref, error, reply)

    def terminate(self, reason: object) -> Any:
        """Run `on_stop`."""
        return self.on_stop(reason)

    def unhandled(self, message: Any, item: Any) -> None:
        """Let the hook see a message (`item` is it, or the Call around it)."""
        del item
        self.discarded(message)

    def adopt(self, child: LocalRef, recipe: Any) -> None:
        """Take in a new child: supervisors do."""
        del child, recipe
        msg = f"{self.ref.label} is no supervisor"
        raise TypeError(msg)

    def disown(self, child: LocalRef) -> None:
        """Forget a child that did not come to life."""

    def child_ended(self, child: LocalRef, reason: object) -> None:
        """Take note of a child's end; in the child's thread. Supervisors do."""

    def orphans(self) -> Sequence[LocalRef]:
        """Return the children that must not outlive this actor."""
        return ()

    def restarts_of(self, child: LocalRef) -> int | None:
        """Return how often `child` was restarted; None where nobody restarts it. Any thread."""
        del child
        return None

    # -- pykka's hooks for new kinds of actors ---------------------------------------------

    @property
    def actor_inbox(self) -> Any:
        """The ref is the mailbox."""
        return self._actor_ref

    @property
    def actor_stopped(self) -> Any:
        """The ref is the flag too."""
        return self._actor_ref

    @property
    def actor_urn(self) -> str:
        """A unique name, made when first asked for."""
        return self.ref.actor_urn

    @staticmethod
    def _create_actor_inbox() -> Any:
        raise NotImplementedError("the ref is the mailbox")

    @staticmethod
    def _create_future() -> Reply[Any]:
        return Reply()

    def _start_actor_loop(self) -> None:
        raise NotImplementedError("use ActorSystem.spawn")
