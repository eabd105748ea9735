"""Knows the rarer belongings of an actor. Must not know when they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from actorchat.actor.defer import ReplyTo
    from actorchat.actor.overlap import Overlap
    from actorchat.actor.ref import LocalRef


class Kit:
    """What few actors have, made when first needed; only the actor's own turns touch it."""

    __slots__ = ("handlers", "overlap", "owed", "releasing", "stash", "tasks")

    def __init__(self) -> None:
        self.handlers: list[Callable[[Any], Any]] = []  # of `become`, the one in force last
        self.overlap: Overlap | None = None
        self.owed: set[ReplyTo] = set()  # answers that were put off
        self.releasing = 0  # so many of the stash, from its front, go back into the mailbox
        self.stash: list[Any] = []
        self.tasks: set[asyncio.Task[Any]] = set()


def look(ref: LocalRef) -> Kit | None:
    """Return the kit of an actor that has one."""
    return None if ref._bonds is None else ref._bonds.kit


def queued(ref: LocalRef) -> int:
    """Return how many messages an actor has yet to handle: in the mailbox and put aside."""
    kit = look(ref)
    return len(ref._queue) + (0 if kit is None else len(kit.stash))


def need(ref: LocalRef) -> Kit:
    """Return the kit of an actor, made if need be."""
    with ref._system.lock:
        bonds = ref._bond()
        if bonds.kit is None:
            bonds.kit = Kit()
        return bonds.kit


def clear(ref: LocalRef, actor: object) -> None:
    """Let go of all when the actor has ended: who waits is told, its tasks are cancelled."""
    kit = look(ref)
    if kit is None:
        return
    assert ref._bonds is not None
    ref._bonds.kit = None
    if kit.handlers:
        vars(actor).pop("on_receive", None)  # bound to the actor as a rule: they hold each other
    for reply_to in list(kit.owed):
        reply_to.fail(ref.dead())
    for task in list(kit.tasks):
        task.cancel()
