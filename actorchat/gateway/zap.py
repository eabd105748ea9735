"""Knows who may connect to a CURVE socket: ZAP, in the loop. Must not know what they do there.

libzmq asks at each handshake, over a socket with a fixed name inside the context, and refuses
whoever is not granted. Source: https://rfc.zeromq.org/spec/27/
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence

import zmq
from zmq.utils import z85

ADDRESS = "inproc://zeromq.zap.01"
# A name, and no pattern: it must be the same on the socket and here, letter for letter.
DOMAIN = b"actorchat"
ANSWERS_A_TURN = 64
_VERSION = b"1.0"
_REQUEST_FRAMES = 7  # version, id, domain, address, routing id, mechanism, key


class ZapHandler:
    """Answers the handshakes of one context; all methods belong to the loop's thread."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        context: zmq.Context[zmq.Socket[bytes]],
        clients: frozenset[bytes],
        on_denied: Callable[[], None],
    ) -> None:
        """Start to answer; `clients` are the public keys, of 32 bytes, that may connect.

        Raises:
            zmq.ZMQError: The context has a handler already.
        """
        self._loop = loop
        self._clients = clients
        self._on_denied = on_denied
        self._socket = context.socket(zmq.REP)
        self._socket.linger = 0
        try:
            self._socket.bind(ADDRESS)
        except zmq.ZMQError:
            self._socket.close()
            raise
        self._descriptor = int(self._socket.getsockopt(zmq.FD))
        loop.add_reader(self._descriptor, self._work)

    def close(self) -> None:
        """Answer no more: whoever connects from now on is refused."""
        if not self._socket.closed:
            self._loop.remove_reader(self._descriptor)
            self._socket.close()

    def judge(self, request: Sequence[bytes]) -> list[bytes]:
        """Return the answer to one request."""
        request_id = request[1] if len(request) > 1 else b""
        status, text, user = self._judge(request)
        if status != b"200":
            self._on_denied()
        return [_VERSION, request_id, status, text, user, b""]

    def _judge(self, request: Sequence[bytes]) -> tuple[bytes, bytes, bytes]:
        if len(request) != _REQUEST_FRAMES or request[0] != _VERSION:
            return b"500", b"not a request of ZAP 1.0 for CURVE", b""
        _, _, domain, _, _, mechanism, key = request
        if domain != DOMAIN:
            return b"400", b"unknown domain", b""
        if mechanism != b"CURVE":
            return b"400", b"unknown mechanism", b""
        if key not in self._clients:
            return b"400", b"unknown key", b""
        return b"200", b"", z85.encode(key)

    def _work(self) -> None:
        if self._socket.closed:
            return
        for _ in range(ANSWERS_A_TURN):
            try:
                request = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._socket.send_multipart(self.judge(request), zmq.NOBLOCK)
        self._loop.call_soon(self._work)  # the descriptor won't say again that there is more
