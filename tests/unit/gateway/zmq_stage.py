"""Knows a loop that reads, and a connection, for ZeroMQ's modules. Must not know what is tested."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from actorchat.errors import ProtocolError
from tests.unit.gateway.stage import FakeLoop


class ReadingLoop(FakeLoop):
    """A loop whose descriptors are ready when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: dict[int, Callable[[], object]] = {}

    def call_soon(self, callback: Callable[..., object], *args: object) -> None:
        super().call_soon(partial(callback, *args))

    def add_reader(self, descriptor: int, callback: Callable[[], object]) -> None:
        self.readers[descriptor] = callback

    def remove_reader(self, descriptor: int) -> None:
        del self.readers[descriptor]

    def read(self) -> None:
        """Tell every reader that its descriptor is ready."""
        for callback in list(self.readers.values()):
            callback()

    def settle(self) -> None:
        """Turn until nothing is left to do."""
        for _ in range(100):
            if not self.soon:
                return
            self.turn()
        raise AssertionError("the loop never comes to rest")


class FakeProtocol:
    """A connection that takes down what its transport tells it."""

    def __init__(self) -> None:
        self.heard = 0
        self.transport: Any = None
        self.told: list[object] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def message_received(self, payload: bytes) -> None:
        self.told.append(payload)

    def refuse(self, error: ProtocolError) -> None:
        self.told.append(error.code)

    def overrun(self) -> None:
        self.told.append("overrun")

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append(("lost", type(exc)))
