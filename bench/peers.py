"""Knows how the load's peers talk over each transport. Must not know what is said, nor the node.

They are as light as they can be, for the load must not be slower than what it loads. So they cut
streams by hand, trust the server's bytes, and mask WebSocket frames with zeros: what a server has
to do is the same for every mask, and only a browser's must not be foreseen. Over ZeroMQ they speak
ZMTP 3 on a TCP connection of the loop's, as a DEALER does; libzmq's sockets would cost the load's
core more than the node takes of its own.
"""

from __future__ import annotations

import asyncio
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from struct import Struct
from typing import Any, NamedTuple, Self, cast

import msgspec

from actorchat.protocol import codec, upgrade
from actorchat.protocol import websocket as ws
from actorchat.protocol.framing import frame
from bench.load import Peer, Tally
from bench.poll_peer import PollPeer

HOST = "127.0.0.1"
Message = dict[str, Any]


class StreamPeer(Peer, asyncio.Protocol):
    """A peer on a TCP connection of its own."""

    _transport: asyncio.Transport
    _buffer = b""

    @classmethod
    async def connect(cls, port: int, tally: Tally, user: str, to: str, token: str) -> Self:
        """Connect, and begin to sign in."""
        loop = asyncio.get_running_loop()
        peer = cls(tally, user, to, token)
        await loop.create_connection(lambda: peer, HOST, port)
        return peer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._greet()

    def data_received(self, data: bytes) -> None:
        """Take in the messages that are whole."""
        if self._buffer:
            data = self._buffer + data
        messages: list[Message] = []
        self._buffer = data[self._cut(data, messages) :]
        self.take(messages)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end."""
        self.end(exc)

    def _close(self) -> None:
        self._transport.close()

    def _greet(self) -> None:
        self.begin()

    def _cut(self, data: bytes, messages: list[Message]) -> int:
        """Put the whole messages of `data` into `messages`; return where the rest begins."""
        raise NotImplementedError


class TcpPeer(StreamPeer):
    """Over `tcp://`."""

    def _write(self, payloads: Sequence[bytes]) -> None:
        self._transport.write(b"".join(map(frame, payloads)))

    def _cut(self, data: bytes, messages: list[Message]) -> int:
        at, end = 0, len(data)
        while end - at >= 4:
            stop = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if end < stop:
                break
            messages.append(codec.decode(data[at + 4 : stop]))
            at = stop
        return at


_MASKED = 0x80
_ws_short = Struct(">BB4x").pack
_ws_16 = Struct(">BBH4x").pack


def zero_masked(opcode: int, payload: bytes) -> bytes:
    """Return a client's frame under the mask that changes nothing."""
    size = len(payload)
    if size < 126:
        return _ws_short(_MASKED | opcode, _MASKED | size) + payload
    return _ws_16(_MASKED | opcode, _MASKED | 126, size) + payload


class WsPeer(StreamPeer):
    """Over `ws://`, in the CBOR form."""

    protocol = upgrade.CBOR_PROTOCOL
    opcode = ws.BINARY
    _is_open = False

    def _greet(self) -> None:
        self._transport.write(upgrade.request(HOST, 1, self.protocol, os.urandom(16)))

    def _write(self, payloads: Sequence[bytes]) -> None:
        opcode = self.opcode
        self._transport.write(b"".join([zero_masked(opcode, payload) for payload in payloads]))

    def _decode(self, payload: bytes) -> Message:
        return codec.decode(payload)

    def _cut(self, data: bytes, messages: list[Message]) -> int:
        at, end = 0, len(data)
        if not self._is_open:
            head, found, _ = data.partition(b"\r\n\r\n")
            if not found:
                return 0
            if not head.startswith(b"HTTP/1.1 101 "):
                self.end(head[:80])
                return end
            self._is_open = True
            self.begin()
            at = len(head) + len(found)
        first = 0x80 | self.opcode
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[start : start + 2], "big"), start + 2
            elif size == 127:
                size, start = int.from_bytes(data[start : start + 8], "big"), start + 8
            stop = start + size
            if end < stop:
                break
            if data[at] == first:
                messages.append(self._decode(data[start:stop]))
            else:
                self.end(data[at : at + 80])
            at = stop
        return at


