"""Knows when a link to a peer is up, when it is down, and what the peer has.

Must not know sockets, actors, or what the items say.

A link is two lanes, one each way, each a connection of its own. ZeroMQ makes connections anew in
silence and loses what was under way, so that a lane has a number, its frames have numbers, and
whatever is missing ends both lanes: the peer is down, and a new pair begins with new hellos. So
what arrives between an `Up` and a `Down` is a prefix of what was sent.

    idle ──Dial──▶ dialling ──the peer's hello, and its ack of ours──▶ up ──Down──▶ idle ─ …

`offer` and `urge` may be called from any thread, everything else from the link's own.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from actorchat import limits
from actorchat.cluster.link_frame import BYE, HELLO, ITEMS, Head, pack_frame
from actorchat.errors import LinkFull

IDLE, DIALLING, UP, CLOSED = "idle", "dialling", "up", "closed"

# Why a peer is down, beside what a caller says.
GAP: Final = "gap"  # frames are missing
OVERRUN: Final = "overrun"  # it does not take what it is owed
RESET: Final = "reset"  # it has begun new lanes
RESTARTED: Final = "restarted"
SHUTDOWN: Final = "shutdown"
SILENT: Final = "silent"
SUSPECTED: Final = "disconnected"

SPENT: Final = 2**64 - 1  # in place of the acked seq: that lane of yours is given up here


class Dial(msgspec.Struct, gc=False):
    """Make a new connection, in place of the old one if there is any."""


class Up(msgspec.Struct, gc=False):
    """Both lanes are open; `incarnation` is the peer's."""

    incarnation: int


class Deliver(msgspec.Struct, gc=False):
    """Items came, in the frame that was received last."""


class Leave(msgspec.Struct, gc=False):
    """The peer said goodbye: write what is owed, then call `left`."""


class Down(msgspec.Struct, gc=False):
    """Close the connection; if the link was up, the peer is down now."""

    incarnation: int
    reason: str
    was_up: bool


Effect = Dial | Up | Deliver | Leave | Down


