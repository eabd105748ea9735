"""Knows how thespian's actors are measured: a process each, or all in one. Must not know others.

Thespian has no call from actor to actor, so a call is `ask` from outside.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from thespian.actors import Actor, ActorExitRequest, ActorSystem

from bench.actors_cost import Stopwatch, adopt_orphans, must, rss_bytes
from bench.actors_plan import Size

_WAIT_S = 60.0


class Session(Actor):  # type: ignore[misc]
    """A tuple sets it up, a number is a hop, a string asks."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.peer: Any = None
        self.asker: Any = None

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802  # its hook
        """Handle one message."""
        if isinstance(message, int):
            self.count += 1
            if message and self.peer is not None:
                self.send(self.peer, message - 1)
            elif self.asker is not None:
                self.send(self.asker, "done")
        elif isinstance(message, tuple):
            self.peer, self.asker = message
            self.send(sender, "met")
        elif message == "count":
            self.send(sender, self.count)
        elif message == "pid":
            self.send(sender, os.getpid())


class Starter(Session):
    """Starts a rally in each of its pairs, or rounds to all its members; answers at the end."""

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802  # its hook
        """Handle one message; `("go", refs, number, rounds)` begins."""
        if isinstance(message, tuple):
            _, self.peer, self.count, self.rounds = message
            self.asker = sender
            self.left = len(self.peer)
        elif message == "done":
            self.left -= 1
            if self.left:
                return
            self.rounds -= 1
            self.left = len(self.peer)
            if not self.rounds:
                self.send(self.asker, "done")
                return
        for ref in self.peer:
            self.send(ref, self.count)


def hop(system: Any, size: Size) -> tuple[float, int]:
    """Measure sends to and fro."""
    starter = system.createActor(Starter)
    refs = [system.createActor(Session) for _ in range(2 * size.live)]
    for number, ref in enumerate(refs):
        must(system.ask(ref, (refs[number ^ 1], starter), _WAIT_S) == "met", "actors answer")
    each = size.count // size.live
    watch = Stopwatch(has_children=True)
    done = system.ask(starter, ("go", refs[::2], each - 1, 1), _WAIT_S)
    us = watch.us_each(each * size.live)
    hops = sum(system.ask(ref, "count", _WAIT_S) for ref in refs)
    must(done == "done" and hops == each * size.live, f"all hops are counted: {hops}")
    return us, hops


def call(system: Any, size: Size) -> tuple[float, int]:
    """Measure asks from outside."""
    ref = system.createActor(Session)
    must(system.ask(ref, "count", _WAIT_S) == 0, "an actor answers")
    watch = Stopwatch(has_children=True)
    for _ in range(size.count):
        must(system.ask(ref, "count", _WAIT_S) == 0, "an actor answers")
    return watch.us_each(size.count), size.count


def spawn(system: Any, size: Size) -> tuple[float, int]:
    """Measure a start, up to the first answer: before it the actor may not be there yet."""
    watch = Stopwatch(has_children=True)
    refs = [system.createActor(Session) for _ in range(size.count)]
    pids = [system.ask(ref, "pid", _WAIT_S) for ref in refs]
    us = watch.us_each(size.count)
    return us, len(pids) - pids.count(None)


def stop(system: Any, size: Size) -> tuple[float, int]:
    """Measure an end; in one process, where it is done when the tell returns."""
    refs = [system.createActor(Session) for _ in range(size.live)]
    watch = Stopwatch()
    for ref in refs[: size.count]:
        system.tell(ref, ActorExitRequest())
    us = watch.us_each(size.count)
    must(system.ask(refs[-1], "count", _WAIT_S) == 0, "the others live")
    return us, size.count


def fanout(system: Any, size: Size) -> tuple[float, int]:
    """Measure one delivery of what an actor sends to many, and half that each answers."""
    group = system.createActor(Starter)
    members = [system.createActor(Session) for _ in range(size.live)]
    for ref in members:
        must(system.ask(ref, (None, group), _WAIT_S) == "met", "actors answer")
    rounds = max(1, size.count // size.live)
    watch = Stopwatch(has_children=True)
    must(system.ask(group, ("go", members, 1, rounds), _WAIT_S) == "done", "the rounds end")
    us = watch.us_each(rounds * size.live) / 2  # each delivery is answered by one like it
    counted = sum(system.ask(ref, "count", _WAIT_S) for ref in members)
    must(counted == rounds * size.live, f"all is delivered: {counted}")
    return us, counted


def memory(system: Any, size: Size) -> tuple[float, int]:
    """Measure the resident memory of an idle actor in this process."""
    for _ in range(size.live):
        system.createActor(Session)
    before = rss_bytes()
    refs = [system.createActor(Session) for _ in range(size.count)]
    each = (rss_bytes() - before) / size.count
    return each, sum(system.ask(ref, "count", _WAIT_S) == 0 for ref in refs[::100])


MEASURES: dict[str, Callable[[Any, Size], tuple[float, int]]] = {
    "hop_us": hop,
    "hop_us_1000_pairs": hop,
    "call_us": call,
    "spawn_us": spawn,
    "stop_us_100k": stop,
    "fanout_us": fanout,
    "bytes_per_actor_10k": memory,
}


def take(figure: str, size: Size, base: str = "multiprocTCPBase") -> tuple[float, int]:
    """Return a figure and how many operations were verified."""
    adopt_orphans()
    system = ActorSystem(base)
    try:
        return MEASURES[figure](system, size)
    finally:
        system.shutdown()
