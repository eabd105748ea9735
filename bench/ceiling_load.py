"""Knows how to load the ceiling server like the node. Must not know the node."""

from __future__ import annotations

import asyncio
import struct
import time
from typing import Any

import cbor2

from bench.load import BODY_CHARS, now_ns
from bench.process import ServerProcess

_prefix = struct.Struct(">I").pack
_FILL = "x" * (BODY_CHARS - 19)
_WARM_UP_S = 1.0


class Client(asyncio.Protocol):
    """One user of the ceiling server, in a closed loop."""

    def __init__(self, user: str, to: str) -> None:
        self.user = user
        self.received = 0
        self.window = 0
        self._to = to
        self._buffer = b""
        self._sent = 0

    def connection_made(self, transport: Any) -> None:
        """Log in."""
        self._transport = transport
        payload = cbor2.dumps({"op": "login", "user": self.user})
        transport.write(_prefix(len(payload)) + payload)

    def send(self, count: int) -> None:
        """Send so many messages in one write."""
        frames = []
        for _ in range(count):
            self._sent += 1
            body = f"{now_ns():019d}{_FILL}"
            message = {"op": "send", "to": self._to, "id": self._sent, "body": body}
            payload = cbor2.dumps(message)
            frames.append(_prefix(len(payload)) + payload)
        self._transport.write(b"".join(frames))

    def data_received(self, data: bytes) -> None:
        """Count messages; answer acks with new sends."""
        if self._buffer:
            data = self._buffer + data
        at, end, acked = 0, len(data), 0
        while end - at >= 4:
            stop = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if end < stop:
                break
            op = cbor2.loads(data[at + 4 : stop])["op"]
            at = stop
            if op == "msg":
                self.received += 1
            elif op == "ack":
                acked += 1
        self._buffer = data[at:]
        if acked and self.window:
            self.send(acked)


async def ceiling_round(users: int, window: int, seconds: float) -> float:
    """Return the ceiling server's CPU µs a delivered message, over `seconds`."""
    server = ServerProcess(["-m", "bench.ceiling", "0"], r"^ready (\d+)")
    try:
        loop = asyncio.get_running_loop()
        clients: list[Client] = []
        for number in range(users):
            pair = f"user{number:06d}", f"user{number ^ 1:06d}"

            def make(pair: tuple[str, str] = pair) -> Client:
                return Client(*pair)

            _, client = await loop.create_connection(make, "127.0.0.1", server.port)
            clients.append(client)
        await asyncio.sleep(0.3)
        for client in clients:
            client.window = window
            client.send(window)
        await asyncio.sleep(_WARM_UP_S)
        received, cpu_s = sum(client.received for client in clients), server.cpu_s()
        began_s = time.perf_counter()
        await asyncio.sleep(seconds)
        count = sum(client.received for client in clients) - received
        cpu_s = server.cpu_s() - cpu_s
        assert time.perf_counter() > began_s
        return cpu_s / max(1, count) * 1e6
    finally:
        server.stop()
