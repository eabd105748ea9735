"""Knows how bytes travel between simulated machines: late, in pieces, or not at all.

Must not know what they say.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from actorchat.actor import SeededDispatcher
from actorchat.testing.journal import Journal


@dataclass(slots=True)
class Weather:
    """What the net is like: seconds one way at most, and how often a read is only a part."""

    latency_max_s: float = 0.02
    partial: float = 0.2
    learns_max_s: float = 3.0  # how long an end may take to notice that a connection is gone


class Stream:
    """One direction of a connection: bytes arrive in order, late and in pieces of any size."""

    def __init__(self, net: Net, label: str, deliver: Callable[[bytes], None]) -> None:
        self._net = net
        self._label = label
        self._deliver = deliver
        self._flying = bytearray()
        self._is_due = False
        self._is_paused = False
        self._is_over = False
        self._on_end: Callable[[], None] | None = None

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the reader has not taken yet."""
        return len(self._flying)

    def write(self, chunk: bytes) -> None:
        """Send `chunk` after all that was written before."""
        if not self._is_over and self._on_end is None:
            self._flying += chunk
            self._schedule()

    def finish(self, on_end: Callable[[], None]) -> None:
        """Call `on_end` when all that was written has arrived; nothing more is sent."""
        if not self._is_over and self._on_end is None:
            self._on_end = on_end
            self._schedule()

    def cut(self) -> None:
        """Lose what is under way, but for a part of it that arrives at once."""
        if self._is_over:
            return
        if self._flying and not self._is_paused:
            self._arrive(self._net.rng.randint(0, len(self._flying)))
        self._is_over = True
        self._flying.clear()

    def stop(self) -> None:
        """Lose all that is under way."""
        self._is_over = True
        self._flying.clear()

    def pause(self) -> None:
        """Let bytes wait: nobody reads."""
        self._is_paused = True

    def resume(self) -> None:
        """Read on."""
        self._is_paused = False
        if self._flying or self._on_end is not None:
            self._schedule()

    def _schedule(self) -> None:
        if not self._is_due and not self._is_paused:
            self._is_due = True
            self._net.later(self._net.latency_s(), self._come)

    def _come(self) -> None:
        self._is_due = False
        if self._is_over or self._is_paused:
            return
        size = len(self._flying)
        if size > 1 and self._net.rng.random() < self._net.weather.partial:
            size = self._net.rng.randint(1, size)
        if size:
            self._arrive(size)
        self._go_on()

    def _go_on(self) -> None:
        if self._is_over:
            return  # what arrived has ended it
        if self._flying:
            self._schedule()
        elif self._on_end is not None:
            self._is_over = True
            self._on_end()

    def _arrive(self, size: int) -> None:
        chunk = bytes(self._flying[:size])
        del self._flying[:size]
        self._net.journal.note(self._label, chunk)
        if chunk:
            self._deliver(chunk)


class Side:
    """What an end of a wire must take: bytes, and once the end of it."""

    def received(self, chunk: bytes) -> None:
        """Take the next bytes."""
        raise NotImplementedError

    def ended(self, reason: str) -> None:
        """Learn that the wire is gone; nothing comes after."""
        raise NotImplementedError


