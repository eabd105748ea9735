"""Knows what a client asks of any transport: an address, payloads out, ops in.

Must not know the session, or how a transport does it.
"""

from __future__ import annotations

import ssl
from typing import Protocol

from msgspec import Struct


class Address(Struct, frozen=True):
    """Where a server listens, and by which transport."""

    scheme: str
    host: str
    port: int


class Link(Protocol):
    """One connection, from the try to open it to its end. Thread: the loop's.

    It is made with three callbacks, `on_open()`, `on_ops(ops)` and `on_end(reason)`. `on_end` is
    called once, unless this side dropped or closed the link; `on_ops` with what each read
    completed. Nothing is called from within a method of the link.
    """

    def open(self, address: Address, context: ssl.SSLContext | None) -> None:
        """Begin to connect; `on_open` or `on_end` tells how it went."""

    def write(self, payload: bytes) -> None:
        """Send `payload` as a frame."""

    def pause(self) -> None:
        """Stop reading."""

    def resume(self) -> None:
        """Go on reading."""

    def drop(self) -> None:
        """Give up the connection at once; nothing of it is heard any more."""

    def close(self) -> None:
        """End the connection after all that was written; nothing of it is heard any more."""

    async def wait_gone(self, timeout_s: float) -> None:
        """Return when nothing of a dropped or closed link is left, by force after `timeout_s`."""
