"""Knows how a peer of the load polls: two HTTP connections, requests written and answers read by
hand. Must not know what is said, nor the node.

One poll waits at the server. What is written meanwhile goes out with another, which has the server
answer the first.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from typing import Self, cast

from actorchat.protocol import codec
from actorchat.protocol.framing import FrameSplitter, frame
from bench.load import Peer, Tally

_HOST = "127.0.0.1"
_ANSWER_BYTES_MAX = 2**24
_number = re.compile(rb"(?i)\r\n(content-length|actorchat-seq|actorchat-taken): *(\d+)")


class Answer:
    """What a server answered."""

    __slots__ = ("body", "numbers", "status")

    def __init__(self, head: bytes, body: bytes, numbers: dict[bytes, int]) -> None:
        self.status = int(head[9:12])
        self.body = body
        self.numbers = numbers


class HttpLine(asyncio.Protocol):
    """One HTTP/1.1 connection that is kept, with one request under way at a time."""

    def __init__(self, on_lost: Callable[[object], None]) -> None:
        self.number = 0  # of the poll that it carries
        self.body = b""
        self._on_lost = on_lost
        self._on_answer: Callable[[HttpLine, Answer], None] | None = None
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes, on_answer: Callable[[HttpLine, Answer], None]) -> None:
        """Send `request`; `on_answer` is called with this line and the answer."""
        self._on_answer = on_answer
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Hand on the answer when it is whole."""
        data = self._buffer = self._buffer + data
        head, found, rest = data.partition(b"\r\n\r\n")
        if not found:
            return
        numbers = {name.lower(): int(text) for name, text in _number.findall(head)}
        size = numbers.get(b"content-length", 0)
        if len(rest) < size:
            return
        self._buffer = rest[size:]
        on_answer, self._on_answer = self._on_answer, None
        if on_answer is not None:
            on_answer(self, Answer(head, rest[:size], numbers))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that it is gone."""
        self._on_lost(exc)

    def close(self) -> None:
        """Close it."""
        self._transport.close()


class PollPeer(Peer):
    """Over `http://`, in the CBOR form."""

    _head = b""
    _leave_request = b""

    def __init__(self, tally: Tally, user: str, to: str, token: str) -> None:
        super().__init__(tally, user, to, token)
        self._lines: list[HttpLine] = []
        self._free: list[HttpLine] = []
        self._out: list[bytes] = []
        self._polls = 0
        self._had = 0  # frames that came
        self._is_due = False

    @classmethod
    async def connect(cls, port: int, tally: Tally, user: str, to: str, token: str) -> Self:
        """Connect twice, and begin to sign in."""
        loop = asyncio.get_running_loop()
        peer = cls(tally, user, to, token)
        for _ in range(2):
            _, line = await loop.create_connection(lambda: HttpLine(peer.end), _HOST, port)
            peer._lines.append(line)
        first, second = peer._lines
        peer._free.append(second)
        opening = f"POST /v1/session HTTP/1.1\r\nHost: {_HOST}\r\nContent-Length: 0\r\n\r\n"
        first.ask(opening.encode(), peer._open)
        return peer

    def _open(self, line: HttpLine, answer: Answer) -> None:
        if answer.status != 201:
            self.end(answer.status)
            return
        common = f"HTTP/1.1\r\nHost: {_HOST}\r\nAuthorization: Bearer "
        common += json.loads(answer.body)["token"]
        self._leave_request = f"DELETE /v1/session {common}\r\n\r\n".encode()
        form = "Content-Type: application/vnd.actorchat.v1+cbor-frames"
        self._head = f"POST /v1/poll {common}\r\n{form}\r\n".encode()
        self._free.append(line)
        self.begin()

    def _write(self, payloads: Sequence[bytes]) -> None:
        self._out += map(frame, payloads)
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._poll_on)

    def _poll_on(self) -> None:
        """Have a poll wait, and what was written on its way."""
        self._is_due = False
        if self._is_leaving or not self._free or not (self._out or len(self._free) == 2):
            return
        line = self._free.pop()
        self._polls += 1
        line.number, line.body = self._polls, b"".join(self._out)
        self._out.clear()
        self._poll(line)

    def _poll(self, line: HttpLine) -> None:
        numbers = b"Actorchat-Poll: %d\r\nActorchat-Ack: %d\r\nContent-Length: %d\r\n\r\n"
        head = self._head + numbers % (line.number, self._had, len(line.body))
        line.ask(head + line.body, self._answered)

    def _answered(self, line: HttpLine, answer: Answer) -> None:
        if self._is_leaving:
            return
        if answer.status != 200:
            self.end((answer.status, answer.body[:80]))
            return
        last = answer.numbers[b"actorchat-seq"]
        payloads = FrameSplitter().feed(answer.body, _ANSWER_BYTES_MAX)
        # What was sent twice, to polls that crossed each other, is taken once.
        payloads = payloads[max(0, self._had - last + len(payloads)) :]
        self._had = max(self._had, last)
        if answer.numbers[b"actorchat-taken"] < line.number:
            self._poll(line)  # it overtook the one before
        else:
            self._free.append(line)
        self.take(map(codec.decode, payloads))
        self._poll_on()

    def _close(self) -> None:
        if self._free and self._leave_request:
            self._free.pop().ask(self._leave_request, self._left)
        else:
            self._hang_up()

    def _left(self, line: HttpLine, answer: Answer) -> None:
        self._hang_up()

    def _hang_up(self) -> None:
        for line in self._lines:
            line.close()
