"""Knows what a session and its connection are to each other. Must not know transports."""

from __future__ import annotations

from typing import Any, Protocol

from actorchat.chat.event import Disconnected


class Connection(Protocol):
    """What a session needs of its connection; the gateways' `Outlet`."""

    @property
    def source(self) -> str:
        """The address it comes from, without a port; empty if it has none."""
        ...

    @property
    def in_flight(self) -> int:
        """How many requests have no answer yet."""
        ...

    def push(self, payload: bytes) -> None:
        """Send what answers nothing."""
        ...

    def reply(self, payload: bytes) -> None:
        """Send the answer to one request."""
        ...

    def admit(self) -> None:
        """Lift the limits for strangers."""
        ...

    def close(self, payload: bytes | None = None) -> None:
        """Send `payload` last, and close."""
        ...


class SessionInlet:
    """A session as its connection sees it; the gateways' `Inlet`."""

    __slots__ = ("_ref", "receive", "receive_all")

    def __init__(self, ref: Any) -> None:
        self._ref = ref
        self.receive = ref.tell
        self.receive_all = ref.tell_each

    def closed(self, reason: str) -> None:
        """Tell the session that its connection is over."""
        if self._ref.is_alive():
            self._ref.tell(Disconnected(reason))
