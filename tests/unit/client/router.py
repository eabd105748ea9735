"""A ROUTER of which the test plays every move, on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any

import zmq

PATIENCE_S = 20.0
ZAP = "inproc://zeromq.zap.01"


async def until(holds: Callable[[], object]) -> None:
    """Give way until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0)


class ScriptedRouter:
    """Listens on a free port, or on `port`; what peers said stands in `heard`, by `read`."""

    def __init__(self, port: int = 0, **options: Any) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._zap: zmq.Socket[bytes] | None = None
        self.socket = self._context.socket(zmq.ROUTER)
        for name, value in {"linger": 0, "router_mandatory": 1, **options}.items():
            setattr(self.socket, name, value)
        self.socket.bind(f"tcp://127.0.0.1:{port}" if port else "tcp://127.0.0.1:*")
        bound = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.port = int(bound.rpartition(":")[2])
        self.heard: list[tuple[bytes, bytes]] = []

    @property
    def address(self) -> str:
        return f"zmq://127.0.0.1:{self.port}"

    def read(self) -> list[bytes]:
        """Read all there is; return all that was said so far."""
        while True:
            try:
                peer, payload = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return [payload for _, payload in self.heard]
            self.heard.append((peer, payload))

    async def peer(self) -> bytes:
        """Return the id of who spoke first."""
        await until(self.read)
        return self.heard[0][0]

    def say(self, peer: bytes, *payloads: bytes) -> None:
        for payload in payloads:
            self.socket.send_multipart([peer, payload])

    def answer_zap(self, status: bytes) -> None:
        """Have the next handshake judged so; `judge` does it."""
        self._zap = self._context.socket(zmq.REP)
        self._zap.linger = 0
        self._zap.bind(ZAP)
        self._status = status

    def judge(self) -> None:
        """Answer a handshake that waits, if one does."""
        assert self._zap is not None
        try:
            asked = self._zap.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
        self._zap.send_multipart([b"1.0", asked[1], self._status, b"", b"", b""])

    def close(self) -> None:
        """Cut everybody off."""
        self.socket.close()
        if self._zap is not None:
            self._zap.close()
        self._context.term()

    def __enter__(self) -> ScriptedRouter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
