"""Knows what direct conversations and groups have in common as actors: a sequence in the log.
Must not know who takes part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actorchat.broker.entity import EntityActor
from actorchat.chat.effect import MoveMarker, ReadPage, Refuse, SaveMarks, StartTimer
from actorchat.chat.event import Page
from actorchat.chat.history import Wanted, fit, fit_around
from actorchat.limits import (
    HISTORY_PAGE_BYTES_MAX,
    HISTORY_SCAN_PAGE,
    HISTORY_SCAN_ROWS_MAX,
)
from actorchat.protocol import codec

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.broker.router import Place


class SequenceActor(EntityActor):
    """An entity with a dense sequence of records, marks, and a marker of what is owed.

    Args:
        key: The 18 bytes with which its keys in the log begin.
    """

    def __init__(self, context: Context, place: Place, key: bytes) -> None:
        super().__init__(context, place)
        self._key = key
        self._archive = context.archive
        self._rows = context.rows
        self._me = self.ref
        self._wall_ms = context.clock.wall_ms

    def _head(self) -> int:
        """Return the last seq."""
        raise NotImplementedError

    def _marks_shown(self) -> dict[str, dict[str, int]]:
        """Return the marks that go with a page."""
        raise NotImplementedError

    def _weigh(self, record: bytes) -> int:
        """Return how much of a page's budget, `HISTORY_PAGE_BYTES_MAX`, a record takes."""
        return len(record)

    # -- effects -----------------------------------------------------------------------------------
    def _refuse(self, effect: Refuse) -> None:
        effect.session.tell(effect.refused)

    def _move_marker(self, effect: MoveMarker) -> None:
        self._log.append_lazily(self._rows.marker(self._key, effect.seq))

    def _save_marks(self, effect: SaveMarks) -> None:
        self._log.append_lazily(
            self._rows.marks(self._key, effect.user, effect.delivered, effect.read)
        )

    def _read_page(self, effect: ReadPage) -> None:
        # Behind a barrier, so that nobody reads what is not durable.
        self._log.apply()
        wanted, go_on = effect.wanted, None
        if wanted.around is not None:
            records, more = self._read_around(effect, wanted.around)
        elif wanted.kinds:
            records, more, go_on = self._read_kinds(effect)
        else:
            records, more = self._read_span(effect)
        place = (self._archive.first_seq(self._key), go_on)
        page = Page(effect.rid, records, self._head(), more, self._marks_shown(), place)
        self._log.append((), effect.session.tell, page)

    def _read_span(self, effect: ReadPage) -> tuple[list[bytes], bool]:
        """Return the records of a page, and whether there are more in its bounds."""
        limit, newest = effect.limit, effect.newest
        budget = self._budget(effect.wanted)
        found = self._archive.records(
            self._key, effect.after, effect.before, limit + 1, newest, budget
        )
        more = len(found) > limit
        if more:
            found = found[1:] if newest else found[:limit]
        records, fits = self._within_budget([record for _, record in found], newest, budget)
        return records, more or not fits

    def _read_around(self, effect: ReadPage, around: int) -> tuple[list[bytes], bool]:
        """Return the records on both sides of one, and whether some of the stretch did not fit."""
        budget, key, limit = self._budget(effect.wanted), self._key, effect.limit
        archive = self._archive
        below = archive.records(key, effect.after, around, limit, True, budget)
        above = archive.records(key, around - 1, effect.before, limit, False, budget)
        found = below + above
        kept = fit_around([self._weigh(record) for _, record in found], budget, len(below))
        shown = [record for _, record in found[kept]]
        return shown, len(shown) < len(found)

    def _read_kinds(self, effect: ReadPage) -> tuple[list[bytes], bool, int | None]:
        """Return records of some kinds alone, whether there may be more, and where to go on.

        At most `HISTORY_SCAN_ROWS_MAX` are looked at, so a page may have none and yet not be the
        last.
        """
        after, before, newest = effect.after, effect.before, effect.newest
        left, budget = HISTORY_SCAN_ROWS_MAX, self._budget(effect.wanted)
        found: list[bytes] = []
        while left > 0:
            rows = self._archive.records(
                self._key, after, before, HISTORY_SCAN_PAGE, newest, HISTORY_PAGE_BYTES_MAX
            )
            if not rows:
                return found, False, None
            left -= len(rows)
            for seq, record in reversed(rows) if newest else rows:
                if codec.record_kind(record) in effect.wanted.kinds:
                    budget -= self._weigh(record)
                    if len(found) == effect.limit or (budget < 0 and found):
                        return found, True, (before if newest else after)
                    found.insert(0, record) if newest else found.append(record)
                before, after = (seq, after) if newest else (before, seq)
        return found, True, (before if newest else after)

    def _budget(self, wanted: Wanted) -> int:
        most = HISTORY_PAGE_BYTES_MAX
        return most if wanted.bytes_max is None else min(most, wanted.bytes_max)

    def _within_budget(
        self, records: list[bytes], newest: bool, budget: int
    ) -> tuple[list[bytes], bool]:
        """Return the records that fit into a page, from its open end, and whether all did."""
        kept = records[fit([self._weigh(record) for record in records], budget, newest)]
        return kept, len(kept) == len(records)

    def _start_timer(self, effect: StartTimer) -> None:
        self.send_after(effect.delay_s, effect.event, key=type(effect.event))
