"""Knows how the far end of each transport behaves, well or badly. Must not know any gateway.

A new transport brings one class of this shape; the battery in `test_gateways.py` does the rest.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import aiohttp
import zmq
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from actorchat.errors import MalformedFrame
from actorchat.gateway.curve import CurveKeys
from actorchat.gateway.poll import FRAMES_TYPE
from actorchat.protocol import jsontext, upgrade
from actorchat.protocol import websocket as ws
from actorchat.protocol.codec import decode
from actorchat.protocol.framing import FrameSplitter, frame


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


class PollPeer:
    """The far end of `http://` and `https://`: it polls when it sends, and when it wants more."""

    def __init__(self, session: aiohttp.ClientSession, token: str, frames: bytes) -> None:
        self._session = session
        self._polls: list[asyncio.Task[tuple[int, list[bytes]]]] = []
        self._number = self._had = 0
        self._got = deque(FrameSplitter().feed(frames, 2**20))
        self._token = token
        self._is_over = not token

    @classmethod
    async def connect(cls, address: str, tls: ssl.SSLContext | None) -> Self:
        session = aiohttp.ClientSession(
            address, connector=aiohttp.TCPConnector(ssl=tls or True, limit=0)
        )
        try:
            async with session.post("/v1/session") as answer:
                if answer.status == 503:
                    return cls(session, "", await answer.read())
                return cls(session, (await answer.json())["token"], b"")
        except BaseException:
            await session.close()
            raise

    async def send(self, *payloads: bytes) -> None:
        self._poll(b"".join(map(frame, payloads)))
        await asyncio.sleep(0)

    async def send_in_pieces(self, *payloads: bytes) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for byte in b"".join(map(frame, payloads)):
                yield bytes((byte,))

        self._poll(pieces())

    async def send_too_long(self, payload_bytes: int) -> None:
        self._poll(payload_bytes.to_bytes(4, "big") + b"\xa1")

    async def receive(self) -> dict[str, Any] | None:
        while not self._got:
            if self._is_over:
                return None
            if not self._polls:
                self._poll(b"")
            try:
                last, payloads = await self._polls.pop(0)
            except (aiohttp.ClientError, ConnectionError):
                self._is_over = True
                return None
            # What was sent twice, to polls that crossed each other, is taken once.
            self._got.extend(payloads[max(0, self._had - last + len(payloads)) :])
            self._had = max(self._had, last)
        return decode(self._got.popleft())

    async def half_close(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        for poll in self._polls:
            poll.cancel()
        await asyncio.gather(*self._polls, return_exceptions=True)
        token, self._token = self._token, ""
        if token:
            try:
                await self._session.delete("/v1/session", headers=_bearer(token))
            except (aiohttp.ClientError, OSError):
                pass
        await self._session.close()

    def _poll(self, body: bytes | AsyncIterator[bytes]) -> None:
        self._number += 1
        numbers = {"Actorchat-Poll": str(self._number), "Actorchat-Ack": str(self._had)}
        headers = {**_bearer(self._token), **numbers, "Content-Type": FRAMES_TYPE}
        self._polls.append(asyncio.ensure_future(self._ask(body, headers)))

    async def _ask(
        self, body: bytes | AsyncIterator[bytes], headers: dict[str, str]
    ) -> tuple[int, list[bytes]]:
        async with self._session.post("/v1/poll", data=body, headers=headers) as answer:
            if answer.status != 200:
                raise ConnectionError(await answer.text())
            payloads = FrameSplitter().feed(await answer.read(), 2**20)
            return int(answer.headers["Actorchat-Seq"]), payloads


class WsPeer:
    """The far end of `ws://` and `wss://`, in the CBOR form."""

    protocol = upgrade.CBOR_PROTOCOL
    opcode = ws.BINARY

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._splitter = ws.MessageSplitter(frames_are_masked=False)
        self._messages: deque[bytes] = deque()
        self.close_code: int | None = None

    @classmethod
    async def connect(cls, address: str, tls: ssl.SSLContext | None) -> Self:
        where = urlsplit(address)
        assert where.hostname and where.port
        reader, writer = await asyncio.open_connection(where.hostname, where.port, ssl=tls)
        nonce = os.urandom(16)
        writer.write(upgrade.request(where.hostname, where.port, cls.protocol, nonce))
        head = await reader.readuntil(b"\r\n\r\n")
        upgrade.check_answer(head[:-4], cls.protocol, nonce)
        return cls(reader, writer)

    @staticmethod
    def _encoded(payload: bytes) -> bytes:
        return payload

    @staticmethod
    def _decoded(message: bytes) -> dict[str, Any]:
        return decode(message)

    def _frames(self, payloads: tuple[bytes, ...]) -> bytes:
        return b"".join(
            ws.client_frame(self.opcode, self._encoded(payload), os.urandom(4))
            for payload in payloads
        )

    async def send(self, *payloads: bytes) -> None:
        await self.send_raw(self._frames(payloads))

    async def send_raw(self, stream: bytes) -> None:
        self._writer.write(stream)
        await self._writer.drain()

    async def send_in_pieces(self, *payloads: bytes) -> None:
        for byte in self._frames(payloads):
            self._writer.write(bytes((byte,)))
            await asyncio.sleep(0)

    async def send_too_long(self, payload_bytes: int) -> None:
        head = bytes((0x80 | self.opcode, 0xFF)) + payload_bytes.to_bytes(8, "big")
        await self.send_raw(head + bytes(4) + b"x")

    async def receive(self) -> dict[str, Any] | None:
        while not self._messages:
            try:
                chunk = await self._reader.read(65_536)
            except ConnectionError:
                return None
            if not chunk:
                return None
            for opcode, payload in self._splitter.feed(chunk, 2**24):
                if opcode == ws.CLOSE:
                    self.close_code = ws.close_code(payload)
                else:
                    assert opcode == self.opcode
                    self._messages.append(payload)
            assert self._splitter.violation is None
        return self._decoded(self._messages.popleft())

    async def half_close(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except (ConnectionError, ssl.SSLError):
            pass


class JsonWsPeer(WsPeer):
    """The far end of `ws://` in the JSON form. What is no CBOR goes out as text that is no JSON."""

    protocol = upgrade.JSON_PROTOCOL
    opcode = ws.TEXT

    @staticmethod
    def _encoded(payload: bytes) -> bytes:
        try:
            return jsontext.transcode(payload)
        except MalformedFrame:
            return payload.decode("latin-1").encode()

    @staticmethod
    def _decoded(message: bytes) -> dict[str, Any]:
        return jsontext.decode(message)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class ZmqPeer:
    """The far end of `zmq://`: a DEALER that knocks, and hangs up when told that nothing follows.

    It is one connection: it does not come back by itself.
    """

    _LOST = zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED

    def __init__(self, dealer: zmq.Socket[bytes]) -> None:
        self.dealer = dealer
        self._monitor = dealer.get_monitor_socket(self._LOST | zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self._is_lost = False

    @classmethod
    async def connect(cls, address: str, tls: ssl.SSLContext | None) -> Self:
        return await cls.connect_with(address)

    @classmethod
    async def connect_with(cls, address: str, **options: Any) -> Self:
        """Connect with these socket options; ConnectionError where there is no way in."""
        dealer = zmq.Context.instance().socket(zmq.DEALER)
        chosen = {"reconnect_ivl": -1, "rcvhwm": 16, "linger": 1000} | options
        for name, value in chosen.items():
            setattr(dealer, name, value)
        peer = cls(dealer)
        dealer.connect(address.replace("zmq://", "tcp://"))
        async with asyncio.timeout(20):
            while (event := peer._event()) != zmq.EVENT_HANDSHAKE_SUCCEEDED:
                if event is not None:
                    await peer.close()
                    raise ConnectionRefusedError(address)
                await asyncio.sleep(0.001)
        # Not by PROBE_ROUTER, whose knock libzmq loses now and then when a socket closes at once.
        dealer.send(b"")
        return peer

    async def send(self, *payloads: bytes) -> None:
        for payload in payloads:
            while not self._event():
                try:
                    self.dealer.send(payload, zmq.NOBLOCK)
                    break
                except zmq.Again:
                    await asyncio.sleep(0.001)

    async def send_in_pieces(self, *payloads: bytes) -> None:
        for payload in payloads:
            await self.send(payload)
            await asyncio.sleep(0.01)

    async def send_too_long(self, payload_bytes: int) -> None:
        # A message goes out as a whole, and libzmq cuts off without a word who sends longer ones.
        await self.send(bytes(min(payload_bytes, 300_000)))

    async def receive(self) -> dict[str, Any] | None:
        while not self.dealer.closed:
            is_lost = bool(self._event())
            try:
                (payload,) = self.dealer.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                if is_lost:
                    break
                await asyncio.sleep(0.001)
                continue
            if not payload:
                break
            return decode(payload)
        await self.close()
        return None

    async def half_close(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        if not self.dealer.closed:
            # The monitor first: what it tells must find somebody who listens.
            self.dealer.disable_monitor()
            self._monitor.close()
            self.dealer.close()

    def _event(self) -> int | None:
        """Return what the monitor told next; of the end, which is told for ever, also later."""
        if self._is_lost:
            return zmq.EVENT_DISCONNECTED
        try:
            event = recv_monitor_message(self._monitor, zmq.NOBLOCK)["event"]
        except zmq.Again:
            return None
        self._is_lost = bool(event & self._LOST)
        return int(event)


CURVE_SERVER_PUBLIC, CURVE_SERVER_SECRET = zmq.curve_keypair()
CURVE_CLIENT_PUBLIC, CURVE_CLIENT_SECRET = zmq.curve_keypair()
CURVE_KEYS = CurveKeys(
    CURVE_SERVER_PUBLIC, CURVE_SERVER_SECRET, frozenset({z85.decode(CURVE_CLIENT_PUBLIC)})
)


class CurveZmqPeer(ZmqPeer):
    """The far end of a `zmq://` that CURVE guards, with a key that may come in."""

    @classmethod
    async def connect(cls, address: str, tls: ssl.SSLContext | None) -> Self:
        return await cls.connect_with(
            address,
            curve_serverkey=CURVE_SERVER_PUBLIC,
            curve_publickey=CURVE_CLIENT_PUBLIC,
            curve_secretkey=CURVE_CLIENT_SECRET,
        )


async def rest(peer: Peer) -> Sequence[dict[str, Any]]:
    """Return all that comes until the end."""
    got = []
    while (message := await peer.receive()) is not None:
        got.append(message)
    return got
