"""Knows a loop and a transport that do only what a test says. Must not know what is tested."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from actorchat.gateway.base import Bounds, Outlet
from actorchat.gateway.tcp import TcpConnection, TcpGateway
from actorchat.protocol.codec import decode


class FakeLoop:
    """Runs what was asked for when the test says so."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], object]] = []
        self.later: list[tuple[float, Callable[[], object]]] = []

    def call_soon(self, callback: Callable[..., object], *args: object) -> None:
        self.soon.append(partial(callback, *args))

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> FakeTimer:
        self.later.append((delay_s, callback))
        return FakeTimer(self, (delay_s, callback))

    def turn(self) -> None:
        """Run what was asked for before this turn."""
        due, self.soon = self.soon, []
        for callback in due:
            callback()

    def wake(self) -> None:
        """Run the timers that were set before this call."""
        due, self.later = self.later, []
        for _, callback in due:
            callback()


class FakeTimer:
    def __init__(self, loop: FakeLoop, entry: tuple[float, Callable[[], object]]) -> None:
        self._loop = loop
        self._entry = entry

    def cancel(self) -> None:
        self._loop.later.remove(self._entry)


class FakeTransport:
    """A transport whose kernel takes `room` more bytes."""

    def __init__(self, protocol: Any = None, *, can_half_close: bool = True) -> None:
        self.protocol = protocol
        self.room = 2**62
        self.writes: list[list[bytes]] = []
        self.buffered_bytes = 0
        self.high = 0
        self._is_reading = True
        self.is_eof_sent = False
        self.is_aborted = False
        self._can_half_close = can_half_close
        self._is_closing = False
        self._is_paused = False

    def writelines(self, frames: list[bytes]) -> None:
        assert not self._is_closing and not self.is_eof_sent
        self.writes.append(list(frames))
        self.buffered_bytes += sum(map(len, frames))
        self.take(0)
        if self.buffered_bytes > self.high and not self._is_paused:
            self._is_paused = True
            self.protocol.pause_writing()

    def write(self, line: bytes) -> None:
        self.writelines([line])

    def take(self, count: int) -> None:
        """Let the kernel take `count` bytes more."""
        self.room += count
        taken = min(self.room, self.buffered_bytes)
        self.room -= taken
        self.buffered_bytes -= taken
        if self._is_paused and self.buffered_bytes <= self.high // 4:
            self._is_paused = False
            self.protocol.resume_writing()

    def set_write_buffer_limits(self, high: int) -> None:
        self.high = high

    def get_write_buffer_size(self) -> int:
        return self.buffered_bytes

    def get_extra_info(self, name: str) -> object:
        return ("192.0.2.7", 5222) if name == "peername" else None

    def is_closing(self) -> bool:
        return self._is_closing

    def can_write_eof(self) -> bool:
        return self._can_half_close

    def write_eof(self) -> None:
        self.is_eof_sent = True

    def close(self) -> None:
        self._is_closing = True

    def abort(self) -> None:
        self._is_closing = self.is_aborted = True

    def is_reading(self) -> bool:
        return self._is_reading

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True

    def sent(self) -> list[dict[str, Any]]:
        """Return what was written, decoded."""
        stream = b"".join(map(b"".join, self.writes))
        messages = []
        while stream:
            size = int.from_bytes(stream[:4], "big")
            messages.append(decode(stream[4 : 4 + size]))
            stream = stream[4 + size :]
        return messages


class FakeSession:
    """A session that takes down what it is told."""

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet
        self.ops: list[Any] = []
        self.reasons: list[str] = []
        self.faults: list[Exception | None] = []

    def receive(self, op: Any) -> None:
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        self.ops.append(op)

    def closed(self, reason: str) -> None:
        self.reasons.append(reason)


class Stage:
    """A TCP gateway without sockets, on a loop and a sweep that the test drives."""

    def __init__(self, open_session: Callable[[Outlet], Any] = FakeSession, **bounds: Any) -> None:
        self.loop = FakeLoop()
        self.sessions: list[FakeSession] = []

        def open_and_note(outlet: Outlet) -> Any:
            session = open_session(outlet)
            self.sessions.append(session)
            return session

        self.gateway = TcpGateway(
            open_and_note, "127.0.0.1", 7700, bounds=Bounds(**bounds), rng=random.Random(7)
        )
        self.gateway.loop = self.loop  # type: ignore[assignment]

    def connect(self, *, can_half_close: bool = True) -> tuple[TcpConnection, FakeTransport]:
        """Return a new connection and its transport."""
        connection = TcpConnection(self.gateway)
        transport = FakeTransport(connection, can_half_close=can_half_close)
        connection.connection_made(transport)  # type: ignore[arg-type]
        return connection, transport

    def pass_ticks(self, count: int) -> None:
        """Let `count` ticks of the sweep pass, with all that is due in them."""
        for _ in range(count):
            self.gateway.sweep.tick()
            while self.gateway.sweep.work():
                pass
