"""Knows how a big group tells of its records: that its head has moved, not one by one.
Must not know homes' logs, or who performs effects.
"""

from __future__ import annotations

from typing import Any

from actorchat.chat.effect import Effect
from actorchat.chat.event import Address, Event
from actorchat.chat.roster import Member
from actorchat.limits import GROUP_MOVED_BYTES_MAX, GROUP_MOVED_RECORDS_MAX


class Moved(Event):
    """The records `first` to `seq` of a group are durable, and all of them for who is told.

    `prev` is the last before `first` that is for them, as in `Deliver`. `records` are the last of
    these, up to `seq`, as many as are in hand; the log has all.
    """

    pair: str
    key: bytes
    conversation: Address
    first: int
    seq: int
    prev: int
    records: tuple[bytes, ...] = ()


class MovedDue(Event):
    """Time for a group to tell how far its head has moved."""


class SliceDue(Event):
    """Time for a group to go on telling those who were too many for one turn."""


class TellSlice(Effect):
    """Tell the next of those who were too many for one turn; if there are more, go on later."""


class TellMoved(Effect):
    """Tell all members' homes how far the head has moved; if it has, a `MovedDue` comes later."""


class Changed(Event):
    """A change of a big group is about to be told, as record `seq`.

    `others` are the homes of those it is for who were members before it; `newcomers` those of the
    others, by the last record that was for them. All up to `floor` was told in another way.
    """

    seq: int
    record: bytes
    floor: int
    others: tuple[Any, ...]
    newcomers: dict[int, list[Any]]


class News(Event):
    """What is to be told now: `records` up to `seq`, from `first`, to the homes `places`."""

    first: int
    seq: int
    prev: int
    places: tuple[Any, ...]
    records: tuple[bytes, ...]


class Announcer:
    """What a big group has told, and what it is about to tell.

    The first news goes out at once, what comes while a `MovedDue` is under way goes out together
    with it. Those who are told are noted with each record, for the members may be others by then.

    Args:
        told: All up to this seq was told.
    """

    __slots__ = ("_bytes", "_is_due", "_places", "_records", "_seq", "told")

    def __init__(self, told: int = 0) -> None:
        self.told = told
        self._seq = told  # the last that is durable
        self._places: tuple[Any, ...] = ()
        self._records: list[bytes] = []
        self._bytes = 0
        self._is_due = False

    def posted(self, seq: int, places: tuple[Any, ...], record: bytes) -> bool:
        """Note that record `seq` is durable; say whether a `MovedDue` is to be sent now."""
        if seq <= self.told:
            return False
        self._seq, self._places = seq, places
        self._note(record)
        if self._is_due:
            return False
        self._is_due = True
        return True

    def _note(self, record: bytes) -> None:
        self._records.append(record)
        self._bytes += len(record)

    def due(self) -> News | None:
        """Return what to tell now; after it a `MovedDue` must come again. None: all is told."""
        news = self.take()
        self._is_due = news is not None
        return news

    def not_sent(self) -> None:
        """Note that a `MovedDue` could not be sent."""
        self._is_due = False

    def take(self) -> News | None:
        """Return what is to be told, whatever is due when; None: all is told."""
        told, seq = self.told, self._seq
        if seq <= told:
            return None
        self.told = seq
        return News(told + 1, seq, told, self._places, self._emptied())

    def _emptied(self) -> tuple[bytes, ...]:
        records, size = self._records, self._bytes
        self._records, self._bytes = [], 0
        if len(records) > GROUP_MOVED_RECORDS_MAX or size > GROUP_MOVED_BYTES_MAX:
            return ()
        return tuple(records)

    def changed(self, change: Changed) -> list[News]:
        """Note that a change is durable; return what to tell at once, of posts before it too."""
        seq = change.seq
        if seq <= self.told:
            return []
        if change.floor > self.told:
            self.told = change.floor
            self._records, self._bytes = [], 0
        self._note(change.record)
        told, records = self.told, self._emptied()
        self.told = self._seq = seq
        found = [News(told + 1, seq, told, change.others, records)] if change.others else []
        found += [
            News(seq, seq, prev, tuple(places), (change.record,))
            for prev, places in change.newcomers.items()
        ]
        return found


def spans_of(row: Member, after: int, head: int) -> list[tuple[int, int]]:
    """Return the spans of seqs (first, last) above `after` and up to `head` that are for one."""
    spans = [*row.earlier]
    if row.since:
        spans.append((row.since, head))
    return [(max(first, after + 1), last) for first, last in spans if last > after]
