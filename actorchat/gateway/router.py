"""Knows a ROUTER socket on the loop, and which message is whose. Must not know ops.

What libzmq does not do by itself, and how it is done here:

- Its descriptor tells of changes, not of states: each pass reads until there is no more, or asks
  for another pass, and after whatever was sent there is one.
- A ROUTER drops what it can't send: here it refuses (`ROUTER_MANDATORY`), and what a full pipe
  refuses waits in the peer's transport, where it is counted.
- It can't be read without one peer: what comes from a paused one waits there, up to a bound.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable, Sequence
from functools import partial

import zmq
from zmq.backend import Socket as PlainSocket

from actorchat.errors import InvalidOp, MalformedFrame
from actorchat.gateway.dealer import PeerProtocol, PeerTransport
from actorchat.gateway.lines import Lines

READ_BUDGET = 128  # messages, or further parts of one, before the loop has its turn
# Peers whose pipes were full are tried again when libzmq has news, which may be that there is
# room, and by the clock. A try in vain takes 4 µs, so peers that never read cost little.
RETRIES_A_PASS = 4
RETRIES_A_TICK = 256
RETRY_S = 0.02
GHOSTS_MAX = 1_024  # peers that were cut, and may have messages in the socket still

# Plain numbers: an enum costs 0.3 µs at each call.
_NOBLOCK = int(zmq.NOBLOCK)
_SEND_MORE = int(zmq.SNDMORE | zmq.NOBLOCK)


class Router:
    """A bound ROUTER socket, read and written on the loop's thread alone."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        socket: zmq.Socket[bytes],
        make_protocol: Callable[[], PeerProtocol],
        backlog_bytes_max: int,
    ) -> None:
        """Take over `socket`, which is not bound yet; `attach` begins to read."""
        self.loop = loop
        self.backlog_bytes_max = backlog_bytes_max
        self._socket = socket
        # `Socket.send` itself does for drafts what nobody uses, at 1 µs a message.
        self._send = partial(PlainSocket.send, socket)
        self._make_protocol = make_protocol
        self._lines: Lines[PeerTransport]
        self._peers: dict[bytes, PeerTransport] = {}
        self._ghosts: dict[bytes, None] = {}
        self._departed: list[PeerTransport] = []
        self._waiting: dict[PeerTransport, None] = {}  # for room, the next to be tried first
        self._retry: TimerHandle | None = None
        self._descriptors: tuple[int, ...] = ()
        self._is_pass_due = False
        self._is_inside = False  # of a message of several parts

    def __len__(self) -> int:
        """Return how many peers there are."""
        return len(self._peers)

    def attach(self, lines: Lines[PeerTransport]) -> None:
        """Begin to read the socket, and the news of `lines`."""
        self._lines = lines
        self._descriptors = (int(self._socket.getsockopt(zmq.FD)), lines.descriptor)
        for descriptor, callback in zip(
            self._descriptors, (self._on_news, lines.take), strict=True
        ):
            self.loop.add_reader(descriptor, callback)

    def close(self) -> None:
        """Read and write no more; the socket and the lines are closed by who opened them."""
        for descriptor in self._descriptors:
            self.loop.remove_reader(descriptor)
        self._descriptors = ()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def send(self, peer_id: bytes, payloads: Sequence[bytes]) -> int:
        """Send each payload as a message while libzmq has room; return how many it took.

        Raises:
            ConnectionError: The peer is gone.
        """
        # Sending takes up what libzmq's thread told, and with it the sign that there is more to
        # read, which the descriptor gives but once.
        if not self._is_pass_due:
            self._pass_soon()
        send = self._send
        sent = 0
        try:
            for payload in payloads:
                send(peer_id, _SEND_MORE)
                # Room was asked for with the first part; the other follows without being asked.
                send(payload, _NOBLOCK)
                sent += 1
        except zmq.Again:
            pass
        except zmq.ZMQError as error:
            raise ConnectionResetError(str(error)) from None
        return sent

    def wait_for_room(self, peer: PeerTransport) -> None:
        """Have `peer` flushed again later; after those who wait already."""
        self._waiting[peer] = None
        if self._retry is None:
            self._retry = self.loop.call_later(RETRY_S, self._on_retry)

    def forget(self, peer: PeerTransport) -> None:
        """Note that `peer` is gone: what comes under its id is another's."""
        self._peers.pop(peer.peer_id, None)
        self._waiting.pop(peer, None)

    def haunt(self, peer: PeerTransport) -> None:
        """Throw away what still comes under the id of `peer`, which was cut."""
        self._ghosts[peer.peer_id] = None
        if len(self._ghosts) > GHOSTS_MAX:
            del self._ghosts[next(iter(self._ghosts))]

    def line_gone(self, peer: PeerTransport) -> None:
        """Note that the line of `peer` is no more, when all is read that had come over it."""
        self._departed.append(peer)
        if not self._is_pass_due:
            self._pass_soon()

    # -- within ---------------------------------------------------------------------------------

    def _pass_soon(self) -> None:
        self._is_pass_due = True
        self.loop.call_soon(self._pass)

    def _on_news(self) -> None:
        if self._waiting:
            self._flush_waiting(RETRIES_A_PASS)
        self._pass()

    def _pass(self) -> None:
        if not self._descriptors:
            return
        departed, self._departed = self._departed, []
        self._is_pass_due = True  # who sends or leaves from here needs no other pass
        try:
            is_all = self._read()
        finally:
            self._is_pass_due = False
        if is_all:
            for peer in departed:
                self._ghosts.pop(peer.peer_id, None)
                peer.depart()
        else:
            self._departed[:0] = departed
        if self._departed or not is_all:
            self._pass_soon()

    def _read(self) -> bool:
        """Read until the budget is spent or there is nothing more; say whether it is the latter."""
        receive, peer_of = self._socket.recv, self._peers.get
        for _ in range(READ_BUDGET):
            if self._is_inside:
                self._is_inside = receive(_NOBLOCK, False).more
                continue
            try:
                peer_id = receive(_NOBLOCK)
            except zmq.Again:
                return True
            # A frame, for it knows whether more parts follow: to ask the socket is dearer.
            frame = receive(_NOBLOCK, False)
            peer = peer_of(peer_id)
            if peer is None or frame.more:
                self._take_odd(peer_id, peer, frame)
            else:
                peer.take(frame.bytes)
        return False

    def _take_odd(self, peer_id: bytes, peer: PeerTransport | None, frame: zmq.Frame) -> None:
        """Take the first message of a peer, or the first part of what is no message."""
        self._is_inside = frame.more
        if peer is None:
            if peer_id in self._ghosts:
                return
            peer = self._welcome(peer_id, _source(frame))
            if not frame.more and not len(frame):
                return  # it only knocked, as sockets with PROBE_ROUTER do
        if frame.more:
            peer.refuse(MalformedFrame("a message of several parts, expected one"))
        else:
            peer.take(frame.bytes)

    def _welcome(self, peer_id: bytes, descriptor: int) -> PeerTransport:
        peer = self._peers[peer_id] = PeerTransport(self, peer_id, self._make_protocol())
        peer.line = self._lines.bind(descriptor, peer)
        if peer.line is None:
            self.line_gone(peer)
        peer.protocol.connection_made(peer)
        if peer.has_chosen_id:
            # Once its owner has left, anybody could choose the same, and be taken for them.
            peer.refuse(InvalidOp("a routing id of your own, expected none"))
        return peer

    def _on_retry(self) -> None:
        self._retry = None
        self._flush_waiting(RETRIES_A_TICK)
        if self._waiting and self._retry is None:
            self._retry = self.loop.call_later(RETRY_S, self._on_retry)

    def _flush_waiting(self, count: int) -> None:
        for _ in range(min(count, len(self._waiting))):
            peer = next(iter(self._waiting), None)
            if peer is None:
                return
            del self._waiting[peer]
            peer.flush()


def _source(frame: zmq.Frame) -> int:
    """Return the descriptor over which `frame` came; -1 where libzmq did not note it."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return -1