class JsonWsPeer(WsPeer):
    """Over `ws://`, in the JSON form."""

    protocol = upgrade.JSON_PROTOCOL
    opcode = ws.TEXT
    _to_json = staticmethod(msgspec.json.Encoder().encode)
    _of_json = staticmethod(msgspec.json.Decoder().decode)

    def _of_op(self, op: Message) -> bytes:
        return self._to_json(op)

    def _of_send(self, number: int, cid: bytes, body: str) -> bytes:
        text = urlsafe_b64encode(cid)[:22].decode()  # 16 bytes; what follows is padding
        return self._to_json(
            {"op": "send", "id": number, "to": self._to, "cid": text, "body": body}
        )

    def _of_ack(self, upd: int) -> bytes:
        return b'{"op":"ack","upd":%d}' % upd

    def _decode(self, payload: bytes) -> Message:
        message: Message = self._of_json(payload)
        record = message.get("msg")
        if record is not None:
            record["cid"] = urlsafe_b64decode(record["cid"] + "==")
        return message


# ZMTP 3.0 (23/ZMTP of ZeroMQ's RFCs): a greeting of 64 bytes, then frames of flags, size, content.
_GREETING_BYTES = 64
_GREETING = b"\xff\0\0\0\0\0\0\0\0\x7f\x03\x00NULL".ljust(_GREETING_BYTES, b"\0")
_LONG, _COMMAND = 0x02, 0x04
_READY = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00"
_zmtp_short = Struct(">BB").pack
_zmtp_long = Struct(">BQ").pack


def zmtp_frame(payload: bytes, flags: int = 0) -> bytes:
    """Return a message of one part; or a command, which has the flag of one."""
    size = len(payload)
    if size < 0x100:
        return _zmtp_short(flags, size) + payload
    return _zmtp_long(flags | _LONG, size) + payload


class ZmqPeer(StreamPeer):
    """Over `zmq://`, as a DEALER on its own would."""

    _is_greeted = False

    def _greet(self) -> None:
        self._transport.write(_GREETING + zmtp_frame(_READY, _COMMAND))

    def _write(self, payloads: Sequence[bytes]) -> None:
        self._transport.write(b"".join(map(zmtp_frame, payloads)))

    def _cut(self, data: bytes, messages: list[Message]) -> int:
        at, end = 0, len(data)
        if not self._is_greeted:
            if end < _GREETING_BYTES:
                return 0
            self._is_greeted = True
            at = _GREETING_BYTES
        while end - at >= 2:
            flags, size, start = data[at], data[at + 1], at + 2
            if flags & _LONG:
                size, start = int.from_bytes(data[at + 1 : at + 9], "big"), at + 9
            stop = start + size
            if end < stop:
                break
            if flags & _COMMAND:
                self._obey(data[start:stop])
            elif size:
                messages.append(codec.decode(data[start:stop]))
            else:
                self.end("told that nothing follows")
            at = stop
        return at

    def _obey(self, command: bytes) -> None:
        if command.startswith(b"\x05READY"):
            self.begin()
        else:
            self.end(command[:80])


class Gateway(NamedTuple):
    """One way into a node.

    `place` is the gateway's name in settings and in `node.json`; two ways may share a gateway.
    """

    place: str
    connect: Callable[[int, Tally, str, str, str], Awaitable[Peer]]


TCP = Gateway("tcp", TcpPeer.connect)
GATEWAYS = {
    "tcp": TCP,
    "ws": Gateway("ws", WsPeer.connect),
    "ws_json": Gateway("ws", JsonWsPeer.connect),
    "zmq": Gateway("zmq", ZmqPeer.connect),
    "poll": Gateway("http", PollPeer.connect),
}
