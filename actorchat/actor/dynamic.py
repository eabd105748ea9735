"""Knows many children that come and go. Must not know their order or each other's needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from actorchat.actor.behaviour import Actor
from actorchat.actor.child import Intensity, Restart, needs_restart, stop_child, within
from actorchat.actor.monitor import ChildExit
from actorchat.actor.reason import SHUTDOWN, Escalated
from actorchat.actor.ref import LocalRef
from actorchat.actor.stream import Restarted
from actorchat.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actorchat.actor.dispatcher import Dispatcher

# Class, arguments, keywords, name, dispatcher: what it takes to start a child again.
Recipe = tuple[type[Actor], tuple[Any, ...], dict[str, Any], "str | None", "Dispatcher | None"]


class DynamicRef(LocalRef):
    """The ref of a DynamicSupervisor: starts children from any thread, without a message."""

    __slots__ = ()

    def spawn(self, cls: type[Actor], *args: Any, **kwargs: Any) -> LocalRef:
        """Start a child; see `ActorSystem.spawn`."""
        return self._system.spawn(cls, *args, supervisor=self, **kwargs)


class DynamicSupervisor(Actor):
    """Starts any number of like children on demand; starting and ending one costs O(1).

    Children are temporary unless `restart` says otherwise; a restarted child has a new ref.
    More than `intensity` restarts within `period_s` end the supervisor with `Escalated`.
    On stop all children are stopped at once and have `shutdown_s` seconds together; with
    `is_orderly` one after the other, the youngest first, each with `shutdown_s` of its own.
    """

    ref_class = DynamicRef
    is_supervisor: ClassVar[bool] = True

    def __init__(
        self,
        restart: Restart = "temporary",
        intensity: int = 3,
        period_s: float = 5.0,
        shutdown_s: float | None = 5.0,
        children_max: int | None = None,
        is_orderly: bool = False,
    ) -> None:
        self.restart: Restart = restart
        self.shutdown_s = shutdown_s
        self.children_max = children_max
        self.is_orderly = is_orderly
        self.children: dict[LocalRef, Recipe | None] = {}
        self._restarted: dict[LocalRef, int] = {}  # only those that were
        self._intensity = Intensity(intensity, period_s)

    def spawn(self, cls: type[Actor], *args: Any, **kwargs: Any) -> LocalRef:
        """Start a child; see `ActorSystem.spawn`."""
        return self.system.spawn(cls, *args, supervisor=self.ref, **kwargs)

    def on_receive(self, message: Any) -> Any:
        """Restart a child that ended."""
        if not isinstance(message, ChildExit):
            return super().on_receive(message)
        recipe = self.children.pop(message.child, None)
        restarts = self._restarted.pop(message.child, 0) + 1
        if recipe is None:
            return None
        cls, args, kwargs, name, dispatcher = recipe
        if not self._intensity.allows(self.now_s()):
            self.stop(Escalated(message.child.label, message.reason))
            return None
        self.system.restarts += 1
        try:
            child = self.spawn(cls, *args, name=name, dispatcher=dispatcher, **kwargs)
        except Exception as error:  # noqa: BLE001  # its __init__ failed, and would again
            self.stop(Escalated(message.child.label, error))
            return None
        self._restarted[child] = restarts
        if child not in self.children:  # it ended meanwhile, in a thread of its own
            self._restarted.pop(child, None)
        events = self.system.events
        if events.has_subscribers:
            events.publish(Restarted(self.ref, message.child.label, child, message.reason))
        return None

    async def on_stop(self, reason: object) -> None:
        """Stop all children."""
        dispatcher = self.ref._dispatcher
        while self.children and self.is_orderly:
            child = next(reversed(self.children))
            limit_s = None if child.actor_class.is_supervisor else self.shutdown_s
            await stop_child(child, SHUTDOWN, dispatcher, limit_s)
            self.children.pop(child, None)
        endings = [child.ended() for child in self.orphans()]
        for child in self.orphans():
            child.stop(SHUTDOWN)
        until_s = None if self.shutdown_s is None else self.now_s() + self.shutdown_s
        for ended in endings:
            if until_s is None:
                await ended
            elif not ended.done() and not await within(
                ended, dispatcher.timers, max(0.0, until_s - self.now_s())
            ):
                break
        for child in self.orphans():  # those that took too long
            await stop_child(child, SHUTDOWN, dispatcher, 0)

    # -- for the runtime -------------------------------------------------------------------

    def adopt(self, child: LocalRef, recipe: Recipe) -> None:
        """Take in a new child; any thread.

        Raises:
            ActorDead: This supervisor is ending.
            Overloaded: It has `children_max` children.
        """
        if self.ref._exit is not None:
            raise self.ref.dead()
        if self.children_max is not None and len(self.children) >= self.children_max:
            msg = f"{self.ref.label} has {self.children_max} children"
            raise Overloaded(msg)
        self.children[child] = None if self.restart == "temporary" else recipe

    def disown(self, child: LocalRef) -> None:
        """Forget a child that did not come to life."""
        self.children.pop(child, None)

    def child_ended(self, child: LocalRef, reason: object) -> None:
        """Forget the child, or have it restarted in this actor's own turn."""
        if self.ref._exit is None and needs_restart(self.restart, reason):
            self.ref._signal(ChildExit(child, reason))
        else:
            self.children.pop(child, None)
            self._restarted.pop(child, None)

    def orphans(self) -> Sequence[LocalRef]:
        """Return the children."""
        return list(self.children)

    def restarts_of(self, child: LocalRef) -> int | None:
        """Return how often `child` was started again; None for temporary ones."""
        return None if self.restart == "temporary" else self._restarted.get(child, 0)
