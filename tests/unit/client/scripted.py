"""A server of which the test plays every move, on a real socket."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from types import TracebackType
from typing import TypeVar

from actorchat.limits import FRAME_BYTES_MAX
from actorchat.protocol import ops
from actorchat.protocol.codec import encode, encode_reply
from actorchat.protocol.connection import Connection, Side, frame

Op = TypeVar("Op")
PATIENCE_S = 20.0


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._connection = Connection(Side.SERVER, FRAME_BYTES_MAX)
        self._ops: deque[object] = deque()

    async def heard(self, kind: type[Op]) -> Op:
        """Return the client's next op, which must be of this kind."""
        async with asyncio.timeout(PATIENCE_S):
            while not self._ops:
                data = await self._reader.read(65_536)
                assert data, f"the client hung up; expected {kind.__name__}"
                self._ops.extend(self._connection.receive(data))
        op = self._ops.popleft()
        assert isinstance(op, kind), f"expected {kind.__name__}, heard {op}"
        return op

    async def is_left(self) -> bool:
        """Wait for the client to hang up; say whether it said nothing more."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return not self._ops and not await self._reader.read(1)
            except ConnectionResetError:
                return not self._ops

    def say(self, *said: object) -> None:
        """Send these ops in one write."""
        self._writer.write(b"".join(frame(encode(op)) for op in said))

    def answer(self, op: ops.Send, seq: int, **more: object) -> None:
        """Accept a send."""
        self._writer.write(frame(encode_reply(op.id, {"seq": seq, "ts": 1_000 + seq, **more})))

    def garble(self) -> None:
        """Send bytes that are no protocol."""
        self._writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def welcome(self, **fields: object) -> ops.Hello:
        """Hear a hello and grant it."""
        hello = await self.heard(ops.Hello)
        granted = {"user": hello.user, "device": hello.device, "head": 0, "cursor": 0}
        ok = {**granted, "cursor": hello.resume or 0, "head": hello.resume or 0, **fields}
        self._writer.write(frame(encode_reply(hello.id, ok)))
        return hello

    def hang_up(self) -> None:
        """Close the connection."""
        self._writer.close()

    async def gone(self) -> None:
        """Close the connection and wait until it is."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            pass


class ScriptedServer:
    """Listens on a free port; `peer` gives each connection to the test."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        self._accepted: asyncio.Queue[Peer] = asyncio.Queue()
        self._peers: list[Peer] = []
        self.address = ""

    async def __aenter__(self) -> ScriptedServer:
        self._server = await asyncio.start_server(
            self._on_connection, "127.0.0.1", 0, ssl=self._context
        )
        port = self._server.sockets[0].getsockname()[1]
        self.address = f"{'tls' if self._context else 'tcp'}://127.0.0.1:{port}"
        return self

    async def _on_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        peer = Peer(reader, writer)
        self._peers.append(peer)
        self._accepted.put_nowait(peer)

    async def peer(self) -> Peer:
        """Return the next connection."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._accepted.get()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for peer in self._peers:
            await peer.gone()
        await self._server.wait_closed()
