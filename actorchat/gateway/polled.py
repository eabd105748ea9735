"""Knows a transport whose peer comes and asks: what it was not told, what it has. Must not know
HTTP, ops, or who is behind it.

Each frame has a number, from 1. A poll says which it has (`ack`), and what was sent and is not
acked goes out again, so that an answer that got lost costs nothing. Polls have numbers, too: what
comes again under an old one is not taken a second time.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Future, TimerHandle
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from actorchat.errors import InvalidOp
from actorchat.limits import POLL_AHEAD_MAX


class StalePoll(InvalidOp):
    """A poll's numbers don't fit: it repeats what is long over, or skips what never came."""

    code = "stale"


class Poll(Struct):
    """What the peer says: its poll's number, the last frame that it has, bytes of its stream."""

    number: int
    ack: int
    body: bytes
    wait_s: float


class Answer(Struct, frozen=True):
    """What it is told: frames up to number `seq`, and the last poll whose bytes were taken.

    `is_over`: there are no frames and there will be none.
    """

    seq: int
    taken: int
    frames: tuple[bytes, ...] = ()
    is_over: bool = False


class PolledTransport(asyncio.Transport):
    """The server's side of a byte stream whose other side is a sequence of polls.

    `protocol` uses it as any transport. A frame counts as unsent until it is acked; beyond the high
    water mark the protocol is told to pause. Thread: the loop's.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        protocol: Any,
        peername: object,
        on_lost: Callable[[], None],
    ) -> None:
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._peername = peername
        self._on_lost = on_lost
        self._frames: deque[bytes] = deque()  # those that are not acked
        self._bytes = 0
        self._acked = 0  # number of the last frame that the peer has ...
        self._sent = 0  # ... and of the last that it was sent
        self._taken = 0  # number of the last poll whose body was taken
        self._poll: Poll | None = None  # the one that waits, with its answer and its time
        self._answer: Future[Answer]
        self._timer: TimerHandle
        self._high = 65_536
        self._is_full = False
        self._is_reading = True
        self._is_closing = False
        self._is_lost = False
        protocol.connection_made(self)

    # -- the peer's side --------------------------------------------------------------------------

    def poll(self, poll: Poll) -> Future[Answer]:
        """Take `poll`; the answer comes when there is something, or after its `wait_s`.

        One poll waits at a time: a later one ends it with what there is.

        Raises:
            StalePoll: Its numbers don't fit; nothing was taken.
        """
        self._check(poll)
        self._acknowledge(poll.ack)
        answer: Future[Answer] = self._loop.create_future()
        waiting = self._poll
        if waiting is not None and waiting.number > poll.number:
            # It was overtaken on its way. Its bytes come first, and it is not waited with.
            self._take(poll)
            answer.set_result(self._what_there_is())
            self._take_waiting()
            return answer
        self._end_poll()
        self._poll, self._answer = poll, answer
        self._timer = self._loop.call_later(poll.wait_s, self._end_poll)
        self._take(poll)
        if self._frames or self._is_closing:
            self._end_poll()
        return answer

    def leave(self) -> None:
        """Learn that the peer has closed: nothing is owed to it any more."""
        self._protocol.eof_received()
        self.abort()

    def withdraw(self) -> tuple[bytes, ...]:
        """Close for good, and return the frames that the peer was not sent."""
        frames = tuple(self._frames)
        self.abort()
        return frames

    def _check(self, poll: Poll) -> None:
        if poll.ack > self._sent:
            raise StalePoll(f"frame {poll.ack} is acked, {self._sent} is the last that was sent")
        if poll.number > self._taken + POLL_AHEAD_MAX:
            raise StalePoll(f"poll {poll.number}, {self._taken + 1} was expected")
        if poll.number <= self._taken and poll.ack < self._acked:
            raise StalePoll(f"poll {poll.number} is over, and frame {poll.ack + 1} is gone")

    def _acknowledge(self, ack: int) -> None:
        frames = self._frames
        while self._acked < ack:
            self._acked += 1
            self._bytes -= len(frames.popleft())
        if self._is_full and self._bytes <= self._high // 4:
            self._is_full = False
            self._protocol.resume_writing()

    def _take(self, poll: Poll) -> None:
        """Take the bytes of `poll` if it is its turn and they are wanted."""
        body = b""  # it was heard in any case
        if poll.number == self._taken + 1 and (self._is_reading or not poll.body):
            self._taken, body = poll.number, poll.body
        self._protocol.data_received(body)

    def _take_waiting(self) -> None:
        if self._poll is not None:
            self._take(self._poll)

    def _what_there_is(self) -> Answer:
        frames = tuple(self._frames)
        self._sent = self._acked + len(frames)
        is_over = self._is_closing and not frames
        if is_over:
            self._lose()
        return Answer(self._sent, self._taken, frames, is_over)

    def _end_poll(self) -> None:
        if self._poll is None:
            return
        self._poll = None
        self._timer.cancel()
        if not self._answer.done():  # nor cancelled, by a server that goes
            self._answer.set_result(self._what_there_is())

    def _lose(self) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._loop.call_soon(self._tell_lost)

    def _tell_lost(self) -> None:
        self._protocol.connection_lost(None)
        self._on_lost()

    # -- the protocol's side ----------------------------------------------------------------------

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Keep frames for the peer, one an item, and answer it if it waits."""
        frames = [bytes(frame) for frame in list_of_data]
        self._frames.extend(frames)
        self._bytes += sum(map(len, frames))
        self._end_poll()
        if self._bytes > self._high and not self._is_full:
            self._is_full = True
            self._protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        """Return the bytes that the peer has not acked."""
        return self._bytes

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the high water mark; the low one is a quarter of it."""
        if high is not None:
            self._high = high

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return the address of whoever opened the connection, as `peername`."""
        return self._peername if name == "peername" else default

    def pause_reading(self) -> None:
        """Take no more bytes: polls that bring some find that they were not taken."""
        self._is_reading = False

    def resume_reading(self) -> None:
        """Take bytes again; first those of the poll that waits, in a later turn of the loop."""
        self._is_reading = True
        self._loop.call_soon(self._take_waiting)

    def is_reading(self) -> bool:
        """Say whether bytes are taken."""
        return self._is_reading

    def is_closing(self) -> bool:
        """Say whether this side has closed."""
        return self._is_closing

    def can_write_eof(self) -> bool:
        """Say that there is no half-closed state."""
        return False

    def close(self) -> None:
        """Close when the peer has acked all; it may still fetch what is left."""
        self._is_closing = True
        if not self._frames:
            self._end_poll()
            self._lose()

    def abort(self) -> None:
        """Close at once; what was not acked is lost."""
        self._is_closing = True
        # As if acked: a poll that is on its way may ack some of them.
        self._acked += len(self._frames)
        self._frames.clear()
        self._bytes = 0
        self._end_poll()
        self._lose()
