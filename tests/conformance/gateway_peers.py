"""Knows how the far end of each transport behaves, well or badly. Must not know any gateway.

A new transport brings one class of this shape; the battery in `test_gateways.py` does the rest.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

from actorchat.protocol.codec import decode
from actorchat.protocol.framing import frame


class Peer(Protocol):
    """A client that does just what a test says."""

    @classmethod
    async def connect(cls, address: str, tls: ssl.SSLContext | None) -> Self: ...

    async def send(self, *payloads: bytes) -> None:
        """Send all payloads in as few pieces as the transport can."""

    async def send_in_pieces(self, *payloads: bytes) -> None:
        """Send in as many pieces as the transport can: single bytes, on a stream."""

    async def send_too_long(self, payload_bytes: int) -> None:
        """Send, or begin to send, a payload so long."""

    async def receive(self) -> dict[str, Any] | None:
        """Return what came next, decoded; None at the end."""

    async def half_close(self) -> None:
        """End what is sent, go on reading. Only where `can_half_close`."""

    async def close(self) -> None:
        """Leave."""


class TcpPeer:
    """The far end of `tcp://` and `tls://`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, address: str, tls: ssl.SSLContext | None) -> Self:
        where = urlsplit(address)
        assert where.hostname
        reader, writer = await asyncio.open_connection(where.hostname, where.port, ssl=tls)
        return cls(reader, writer)

    async def send(self, *payloads: bytes) -> None:
        self._writer.write(b"".join(map(frame, payloads)))
        await self._writer.drain()

    async def send_in_pieces(self, *payloads: bytes) -> None:
        for byte in b"".join(map(frame, payloads)):
            self._writer.write(bytes((byte,)))
            await asyncio.sleep(0)

    async def send_too_long(self, payload_bytes: int) -> None:
        self._writer.write(payload_bytes.to_bytes(4, "big") + b"\xa1")
        await self._writer.drain()

    async def receive(self) -> dict[str, Any] | None:
        try:
            size = int.from_bytes(await self._reader.readexactly(4), "big")
            return decode(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def half_close(self) -> None:
        self._writer.write_eof()

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except (ConnectionError, ssl.SSLError):
            pass


async def rest(peer: Peer) -> Sequence[dict[str, Any]]:
    """Return all that comes until the end."""
    got = []
    while (message := await peer.receive()) is not None:
        got.append(message)
    return got
