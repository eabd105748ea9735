"""Knows what has been kept long enough: undelivered updates, and the beginnings of conversations.
Must not know rows, engines or whose turn it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from actorchat.chat.event import Event
from actorchat.limits import HISTORY_SLACK_S, INBOX_KEEP_S, SENT_KEEP_S


class Expire(Event):
    """Updates up to `upd` have waited long enough for devices that do not come."""

    upd: int


class Policy(msgspec.Struct, frozen=True):
    """How long what is kept; times in seconds.

    `history_keep_s` None: for ever; `history_bytes_max` None: however much, of one conversation.
    A message is kept `sent_keep_s` at least, for as long as that its client id must be known; and
    as long as an update may wait that points to it, plus `slack_s`, within which updates that have
    waited long enough are found.
    """

    inbox_keep_s: float = INBOX_KEEP_S
    history_keep_s: float | None = None
    history_bytes_max: int | None = None
    sent_keep_s: float = SENT_KEEP_S
    slack_s: float = HISTORY_SLACK_S

    @property
    def drops_history(self) -> bool:
        """Whether any message is ever dropped."""
        return self.history_keep_s is not None or self.history_bytes_max is not None

    def inbox_cutoff(self, now_wall_ms: int) -> int:
        """Return the time (wall ms) before which an update has waited long enough."""
        return now_wall_ms - int(self.inbox_keep_s * 1000)

    def floor(self, now_wall_ms: int) -> int:
        """Return the time from which on no message may be dropped, whatever else is asked for."""
        kept_s = max(self.sent_keep_s, self.inbox_keep_s + self.slack_s)
        return now_wall_ms - int(kept_s * 1000)

    def history_cutoff(self, now_wall_ms: int) -> int:
        """Return the time before which a message is dropped for its age; 0: none ever is."""
        if self.history_keep_s is None:
            return 0
        return min(now_wall_ms - int(self.history_keep_s * 1000), self.floor(now_wall_ms))


class Ledger(msgspec.Struct):
    """What is known of a conversation's length without reading it.

    `first` is the first seq that is still there; the records from there up to and with `measured`
    have `kept_bytes` together.
    """

    first: int = 1
    measured: int = 0
    kept_bytes: int = 0


class Line(NamedTuple):
    """A row in the order of its log: its position, the server's time in wall ms, its bytes."""

    position: int
    ts: int
    size: int


def measure(ledger: Ledger, lines: Iterable[Line]) -> None:
    """Count in the records behind `ledger.measured`."""
    for line in lines:
        if line.position > ledger.measured:
            ledger.measured = line.position
            ledger.kept_bytes += line.size


def expired_upto(policy: Policy, lines: Iterable[Line], now_wall_ms: int) -> int:
    """Return the last position of those from the front on that are older than the cutoff; 0: none.

    The first young one ends it, so that nothing behind it goes: an update log has no holes.
    """
    cutoff, upto = policy.inbox_cutoff(now_wall_ms), 0
    for line in lines:
        if line.ts >= cutoff:
            break
        upto = line.position
    return upto


def droppable(
    policy: Policy,
    ledger: Ledger,
    lines: Iterable[Line],
    head: int,
    owed: int | None,
    now_wall_ms: int,
) -> int:
    """Return how many of `lines`, records from `ledger.first` on, are to be dropped.

    The last record stays, and whatever may still have to be told to somebody: from `owed` on.
    A record goes for its age, or because what is kept with it is more than the conversation may
    have; of the latter only as much as was measured.
    """
    end = head if owed is None else min(head, owed)
    cutoff, floor = policy.history_cutoff(now_wall_ms), policy.floor(now_wall_ms)
    budget = policy.history_bytes_max
    kept, count = ledger.kept_bytes, 0
    for line in lines:
        is_old = line.ts < cutoff
        is_too_much = budget is not None and kept > budget and line.position <= ledger.measured
        if line.position >= end or line.ts >= floor or not (is_old or is_too_much):
            break
        kept -= line.size
        count += 1
    return count


def dropped(ledger: Ledger, lines: Iterable[Line]) -> Ledger:
    """Return the ledger without `lines`, which are its first records."""
    first, kept, measured = ledger.first, ledger.kept_bytes, ledger.measured
    for line in lines:
        first = line.position + 1
        if line.position <= measured:
            kept -= line.size
    return Ledger(first, max(measured, first - 1), kept)
