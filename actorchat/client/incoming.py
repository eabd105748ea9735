"""Knows which updates are new, and what is to be acked when. Must not know what they carry."""

from __future__ import annotations

from enum import Enum

from actorchat.limits import ACK_DELAY_S, ACK_EVERY_UPDATES

SEEN_MESSAGES = 512  # of each of two generations: half the server's delivery window
WROTE_MESSAGES = 1_024  # likewise: what may be on its way back to a client that sends all the time


class Verdict(Enum):
    """What an update is to this client."""

    NEW = "new"
    OLD = "old"  # its position was passed already
    REPEAT = "repeat"  # a new position, but of a message that is here
    OWN = "own"  # what was sent from here
    GAP = "gap"  # one before it is missing


class Incoming:
    """The client's place in its user's update log.

    `received` is the last update that came, `taken` the last that the application holds (and every
    one before it), `acked` the last that the server was told of. None before the first welcome.
    """

    __slots__ = (
        "_repeats",
        "_seen",
        "_seen_before",
        "_wrote",
        "_wrote_before",
        "ack_at",
        "acked",
        "received",
        "resent",
        "rewritten",
        "taken",
    )

    def __init__(self, resume: int | None) -> None:
        self.received = resume
        self.taken = resume
        self.acked = resume
        self.ack_at: float | None = None
        self.resent = 0  # updates that came again
        self.rewritten = 0  # messages that came again, as new updates
        self._repeats: set[int] = set()
        self._seen: set[tuple[str, int]] = set()
        self._seen_before: set[tuple[str, int]] = set()
        self._wrote: set[bytes] = set()
        self._wrote_before: set[bytes] = set()

    def begin(self, cursor: int, head: int, now: float, is_too_old: bool = False) -> int | None:
        """Start after a welcome; return the place left behind when the server's is not ours.

        With `is_too_old` the last update of the gap counts as received and not as taken, until the
        application says so, or takes a later one: so long the server tells of the gap again.
        """
        held = self.received
        if is_too_old or held is None or cursor > held or head < held:
            self.received = cursor
            self.taken = self.acked = cursor - is_too_old
            self.ack_at = None
            self._repeats.clear()
            return held or 0 if is_too_old else held
        assert self.taken is not None
        # That the hello named our place need not count as an ack of it, and the last ack may be
        # lost: say it once on each connection.
        self.acked = cursor
        self.ack_at = now + ACK_DELAY_S if self.taken else None
        return None

    def wrote(self, cid: bytes) -> None:
        """Note that this client sends `cid`: groups, and the user's other devices, send it back."""
        self._wrote.add(cid)
        if len(self._wrote) >= WROTE_MESSAGES:
            self._wrote_before, self._wrote = self._wrote, set()

    def accept(self, upd: int, conv: str, seq: int, now: float, own: bytes = b"") -> Verdict:
        """Judge an update, and move on when it is the next.

        It is message `seq` of `conv`; `own` is its cid where the user wrote it, on any device.
        """
        assert self.received is not None
        assert self.taken is not None
        if upd != self.received + 1:
            if upd > self.received:
                return Verdict.GAP
            if upd <= self.taken and self.ack_at is None:
                # The server repeats what was taken long ago, so our ack can't have reached it.
                self.acked = upd - 1
                self.ack_at = now + ACK_DELAY_S
            self.resent += 1
            return Verdict.OLD
        self.received = upd
        message = (conv, seq)
        is_repeat = message in self._seen or message in self._seen_before
        if is_repeat or own in self._wrote or own in self._wrote_before:
            self._repeats.add(upd)
            if self.taken == upd - 1:
                self.take(self.taken, now)
            if not is_repeat:
                return Verdict.OWN
            self.rewritten += 1
            return Verdict.REPEAT
        self._seen.add(message)
        if len(self._seen) >= SEEN_MESSAGES:
            self._seen_before, self._seen = self._seen, set()
        return Verdict.NEW

    def take(self, upd: int, now: float) -> None:
        """Note that the application holds everything up to `upd`."""
        assert self.received is not None
        assert self.taken is not None
        assert self.acked is not None
        taken = min(max(upd, self.taken), self.received)
        while self._repeats and taken + 1 in self._repeats:
            taken += 1
            self._repeats.discard(taken)
        if self._repeats and taken > self.taken:
            self._repeats = {repeat for repeat in self._repeats if repeat > taken}
        self.taken = taken
        unacked = taken - self.acked
        if unacked >= ACK_EVERY_UPDATES:
            self.ack_at = now
        elif unacked and self.ack_at is None:
            self.ack_at = now + ACK_DELAY_S

    def is_ack_due(self, now: float) -> bool:
        """Say whether an ack can't wait any longer."""
        return self.ack_at is not None and self.ack_at <= now

    def ack(self) -> int:
        """Return what to ack now, and take it as acked."""
        assert self.taken is not None
        self.acked = self.taken
        self.ack_at = None
        return self.taken
