"""Knows how to hold very many signed-in connections that do nothing but ping.
Must not know what a server makes of them, nor figures.

A transport and a protocol object for each would cost more than the load's core has. So there are
bare sockets, one epoll that the loop watches as if it were a single socket, and a few bytes of
state for each connection in arrays.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import time
from array import array
from collections.abc import Callable, Mapping

from actorchat.protocol import codec
from actorchat.protocol.framing import FrameSplitter, frame
from actorchat.protocol.ops import Ping, Pong

DEVICE = "bench"
# Linux has 28,232 ports for an address towards one port of another, and tries every second first:
# with more than half of them taken, each connect searches for up to a millisecond.
PER_SOURCE = 8_000
BEAT_S = 0.005  # pings are sent in so small groups that they are no burst
_EVENTS_A_TURN = 256
_READ_BYTES = 65_536
_FRAME_BYTES_MAX = 65_536
_BIND_NO_PORT = 24  # IP_BIND_ADDRESS_NO_PORT: the port is chosen when the destination is known

# What a connection is.
ABSENT, CONNECTING, SIGNING_IN, SIGNED_IN, GONE = range(5)

PING = frame(codec.encode_push(Ping()))
QUIET_PING = frame(codec.encode_push(Ping(noreply=True)))
PONG = frame(codec.encode_push(Pong()))


def source_of(number: int) -> str:
    """Return the loopback address that connection `number` comes from."""
    group = number // PER_SOURCE
    return f"127.0.{1 + group // 250}.{1 + group % 250}"


def due_since(began_s: float, now_s: float, count: int, ping_s: float) -> int:
    """Return how many pings are due at `now_s` when `count` connections ping evenly."""
    return int((now_s - began_s) * count / ping_s)


class Crowd:
    """`tokens` (by user) signed in, a connection each; then each pings every `ping_s` seconds.

    A ping asks for its pong as the project's client does (`client/line.py`): if nothing has come
    since the ping before.

    `fail` is told of each connection that was refused or lost and each pong that was asked for and
    did not come. `signed_in` and `pongs` are levels that others may read. All methods belong to
    the loop's thread.
    """

    def __init__(
        self,
        port: int,
        tokens: Mapping[str, str],
        ping_s: float,
        fail: Callable[[str], None],
    ) -> None:
        self.signed_in = 0
        self.pings = 0
        self.pongs = 0
        self._port = port
        self._tokens = tokens
        self._users = list(tokens)
        self._ping_s = ping_s
        self._fail = fail
        count = len(self._users)
        self._sockets = array("i", bytes(4 * count))  # by number
        self._numbers = array("i")  # by file descriptor
        self._states = bytearray(count)
        self._owed = bytearray(count)  # whose last ping has no pong yet, and wants one
        self._heard = bytearray(count)  # who has heard something since their last ping
        self._parts: dict[int, FrameSplitter] = {}  # of frames that are not whole
        self._epoll = select.epoll()
        self._in_flight_max = 0
        self._under_way = 0
        self._next = 0
        self._is_leaving = False
        self._loop = asyncio.get_running_loop()
        self._all_in: asyncio.Future[None] = self._loop.create_future()
        self._beats: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._users)

    async def sign_in(self, in_flight_max: int) -> None:
        """Connect all, at most `in_flight_max` at once; return when each is in or has failed."""
        self._in_flight_max = in_flight_max
        self._loop.add_reader(self._epoll.fileno(), self._ready)
        self._beats = self._loop.create_task(self._beat())
        self._connect_more()
        await self._all_in

    def leave(self) -> None:
        """Close all connections."""
        self._is_leaving = True
        if self._beats is not None:
            self._beats.cancel()
            self._loop.remove_reader(self._epoll.fileno())
        for number, state in enumerate(self._states):
            if state in (CONNECTING, SIGNING_IN, SIGNED_IN):
                os.close(self._sockets[number])
                self._states[number] = GONE
        self._epoll.close()

    # -- connecting --------------------------------------------------------------------------------
    def _connect_more(self) -> None:
        while self._under_way < self._in_flight_max and self._next < len(self._users):
            number, self._next = self._next, self._next + 1
            self._under_way += 1
            try:
                self._connect(number)
            except OSError as error:
                self._lose(number, f"can't connect: {error}")
        if not self._under_way and not self._all_in.done():
            self._all_in.set_result(None)

    def _connect(self, number: int) -> None:
        sock = socket.socket()
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_IP, _BIND_NO_PORT, 1)
            sock.bind((source_of(number), 0))
            sock.connect_ex(("127.0.0.1", self._port))
        except OSError:
            sock.close()
            raise
        self._states[number] = CONNECTING
        self._sockets[number] = fd = sock.detach()
        if fd >= len(self._numbers):
            self._numbers.extend([-1] * (fd + 1_024 - len(self._numbers)))
        self._numbers[fd] = number
        self._epoll.register(fd, select.EPOLLOUT)

    def _say_hello(self, number: int, fd: int) -> None:
        user = self._users[number]
        hello = {
            "op": "hello",
            "id": 0,
            "version": 1,
            "user": user,
            "device": DEVICE,
            "mech": "token",
            "secret": self._tokens[user],
        }
        self._states[number] = SIGNING_IN
        os.write(fd, frame(codec.encode(hello)))
        self._epoll.modify(fd, select.EPOLLIN)

    # -- what comes --------------------------------------------------------------------------------
    def _ready(self) -> None:
        for fd, _ in self._epoll.poll(0, _EVENTS_A_TURN):
            number = self._numbers[fd]
            try:
                if self._states[number] == CONNECTING:
                    self._say_hello(number, fd)
                    continue
                data = os.read(fd, _READ_BYTES)
            except BlockingIOError:
                continue
            except OSError as error:
                self._lose(number, f"lost: {error}")
                continue
            self._heard[number] = 1
            if data == PONG:
                self._owed[number] = 0
                self.pongs += 1
            elif data:
                self._take(number, data)
            else:
                self._lose(number, "closed by the server")

    def _take(self, number: int, data: bytes) -> None:
        """Take in what is not just a pong: the welcome, a part of a frame, or what is not meant."""
        splitter = self._parts.pop(number, None) or FrameSplitter()
        for payload in splitter.feed(data, _FRAME_BYTES_MAX):
            message = codec.decode(payload)
            if message.get("op") == "pong":
                self._owed[number] = 0
                self.pongs += 1
            elif self._states[number] == SIGNING_IN and "ok" in message:
                self._states[number] = SIGNED_IN
                self.signed_in += 1
                self._under_way -= 1
                self._connect_more()
            else:
                self._fail(f"{self._users[number]}: {message}")
        if splitter.held_bytes:
            self._parts[number] = splitter

    def _lose(self, number: int, why: str) -> None:
        state, self._states[number] = self._states[number], GONE
        if state == SIGNED_IN:
            self.signed_in -= 1
        else:
            self._under_way -= 1
        if state != ABSENT:
            os.close(self._sockets[number])  # which takes it out of the epoll as well
        self._fail(f"{self._users[number]}: {why}")
        if state in (CONNECTING, SIGNING_IN):
            self._connect_more()

    # -- heartbeats --------------------------------------------------------------------------------
    async def _beat(self) -> None:
        """Walk over all connections once in `ping_s`, for ever; those that are in send a ping."""
        count, began_s, done = len(self._users), time.perf_counter(), 0
        while True:
            due = due_since(began_s, time.perf_counter(), count, self._ping_s)
            for turn in range(done, due):
                number = turn % count
                if self._states[number] == SIGNED_IN:
                    self._ping(number)
            done = due
            await asyncio.sleep(BEAT_S)

    def _ping(self, number: int) -> None:
        if self._owed[number]:
            self._fail(f"{self._users[number]}: a ping was not answered")
        heard, self._heard[number] = self._heard[number], 0
        self._owed[number] = not heard
        self.pings += 1
        try:
            os.write(self._sockets[number], QUIET_PING if heard else PING)
        except OSError as error:
            self._lose(number, f"lost: {error}")
