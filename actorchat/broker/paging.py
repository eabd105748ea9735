"""Knows how a page of a sequence is read from the log. Must not know who answers with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from actorchat.broker.reading import Reading
from actorchat.chat.block import hides, shown_ranges
from actorchat.chat.effect import ReadPage
from actorchat.chat.history import Wanted, fit, fit_around
from actorchat.limits import (
    GROUP_PAGE_ITEMS_MAX,
    HISTORY_PAGE_BYTES_MAX,
    HISTORY_SCAN_PAGE,
    HISTORY_SCAN_ROWS_MAX,
)
from actorchat.protocol import codec, rich

if TYPE_CHECKING:
    from actorchat.broker.archive import Archive

Rows = list[tuple[int, bytes]]  # (seq, record), ascending

_BYTES_AN_ITEM = HISTORY_PAGE_BYTES_MAX // GROUP_PAGE_ITEMS_MAX


def weigh_rich(record: bytes) -> int:
    """Return how much of a page's budget a record takes, where its items count, too."""
    return max(len(record), rich.count_items(record) * _BYTES_AN_ITEM)


class Paging:
    """Reads one page: what is hidden from its reader is left out, what is rich as it is shown.

    Args:
        key: The 18 bytes with which the keys of the sequence begin.
        reading: How the reader is shown records.
        weigh: How much of a page's budget, `HISTORY_PAGE_BYTES_MAX`, a plain record takes.
    """

    __slots__ = ("_archive", "_effect", "_key", "_reading", "_weigh")

    def __init__(
        self,
        archive: Archive,
        key: bytes,
        reading: Reading,
        weigh: Callable[[bytes], int],
        effect: ReadPage,
    ) -> None:
        self._archive = archive
        self._key = key
        self._reading = reading
        self._weigh = weigh
        self._effect = effect

    def read(self) -> tuple[list[bytes], bool, int | None]:
        """Return the records, whether there are more, and where to go on if that is not plain."""
        wanted = self._effect.wanted
        if wanted.around is not None:
            return (*self._around(wanted.around), None)
        if wanted.kinds:
            return self._of_kinds()
        return (*self._span(), None)

    def _span(self) -> tuple[list[bytes], bool]:
        limit, newest = self._effect.limit, self._effect.newest
        budget = _budget(self._effect.wanted)
        found = self._rows(self._effect.after, self._effect.before, limit + 1, newest, budget)
        more = len(found) > limit
        if more:
            found = found[1:] if newest else found[:limit]
        records = self._reading.page(self._key, found)
        kept = records[fit(self._weights(records), budget, newest)]
        return kept, more or len(kept) < len(records)

    def _around(self, around: int) -> tuple[list[bytes], bool]:
        """Return the records on both sides of one, and whether some of the stretch did not fit."""
        effect, budget = self._effect, _budget(self._effect.wanted)
        # It may lie outside of what the reader may see.
        low, high = max(effect.after, around - 1), min(around, effect.before)
        below = self._rows(effect.after, high, effect.limit, True, budget)
        above = self._rows(low, effect.before, effect.limit, False, budget)
        records = self._reading.page(self._key, below + above)
        kept = records[fit_around(self._weights(records), budget, len(below))]
        return kept, len(kept) < len(records)

    def _of_kinds(self) -> tuple[list[bytes], bool, int | None]:
        """Return records of some kinds alone, whether there may be more, and where to go on.

        At most `HISTORY_SCAN_ROWS_MAX` are looked at, so a page may have none and yet not be the
        last.
        """
        effect = self._effect
        after, before, newest = effect.after, effect.before, effect.newest
        left, budget = HISTORY_SCAN_ROWS_MAX, _budget(effect.wanted)
        found: Rows = []
        more = True
        go_on: int | None = None
        while left > 0 and more:
            rows = self._archive.records(
                self._key, after, before, HISTORY_SCAN_PAGE, newest, HISTORY_PAGE_BYTES_MAX
            )
            if not rows:
                more = False
                break
            left -= len(rows)
            for seq, record in reversed(rows) if newest else rows:
                if codec.record_kind(record) in effect.wanted.kinds and not hides(
                    effect.hidden, seq
                ):
                    budget -= self._weigh_one(record)
                    if len(found) == effect.limit or (budget < 0 and found):
                        left = 0
                        break
                    found.insert(0, (seq, record)) if newest else found.append((seq, record))
                before, after = (seq, after) if newest else (before, seq)
        if more:
            go_on = before if newest else after
        return self._reading.page(self._key, found), more, go_on

    def _rows(self, after: int, before: int, limit: int, newest: bool, budget: int) -> Rows:
        """Return what is shown of the seqs in (after, before)."""
        records, hidden = self._archive.records, self._effect.hidden
        if not hidden:
            return records(self._key, after, before, limit, newest, budget)
        ranges = shown_ranges(hidden, after, before)
        found: Rows = []
        for low, high in reversed(ranges) if newest else ranges:
            wanted = limit - len(found)
            some = records(self._key, low, high, wanted, newest, budget)
            found = some + found if newest else found + some
            if len(found) >= limit or len(some) < min(wanted, high - low - 1):
                break  # there are enough of them, or they are too long
        return found

    def _weights(self, records: list[bytes]) -> list[int]:
        weigh = weigh_rich if any(map(rich.is_rich, records)) else self._weigh
        return list(map(weigh, records))

    def _weigh_one(self, record: bytes) -> int:
        return weigh_rich(record) if rich.is_rich(record) else self._weigh(record)


def _budget(wanted: Wanted) -> int:
    most = HISTORY_PAGE_BYTES_MAX
    return most if wanted.bytes_max is None else min(most, wanted.bytes_max)
