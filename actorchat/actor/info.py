"""Knows how an actor and a tree of actors are described. Must not know how they are changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from actorchat.actor.ref import IDLE, LocalRef

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Info:
    """What can be told of one actor; a snapshot."""

    label: str
    name: str | None
    state: str  # starting, idle, ready, waiting (its handler awaits), ending, dead
    queued: int
    handled: int  # 0 once it is dead
    message_type: str | None  # what the waiting handler handles
    monitors: int
    watchers: int
    timers: int
    children: int
    reason: object  # of its end

    @classmethod
    def of(cls, ref: LocalRef) -> Info:
        """Describe the actor behind `ref`."""
        task, bonds, actor = ref._task, ref._bonds, ref._actor
        return cls(
            label=ref.label,
            name=ref.name,
            state=_state(ref),
            queued=len(ref._queue),
            handled=ref._handled,
            message_type=None if task is None or task.is_start else type(task.message).__name__,
            monitors=0 if bonds is None else len(bonds.monitors),
            watchers=0 if bonds is None else len(bonds.watchers or ()),
            timers=0 if bonds is None else len(bonds.timers),
            children=0 if actor is None else len(actor.orphans()),
            reason=ref._exit,
        )


def _state(ref: LocalRef) -> str:
    if ref._actor is None:
        return "dead"
    if ref._exit is not None:
        return "ending"
    if ref._task is not None:
        return "starting" if ref._task.is_start else "waiting"
    return "idle" if ref._state == IDLE else "ready"


@dataclass(frozen=True, slots=True)
class Tree:
    """An actor and its children; `str()` draws it."""

    ref: LocalRef
    children: tuple[Tree, ...]

    @classmethod
    def of(cls, ref: LocalRef) -> Tree:
        """Take a snapshot of the tree below `ref`."""
        actor = ref._actor
        return cls(ref, () if actor is None else tuple(cls.of(child) for child in actor.orphans()))

    def lines(self, indent: str = "") -> Iterator[str]:
        """Yield one line an actor, children below their supervisor."""
        yield f"{indent}{self.ref.label}"
        for child in self.children:
            yield from child.lines(indent + "  ")

    def __str__(self) -> str:
        return "\n".join(self.lines())
