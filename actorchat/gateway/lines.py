"""Knows the TCP connections below a ROUTER socket, and how to cut one. Must not know messages.

libzmq tells nobody who has come or gone, and can't hang up on one peer. Its monitor tells of
descriptors, though, and what comes out of the socket says over which it came.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Generic, Protocol, TypeVar

import zmq

from actorchat.gateway.room import Room
from actorchat.gateway.sweep import Sweep

LOOK_EVERY_TICKS = 4  # at 6 µs a look, which with 10,000 lines is 1.5 % of a core

_MONITOR = "inproc://lines"
_EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
_event_of = Struct("=Hi").unpack
# In Linux's `struct tcp_info`: what the kernel has received, whoever has read it.
_RECEIVED = Struct("=Q")
_RECEIVED_OFFSET = 128


class Heard(Protocol):
    """What a first message makes of a line."""

    @property
    def heard(self) -> int:
        """The tick of the sweep in which its last message was taken."""
        ...


Peer = TypeVar("Peer", bound=Heard)


class Line(Generic[Peer]):
    """One TCP connection; `peer` is what its first message made of it."""

    __slots__ = (
        "_heard_bytes",
        "_lines",
        "_looked",
        "_silent_due",
        "descriptor",
        "due",
        "peer",
        "peername",
    )

    def __init__(self, lines: Lines[Peer], descriptor: int, peername: object) -> None:
        self.due = 0
        self.descriptor = descriptor
        self.peername = peername
        self.peer: Peer | None = None
        self._lines = lines
        self._looked = lines.sweep.now
        self._silent_due = self._looked + lines.rules.silent_ticks
        self._heard_bytes = 0  # had come when the peer was last heard

    def on_due(self) -> None:
        """Hang up if it was open long enough and said nothing, or sent much and said nothing.

        libzmq keeps the parts of a message until the last has come, however many they are.
        """
        lines = self._lines
        now, rules, peer = lines.sweep.now, lines.rules, self.peer
        received = _received_bytes(self.descriptor)
        if peer is None and now >= self._silent_due:
            lines.on_silent()
            self.hang_up()
        elif peer is not None and peer.heard >= self._looked:
            self._heard_bytes = received
            self.watch()
        elif received - self._heard_bytes > rules.unheard_bytes_max:
            lines.on_flood()
            self.hang_up()
        else:
            self.watch()

    def watch(self) -> None:
        """Have it looked at again."""
        sweep = self._lines.sweep
        self._looked = sweep.now
        due = sweep.now + LOOK_EVERY_TICKS
        sweep.watch(self, due if self.peer is not None else min(due, self._silent_due))

    def hang_up(self) -> None:
        """Shut the TCP connection down, if it still is the one that it was."""
        found = _duplicate(self.descriptor)
        if found is None:
            return
        # libzmq may have closed it just now, and the number may stand for another socket already.
        # From the duplicate on it can't change any more.
        with found:
            try:
                if found.getpeername() == self.peername and self._lines.is_ours(found):
                    # To libzmq this is as if the peer had hung up.
                    found.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the peer was faster


@dataclass(frozen=True, slots=True)
class LineRules:
    """What lines may do.

    Attributes:
        silent_ticks: How long a line may say nothing at all.
        unheard_bytes_max: What may come without a message that is whole. It is more than libzmq
            and the kernel keep of whole ones while nobody reads them.
        lines_max: Beyond so many, those who come are cut at once.
        room: The places of the node. A line takes one until it is heard, its connection then.
        room_excess_max: So many above the places, too, they are cut at once.
    """

    silent_ticks: int
    unheard_bytes_max: int
    lines_max: int
    room: Room
    room_excess_max: int

    def is_flooded(self, lines: int) -> bool:
        """Say whether the line that came last, now one of so many, is to be cut at once."""
        excess = self.room.taken - self.room.places
        return lines > self.lines_max or excess > self.room_excess_max


class Lines(Generic[Peer]):
    """The lines of one socket, by descriptor. All methods belong to the loop's thread.

    What a monitor tells may come late: it is a hint, and no session hangs by it alone. Whoever
    left is also found by the next message to them, or by their silence.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        router: zmq.Socket[bytes],
        sweep: Sweep,
        rules: LineRules,
        *,
        on_gone: Callable[[Peer], None],
        on_silent: Callable[[], None],
        on_flood: Callable[[], None],
    ) -> None:
        """Watch `router`, which is not bound yet.

        Args:
            on_gone: Called, from within `take`, with the peer of each line that is no more.
            on_silent: Called before a line is cut that said nothing.
            on_flood: Called before a line is cut that sent without an end.
        """
        self.port = 0
        self.sweep = sweep
        self.rules = rules
        self.on_silent = on_silent
        self.on_flood = on_flood
        self._router = router
        self._on_gone = on_gone
        self._is_shut = False
        self._lines: dict[int, Line[Peer]] = {}
        router.monitor(_MONITOR, _EVENTS)
        self._monitor = context.socket(zmq.PAIR)
        # Without a bound: libzmq's own thread would wait here for ours, and close() for both.
        self._monitor.rcvhwm = 0
        self._monitor.linger = 0
        self._monitor.connect(_MONITOR)

    def __len__(self) -> int:
        """Return how many lines there are."""
        return len(self._lines)

    @property
    def descriptor(self) -> int:
        """What to watch for news, which `take` takes up."""
        return int(self._monitor.getsockopt(zmq.FD))

    def take(self) -> None:
        """Take up all news."""
        receive = self._monitor.recv_multipart
        while True:
            try:
                event, _ = receive(zmq.NOBLOCK)
            except zmq.Again:
                return
            kind, descriptor = _event_of(event)
            if kind == zmq.EVENT_ACCEPTED:
                self._came(descriptor)
            elif kind == zmq.EVENT_DISCONNECTED:
                self._went(descriptor)

    def bind(self, descriptor: int, peer: Peer) -> Line[Peer] | None:
        """Return the line over which `peer` was heard first; None if it is gone already."""
        self.take()  # whoever was heard had come before
        line = self._lines.get(descriptor)
        if line is None:
            return None
        before, line.peer = line.peer, peer
        if before is None:
            self.rules.room.leave()  # its connection takes one now
        else:
            self._on_gone(before)  # two can't share a line, and the older one has left it
        return line

    def is_ours(self, found: socket.socket) -> bool:
        """Say whether `found` is a connection to the socket that is watched."""
        name = found.getsockname()
        return isinstance(name, tuple) and name[1] == self.port

    def shut(self) -> None:
        """Cut who comes from now on.

        To unbind the socket would cut all others as well, and closing its descriptor under
        libzmq would end the process.
        """
        self._is_shut = True

    def close(self) -> None:
        """Watch no more."""
        # In this order: an event that nobody takes would hold libzmq's thread up for ever.
        self._router.disable_monitor()
        self._monitor.close()
        for line in self._lines.values():
            self._forget(line)
        self._lines.clear()

    def _came(self, descriptor: int) -> None:
        self._went(descriptor)  # a number that is given again is free
        found = _duplicate(descriptor)
        if found is None:
            return  # it has left already, as the next news will tell
        with found:
            try:
                peername = found.getpeername()
            except OSError:
                return
        line = self._lines[descriptor] = Line(self, descriptor, peername)
        self.rules.room.enter()
        if self._is_shut or self.rules.is_flooded(len(self._lines)):
            line.hang_up()
        else:
            line.watch()

    def _went(self, descriptor: int) -> None:
        line = self._lines.pop(descriptor, None)
        if line is not None:
            peer = self._forget(line)
            if peer is not None:
                self._on_gone(peer)

    def _forget(self, line: Line[Peer]) -> Peer | None:
        self.sweep.forget(line)
        peer, line.peer = line.peer, None
        if peer is None:
            self.rules.room.leave()
        return peer


def _duplicate(descriptor: int) -> socket.socket | None:
    """Return a socket of our own on what `descriptor` stands for now; None where it is none."""
    try:
        # Asked first: to close a duplicate of a file would give up the locks on that file.
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return None
        copy = os.dup(descriptor)
    except OSError:
        return None
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        return None


def _received_bytes(descriptor: int) -> int:
    """Return how many bytes have come over a connection; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    found = _duplicate(descriptor)
    if found is None:
        return 0
    with found:
        try:
            told = found.getsockopt(
                socket.IPPROTO_TCP, socket.TCP_INFO, _RECEIVED_OFFSET + _RECEIVED.size
            )
        except OSError:
            return 0
    if len(told) < _RECEIVED_OFFSET + _RECEIVED.size:
        return 0  # a kernel before 4.1
    return int(_RECEIVED.unpack_from(told, _RECEIVED_OFFSET)[0])
