"""Knows everything that lives in one actor system. Must not know what the actors are for."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
from typing import TYPE_CHECKING, Any

from actorchat import logs
from actorchat.actor import lifecycle
from actorchat.actor.deadletter import DeadLetters
from actorchat.actor.dynamic import DynamicSupervisor
from actorchat.actor.info import Info, Tree
from actorchat.actor.names import Names
from actorchat.actor.pinned import PinnedDispatcher
from actorchat.actor.reason import SHUTDOWN, Crash, is_abnormal
from actorchat.actor.ref import LocalRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actorchat.actor.behaviour import Actor
    from actorchat.actor.dispatcher import Dispatcher
    from actorchat.actor.future import Reply
    from actorchat.clock import Clock


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
    thread. Everything that was put into a mailbox counts, signals of the runtime too.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.dispatcher = dispatcher
        self.clock: Clock = dispatcher.clock if clock is None else clock
        self.rng = random.Random() if rng is None else rng
        # For what several threads may touch and no flag protocol covers: bonds, names, sums.
        # Reentrant, because a collection of garbage inside may run finalizers that need it.
        self.lock = threading.RLock()
        self.names = Names(self.lock)
        self.dead_letters = DeadLetters(self.clock)
        self.monitor_refs = itertools.count(1)
        self.told = 0
        self.handled_by_ended = 0
        self.crashes = 0
        self.restarts = 0
        self._log = logs.logger(__name__)
        self._on_crash: list[Callable[[LocalRef, Crash, str], object]] = []
        self._on_terminated: list[Callable[[LocalRef, object], object]] = []
        self._pinned: list[PinnedDispatcher] = []
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
        ref = cls.ref_class(cls, self, dispatcher or self.dispatcher, parent, lifecycle.START)
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
        actors = handled = queued = 0
        for ref in self.refs():
            actors += 1
            handled += ref._handled
            queued += len(ref._queue)
        return {
            "actors": actors,
            "told": self.told,
            "handled": handled + self.handled_by_ended,
            "dead": self.dead_letters.total,
            "queued": queued,
            "refused": self.dead_letters.refused,
            "crashes": self.crashes,
            "restarts": self.restarts,
        }

    def info(self, ref: LocalRef) -> Info:
        """Return what can be told of one actor."""
        return Info.of(ref)

    def top(self, count: int = 10) -> list[Info]:
        """Return the actors with the longest queues."""
        return [Info.of(r) for r in heapq.nlargest(count, self.refs(), key=lambda r: len(r._queue))]

    def tree(self) -> Tree:
        """Return the supervision tree; `str()` draws it."""
        return Tree.of(self._root)

    # -- for the runtime -------------------------------------------------------------------

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
