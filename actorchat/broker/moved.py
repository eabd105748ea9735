"""Knows how the homes of a big group's members are told that its head has moved.
Must not know who is a member, or what a home does with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from actorchat.actor import tell_all
from actorchat.chat.moved import Announcer, Changed, Moved, MovedDue, News, SliceDue, spans_of
from actorchat.chat.roster import Member
from actorchat.errors import MailboxFull
from actorchat.limits import GROUP_SLICE_HOMES

if TYPE_CHECKING:
    from actorchat.broker.place import Place
    from actorchat.broker.router import Router

MOVED_DUE = MovedDue()
SLICE_DUE = SliceDue()


class MovedTeller:
    """The part of a group's actor that tells of its head.

    `posted`, `changed`, `tell` and `tell_rest` are told by the log, when what they speak of is
    synced. Thousands of homes may have to be started to be told, so not all are in one turn.

    Args:
        me: The group's actor, which gets a `MovedDue` or a `SliceDue`.
        told: The last seq that is told, or will be in another way.
        tell_homes: Tells all of some places; None: they are all on this node.
    """

    __slots__ = ("_address", "_announcer", "_key", "_me", "_router", "_slices", "_tell_homes")

    def __init__(
        self,
        router: Router,
        address: str,
        key: bytes,
        me: Any,
        told: int,
        tell_homes: Callable[[Moved, tuple[Place, ...]], None] | None = None,
    ) -> None:
        self._tell_homes = tell_homes
        self._router = router
        self._address = address
        self._key = key
        self._me = me
        self._announcer = Announcer(told)
        self._slices: deque[tuple[Moved, tuple[Place, ...]]] = deque()

    def posted(self, post: tuple[int, tuple[Place, ...], bytes]) -> None:
        """Take note of a durable post: its seq, the homes of the members, its record."""
        if self._announcer.posted(*post):
            try:
                self._me.tell(MOVED_DUE)
            except MailboxFull:
                self._announcer.not_sent()

    def changed(self, change: Changed) -> None:
        """Tell of a durable change, and of what is before it."""
        self.tell([self._of(news) for news in self._announcer.changed(change)])

    def due(self) -> bool:
        """Tell what there is; say whether there was something."""
        news = self._announcer.due()
        if news is None:
            return False
        self.tell([self._of(news)])
        return True

    def tell_rest(self, _: object) -> None:
        """Tell everybody what there is, whatever is due when."""
        news = self._announcer.take()
        if news is not None:
            self.tell([self._of(news)])
        while self._slices:
            self._tell_next()

    def tell(self, told: Iterable[tuple[Moved, tuple[Place, ...]]]) -> None:
        """Tell each to its places, behind what is still to be told; the first of them now."""
        is_going_on = bool(self._slices)
        for moved, places in told:
            for at in range(0, len(places), GROUP_SLICE_HOMES):
                self._slices.append((moved, places[at : at + GROUP_SLICE_HOMES]))
        if not is_going_on:
            self.tell_slice()

    def tell_slice(self) -> None:
        """Tell the next slice, if there is one; have the others come later."""
        if self._slices:
            self._tell_next()
        if self._slices:
            try:
                self._me.tell(SLICE_DUE)
            except MailboxFull:
                self.tell_rest(None)

    def change(self, seq: int, record: bytes, floor: int, rows: Mapping[str, Member]) -> Changed:
        """Return who is to be told of the change that is record `seq`."""
        others: list[Place] = []
        newcomers: dict[int, list[Place]] = {}
        for user, row in rows.items():
            if row.since == seq:
                newcomers.setdefault(row.before(seq), []).append(self._router.user(user))
            elif row.owes(seq):
                others.append(self._router.user(user))
        return Changed(seq, record, floor, tuple(others), newcomers)

    def again(
        self, rows: Mapping[str, Member], after: int, head: int, prev: int | None = None
    ) -> tuple[tuple[Moved, tuple[Place, ...]], ...]:
        """Return what tells everybody of `rows` of all above `after` that is for them.

        `prev` begins the chain; None: it is what their rows say.
        """
        found: dict[tuple[int, int, int], list[Place]] = {}
        for user, row in rows.items():
            before = prev
            for first, last in spans_of(row, after, head):
                link = row.before(first) if before is None else before
                found.setdefault((first, last, link), []).append(self._router.user(user))
                before = last
        # Of one user's spans the earlier must come first.
        return tuple(
            (self._moved(first, last, link, ()), tuple(found[first, last, link]))
            for first, last, link in sorted(found)
        )

    def _tell_next(self) -> None:
        moved, places = self._slices.popleft()
        if self._tell_homes is not None:
            self._tell_homes(moved, places)
        else:
            tell_all([place.ref() for place in places], moved)

    def _of(self, news: News) -> tuple[Moved, tuple[Place, ...]]:
        return self._moved(news.first, news.seq, news.prev, news.records), news.places

    def _moved(self, first: int, seq: int, prev: int, records: tuple[bytes, ...]) -> Moved:
        return Moved(self._address, self._key, self._me, first, seq, prev, records)
