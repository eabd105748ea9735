"""Knows the bytes that one connection owes its peer. Must not know sessions, ops or framing."""

from __future__ import annotations

import logging
from asyncio import AbstractEventLoop, WriteTransport

from actorchat.gateway.base import Counters

log = logging.getLogger(__name__)

# Beyond this the transport asks us to wait, and a queue is handed over before its turn ends.
WATER_BYTES = 65_536


class Outbox:
    """Frames on their way to the transport, given to it once a loop turn in one `writelines`.

    A write for each frame would cost a system call each. What is queued here and in the transport
    together stays within `bytes_max` and one frame. The peer that lets it come to more is a slow
    consumer: what is queued here is dropped, in whole frames.
    """

    __slots__ = (
        "_loop",
        "_transport",
        "_counters",
        "_due",
        "_frames",
        "_room_bytes",
        "_bytes_max",
        "_water_bytes",
        "_is_due",
        "_is_held",
        "_is_closed",
    )

    def __init__(
        self,
        loop: AbstractEventLoop,
        transport: WriteTransport,
        counters: Counters,
        bytes_max: int,
        due: list[Outbox],
    ) -> None:
        """Make an outbox; all of one listener share `due`, which begins empty.

        In it are those that have something for the end of this turn: one callback flushes all,
        since one for each would cost more than the flush.
        """
        self._loop = loop
        self._due = due
        self._transport = transport
        self._counters = counters
        self._frames: list[bytes] = []
        # What is left below the water; less than 0 also while it is not due, or closed, so that
        # one comparison says that a frame is as most are.
        self._room_bytes = -1
        self._bytes_max = bytes_max
        self._water_bytes = min(WATER_BYTES, bytes_max // 4)
        self._is_due = False
        self._is_held = False
        self._is_closed = False
        transport.set_write_buffer_limits(high=self._water_bytes)

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the kernel has not taken yet."""
        return sum(map(len, self._frames)) + self._transport.get_write_buffer_size()

    def put(self, frame: bytes) -> bool:
        """Queue `frame`; say whether the peer keeps up. Once closed, frames are ignored."""
        self._frames.append(frame)
        self._room_bytes = room_bytes = self._room_bytes - len(frame)
        return room_bytes >= 0 or self._put_unusual()

    def _put_unusual(self) -> bool:
        if self._is_closed:
            self._frames.clear()
            return True
        room_bytes = self._water_bytes - sum(map(len, self._frames))
        if room_bytes < 0:
            return self._crowd()
        self._room_bytes = room_bytes
        if not self._is_due:
            self._is_due = True
            due = self._due
            if not due:
                self._loop.call_soon(_flush, due)
            due.append(self)
        return True

    def put_now(self, frame: bytes) -> bool:
        """As `put`, without the wait for the end of the turn: for what comes alone, and seldom."""
        if self._frames or self._is_held or self._is_closed:
            return self.put(frame)
        self._frames.append(frame)
        self._write()
        return self._transport.get_write_buffer_size() <= self._bytes_max

    def hold(self) -> None:
        """Keep frames back: the transport has enough."""
        self._is_held = True

    def release(self) -> None:
        """Go on: the transport's buffer has run low."""
        self._is_held = False
        if self._frames:
            self._write()

    def close(self) -> None:
        """Hand all over to the transport and take no more."""
        if not self._is_closed:
            self._write()
            self._is_closed = True
            self._room_bytes = -1

    def drop(self) -> None:
        """Forget what is queued and take no more."""
        self._is_closed = True
        self._room_bytes = -1
        self._frames = []

    def flush(self) -> None:
        """Give what is queued to the transport, if it takes more."""
        self._is_due = False
        self._room_bytes = -1
        if self._frames and not self._is_held:
            self._write()

    def _write(self) -> None:
        frames, self._frames = self._frames, []
        counters = self._counters
        counters.bytes_out += sum(map(len, frames))
        counters.frames_out += len(frames)
        self._room_bytes = self._water_bytes if self._is_due else -1
        # The transport may have been closed by the loop before it says so to its protocol.
        if frames and not self._transport.is_closing():
            self._transport.writelines(frames)

    def _crowd(self) -> bool:
        # A burst to a peer that reads is no debt: the kernel is offered it before it is counted.
        if not self._is_held:
            self._write()
        if self.unsent_bytes <= self._bytes_max:
            return True
        self._frames = []
        self._room_bytes = self._water_bytes if self._is_due else -1
        return False


def _flush(due: list[Outbox]) -> None:
    outboxes = due[:]
    due.clear()
    for outbox in outboxes:
        try:
            outbox.flush()
        except Exception:
            log.exception("outbox failed")
