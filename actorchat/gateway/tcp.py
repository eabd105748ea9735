"""Knows TCP: length-prefixed frames on a byte stream, with or without TLS. Must not know ops."""

from __future__ import annotations

import asyncio
from typing import cast

from actorchat.gateway.endpoint import Endpoint
from actorchat.gateway.listener import Listener
from actorchat.protocol.connection import Connection, Side, frame


class TcpConnection(Endpoint, asyncio.Protocol):
    """One TCP connection. No task, no timer, no buffer of its own but a frame's first part."""

    __slots__ = ("_protocol",)

    _wrap = staticmethod(frame)

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener)
        self._protocol = Connection(Side.SERVER, listener.bounds.hello_frame_bytes_max)

    @property
    def frame_bytes_max(self) -> int:
        """Bytes of the longest payload that is taken now."""
        return self._protocol.frame_bytes_max

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take up the connection. Both loops have set TCP_NODELAY."""
        self._open(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        """Make ops of `data` and pass them on."""
        if self._is_closing:
            return
        listener, protocol = self._listener, self._protocol
        self._heard = listener.sweep.now
        ops = protocol.receive(data)
        counters = listener.counters
        counters.bytes_in += len(data)
        counters.frames_in += len(ops)
        if protocol.error is not None:
            self._break(ops, protocol.error)
        elif ops:
            self._deliver(ops, listener.bounds.in_flight_max)

    def eof_received(self) -> bool:
        """Note that the peer sends no more; it may still wait for answers."""
        return self._peer_closed()

    def _widen(self, frame_bytes_max: int) -> None:
        self._protocol.frame_bytes_max = frame_bytes_max


class TcpGateway(Listener):
    """Listens for `tcp://`, or `tls://` when it has a TLS context."""

    schemes = ("tcp", "tls")

    def _make_endpoint(self) -> TcpConnection:
        return TcpConnection(self)