class Wire:
    """A connection of two ends: `near` dialled, `far` accepted."""

    def __init__(self, net: Net, label: str, near: Side, far: Side) -> None:
        self._net = net
        self.label = label
        self._near: Side | None = near
        self._far: Side | None = far
        self.up = Stream(net, f"{label}>", self._to_far)
        self.down = Stream(net, f"{label}<", self._to_near)

    @property
    def is_up(self) -> bool:
        """Whether both ends take it for alive."""
        return self._near is not None and self._far is not None

    def cut(self) -> None:
        """Break it: bytes under way are lost, each end notices in its own time."""
        self.up.cut()
        self.down.cut()
        self._net.wires.discard(self)
        self._learn(self._end_near)
        self._learn(self._end_far)

    def die(self) -> None:
        """Let the far machine lose its power: that end never learns anything."""
        self._far = None
        self.up.stop()
        self.down.cut()
        self._net.wires.discard(self)
        self._learn(self._end_near)

    def hang_up(self) -> None:
        """End it from the near side at once; what that side sent may or may not arrive."""
        self._near = None
        self.down.stop()
        if self._net.rng.random() < 0.5:
            self.up.cut()
        self._finish_up("eof")

    def finish_near(self) -> None:
        """End it from the near side when all it sent has arrived."""
        self._near = None
        self.down.stop()
        self._finish_up("eof")

    def finish_far(self) -> None:
        """End it from the far side when all it sent has arrived; nothing more is taken there."""
        self._far = None
        self.up.stop()
        self._net.wires.discard(self)
        self.down.finish(lambda: self._end_near("eof"))

    def abort_far(self) -> None:
        """End it from the far side at once."""
        self._far = None
        self.up.stop()
        self.down.cut()
        self._net.wires.discard(self)
        self._learn(self._end_near)

    def _finish_up(self, reason: str) -> None:
        self._net.wires.discard(self)
        if self.up.unsent_bytes:
            self.up.finish(lambda: self._end_far(reason))
        else:
            self._net.later(self._net.latency_s(), self._end_far, reason)

    def _learn(self, tell: Callable[[str], None]) -> None:
        delay_s = self._net.rng.uniform(0.0, self._net.weather.learns_max_s)
        self._net.later(delay_s, tell, "reset")

    def _to_near(self, chunk: bytes) -> None:
        if self._near is not None:
            self._near.received(chunk)

    def _to_far(self, chunk: bytes) -> None:
        if self._far is not None:
            self._far.received(chunk)

    def _end_near(self, reason: str) -> None:
        near, self._near = self._near, None
        if near is not None:
            near.ended(reason)

    def _end_far(self, reason: str) -> None:
        far, self._far = self._far, None
        if far is not None:
            far.ended(reason)


class WireSet(dict[Wire, None]):
    """The wires that are up, oldest first: a set whose order is no accident."""

    def discard(self, wire: Wire) -> None:
        """Take `wire` out if it is there."""
        self.pop(wire, None)


class Net:
    """Makes wires, and knows all that are up.

    Args:
        answer: Returns what accepts a new wire at the far end, or None where nobody listens.
    """

    def __init__(
        self,
        dispatcher: SeededDispatcher,
        rng: random.Random,
        journal: Journal,
        weather: Weather,
        answer: Callable[[], Callable[[], FarSide] | None],
    ) -> None:
        self.rng = rng
        self.journal = journal
        self.weather = weather
        self.later = dispatcher.call_later
        self.wires = WireSet()
        self._answer = answer
        self._dialled = 0

    def latency_s(self) -> float:
        """Return how long the next bytes take."""
        return self.rng.random() * self.weather.latency_max_s

    def dial(self, near: NearSide) -> None:
        """Open a wire; `near` learns of it, or of the failure, a little later."""
        self._dialled += 1
        self.later(self.latency_s(), self._connect, near, f"w{self._dialled}")

    def _connect(self, near: NearSide, label: str) -> None:
        accept = self._answer()
        self.journal.note(f"{label} {'open' if accept else 'refused'}")
        if accept is None:
            near.ended("refused")
            return
        far = accept()
        wire = Wire(self, label, near, far)
        self.wires[wire] = None
        far.opened(wire)
        near.opened(wire)


class NearSide(Side):
    """An end that dials."""

    def opened(self, wire: Wire) -> None:
        """Take the wire that was dialled."""
        raise NotImplementedError


class FarSide(Side):
    """An end that accepts."""

    def opened(self, wire: Wire) -> None:
        """Take the wire that was accepted."""
        raise NotImplementedError
