"""Knows everything that lives in one actor system. Must not know what the actors are for."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
from typing import TYPE_CHECKING, Any

from actorchat import logs
from actorchat.actor import lifecycle
from actorchat.actor.cycle import TracedReply, traced
from actorchat.actor.deadletter import DeadLetters
from actorchat.actor.dynamic import DynamicSupervisor
from actorchat.actor.groups import Groups
from actorchat.actor.info import Info, Tree, age_s
from actorchat.actor.kit import queued
from actorchat.actor.names import Names, Numbers
from actorchat.actor.pinned import PinnedDispatcher
from actorchat.actor.reason import SHUTDOWN, Crash, is_abnormal
from actorchat.actor.ref import LocalRef
from actorchat.actor.stream import Crashed, EventStream
from actorchat.actor.trace import Tracing
from actorchat.actor.weight import weight_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actorchat.actor.behaviour import Actor
    from actorchat.actor.dispatcher import Dispatcher
    from actorchat.actor.future import Reply
    from actorchat.actor.trace import Trace
    from actorchat.clock import Clock

RANKINGS: dict[str, Callable[[LocalRef], int]] = {
    "queue": queued,
    "reductions": lambda ref: ref._handled,
    "memory": weight_bytes,
}
NUMBER_DIGITS_MAX = 18  # of an actor's number, as text; longer ones are none of ours


class Root(DynamicSupervisor):
    """The supervisor of all that has no other; tells the system when one of its own gives up."""

    def child_ended(self, child: LocalRef, reason: object) -> None:
        """Forget the child; the end of a supervisor without a superior is the system's affair."""
        super().child_ended(child, reason)
        if child.actor_class.is_supervisor and is_abnormal(reason):
            self.system.terminated(child, reason)


