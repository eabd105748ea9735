"""Knows how pykka's own ThreadingActor is measured: a thread an actor. Must not know others."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from pykka import ActorRegistry, ThreadingActor

from bench.actors_cost import Stopwatch, must, rss_bytes
from bench.actors_plan import Size

_CALL_TIMEOUT_S = 5.0
_DONE_S = 120.0


class Gate:
    """Opens when so many parties have come."""

    def __init__(self, parties: int) -> None:
        self._left = parties
        self._lock = threading.Lock()
        self._open = threading.Event()

    def come(self) -> None:
        """Note one party."""
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self._open.set()

    def wait(self) -> None:
        """Wait until all have come."""
        must(self._open.wait(_DONE_S), f"all come; {self._left} are missing")


class Session(ThreadingActor):
    """Counts; answers with the message."""

    use_daemon_thread = True  # a measurement that fails must not hang

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate
        self.count = 0
        self.peer: Any = None

    def on_start(self) -> None:
        self.gate.come()

    def on_receive(self, message: Any) -> Any:
        if message is None:
            return self.count
        self.count += 1
        return message


class Player(Session):
    """Plays ping-pong: a number says how many hops are left."""

    def on_receive(self, message: Any) -> Any:
        if message is None:
            return self.count
        if type(message) is int:
            self.count += 1
            if message:
                self.peer.tell(message - 1)
            else:
                self.gate.come()
        else:
            self.peer, self.gate = message
        return None


class Asker(Session):
    """Calls its partner as often as it is told."""

    def on_receive(self, message: Any) -> Any:
        peer, count = message
        for number in range(count):
            must(peer.ask(number, timeout=_CALL_TIMEOUT_S) == number, "an answer is its own")
        return count


class Member(Session):
    """Counts, and gives a sign after the last message."""

    def on_receive(self, message: Any) -> Any:
        if message is None:
            return self.count
        self.count += 1
        if message is not True:
            message.come()
        return None


class Group(Session):
    """Tells all members, as often as it is told; waiting for each round would cost more."""

    def on_receive(self, message: Any) -> Any:
        members, rounds = message
        gate = Gate(len(members))
        for left in reversed(range(rounds)):
            for member in members:
                member.tell(True if left else gate)
        gate.wait()


def start(cls: type[Session], count: int) -> list[Any]:
    """Start actors and wait until each runs."""
    gate = Gate(count)
    refs = [cls.start(gate) for _ in range(count)]
    gate.wait()
    return refs


def hop(size: Size) -> tuple[float, int]:
    """Measure tells to and fro."""
    players = start(Player, 2 * size.live)
    gate = Gate(size.live)
    for number, ref in enumerate(players):
        ref.tell((players[number ^ 1], gate))
    for ref in players:
        ref.ask(None)
    each = size.count // size.live
    watch = Stopwatch()
    for ref in players[::2]:
        ref.tell(each - 1)
    gate.wait()
    us = watch.us_each(each * size.live)
    hops = sum(ref.ask(None) for ref in players)
    must(hops == each * size.live, f"all hops are counted: {hops}")
    return us, hops


def call(size: Size) -> tuple[float, int]:
    """Measure asks from one actor to another."""
    (callee,) = start(Session, 1)
    (asker,) = start(Asker, 1)
    watch = Stopwatch()
    counted = asker.ask((callee, size.count))
    return watch.us_each(size.count), counted


def spawn(size: Size) -> tuple[float, int]:
    """Measure a start."""
    watch = Stopwatch()
    refs = start(Session, size.count)
    us = watch.us_each(size.count)
    return us, sum(ref.is_alive() for ref in refs)


def fanout(size: Size) -> tuple[float, int]:
    """Measure one delivery of what an actor tells to many."""
    members = start(Member, size.live)
    (group,) = start(Group, 1)
    rounds = max(1, size.count // size.live)
    watch = Stopwatch()
    group.ask((members, rounds))
    us = watch.us_each(rounds * size.live)
    counted = sum(ref.ask(None) for ref in members)
    must(counted == rounds * size.live, f"all is delivered: {counted}")
    return us, counted


def memory(size: Size) -> tuple[float, int]:
    """Measure the resident memory of an idle actor; its stack's address space is not in it."""
    refs = start(Session, size.live)
    before = rss_bytes()
    refs += start(Session, size.count)
    each = (rss_bytes() - before) / size.count
    return each, sum(ref.is_alive() for ref in refs)


MEASURES: dict[str, Callable[[Size], tuple[float, int]]] = {
    "hop_us": hop,
    "hop_us_1000_pairs": hop,
    "call_us": call,
    "spawn_us": spawn,
    "fanout_us": fanout,
    "bytes_per_actor_10k": memory,
}


def take(figure: str, size: Size) -> tuple[float, int]:
    """Return a figure and how many operations were verified."""
    logging.getLogger("pykka").setLevel(logging.WARNING)
    try:
        return MEASURES[figure](size)
    finally:
        if len(ActorRegistry.get_all()) < 5_000:  # stopping costs the square of their number
            ActorRegistry.stop_all()
