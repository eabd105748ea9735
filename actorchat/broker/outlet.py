"""Knows what a session needs of its connection. Must not know transports."""

from __future__ import annotations

from typing import Protocol


class Connection(Protocol):
    """What a session needs of its connection; the gateways' `Outlet`."""

    @property
    def source(self) -> str:
        """The address it comes from, without a port; empty if it has none."""
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
