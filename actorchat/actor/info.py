"""Knows how an actor and a tree of actors are described. Must not know how they are changed."""

from __future__ import annotations

import heapq
import sys
from collections import deque
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from actorchat.actor.kit import look, queued
from actorchat.actor.ref import IDLE, LocalRef
from actorchat.actor.weight import weight_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actorchat.actor.lifecycle import Suspended

REASON_CHARS_MAX = 200  # of an end, as text: a crash can quote anything


@dataclass(frozen=True, slots=True)
class Info:
    """What can be told of one actor; a snapshot."""

    id: int  # for `ActorSystem.find`
    label: str
    name: str | None
    state: str  # starting, idle, ready, waiting (its handler awaits), ending, dead
    queued: int  # in the mailbox, and put aside
    stashed: int  # of these, put aside
    handled: int  # 0 once it is dead
    message_type: str | None  # what the waiting handler handles
    age_s: float | None  # since its handler first waited; only while it does
    memory_bytes: int  # an estimate, see `weight_bytes`
    monitors: int
    watchers: int
    timers: int
    children: int
    restarts: int | None  # None where its supervisor does not restart it
    supervisor: str | None  # its label; None for the root
    supervisor_id: int | None
    reason: object  # of its end

    @classmethod
    def of(cls, ref: LocalRef) -> Info:
        """Describe the actor behind `ref`; any thread, but only its own sees a still picture."""
        bonds, actor, supervisor = ref._bonds, ref._actor, ref._supervisor
        parent = None if supervisor is None else supervisor._actor
        numbers = ref._system.numbers
        return cls(
            id=numbers.of(ref),
            label=ref.label,
            name=ref.name,
            state=_state(ref),
            queued=queued(ref),
            stashed=queued(ref) - len(ref._queue),
            handled=ref._handled,
            message_type=_message_type(_oldest(ref)),
            age_s=age_s(ref),
            memory_bytes=weight_bytes(ref),
            monitors=0 if bonds is None else len(bonds.monitors),
            watchers=0 if bonds is None else len(bonds.watchers or ()),
            timers=0 if bonds is None else len(bonds.timers),
            children=0 if actor is None else len(actor.orphans()),
            restarts=None if parent is None else parent.restarts_of(ref),
            supervisor=None if supervisor is None else supervisor.label,
            supervisor_id=None if supervisor is None else numbers.of(supervisor),
            reason=ref._exit,
        )

    def as_dict(self) -> dict[str, str | int | float | None]:
        """Return it as plain values, for JSON or the wire; the reason as a bounded text."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        plain["age_s"] = None if self.age_s is None else round(self.age_s, 3)
        plain["reason"] = None if self.reason is None else str(self.reason)[:REASON_CHARS_MAX]
        return plain


def age_s(ref: LocalRef) -> float | None:
    """Return how long ago the handler that waits longest began to; None where none does."""
    task = _oldest(ref)
    return None if task is None else max(0.0, ref._dispatcher.now_s() - task.since_s)


def _oldest(ref: LocalRef) -> Suspended | None:
    """Return the handler that waits longest: the one that shuts the mailbox, or beside it."""
    main, kit = ref._task, look(ref)
    tasks = [] if main is None or main.coro is None else [main]
    if kit is not None and kit.overlap is not None:
        tasks += kit.overlap.tasks
    return min(tasks, key=lambda task: task.since_s, default=None)


def _foremost(children: list[LocalRef], count: int) -> list[LocalRef]:
    """Return the first `count`, in their order, leaving out supervisors last."""
    if len(children) <= count:
        return children
    places = range(len(children))
    by_kind = heapq.nsmallest(count, places, lambda i: not children[i].actor_class.is_supervisor)
    return [children[place] for place in sorted(by_kind)]


def _message_type(task: Suspended | None) -> str | None:
    if task is None or task.is_start:
        return None
    return type(task.message).__name__


def _state(ref: LocalRef) -> str:
    if ref._actor is None:
        return "dead"
    if ref._exit is not None:
        return "ending"
    if ref._task is not None and ref._task.is_start:
        return "starting"
    if ref._task is not None and ref._task.coro is not None:
        return "waiting"
    return "idle" if ref._state == IDLE else "ready"


@dataclass(frozen=True, slots=True)
class Tree:
    """An actor and its children, or the first of them; `str()` draws it."""

    ref: LocalRef
    children: tuple[Tree, ...]
    more: int = 0  # children that were left out

    @classmethod
    def of(cls, ref: LocalRef, width: int | None = None, size: int | None = None) -> Tree:
        """Take a snapshot of the tree below `ref`.

        At most `width` children of one supervisor and `size` actors in all are in it: a level
        comes before the one below, supervisors before others, the older before the younger.
        """
        shown: dict[LocalRef, tuple[list[LocalRef], int]] = {}
        ahead = deque([ref])
        left = sys.maxsize if size is None else max(0, size - 1)
        while ahead:
            one = ahead.popleft()
            actor = one._actor
            children = [] if actor is None else list(actor.orphans())
            kept = _foremost(children, left if width is None else min(width, left))
            left -= len(kept)
            ahead.extend(kept)
            shown[one] = (kept, len(children) - len(kept))
        return cls._grow(ref, shown)

    @classmethod
    def _grow(cls, ref: LocalRef, shown: dict[LocalRef, tuple[list[LocalRef], int]]) -> Tree:
        kept, more = shown[ref]
        return cls(ref, tuple(cls._grow(child, shown) for child in kept), more)

    def rows(self, depth: int = 0) -> Iterator[dict[str, str | int]]:
        """Yield each actor as plain values, for JSON or the wire, a supervisor before its children.

        `id label state queued` are as they are now, as in `Info`.
        """
        yield {
            "depth": depth,
            "id": self.ref._system.numbers.of(self.ref),
            "label": self.ref.label,
            "state": _state(self.ref),
            "queued": queued(self.ref),
            "more": self.more,
        }
        for child in self.children:
            yield from child.rows(depth + 1)

    def lines(self, indent: str = "") -> Iterator[str]:
        """Yield one line an actor, children below their supervisor."""
        yield f"{indent}{self.ref.label}"
        for child in self.children:
            yield from child.lines(indent + "  ")
        if self.more:
            yield f"{indent}  ... and {self.more:,} more"

    def __str__(self) -> str:
        return "\n".join(self.lines())
