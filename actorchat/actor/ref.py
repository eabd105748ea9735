"""Knows how an actor of this process is reached. Must not know what its messages mean."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Any, Protocol

from pykka import ActorRef

from actorchat.actor.future import Reply
from actorchat.actor.mailbox import Call, Signal, Stop
from actorchat.actor.reason import NOPROC, NORMAL
from actorchat.actor.timer import Deadline
from actorchat.errors import ActorDead, MailboxFull
from actorchat.limits import CALL_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Hashable

    from actorchat.actor.behaviour import Actor
    from actorchat.actor.dispatcher import Dispatcher
    from actorchat.actor.groups import Tie
    from actorchat.actor.kit import Kit
    from actorchat.actor.lifecycle import Suspended
    from actorchat.actor.system import ActorSystem
    from actorchat.actor.timer import TimerMessage

# The scheduling flag of a ref. Invariants, which hold under the GIL without any lock:
#
#   * A sender appends the message first and reads the flag second; the dispatcher writes IDLE
#     first and looks into the queue again second. So a message is never left in a queue of an
#     actor that nobody will visit.
#   * Only the dispatcher's thread writes IDLE and PARKED, and it alone takes from the queue.
#   * Two senders may both read IDLE and both put the ref into the run queue; a sender that was
#     interrupted between reading IDLE and writing QUEUED may overwrite PARKED. Therefore a
#     visit without cause must be harmless: it finds an empty queue, or a suspended handler
#     that is not ready (`Suspended.ready`), and goes away.
#   * `counter += 1` on a slot is one step here: CPython gives up the GIL only at calls and
#     backward jumps. tests/property/test_actor_threads.py would notice if that changed.
IDLE, QUEUED, PARKED = 0, 1, 2


class Ref(Protocol):
    """What can be told and asked, wherever it is."""

    def tell(self, message: Any) -> None:
        """Put `message` into the actor's mailbox."""

    def call(self, message: Any, timeout_s: float = CALL_TIMEOUT_S) -> Reply[Any]:
        """Send `message`; await the result for the handler's answer."""
        ...

    def is_alive(self) -> bool:
        """Say whether the actor is running, as far as is known here."""
        ...


class Bonds:
    """What ties an actor to others. Most actors have none, so it is made when first needed."""

    __slots__ = (
        "ended",
        "event",
        "groups",
        "kit",
        "monitors",
        "name",
        "started",
        "timers",
        "urn",
        "watchers",
    )

    def __init__(self) -> None:
        self.ended: Reply[object] | None = None
        self.event: threading.Event | None = None
        self.groups: dict[Tie, None] | None = None  # those it is in, and those it watches
        self.kit: Kit | None = None
        self.monitors: dict[int, LocalRef] = {}  # those it watches
        self.name: str | None = None
        self.started: Reply[None] | None = None
        self.timers: dict[Hashable, TimerMessage] = {}
        self.urn: str | None = None
        self.watchers: dict[int, LocalRef] | None = {}  # None: its Downs have been sent


