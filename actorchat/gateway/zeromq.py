"""Knows ZeroMQ: ZMTP towards the DEALERs of clients, an op a message. Must not know ops.

Guarded by CURVE and a list of keys, or on loopback.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, cast

from actorchat.errors import ProtocolError, SettingsError
from actorchat.gateway.base import Bounds, Counters, OpenSession
from actorchat.gateway.curve import CurveKeys, check_guarded
from actorchat.gateway.endpoint import Endpoint
from actorchat.gateway.listener import Listener
from actorchat.metrics import counter
from actorchat.protocol.connection import Connection, Side
from actorchat.protocol.curvezmq import CurveServer
from actorchat.protocol.zmtp import Mechanism, Null, Refused, Stream


@dataclass(slots=True)
class ZmqCounters(Counters):
    """What is counted over ZeroMQ alone."""

    denied: Annotated[int, counter("handshakes", "Refused for a key: not listed, or wrong.")] = 0


class ZmqConnection(Endpoint, asyncio.Protocol):
    """One peer. No task, no timer, no buffer of its own but a frame's first part.

    An empty message tells the peer that nothing follows; then it is to hang up. Were our side
    shut instead, libzmq would take that for a loss, and some of its settings make it throw away
    what came before and was not read yet.
    """

    __slots__ = ("_has_room", "_protocol", "_stream", "_wrap")

    _listener: ZmqGateway
    _stream: Stream
    _wrap: Callable[[bytes], bytes]  # type: ignore[assignment]

    def __init__(self, listener: ZmqGateway) -> None:
        super().__init__(listener)
        self._has_room: bool | None = None  # None from the end of the handshake on
        self._protocol = Connection(Side.SERVER, listener.bounds.hello_frame_bytes_max)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take up the connection. Both loops have set TCP_NODELAY."""
        mechanism = self._listener.make_mechanism()
        self._wrap = mechanism.wrap
        self._stream = Stream(mechanism)
        self._has_room = self._attach(cast(asyncio.Transport, transport))
        self._answer()

    def data_received(self, data: bytes) -> None:
        """Make ops of `data` and pass them on."""
        if self._is_closing:
            return
        listener, stream, protocol = self._listener, self._stream, self._protocol
        self._heard = listener.sweep.now
        counters = listener.counters
        counters.bytes_in += len(data)
        messages = stream.receive(data, protocol.frame_bytes_max)
        if stream.answers and not self._answer():
            return
        if stream.refused is not None:
            self._turn_away(stream.refused)
            return
        error = stream.error
        ops: list[Any] = []
        to_op = protocol.receive_payload
        try:
            for message in messages:
                ops.append(to_op(message))  # noqa: PERF401 (keeps what came before an error)
        except ProtocolError as first:
            error = first
        counters.frames_in += len(ops)
        if error is not None:
            self._break(ops, error)
        elif ops:
            self._deliver(ops, listener.bounds.in_flight_max)

    def eof_received(self) -> bool:
        """Close too: a DEALER has no half-closed state."""
        self._is_peer_done = True
        self._end("eof")
        return False

    def _answer(self) -> bool:
        """Send what ZMTP itself has to say, begin when the peer has come in; say if it goes on."""
        stream = self._stream
        answers, stream.answers = stream.answers, []
        has_room = self._has_room
        if has_room is None:
            for answer in answers:
                if not self._outbox.put(answer):
                    self._overflow()
                    break
        else:
            self._say(b"".join(answers))
            if stream.is_open:
                self._has_room = None
                self._begin(has_room)
        return not self._is_closing

    def _say(self, answer: bytes) -> None:
        """Send what is no message, before there are any."""
        if not self._transport.is_closing():
            self._listener.counters.bytes_out += len(answer)
            self._transport.write(answer)

    def _turn_away(self, refused: Refused) -> None:
        counters = self._listener.counters
        if refused.is_denied:
            counters.denied += 1
        else:
            counters.protocol_errors += 1
        self._end("protocol")

    def _end(self, reason: str, payload: bytes | None = None) -> None:
        if self._is_closing:
            return
        if self._has_room is None and not self._is_peer_done:
            last = self._wrap(payload) if payload is not None else b""
            self._outbox.put(last + self._wrap(b""))
        super()._end(reason)

    def _shut(self) -> None:
        if self._has_room is None and not self._is_peer_done:
            self._transport.resume_reading()  # thrown away, until the peer hangs up
        else:
            super()._shut()

    def _widen(self, frame_bytes_max: int) -> None:
        self._protocol.frame_bytes_max = frame_bytes_max


class ZmqGateway(Listener):
    """Listens for `zmq://`."""

    schemes = ("zmq", "zmq")
    counters: ZmqCounters

    def __init__(
        self,
        open_session: OpenSession,
        host: str,
        port: int,
        ssl_context: ssl.SSLContext | None = None,
        bounds: Bounds | None = None,
        rng: random.Random | None = None,
        *,
        keys: CurveKeys | None = None,
    ) -> None:
        """Make a gateway; `keys` guard it, and only loopback needs none.

        Raises:
            SettingsError: A TLS context, for which ZeroMQ has no use.
        """
        if ssl_context is not None:
            raise SettingsError(["gateway.zmq: TLS is not for ZeroMQ, CURVE is"])
        super().__init__(open_session, host, port, None, bounds, rng)
        self.counters = ZmqCounters()
        self._keys = keys
        self._server_keys = None if keys is None else keys.decoded()

    def make_mechanism(self) -> Mechanism:
        """Return what guards a new connection."""
        keys = self._server_keys
        return Null() if keys is None else CurveServer(keys, os.urandom)

    async def start(self) -> None:
        """Bind and accept.

        Raises:
            SettingsError: The address is not loopback and no keys guard it.
            OSError: The address can't be found or bound.
        """
        found = await asyncio.get_running_loop().getaddrinfo(
            self._host or None, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for *_, address in found:
            check_guarded(str(address[0]), self._keys)
        await super().start()

    def _make_endpoint(self) -> ZmqConnection:
        return ZmqConnection(self)
