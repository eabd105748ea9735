"""Knows what direct conversations and groups have in common as actors: a sequence in the log.
Must not know who takes part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actorchat.broker.entity import EntityActor
from actorchat.broker.reading import Reading
from actorchat.chat.block import last_shown, shown_ranges
from actorchat.chat.effect import MoveMarker, ReadPage, Refuse, SaveMarks, StartTimer
from actorchat.chat.event import Page
from actorchat.limits import GROUP_PAGE_ITEMS_MAX, HISTORY_PAGE_BYTES_MAX
from actorchat.protocol import rich
from actorchat.store import keys

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.broker.router import Place


_BYTES_AN_ITEM = HISTORY_PAGE_BYTES_MAX // GROUP_PAGE_ITEMS_MAX


def weigh_rich(record: bytes) -> int:
    """Return how much of a page's budget a record takes, where its items count, too."""
    return max(len(record), rich.count_items(record) * _BYTES_AN_ITEM)


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
        limit = effect.limit
        if effect.hidden:
            found = self._found(effect)
        else:
            found = self._archive.records(
                self._key,
                effect.after,
                effect.before,
                limit + 1,
                effect.newest,
                HISTORY_PAGE_BYTES_MAX,
            )
        more = len(found) > limit
        if more:
            found = found[1:] if effect.newest else found[:limit]
        user = keys.user_key(effect.user) if effect.user else b""
        reading = Reading(self._archive, self._wall_ms(), user)
        records, fits = self._within_budget(reading.page(self._key, found), effect.newest)
        marks = self._marks_shown()
        head = last_shown(effect.hidden, self._head())
        page = Page(effect.rid, records, head, more or not fits, marks)
        self._log.append((), effect.session.tell, page)

    def _found(self, effect: ReadPage) -> list[tuple[int, bytes]]:
        """Return the records of a page of which spans are hidden, one more if there is one."""
        ranges = shown_ranges(effect.hidden, effect.after, effect.before)
        found: list[tuple[int, bytes]] = []
        for after, before in reversed(ranges) if effect.newest else ranges:
            wanted = effect.limit + 1 - len(found)
            some = self._archive.records(
                self._key, after, before, wanted, effect.newest, HISTORY_PAGE_BYTES_MAX
            )
            found = some + found if effect.newest else found + some
            if len(found) > effect.limit or len(some) < min(wanted, before - after - 1):
                break  # there are enough of them, or they are too long
        return found

    def _within_budget(self, records: list[bytes], newest: bool) -> tuple[list[bytes], bool]:
        """Return the records that fit into a page, from its open end, and whether all did."""
        budget = HISTORY_PAGE_BYTES_MAX
        kept: list[bytes] = []
        weigh = weigh_rich if any(map(rich.is_rich, records)) else self._weigh
        for record in reversed(records) if newest else records:
            budget -= weigh(record)
            if budget < 0 and kept:
                break
            kept.append(record)
        fits = len(kept) == len(records)
        return (kept[::-1] if newest else kept), fits

    def _shown(self, record: bytes) -> bytes:
        """Return what is told again of a record in history."""
        if not rich.is_rich(record):
            return record
        return Reading(self._archive, self._wall_ms()).shown(self._key, record)

    def _start_timer(self, effect: StartTimer) -> None:
        self.send_after(effect.delay_s, effect.event, key=type(effect.event))
