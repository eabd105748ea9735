"""Knows ZeroMQ: one ROUTER for the DEALERs of clients, an op a message. Must not know ops.

A peer is a routing id that libzmq chose. Guarded by CURVE and a list of keys, or on loopback.
"""

from __future__ import annotations

import asyncio
import ctypes
import random
import secrets
import socket
import ssl
from dataclasses import dataclass
from typing import Annotated, cast

import zmq

from actorchat import limits
from actorchat.errors import ProtocolError, SettingsError
from actorchat.gateway.base import Bounds, Counters, OpenSession
from actorchat.gateway.curve import CurveKeys, check_guarded
from actorchat.gateway.dealer import PeerTransport
from actorchat.gateway.endpoint import Endpoint
from actorchat.gateway.lines import LineRules, Lines
from actorchat.gateway.listener import REFUSED_LINGER_MAX, Listener
from actorchat.gateway.router import Router
from actorchat.gateway.zap import DOMAIN, ZapHandler
from actorchat.metrics import counter
from actorchat.protocol.connection import Connection, Side


@dataclass(slots=True)
class ZmqCounters(Counters):
    """What is counted over ZeroMQ alone."""

    denied: Annotated[int, counter("handshakes", "Refused for a key that is not listed.")] = 0
    overruns: Annotated[int, counter("connections", "Closed because they sent on unread.")] = 0
    endless: Annotated[int, counter("connections", "Cut in the middle of an endless message.")] = 0


class ZmqConnection(Endpoint):
    """One peer, from its first message on. No task, no timer."""

    __slots__ = ("_protocol",)

    _listener: ZmqGateway

    def __init__(self, listener: ZmqGateway) -> None:
        super().__init__(listener)
        self._protocol = Connection(Side.SERVER, listener.bounds.hello_frame_bytes_max)

    @property
    def heard(self) -> int:
        """The tick of the sweep in which the last message was taken."""
        return self._heard

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take up the connection."""
        self._open(cast(asyncio.Transport, transport))

    def message_received(self, payload: bytes) -> None:
        """Make an op of `payload` and pass it on."""
        if self._is_closing:
            return
        listener = self._listener
        self._heard = listener.sweep.now
        counters = listener.counters
        counters.bytes_in += len(payload)
        counters.frames_in += 1
        try:
            op = self._protocol.receive_payload(payload)
        except ProtocolError as error:
            self._break((), error)
        else:
            self._deliver([op], listener.bounds.in_flight_max)

    def refuse(self, error: ProtocolError) -> None:
        """End a connection whose peer sends what is no message."""
        if not self._is_closing:
            self._break((), error)

    def overrun(self) -> None:
        """End a connection whose peer did not wait for its answers, and filled the backlog."""
        if not self._is_closing:
            self._listener.counters.overruns += 1
            self._end("overrun", self._listener.bye("overload", "after"))

    @staticmethod
    def _wrap(payload: bytes) -> bytes:
        return payload

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
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._socket: zmq.Socket[bytes]
        self._router: Router
        self._lines: Lines[PeerTransport]
        self._zap: ZapHandler | None = None

    async def start(self) -> None:
        """Bind and accept.

        Raises:
            SettingsError: The address is not loopback and no keys guard it.
            OSError: The address can't be found or bound.
        """
        assert self._context is None, "a gateway starts once"
        self.loop = asyncio.get_running_loop()
        found = await self.loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        host = str(found[0][4][0])
        check_guarded(host, self._keys)
        _stir()
        # One of its own: a ZAP handler is asked for every socket of its context.
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._set_options(self._socket, is_ipv6=":" in host)
        bounds, tcp_host = self.bounds, f"[{host}]" if ":" in host else host
        self._router = Router(self.loop, self._socket, self._make_peer, bounds.backlog_bytes_max)
        self._lines = Lines(
            self._context,
            self._socket,
            self.sweep,
            LineRules(
                self.handshake_ticks,
                limits.ZMQ_UNHEARD_BYTES_MAX,
                bounds.connections_max + REFUSED_LINGER_MAX,
                self.room,
                REFUSED_LINGER_MAX,
            ),
            on_gone=self._router.line_gone,
            on_silent=self._on_silent,
            on_flood=self._on_flood,
        )
        try:
            if self._keys is not None:
                self._zap = ZapHandler(
                    self.loop, self._context, self._keys.clients, self._on_denied
                )
            self._socket.bind(f"tcp://{tcp_host}:{self._port}")
        except zmq.ZMQError as error:
            self._close()
            raise OSError(error.errno, f"{self.address}: {error.strerror}") from None
        bound = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._port = self._lines.port = int(bound.rpartition(":")[2])
        self._router.attach(self._lines)
        self.sweep.start(self.loop)

    async def stop(self) -> None:
        """Stop accepting and cut every connection; harmless at any time, and twice."""
        await super().stop()
        self._close()

    def _set_options(self, router: zmq.Socket[bytes], *, is_ipv6: bool) -> None:
        bounds = self.bounds
        router.linger = 0  # who is to have the last words has had them before the close
        router.sndhwm = router.rcvhwm = limits.ZMQ_PIPE_MESSAGES
        router.router_mandatory = 1
        # A little more than is taken, because whom libzmq cuts off is not told why.
        router.maxmsgsize = bounds.frame_bytes_max + bounds.frame_bytes_max // 4
        router.handshake_ivl = max(1, int(bounds.handshake_timeout_s * 1000))
        router.backlog = bounds.accept_backlog
        router.ipv6 = is_ipv6
        if self._keys is not None:
            router.curve_server = True
            router.curve_secretkey = self._keys.secret
            router.zap_domain = DOMAIN
            router.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # no handler: nobody comes in

    def _close_server(self) -> None:
        super()._close_server()
        if self._context is not None:
            self._lines.shut()

    def _close(self) -> None:
        context, self._context = self._context, None
        if context is None:
            return
        self._router.close()
        self._lines.close()
        self._socket.close()
        if self._zap is not None:
            self._zap.close()
        context.term()

    def _make_peer(self) -> ZmqConnection:
        return ZmqConnection(self)

    def _on_silent(self) -> None:
        self.counters.handshake_timeouts += 1

    def _on_flood(self) -> None:
        self.counters.endless += 1

    def _on_denied(self) -> None:
        self.counters.denied += 1


def _stir() -> None:
    """Have libzmq number its peers from a start that nobody knows.

    It asks rand(), which nothing seeds, and when its next number is an id that a peer has chosen
    it ends the process.
    """
    ctypes.CDLL(None).srand(secrets.randbits(32))
