"""Knows one peer of a ROUTER socket as a transport of messages. Must not know sockets or ops."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from actorchat.errors import ProtocolError

if TYPE_CHECKING:
    from actorchat.gateway.lines import Line
    from actorchat.gateway.router import Router

ITEM_BYTES = 64  # what a kept message takes beside its bytes
REPLAY_BUDGET = 128  # kept messages that are handed on before the loop has its turn
FLUSH_BATCH = 64
_CHOSEN_ID_BYTES = 5  # a zero and a number: how ids look that libzmq chose


class PeerProtocol(Protocol):
    """What a transport of a peer tells its connection."""

    @property
    def heard(self) -> int:
        """The tick of the sweep in which the last message was taken."""
        ...

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""

    def message_received(self, payload: bytes) -> None:
        """Take a message of one part."""

    def refuse(self, error: ProtocolError) -> None:
        """End: the peer sent what is no message."""

    def overrun(self) -> None:
        """End: the peer sent too much while it was not read."""

    def pause_writing(self) -> None:
        """Write no more for now."""

    def resume_writing(self) -> None:
        """Write again."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up."""


class PeerTransport(asyncio.Transport):
    """One peer as a transport of messages: `writelines` sends one for each payload.

    An empty message tells the peer that nothing follows; then it is to hang up.

    `take` is what the router calls with each message of the peer: the protocol's own method, as
    long as nothing has to be kept.
    """

    __slots__ = (
        "line",
        "peer_id",
        "protocol",
        "take",
        "_backlog",
        "_backlog_bytes",
        "_buffer",
        "_buffer_bytes",
        "_high_bytes",
        "_is_full",
        "_is_gone",
        "_is_paused",
        "_is_replaying",
        "_router",
    )

    take: Callable[[bytes], None]

    def __init__(self, router: Router, peer_id: bytes, protocol: PeerProtocol) -> None:
        super().__init__()
        self.peer_id = peer_id
        self.protocol = protocol
        self.take = protocol.message_received
        self.line: Line[PeerTransport] | None = None
        self._router = router
        self._backlog: deque[bytes] = deque()  # came while reading was paused
        self._backlog_bytes = 0
        self._buffer: deque[bytes] = deque()  # libzmq has no room for it
        self._buffer_bytes = 0
        self._high_bytes = 0
        self._is_full = False  # the protocol was asked to write no more
        self._is_gone = False
        self._is_paused = False
        self._is_replaying = False

    # -- the connection's side ------------------------------------------------------------------

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Return the `peername`, which is known while the monitor keeps up."""
        if name != "peername" or self.line is None:
            return default
        return self.line.peername

    def is_closing(self) -> bool:
        """Say whether the peer is gone."""
        return self._is_gone

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Ask for no more from `high` bytes on, and again at a quarter of it."""
        self._high_bytes = high or 0

    def get_write_buffer_size(self) -> int:
        """Return the bytes that libzmq has not taken."""
        return self._buffer_bytes

    def writelines(self, list_of_data: list[bytes]) -> None:  # type: ignore[override]
        """Send each payload as a message."""
        if self._is_gone:
            return
        sent = 0
        if not self._buffer:
            try:
                sent = self._router.send(self.peer_id, list_of_data)
            except ConnectionError as error:
                self._leave(error)
                return
            if sent == len(list_of_data):
                return
            self._router.wait_for_room(self)
        waiting = list_of_data[sent:]
        self._buffer.extend(waiting)
        self._buffer_bytes += sum(map(len, waiting))
        if self._buffer_bytes > self._high_bytes and not self._is_full:
            self._is_full = True
            self.protocol.pause_writing()

    def can_write_eof(self) -> bool:
        """Say that the end can be told."""
        return True

    def write_eof(self) -> None:
        """Tell the peer, behind all else, that nothing follows."""
        self.writelines([b""])

    def pause_reading(self) -> None:
        """Keep what comes."""
        self._is_paused = True
        self.take = self._keep

    def resume_reading(self) -> None:
        """Hand on what was kept, and then what comes; not from within this call."""
        self._is_paused = False
        if not self._backlog:
            self.take = self.protocol.message_received
        elif not self._is_replaying:
            self._is_replaying = True
            self._router.loop.call_soon(self._replay)

    def abort(self) -> None:
        """Cut the peer off; the protocol learns it in a later turn of the loop."""
        if self._is_gone:
            return
        self._leave(None)
        self._router.haunt(self)
        # Unless somebody else came over it since, when libzmq gave its number away again.
        if self.line is not None and self.line.peer is self:
            self.line.hang_up()

    # -- the router's side ----------------------------------------------------------------------

    @property
    def heard(self) -> int:
        """The tick of the sweep in which the last message was taken."""
        return self.protocol.heard

    @property
    def has_chosen_id(self) -> bool:
        """Whether the peer chose its routing id by itself, where libzmq would have."""
        return len(self.peer_id) != _CHOSEN_ID_BYTES or self.peer_id[0] != 0

    def refuse(self, error: ProtocolError) -> None:
        """Take what is no message, when all before it was handed on or given up."""
        if not self._is_gone:
            self._forget_backlog()
            self.protocol.refuse(error)

    def flush(self) -> None:
        """Send what waits, as far as libzmq has room."""
        buffer = self._buffer
        while buffer:
            batch = list(islice(buffer, FLUSH_BATCH))
            try:
                sent = self._router.send(self.peer_id, batch)
            except ConnectionError as error:
                self._leave(error)
                return
            for _ in range(sent):
                self._buffer_bytes -= len(buffer.popleft())
            if sent < len(batch):
                self._router.wait_for_room(self)
                break
        if self._is_full and self._buffer_bytes <= self._high_bytes // 4:
            self._is_full = False
            self.protocol.resume_writing()

    def depart(self) -> None:
        """Note that the peer has hung up."""
        if not self._is_gone:
            self._leave(None)

    # -- within ---------------------------------------------------------------------------------

    def _leave(self, error: Exception | None) -> None:
        self._is_gone = True
        self._forget_backlog()
        self._buffer.clear()
        self._buffer_bytes = 0
        self._router.forget(self)
        self._router.loop.call_soon(self.protocol.connection_lost, error)

    def _keep(self, payload: bytes) -> None:
        self._backlog.append(payload)
        self._backlog_bytes += len(payload) + ITEM_BYTES
        if self._backlog_bytes > self._router.backlog_bytes_max:
            self._forget_backlog()
            self.protocol.overrun()

    def _forget_backlog(self) -> None:
        self._backlog.clear()
        self._backlog_bytes = 0

    def _replay(self) -> None:
        backlog = self._backlog
        for _ in range(REPLAY_BUDGET):
            if self._is_paused or self._is_gone:
                self._is_replaying = False
                return
            if not backlog:
                self._is_replaying = False
                self.take = self.protocol.message_received
                return
            payload = backlog.popleft()
            self._backlog_bytes -= len(payload) + ITEM_BYTES
            self.protocol.message_received(payload)
        self._router.loop.call_soon(self._replay)
