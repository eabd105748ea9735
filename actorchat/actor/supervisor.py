"""Knows which children run and what happens when one ends. Must not know what children do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from actorchat.actor.behaviour import Actor
from actorchat.actor.child import Intensity, Restart, needs_restart, stop_child
from actorchat.actor.monitor import ChildExit
from actorchat.actor.reason import SHUTDOWN, Escalated
from actorchat.actor.stream import Restarted
from actorchat.errors import ActorDead

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actorchat.actor.dispatcher import Dispatcher
    from actorchat.actor.ref import LocalRef

Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]


@dataclass(frozen=True, slots=True)
class Child:
    """How a supervisor starts, restarts and stops one child.

    `restart`: `permanent` always, `transient` after an abnormal end, `temporary` never.
    `shutdown_s`: how long it may take to stop before it is killed; 0 kills at once. A child
    that is a supervisor has all the time that its own children need.
    A restarted child has a new ref, so others reach it by its `name`.
    """

    id: str
    cls: type[Actor]
    args: tuple[Any, ...] = ()
    restart: Restart = "permanent"
    shutdown_s: float | None = 5.0
    name: str | None = None
    dispatcher: Dispatcher | None = None

    @property
    def limit_s(self) -> float | None:
        """How long its stop may take."""
        return None if self.cls.is_supervisor else self.shutdown_s


class Supervisor(Actor):
    """Starts children in order, each when the one before has started; stops them in reverse.

    When a child ends that is to be restarted, `one_for_one` restarts it alone, `rest_for_one`
    it and those after it, `one_for_all` all. More than `intensity` restarts within `period_s`
    end the supervisor with `Escalated`, and so does a child that fails to start at first; its
    own supervisor then decides, at the top `ActorSystem.on_terminated` tells. Defaults and
    rules are OTP's (https://www.erlang.org/doc/system/sup_princ.html).
    """

    is_supervisor: ClassVar[bool] = True

    def __init__(
        self,
        strategy: Strategy = "one_for_one",
        intensity: int = 3,
        period_s: float = 5.0,
        children: Sequence[Child] = (),
    ) -> None:
        if len({child.id for child in children}) != len(children):
            msg = "two children have the same id"
            raise ValueError(msg)
        if strategy not in ("one_for_one", "one_for_all", "rest_for_one"):
            msg = f"unknown strategy {strategy!r}"
            raise ValueError(msg)
        self.strategy: Strategy = strategy
        self.specs = list(children)
        self.running: list[LocalRef | None] = [None] * len(self.specs)
        self._starts = [0] * len(self.specs)
        self._intensity = Intensity(intensity, period_s)
        self._expects_child = False

    def which(self, child_id: str) -> LocalRef | None:
        """Return the child called `child_id`, or None while it does not run."""
        for spec, ref in zip(self.specs, self.running, strict=True):
            if spec.id == child_id:
                return ref
        raise KeyError(child_id)

    async def on_start(self) -> None:
        """Start the children in order; give up, and stop what has started, if one fails."""
        failure = await self._start_children(range(len(self.specs)))
        if failure is not None:
            self.stop(Escalated(self.specs[failure[0]].id, failure[1]))

    async def on_receive(self, message: Any) -> Any:
        """Deal with the end of a child; a call of "children" lists them as {id: ref}."""
        if isinstance(message, ChildExit):
            if message.child in self.running:  # else one that was stopped on purpose
                await self._on_child_exit(message)
            return None
        if message == "children":
            return {s.id: ref for s, ref in zip(self.specs, self.running, strict=True)}
        return super().on_receive(message)

    async def on_stop(self, reason: object) -> None:
        """Stop the children, the last first."""
        await self._stop_children(range(len(self.specs)))

    # -- restarting ------------------------------------------------------------------------

    async def _on_child_exit(self, exit_: ChildExit) -> None:
        index = self.running.index(exit_.child)
        self.running[index] = None
        cause = exit_.reason
        if not needs_restart(self.specs[index].restart, cause):
            return
        running = self.running
        affected = self._affected(index)
        again = hit = [i for i in affected if i == index or running[i] is not None]
        while self._intensity.allows(self.now_s()):
            self.system.restarts += 1
            await self._stop_children(affected)
            # As in OTP, a temporary child that was stopped for the others' sake stays away.
            again = [i for i in again if self.specs[i].restart != "temporary"]
            failure = await self._start_children(again)
            if failure is None:
                self._publish(hit, exit_.reason)
                return
            index, cause = failure
            affected = self._affected(index)
            again = [i for i in again if i in affected]
        self.stop(Escalated(self.specs[index].id, cause))

    def _publish(self, hit: Sequence[int], reason: object) -> None:
        events = self.system.events
        if events.has_subscribers:
            for index in hit:
                ref = self.running[index]
                if ref is not None:  # else a temporary one, which stays away
                    events.publish(Restarted(self.ref, self.specs[index].id, ref, reason))

    def _affected(self, index: int) -> range:
        if self.strategy == "one_for_one":
            return range(index, index + 1)
        return range(0 if self.strategy == "one_for_all" else index, len(self.specs))

    async def _start_children(self, indices: Sequence[int]) -> tuple[int, object] | None:
        """Start children in order; return the first that failed, and why."""
        for index in indices:
            spec = self.specs[index]
            self._expects_child = True
            try:
                ref = self.system.spawn(
                    spec.cls,
                    *spec.args,
                    name=spec.name,
                    dispatcher=spec.dispatcher,
                    supervisor=self.ref,
                )
            except Exception as error:  # noqa: BLE001  # __init__ is the child's code
                return index, error
            finally:
                self._expects_child = False
            self.running[index] = ref
            self._starts[index] += 1
            try:
                await ref.started()
            except ActorDead as dead:
                self.running[index] = None
                return index, dead.reason
        return None

    async def _stop_children(self, indices: Sequence[int]) -> None:
        dispatcher = self.ref._dispatcher
        for index in reversed(indices):
            ref = self.running[index]
            if ref is not None:
                await stop_child(ref, SHUTDOWN, dispatcher, self.specs[index].limit_s)
                self.running[index] = None

    # -- for the runtime -------------------------------------------------------------------

    def adopt(self, child: LocalRef, recipe: Any) -> None:
        """Take in a child that this supervisor itself starts; others belong elsewhere."""
        del child, recipe
        if not self._expects_child:
            msg = f"{self.ref.label} has fixed children; use a DynamicSupervisor"
            raise TypeError(msg)

    def child_ended(self, child: LocalRef, reason: object) -> None:
        """Deal with it in this actor's own turn."""
        self.ref._signal(ChildExit(child, reason))

    def orphans(self) -> Sequence[LocalRef]:
        """Return the running children."""
        return [ref for ref in self.running if ref is not None]

    def restarts_of(self, child: LocalRef) -> int | None:
        """Return how often `child` was started again, for whosever sake."""
        for ref, starts in zip(self.running, self._starts, strict=True):
            if ref is child:
                return starts - 1
        return None