class LinkMachine:
    """One link of `node` to `peer`.

    Args:
        incarnation: Of this process of `node`: greater than those of all before it.
        jitter: Returns a number from 0 to 1, by which waits differ between nodes.
        lanes: Numbers for new lanes, each greater than all that this process gave to `peer`.
    """

    def __init__(
        self,
        node: str,
        incarnation: int,
        peer: str,
        jitter: Callable[[], float] = lambda: 1.0,
        lanes: Iterator[int] | None = None,
    ) -> None:
        self.node = node
        self.incarnation = incarnation
        self.peer = peer
        self.state = IDLE
        self.takes = False  # whether items are sent: it is up, and nobody says goodbye
        self.peer_incarnation = 0  # the greatest that was ever heard
        self.refused = 0  # frames of old incarnations, of old lanes, for others
        self.lost = 0  # items that were queued when a link ended
        self._jitter = jitter
        self._lanes = itertools.count(1) if lanes is None else lanes
        # out
        self._out: list[bytes] = []
        self._offered = self._framed = self._acked = 0  # bytes, ever
        self._flying: deque[tuple[int, int]] = deque()  # seq, and `_framed` after it
        self._frame: bytes | None = None  # packed and not yet taken by the connection
        self._lane = 0
        self._seq = 0
        self._is_due = False  # a hello, or a frame without items
        self._bye = 0  # 0: no; 1: due; 2: sent
        self._sent_s = 0.0
        # in
        self._in_lane = 0
        self._in_seq = 0
        self._is_spent = False  # the link was up with `_in_lane`
        self._is_open = False  # a hello of `_in_lane` came, and no frame was missing since
        self._unacked_bytes = 0
        self._heard_s = 0.0
        self._suspect_s: float | None = None
        # dialling anew
        self._redial_s: float | None = 0.0
        self._backoff_s = limits.LINK_REDIAL_MIN_S
        self._dialled_s = 0.0
        self._looked_s = 0.0

    # -- out -------------------------------------------------------------------------------------
    @property
    def waiting_bytes(self) -> int:
        """Bytes that were offered and are not acked."""
        return self._offered - self._acked

    @property
    def is_drained(self) -> bool:
        """Whether the peer has acked all, the goodbye too."""
        return self.state != UP or (self._bye == 2 and not self._flying)

    @property
    def has_work(self) -> bool:
        """Whether `next_frame` would return one."""
        return self._frame is not None or self._is_due or self._bye == 1 or bool(self._out)

    def offer(self, item: bytes) -> None:
        """Queue an item of whoever can be refused.

        Raises:
            LinkFull: `LINK_WINDOW_BYTES` wait; it was not queued.
        """
        if self._offered - self._acked >= limits.LINK_WINDOW_BYTES:
            raise LinkFull(f"{self.waiting_bytes} bytes wait for node {self.peer!r}")
        self._offered += len(item)
        self._out.append(item)

    def urge(self, item: bytes) -> None:
        """Queue an item that nobody can be refused: an answer, a Down."""
        self._offered += len(item)
        self._out.append(item)

    def next_frame(self, now_s: float) -> bytes | None:
        """Return the frame that is to be sent next, or None; the same one until `sent`."""
        if self._frame is None and (self._is_due or self._out or self._bye == 1):
            if self.state == UP:
                self._frame = self._pack_items()
            elif self.state == DIALLING:
                if self._is_due:
                    self._frame = self._pack(HELLO, 0, self.peer.encode())
            self._sent_s = now_s if self._frame is not None else self._sent_s
        return self._frame

    def sent(self) -> None:
        """Take note that the connection took the frame."""
        self._frame = None

    def _pack_items(self) -> bytes:
        out = self._out
        count = len(out)  # others may add while this runs
        if self._offered - self._framed > limits.LINK_FRAME_BYTES_MAX:
            size = 0
            for count, item in enumerate(out):  # as many as fit, and one at least
                size += len(item)
                if count and size > limits.LINK_FRAME_BYTES_MAX:
                    break
            else:
                count = len(out)
        items = out[:count]
        del out[:count]
        body = b"".join(items)
        self._framed += len(body)
        self._seq += 1
        kind = ITEMS
        if self._bye == 1 and not out:
            self._bye, kind = 2, BYE
        self._flying.append((self._seq, self._framed))
        return self._pack(kind, self._seq, body)

    def _pack(self, kind: int, seq: int, body: bytes) -> bytes:
        self._is_due = False
        self._unacked_bytes = 0
        seq_acked = self._in_seq if self._is_open else SPENT
        acked = (self.peer_incarnation, self._in_lane, seq_acked)
        head = Head(kind, self.node, self.incarnation, self._lane, seq, *acked)
        return pack_frame(head, body)

    # -- in --------------------------------------------------------------------------------------
    def receive(self, head: Head, frame: bytes, at: int, now_s: float) -> list[Effect]:
        """Take a frame that the peer has truly sent; its body begins at `at`."""
        if self.state == CLOSED or head.incarnation < self.peer_incarnation:
            self.refused += 1
            return []
        if head.kind == HELLO:
            return self._on_hello(head, frame[at:], now_s)
        if not self._is_open or (head.incarnation, head.lane) != self._in_id():
            self.refused += 1  # of a lane that is over, or that began before this process did
            return []
        if head.seq != self._in_seq + 1:
            return self._fall(GAP, now_s)
        self._in_seq = head.seq
        self._heard_s = now_s
        self._suspect_s = None
        effects = self._on_ack(head, now_s)
        if self.state != UP:
            self.refused += 1
            return effects
        if len(frame) > at:
            self._unacked_bytes += len(frame) - at
            if self._unacked_bytes >= limits.LINK_ACK_BYTES:
                self._is_due = True
            effects.append(Deliver())
        if head.kind == BYE:
            self._is_due = True
            effects.append(Leave())
        return effects

    def _in_id(self) -> tuple[int, int]:
        return self.peer_incarnation, self._in_lane

    def _on_hello(self, head: Head, body: bytes, now_s: float) -> list[Effect]:
        if body != self.node.encode() or (head.incarnation, head.lane) < self._in_id():
            self.refused += 1
            return []
        effects: list[Effect] = []
        if (head.incarnation, head.lane) != self._in_id():
            # While this end dials it keeps its lane, or both might chase each other for ever.
            if self.state == UP:
                is_new = head.incarnation != self.peer_incarnation
                effects += self._fall(RESTARTED if is_new else RESET, now_s)
            self.peer_incarnation, self._in_lane = head.incarnation, head.lane
            self._in_seq, self._is_open, self._is_spent = 0, True, False
            if self.state == IDLE:  # it is there: no need to wait
                self._redial_s = now_s
                effects += self._dial_if_due(now_s)
        elif not self._is_open:
            if self._is_spent or self._in_seq:
                self.refused += 1  # the lane was given up, and the peer may not know
                self._is_due = self.state == DIALLING
                return []
            self._is_open = True  # nothing but hellos ever came on it: it is as good as new
        self._heard_s = now_s
        effects += self._on_ack(head, now_s)
        # An answer, which carries the ack that the peer lacks.
        self._is_due = self.state in {DIALLING, UP}
        return effects

    def _on_ack(self, head: Head, now_s: float) -> list[Effect]:
        if (head.acked_incarnation, head.acked_lane) != (self.incarnation, self._lane):
            return []
        if head.acked_seq == SPENT:
            return self._fall(SUSPECTED, now_s) if self.state == UP else self._renew(now_s)
        flying = self._flying
        while flying and flying[0][0] <= head.acked_seq:
            _, self._acked = flying.popleft()
        if self.state != DIALLING or not self._is_open:
            return []
        self._is_spent = True
        self._forget_out()  # what another thread queued while the link was down
        self.state = UP
        self.takes = True
        self._backoff_s = limits.LINK_REDIAL_MIN_S
        self._heard_s = now_s
        self._is_due = True
        return [Up(self.peer_incarnation)]

    def _renew(self, now_s: float) -> list[Effect]:
        """Dial a new lane at once, in place of one that the peer has given up."""
        if self.state != DIALLING:
            return []
        self._redial_s = now_s
        return self._dial_if_due(now_s)

    # -- time, and what the connection tells -----------------------------------------------------
    def tick(self, now_s: float) -> list[Effect]:
        """Look at the clock: dial, say hello again, show that we are here, give up a silent peer.

        To be called every `LINK_BEAT_S`, after all that had come was received.
        """
        was_asleep = now_s - self._looked_s > limits.LINK_SILENT_S / 2
        self._looked_s = now_s
        if self.state == IDLE:
            return self._dial_if_due(now_s)
        if self.state == DIALLING:
            if self._is_open and now_s - self._dialled_s >= limits.LINK_SILENT_S:
                return self._fall(SILENT, now_s)  # it is there, but does not take this lane
            if now_s - self._sent_s >= limits.LINK_HELLO_S and self._frame is None:
                self._is_due = True
            return []
        if self.state != UP:
            return []
        if was_asleep:  # this node was: what its peers did meanwhile says nothing
            self._heard_s = now_s
            self._suspect_s = None
        if self.waiting_bytes > limits.LINK_OVERRUN_BYTES:
            return self._fall(OVERRUN, now_s)
        if self._suspect_s is not None and now_s >= self._suspect_s:
            return self._fall(SUSPECTED, now_s)
        if now_s - self._heard_s >= limits.LINK_SILENT_S:
            return self._fall(SILENT, now_s)
        if now_s - self._sent_s >= limits.LINK_TICK_S or self._unacked_bytes:
            self._is_due = True
        return []

    def suspect(self, now_s: float) -> list[Effect]:
        """Take note that the connection was seen to break: the peer must show itself soon.

        Before the link is up it was refused, perhaps for ever: another is dialled.
        """
        if self.state == DIALLING:
            return self._fall(SUSPECTED, now_s)
        if self.state == UP and self._suspect_s is None:
            self._suspect_s = now_s + limits.LINK_SUSPECT_S
            self._is_due = True
        return []

    def give_up(self, reason: str, now_s: float) -> list[Effect]:
        """End the lanes; new ones are dialled in a while."""
        return self._fall(reason, now_s) if self.state in {DIALLING, UP} else []

    def fence(self, incarnation: int, now_s: float) -> list[Effect]:
        """Refuse all before `incarnation` from now on, the one that the link is up with too."""
        if incarnation <= self.peer_incarnation:
            return []
        effects = self.give_up(RESTARTED, now_s) if self._is_open else []
        self.peer_incarnation, self._in_lane = incarnation, 0
        return effects

    def left(self, now_s: float) -> list[Effect]:
        """Take note that all that was owed to a peer that leaves is written."""
        return self._fall(SHUTDOWN, now_s) if self.state == UP else []

    def say_goodbye(self) -> None:
        """Send what waits, then a goodbye; `is_drained` tells when the peer has it all."""
        if self.state == UP and not self._bye:
            self._bye = 1
            self.takes = False

    def close(self, now_s: float) -> list[Effect]:
        """End for good."""
        effects = self._fall(SHUTDOWN, now_s) if self.state in {DIALLING, UP} else []
        self.state = CLOSED
        return effects

    def _dial_if_due(self, now_s: float) -> list[Effect]:
        if self._redial_s is None or now_s < self._redial_s:
            return []
        self._redial_s = None
        self._dialled_s = now_s
        self.state = DIALLING
        self._lane = next(self._lanes)
        self._seq = 0
        self._is_due = True
        return [Dial()]

    def _fall(self, reason: str, now_s: float) -> list[Effect]:
        was_up, self.state = self.state == UP, IDLE
        self.takes = False
        self._forget_out()
        self._frame = None
        self._bye = 0
        self._is_due = self._is_open = False
        self._suspect_s = None
        self._unacked_bytes = 0
        self._redial_s = now_s + self._backoff_s * (0.5 + self._jitter() / 2)
        self._backoff_s = min(self._backoff_s * 2, limits.LINK_REDIAL_MAX_S)
        return [Down(self.peer_incarnation, reason, was_up)]

    def _forget_out(self) -> None:
        self.lost += len(self._out)
        self._out.clear()
        self._flying.clear()
        self._offered = self._framed = self._acked = 0
