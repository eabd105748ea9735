"""Knows who is told when an actor ends. Must not know why it ended or what is done about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from actorchat.actor.mailbox import NOTHING, Signal
from actorchat.actor.reason import NOPROC

if TYPE_CHECKING:
    from collections.abc import Callable

    from actorchat.actor.ref import LocalRef
    from actorchat.actor.system import ActorSystem


class Foreign(Protocol):
    """A ref of an actor that does not live here, and that sees to its monitors itself."""

    is_foreign: bool

    def watch(self, mref: int, owe: Callable[[object], None]) -> None:
        """Have `owe(reason)` called once when the actor ends, after its last message."""

    def unwatch(self, mref: int) -> None:
        """Forget a `watch`."""


class Outpost:
    """Stands in the table of watchers for one that does not live here; any thread."""

    __slots__ = ("_told",)

    def __init__(self, told: Callable[[object], None]) -> None:
        self._told = told

    def _signal(self, signal: DownSignal) -> None:
        self._told(signal.down.reason)


@dataclass(frozen=True, slots=True)
class Down:
    """`ref` ended for `reason`; `mref` is what `monitor` returned.

    Arrives once, as an ordinary message, after the last message that the ended actor sent.
    """

    mref: int
    ref: Any
    reason: object


class DownSignal(Signal):
    """A Down on its way; one whose monitor was taken back meanwhile is not handled."""

    __slots__ = ("down",)

    def __init__(self, down: Down) -> None:
        self.down = down

    def unwrap(self, ref: LocalRef) -> object:
        """Return the Down, once."""
        bonds = ref._bonds
        if bonds is None or bonds.monitors.pop(self.down.mref, None) is None:
            return NOTHING
        return self.down

    def peek(self, ref: LocalRef) -> object:
        """Return the Down that would be handled."""
        bonds = ref._bonds
        return NOTHING if bonds is None or self.down.mref not in bonds.monitors else self.down


class ChildExit(Signal):
    """`child` ended for `reason`; handled by its supervisor in its own turn."""

    __slots__ = ("child", "reason")

    def __init__(self, child: LocalRef, reason: object) -> None:
        self.child = child
        self.reason = reason

    def unwrap(self, ref: LocalRef) -> object:
        """Return itself."""
        return self


def monitor(system: ActorSystem, watcher: LocalRef, target: LocalRef | Foreign) -> int:
    """Have `watcher` told when `target` ends; at once with "noproc" when it is dead already.

    Thread: the watcher's own turn.
    """
    mref = next(system.monitor_refs)
    if target.is_foreign:
        with system.lock:
            watcher._bond().monitors[mref] = cast("LocalRef", target)
        owe = cast(Foreign, target).watch
        owe(mref, lambda why: watcher._signal(DownSignal(Down(mref, target, why))))
        return mref
    target = cast("LocalRef", target)
    with system.lock:
        watcher._bond().monitors[mref] = target
        watchers = target._bond().watchers if target._limit else None
        if watchers is not None:
            watchers[mref] = watcher
    if watchers is None:
        watcher._signal(DownSignal(Down(mref, target, NOPROC)))
    return mref


def demonitor(system: ActorSystem, watcher: LocalRef, mref: int) -> bool:
    """Take a monitor back: its Down will not be handled, even if it waits already.

    Returns False when there is no such monitor (any more).
    """
    with system.lock:
        bonds = watcher._bonds
        target = None if bonds is None else bonds.monitors.pop(mref, None)
        if target is None:
            return False
        if target.is_foreign:
            cast(Foreign, target).unwatch(mref)
        elif target._bonds is not None and target._bonds.watchers is not None:
            target._bonds.watchers.pop(mref, None)
    return True


def watch_from_afar(
    system: ActorSystem, target: LocalRef, mref: int, told: Callable[[object], None]
) -> bool:
    """Have `told(reason)` called once `target` has ended and said its last; False: it has already.

    Called in the target's thread. `mref` is one of `system.monitor_refs`.
    """
    with system.lock:
        watchers = target._bond().watchers if target._limit else None
        if watchers is None:
            return False
        watchers[mref] = Outpost(told)  # type: ignore[assignment]
        return True


def unwatch_from_afar(system: ActorSystem, target: LocalRef, mref: int) -> None:
    """Forget a `watch_from_afar`."""
    with system.lock:
        if target._bonds is not None and target._bonds.watchers is not None:
            target._bonds.watchers.pop(mref, None)


def release(system: ActorSystem, ref: LocalRef) -> None:
    """Cut all monitors of an ended actor, both ways, and send the Downs that are owed.

    Called when the actor has nothing more to say, so that its Downs come last.
    """
    with system.lock:
        bonds = ref._bonds
        if bonds is None:
            return
        for mref, target in bonds.monitors.items():
            if target.is_foreign:
                cast(Foreign, target).unwatch(mref)
            elif target._bonds is not None and target._bonds.watchers is not None:
                target._bonds.watchers.pop(mref, None)
        bonds.monitors.clear()
        watchers, bonds.watchers = bonds.watchers or {}, None
    for mref, watcher in watchers.items():
        watcher._signal(DownSignal(Down(mref, ref, ref._exit)))