class ActorSystem:
    """Owns actors, names, timers, randomness and accounts. Many can live in one process.

    Accounts: `told == handled + dead + queued` at any time, as seen from the dispatcher's
    thread. Everything that was put into a mailbox counts, signals of the runtime too; what an
    actor put aside is queued.

    With `debug` a call that is awaited and waits for itself, over however many actors, fails at
    once with `CallCycle`.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        debug: bool = False,
    ) -> None:
        self.dispatcher = dispatcher
        self.is_divided = False  # some actors have, or had, a dispatcher of their own
        self.debug = debug  # calls are looked at for cycles, of actors spawned from then on
        self.waits: dict[lifecycle.Suspended, TracedReply] = {}  # and this is who awaits which
        self.clock: Clock = dispatcher.clock if clock is None else clock
        self.rng = random.Random() if rng is None else rng
        # For what several threads may touch and no flag protocol covers: bonds, names, sums.
        # Reentrant, because a collection of garbage inside may run finalizers that need it.
        self.lock = threading.RLock()
        self.names = Names(self.lock)
        self.numbers = Numbers(self.lock)
        self.groups = Groups(self.lock)
        self.events = EventStream(self.lock)
        self.dead_letters = DeadLetters(self.clock, self.events)
        self.monitor_refs = itertools.count(1)
        self.told = 0
        self.handled_by_ended = 0
        self.crashes = 0
        self.restarts = 0
        self._log = logs.logger(__name__)
        self._on_crash: list[Callable[[LocalRef, Crash, str], object]] = []
        self._on_terminated: list[Callable[[LocalRef, object], object]] = []
        self._pinned: list[PinnedDispatcher] = []
        self._tracing: Tracing | None = None
        self._root = LocalRef(Root, self, dispatcher, None, lifecycle.START)
        _launch(self._root, Root, (), {"is_orderly": True})
        self._root._schedule()

    # -- starting and stopping -------------------------------------------------------------

    def spawn(
        self,
        cls: type[Actor],
        *args: Any,
        name: str | None = None,
        dispatcher: Dispatcher | None = None,
        supervisor: LocalRef | None = None,
        **kwargs: Any,
    ) -> LocalRef:
        """Start an actor `cls(*args, **kwargs)`; any thread.

        `__init__` runs here and may raise here; `on_start` runs in the actor's own turn, before
        whatever it is told. `supervisor` is the ref of a DynamicSupervisor.

        Raises:
            NameTaken: Another live actor is called `name`.
            ActorDead: The supervisor, or the whole system, is ending.
            Overloaded: The supervisor has as many children as it may.
        """
        parent = self._root if supervisor is None else supervisor
        owner = parent._actor
        if owner is None:
            raise parent.dead()
        if dispatcher is not None:
            self.is_divided = self.is_divided or dispatcher is not self.dispatcher
            self._watch(dispatcher)
        ref_class = traced(cls.ref_class) if self.debug else cls.ref_class
        ref = ref_class(cls, self, dispatcher or self.dispatcher, parent, lifecycle.START)
        owner.adopt(ref, (cls, args, kwargs, name, dispatcher))
        try:
            if name is not None:
                self.names.register(name, ref)
            _launch(ref, cls, args, kwargs)
        except BaseException:
            owner.disown(ref)
            lifecycle.abandon(ref)
            raise
        ref._schedule()
        if parent._exit is not None:  # it began to end meanwhile, in another thread
            ref.stop(SHUTDOWN)
        return ref

    def pinned(self, name: str) -> PinnedDispatcher:
        """Make a dispatcher with a thread of its own, which ends with this system."""
        dispatcher = PinnedDispatcher(name)
        self._pinned.append(dispatcher)
        self._watch(dispatcher)
        return dispatcher

    def shutdown(self) -> Reply[object]:
        """Begin to stop all actors, the youngest first; settled when the last has ended."""
        ended = self._root.ended()
        self._root.stop(SHUTDOWN)
        return ended

    async def stop(self) -> None:
        """Stop all actors, then the threads of `pinned`."""
        await self.shutdown()
        for dispatcher in self._pinned:
            dispatcher.close()

    # -- hooks -----------------------------------------------------------------------------

    def on_crash(self, callback: Callable[[LocalRef, Crash, str], object]) -> None:
        """Call `callback(ref, crash, traceback_text)` at every crash, in the actor's thread.

        Without any callback crashes are logged; with one that is its job.
        """
        self._on_crash.append(callback)

    def on_terminated(self, callback: Callable[[LocalRef, object], object]) -> None:
        """Call `callback(ref, reason)` when a supervisor without a superior gives up or crashes."""
        self._on_terminated.append(callback)

    # -- introspection ---------------------------------------------------------------------

    def refs(self) -> Iterator[LocalRef]:
        """Yield all live actors, a supervisor before its children."""
        ahead = [self._root]
        while ahead:
            ref = ahead.pop()
            actor = ref._actor
            if actor is not None:
                yield ref
                ahead.extend(reversed(actor.orphans()))

    def counts(self) -> dict[str, int]:
        """Return the accounts: actors, told, handled, dead, queued, refused, crashes, restarts."""
        actors = handled = waiting = 0
        for ref in self.refs():
            actors += 1
            handled += ref._handled
            waiting += queued(ref)
        return {
            "actors": actors,
            "told": self.told,
            "handled": handled + self.handled_by_ended,
            "dead": self.dead_letters.total,
            "queued": waiting,
            "refused": self.dead_letters.refused,
            "crashes": self.crashes,
            "restarts": self.restarts,
        }

    def info(self, ref: LocalRef) -> Info:
        """Return what can be told of one actor."""
        return Info.of(ref)

    def find(self, who: str) -> LocalRef | None:
        """Return the actor with this name, or this number (`Info.id`) if `who` is digits."""
        if who.isascii() and who.isdigit():
            return self.numbers.whose(int(who)) if len(who) <= NUMBER_DIGITS_MAX else None
        return self.names.whereis(who)

    def top(self, count: int = 10, by: str = "queue") -> list[Info]:
        """Return the `count` foremost actors by a ranking, the first first.

        Args:
            by: `queue`: messages that wait. `reductions`: messages handled, which stand for the
                work that an actor caused as reductions do in Erlang; timers and Downs count, how
                long a message took does not. `memory`: an estimate in bytes, see `weight_bytes`;
                it takes some µs an actor, all in one go.
        Raises:
            ValueError: There is no such ranking.
        """
        ranking = RANKINGS.get(by)
        if ranking is None:
            msg = f"expected one of {', '.join(RANKINGS)}, not {by!r}"
            raise ValueError(msg)
        return [Info.of(ref) for ref in heapq.nlargest(count, self.refs(), key=ranking)]

    def suspended(self, count: int = 10) -> list[Info]:
        """Return the actors whose handlers have waited longest, the first first."""
        aged = [(age, ref) for ref in self.refs() if (age := age_s(ref)) is not None]
        return [Info.of(ref) for _, ref in heapq.nlargest(count, aged, key=lambda it: it[0])]

    def tree(self, width: int | None = None, size: int | None = None) -> Tree:
        """Return the supervision tree, or what fits into the bounds; `str()` draws it.

        At most `width` children of one supervisor are in it and `size` actors in all, the upper
        ones first; `Tree.more` says how many were left out.
        """
        return Tree.of(self._root, width, size)

    def trace(self, fn: Trace | None) -> None:
        """Have `fn(ref, message, reply)` called before each message is handled; None ends that.

        `reply` is None where nobody waits for an answer. A timer's message and a Down come as
        the handler gets them, what else the runtime tells an actor as it is. One trace at a
        time: a new one takes the place of the old.

        `fn` runs in the actor's thread, those of `pinned` too. It must be quick, must not settle
        the reply, and sees what it tells itself. One that raises is taken off and logged; the
        actors do not notice. It begins with each dispatcher's next turn; any thread may call it.

        Raises:
            TypeError: `fn` is no plain function.
        """
        tracing = None if fn is None else Tracing(self, fn)
        with self.lock:
            if self._tracing is not None:
                self._tracing.end()
            self._tracing = tracing
            if tracing is not None:
                own = {self.dispatcher, *self._pinned}
                for dispatcher in own.union(ref._dispatcher for ref in self.refs()):
                    tracing.watch(dispatcher)

    # -- for the runtime -------------------------------------------------------------------

    def _watch(self, dispatcher: Dispatcher) -> None:
        if self._tracing is not None:
            with self.lock:
                if self._tracing is not None:
                    self._tracing.watch(dispatcher)

    def trace_failed(self, tracing: Tracing, error: BaseException) -> None:
        """Take off a trace that raised, unless another has its place by now."""
        self._log.error("trace failed and was taken off", error=error)
        with self.lock:
            if self._tracing is tracing:
                self.trace(None)

    def crashed(self, ref: LocalRef, crash: Crash) -> None:
        """Count a crash and tell whoever listens."""
        self.crashes += 1
        if not self._on_crash:
            self._log.error("actor crashed", actor=ref.label, traceback=crash.traceback)
        for callback in self._on_crash:
            try:
                callback(ref, crash, crash.traceback)
            except Exception as error:  # noqa: BLE001  # a listener must not harm the actor
                self._log.error("crash listener failed", error=error)
        if self.events.has_subscribers:
            self.events.publish(Crashed(ref, crash))

    def terminated(self, ref: LocalRef, reason: object) -> None:
        """Tell whoever listens that nobody is left to restart a supervisor."""
        self._log.critical("supervisor terminated", actor=ref.label, reason=str(reason))
        for callback in self._on_terminated:
            callback(ref, reason)


def _launch(ref: LocalRef, cls: type[Actor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    # The ref is set before __init__ runs, so that it can be used there.
    actor = object.__new__(cls)
    actor._actor_ref = ref
    ref._actor = actor
    actor.__init__(*args, **kwargs)  # type: ignore[misc]
