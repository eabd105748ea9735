"""Knows how nodes connect to the registry: TCP, u32 length, CBOR. Must not know what is said.

TCP and not ZeroMQ, because what the registry's client must know first of all is that the other side
is gone: libzmq hides that, keeps what it could not send, and connects again by itself, which may be
to another process with other sessions. A closed connection here is `Suspended` at once, and nothing
of an old connection can arrive on a new one.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
from typing import Any, cast

from actorchat import logs
from actorchat.actor import Actor, LocalRef
from actorchat.cluster.registry_actor import REGISTRY, Came
from actorchat.cluster.registry_machine import Gone, Said
from actorchat.cluster.registry_wire import Message
from actorchat.errors import MalformedFrame
from actorchat.limits import (
    HANDSHAKE_TIMEOUT_S,
    HELLO_FRAME_BYTES_MAX,
    REGISTRY_CONNECTIONS_MAX,
    REGISTRY_FRAME_BYTES_MAX,
    REGISTRY_OUTBOX_BYTES_MAX,
)
from actorchat.protocol import codec
from actorchat.protocol.framing import FrameSplitter, frame

log = logs.logger(__name__)

_numbers = itertools.count(1)


class Endpoint(asyncio.Protocol):
    """One connection of a node; bytes to messages and back."""

    def __init__(self, registry: LocalRef, endpoints: set[Endpoint]) -> None:
        self._registry = registry
        self._endpoints = endpoints
        self._splitter = FrameSplitter()
        self._conn = next(_numbers)
        self._transport: asyncio.Transport
        self._late: asyncio.TimerHandle
        self._frame_bytes_max = HELLO_FRAME_BYTES_MAX
        self._is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class
        self._late = asyncio.get_running_loop().call_later(HANDSHAKE_TIMEOUT_S, self.hang, "late")
        if len(self._endpoints) >= REGISTRY_CONNECTIONS_MAX:
            self._is_over = True
            self._transport.abort()
            return
        self._endpoints.add(self)
        self._registry.tell(Came(self._conn, self))

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        for payload in self._splitter.feed(data, self._frame_bytes_max):
            try:
                message = codec.decode(payload)
            except MalformedFrame as error:
                self.hang(str(error))
                return
            self._registry.tell(Said(self._conn, message))
        if self._splitter.oversize is not None:
            self.hang(f"a frame of {self._splitter.oversize} bytes")

    def connection_lost(self, exc: Exception | None) -> None:
        self._late.cancel()
        self._is_over = True
        if self in self._endpoints:
            self._endpoints.discard(self)
            self._registry.tell(Gone(self._conn))

    def say(self, message: Message) -> None:
        """Send a message; a peer that does not take what it is sent is cut off."""
        if self._transport.is_closing():
            return
        if self._frame_bytes_max == HELLO_FRAME_BYTES_MAX and "ok" in message:
            self._frame_bytes_max = REGISTRY_FRAME_BYTES_MAX  # it has proved who it is
            self._late.cancel()
        self._transport.write(frame(codec.encode(message)))
        if self._transport.get_write_buffer_size() > REGISTRY_OUTBOX_BYTES_MAX:
            log.warning("registry cut off a slow node", conn=self._conn)
            self._transport.abort()

    def hang(self, reason: str) -> None:
        """Send what is left, then close."""
        self._is_over = True
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()


class RegistryListener(Actor):
    """Accepts connections for the registry actor of its system, which has started before it."""

    def __init__(
        self, addresses: dict[str, Any], host: str, port: int, context: ssl.SSLContext | None
    ) -> None:
        self._addresses = addresses  # where a later start finds the port that an earlier one had
        self._host = host
        self._port = port
        self._context = context
        self._endpoints: set[Endpoint] = set()
        self._server: asyncio.Server | None = None

    async def on_start(self) -> None:
        """Bind; what port 0 gave is kept over restarts."""
        registry = self.system.names.whereis(REGISTRY)
        assert registry is not None
        host, port = self._addresses.get("bound", (self._host, self._port))
        self._server = await self.spawn_task(self._bind(registry, host, port))
        self._addresses["bound"] = self._server.sockets[0].getsockname()[:2]

    async def _bind(self, registry: LocalRef, host: str, port: int) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(
            lambda: Endpoint(registry, self._endpoints), host, port, ssl=self._context
        )

    async def on_stop(self, reason: object) -> None:
        if self._server is not None:
            self._server.close()
            for endpoint in list(self._endpoints):
                endpoint.hang("the registry stops")
            await self.spawn_task(self._emptied())

    async def _emptied(self) -> None:
        """Wait for the last words to be sent, but for a second at most."""
        for _ in range(100):
            if self._endpoints:
                await asyncio.sleep(0.01)
        for endpoint in list(self._endpoints):
            endpoint.abort()
        await asyncio.sleep(0)
