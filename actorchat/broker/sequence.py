"""Knows what direct conversations and groups have in common as actors: a sequence in the log.
Must not know who takes part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actorchat.broker.access import INSIDER, Access, UserAccess
from actorchat.broker.entity import EntityActor
from actorchat.broker.paging import Paging
from actorchat.broker.reading import Reading
from actorchat.chat.block import last_shown
from actorchat.chat.effect import MoveMarker, ReadPage, Refuse, SaveMarks, StartTimer
from actorchat.chat.event import Conv, Page
from actorchat.chat.moderating import TakeAs
from actorchat.protocol import rich
from actorchat.store import keys

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.broker.place import Place


class SequenceActor(EntityActor):
    """An entity with a dense sequence of records, marks, and a marker of what is owed.

    Args:
        key: The 18 bytes with which its keys in the log begin.
    """

    conv: Conv

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
        archive, key = self._archive, self._key
        reading = self._reading_of(effect.user)
        first = archive.first_seq(key)
        effect.after = max(effect.after, first - 1)
        paging = Paging(archive, key, reading, self._weigh, effect)
        records, more, go_on = paging.read()
        head = last_shown(effect.hidden, self._head())
        place = (first, go_on)
        page = Page(effect.rid, records, head, more, self._marks_shown(), place)
        self._log.append((), effect.session.tell, page)

    def _take_as(self, effect: TakeAs) -> None:
        self.on_receive(effect.post)

    def _reading_of(self, user: str) -> Reading:
        """Return how `user` is shown records; empty: who gets them as they are."""
        if not user:
            return Reading(self._archive, self._wall_ms())
        access = UserAccess(user, self._context.blocks, self._context.groups)
        owner = keys.user_key(user)
        return Reading(self._archive, self._wall_ms(), owner, access=access)

    def _shown(self, record: bytes, access: Access = INSIDER) -> bytes:
        """Return what is told again of a record in history."""
        if not rich.is_rich(record):
            return record
        return Reading(self._archive, self._wall_ms(), access=access).shown(self._key, record)

    def _start_timer(self, effect: StartTimer) -> None:
        self.send_after(effect.delay_s, effect.event, key=type(effect.event))