class LocalRef(ActorRef[Any]):
    """The address of an actor; it *is* its mailbox and its "stopped" flag.

    One object instead of pykka's four (ref, queue, event, URN string): it makes an actor small
    and a tell cheap. All methods may be called from any thread. What begins with an underscore
    belongs to the runtime.
    """

    __slots__ = (
        "_actor",  # None once it is dead
        "_bonds",
        "_dispatcher",
        "_exit",  # the reason, from the moment that the end is decided
        "_handled",
        "_limit",  # 0 once it is dead, so that one comparison guards a tell
        "_queue",  # a list: an empty one has 56 bytes, an empty deque 760
        "_state",
        "_supervisor",
        "_system",
        "_task",  # the suspended handler; while there is one the mailbox is shut
        "actor_class",
    )

    is_foreign = False  # see monitor.Foreign

    def __init__(
        self,
        actor_class: type[Actor],
        system: ActorSystem,
        dispatcher: Dispatcher,
        supervisor: LocalRef | None,
        task: Suspended,
    ) -> None:
        self._actor: Actor | None = None
        self._bonds: Bonds | None = None
        self._dispatcher = dispatcher
        self._exit: object = None
        self._handled = 0
        self._limit = actor_class.mailbox_bound
        self._queue: list[Any] = []
        self._state = PARKED
        self._supervisor = supervisor
        self._system = system
        self._task: Suspended | None = task
        self.actor_class = actor_class

    def __repr__(self) -> str:
        return f"<{self.label}>"

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """The class and, where it has one, the registered name."""
        name = None if self._bonds is None else self._bonds.name
        return f"{self.actor_class.__name__}{'' if name is None else f' {name!r}'}"

    @property
    def name(self) -> str | None:
        """The name it was spawned or last registered with."""
        return None if self._bonds is None else self._bonds.name

    # -- sending ---------------------------------------------------------------------------

    def tell(self, message: Any) -> None:
        """Put `message` into the mailbox; a dead actor's is a dead letter.

        Raises:
            MailboxFull: The mailbox is bounded, full, and refuses (`overflow="fail"`).
        """
        queue = self._queue
        if len(queue) >= self._limit:
            self._overflow(message)
            return
        self._system.told += 1
        queue.append(message)
        if self._state == IDLE:  # _schedule(), inlined: the hottest lines of all
            self._state = QUEUED
            dispatcher = self._dispatcher
            dispatcher.run_queue.append(self)
            if not dispatcher.awake:
                dispatcher.wake()

    def call(self, message: Any, timeout_s: float = CALL_TIMEOUT_S) -> Reply[Any]:
        """Send `message` now; await the result for what the handler returns.

        The wait ends early with ActorDead when the actor dies; a late answer is dropped.

        Raises (when awaited):
            CallTimeout: No answer within `timeout_s`; its effect is unknown.
            ActorDead: It is dead, or died before answering; `.reason` says how.
            MailboxFull: The mailbox refused the message.
        """
        reply: Reply[Any] = Reply()
        self._ask(message, reply)
        if not reply._done:
            timers = self._system.dispatcher.timers
            timer = Deadline(reply, self, timeout_s)
            reply._timer = (timers, timer)  # expire_with(), inlined
            timers.add(timer, timeout_s)
        return reply

    def call_blocking(self, message: Any, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        """Like `call`, for a thread without an event loop: block until the answer is there.

        Raises RuntimeError in a thread that runs actors the answer could depend on.
        """
        if threading.get_ident() == self._dispatcher.thread_id:
            msg = f"{self.label} runs in this very thread, so a blocking call can't be answered"
            raise RuntimeError(msg)
        reply: Reply[Any] = Reply()
        self._ask(message, reply)
        if not reply.wait(timeout_s):
            reply.expire(self.label, timeout_s)
        return reply.result()

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any:
        """Pykka's call: block for the answer, or return its future."""
        reply: Reply[Any] = Reply()
        self._ask(message, reply)
        return reply.get(timeout=timeout) if block else reply

    def _ask(self, message: Any, reply: Reply[Any]) -> None:
        call, queue = Call(message, reply), self._queue
        if len(queue) < self._limit:
            self._system.told += 1
            queue.append(call)
            if self._state == IDLE:  # as in tell()
                self._state = QUEUED
                dispatcher = self._dispatcher
                dispatcher.run_queue.append(self)
                if not dispatcher.awake:
                    dispatcher.wake()
            return
        try:
            self._overflow(call)
        except MailboxFull as full:
            reply.settle(None, full)

    # -- life ------------------------------------------------------------------------------

    def is_alive(self) -> bool:
        """Say whether it runs; from another thread the answer may be out of date at once."""
        return self._exit is None

    def stop(self, reason: object = NORMAL) -> None:  # type: ignore[override]
        """End it for `reason` when all that was told before has been handled."""
        self._signal(Stop(reason))

    def kill(self) -> None:
        """End it between two messages, without `on_stop`; a suspended handler is closed."""
        self._dispatcher.post(self._dispatcher.kill, self)

    def started(self) -> Reply[None]:
        """Return a reply that is settled when `on_start` has returned; ActorDead if it failed."""
        reply: Reply[None] = Reply()
        with self._system.lock:
            if self._limit and self._exit is None and self._is_starting():
                bonds = self._bond()
                if bonds.started is None:
                    bonds.started = reply
                return bonds.started
        if self._exit is None:
            reply.settle(None)
        else:
            reply.settle(None, self.dead())
        return reply

    def ended(self) -> Reply[object]:
        """Return a reply that is settled with the reason when the actor is dead."""
        with self._system.lock:
            if self._limit:
                bonds = self._bond()
                if bonds.ended is None:
                    bonds.ended = Reply()
                return bonds.ended
        reply: Reply[object] = Reply()
        reply.settle(self._exit)
        return reply

    def dead(self) -> ActorDead:
        """Make the error that says how this actor ended."""
        reason = NOPROC if self._exit is None else self._exit
        return ActorDead(f"{self.label} is dead: {reason}", reason)

    # -- for the runtime -------------------------------------------------------------------

    def leave(self, reason: object) -> None:
        """Decide the end; in the actor's own turn. The first reason stands."""
        if self._exit is None:
            self._exit = reason

    def _schedule(self) -> None:
        self._state = QUEUED
        dispatcher = self._dispatcher
        dispatcher.run_queue.append(self)
        if not dispatcher.awake:
            dispatcher.wake()

    def _enqueue(self, item: Any) -> None:
        self._system.told += 1
        self._queue.append(item)
        if self._state == IDLE:
            self._schedule()

    def _signal(self, signal: Signal) -> None:
        if self._limit:
            self._enqueue(signal)

    def _overflow(self, item: Any) -> None:
        letters = self._system.dead_letters
        if not self._limit:
            self._system.told += 1
            letters.bury(self, item, NOPROC)
            return
        overflow = self.actor_class.mailbox.overflow
        if overflow == "fail":
            letters.refused += 1
            msg = f"{self.label} has {self._limit} messages waiting"
            raise MailboxFull(msg)
        if overflow == "drop_new":
            self._system.told += 1
            letters.bury(self, item, "overflow")
            return
        # Only the dispatcher's thread may take from the queue, so another thread's message may
        # pass the limit until that thread comes round to dropping the oldest.
        self._enqueue(item)
        if threading.get_ident() == self._dispatcher.thread_id:
            self._drop_oldest()
        else:
            self._dispatcher.post(self._drop_oldest)

    def _drop_oldest(self) -> None:
        queue = self._queue
        index = 0
        while self._limit and index < len(queue) > self._limit:
            if isinstance(queue[index], Signal):
                index += 1
            else:
                self._system.dead_letters.bury(self, queue.pop(index), "overflow")
        kit = None if self._bonds is None else self._bonds.kit
        if kit is not None and kit.overlap is not None:
            kit.overlap.scanned = 0

    def _is_starting(self) -> bool:
        return self._task is not None and self._task.is_start

    def _bond(self) -> Bonds:
        """Return the bonds, made if need be; the caller holds the system's lock."""
        if self._bonds is None:
            self._bonds = Bonds()
        return self._bonds

    # -- pykka's view: the ref is the inbox and the "stopped" event too ---------------------

    @property
    def actor_inbox(self) -> Any:  # type: ignore[override]
        """The mailbox."""
        return self

    @property
    def actor_stopped(self) -> Any:  # type: ignore[override]
        """An event that is set when the actor ends."""
        return self

    @property
    def actor_urn(self) -> str:  # type: ignore[override]
        """A unique name, made when first asked for."""
        with self._system.lock:
            bonds = self._bond()
            if bonds.urn is None:
                bonds.urn = uuid.uuid4().urn
            return bonds.urn

    @property
    def _actor_weakref(self) -> Any:  # type: ignore[override]
        return lambda: self._actor

    def put(self, envelope: Any) -> None:
        """Take one of pykka's envelopes."""
        if envelope.reply_to is None:
            self.tell(envelope.message)
        else:
            self._ask(envelope.message, envelope.reply_to)

    def get(self) -> Any:
        """Refuse: only the dispatcher takes messages."""
        raise NotImplementedError

    def empty(self) -> bool:
        """Say whether no message waits."""
        return not self._queue

    def is_set(self) -> bool:
        """Say whether the actor has ended."""
        return self._exit is not None

    def wait(self, timeout: float | None = None) -> bool:
        """Block this thread until the actor has ended; False when `timeout` passed first."""
        return self.ended().wait(timeout)
