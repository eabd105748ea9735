"""Knows what big groups have told a home of, and when it becomes updates.
Must not know rows, sockets or tokens.
"""

from __future__ import annotations

from typing import Any

import msgspec

from actorchat.chat.attendance import Attendance
from actorchat.chat.delivery import Delivery
from actorchat.chat.effect import Barrier, Effect, Push, StartTimer
from actorchat.chat.event import Address, Attach, Confirm, Conv, Event, FannedOut, Missing
from actorchat.chat.moved import Moved
from actorchat.limits import NUMBER_AGAIN_S


class Waiting(msgspec.Struct, gc=False):
    """The records (after, head] of a group that have no update yet; the log says so up to `saved`.

    `key` names the group in the log; `saved` is 0 where the log says nothing.
    """

    key: bytes
    after: int
    head: int
    saved: int = 0


class NumberDue(Event):
    """Time to try again to make updates of what waits."""


class AppendSpan(Effect):
    """Append the records `first` to `seq` of `group` as so many updates, the last of them `upd`.

    It is one row, and deletes that of what waited if it `is_saved`. When it is synced the updates
    go to `session`, made from `records`; or, if `notify`, a `Stored` of them all comes back.
    """

    group: str
    key: bytes
    first: int
    seq: int
    upd: int
    is_saved: bool
    session: Address | None
    notify: bool
    records: tuple[bytes, ...]


class SaveMoved(Effect):
    """Append the row that says what of `group` waits, in place of an earlier one."""

    group: str
    key: bytes
    after: int
    head: int


class Backlog(Attendance):
    """The part of a user's home that takes in what big groups tell.

    While no device is here, a group's records are one entry, which grows, in memory; the log gets
    it when the group asks whether the home has all. With a device here, and when one comes, it
    becomes updates: as many as it has records, in one row.
    """

    __slots__ = ("is_full", "received", "user", "waiting")

    def __init__(self, user: str, head: int, trimmed: int, cursors: dict[str, int]) -> None:
        super().__init__(head, trimmed, cursors)
        self.user = user
        self.received: dict[Conv, int] = {}  # conversations elsewhere: the last seq delivered
        self.waiting: dict[str, Waiting] | None = None
        self.is_full = False  # nothing can be appended now, as the shell says

    def recall_moved(self, group: str, key: bytes, after: int, head: int) -> None:
        """Take in what waits, when the machine is built from the log, behind all its rows."""
        self._wait(group, Waiting(key, after, head, head))
        self.received[group] = head

    def _wait(self, group: str, waiting: Waiting) -> None:
        if self.waiting is None:
            self.waiting = {}
        self.waiting[group] = waiting

    def _is_somebody_here(self) -> bool:
        return self._direct is not None or any(
            delivery.session is not None for delivery in self.devices.values()
        )

    def _receive(self, pair: Conv, seq: int) -> None:
        raise NotImplementedError

    def _span(
        self, first: int, seq: int, group: str, records: tuple[bytes, ...]
    ) -> tuple[int, Address | None, bool, list[Effect]]:
        """Give out the updates; return the last, who is told, and what goes with it."""
        raise NotImplementedError

    # -- what groups tell --------------------------------------------------------------------------
    def _on_moved(self, event: Moved, now_wall_ms: int) -> list[Effect]:
        group, seq, first = event.pair, event.seq, event.first
        have = self.received[group]  # the shell has filled it in from the log
        if seq <= have:
            return []
        if have >= first:
            first = have + 1
        elif event.prev > have:
            return [Push(event.conversation, Missing(self.user, have))]
        waiting = None if self.waiting is None else self.waiting.get(group)
        if self._is_somebody_here():
            out = self._number(group)
            return [*out, *self._append_span(group, event.key, first, seq, False, event.records)]
        self.received[group] = seq
        if waiting is not None and waiting.head == first - 1:
            waiting.head = seq
            return []
        out = self._number(group)  # it was no member in between
        self._wait(group, Waiting(event.key, first - 1, seq))
        self.received[group] = seq
        return out

    def _number(self, group: str) -> list[Effect]:
        """Make updates of what waits of `group`, if something does."""
        if self.waiting is None or group not in self.waiting:
            return []
        waiting = self.waiting.pop(group)
        if not self.waiting:
            self.waiting = None
        first, head = waiting.after + 1, waiting.head
        return self._append_span(group, waiting.key, first, head, waiting.saved > 0, ())

    def _append_span(
        self,
        group: str,
        key: bytes,
        first: int,
        seq: int,
        is_saved: bool,
        records: tuple[bytes, ...],
    ) -> list[Effect]:
        count = seq - first + 1
        records = records[-count:] if len(records) >= count else ()
        self._receive(group, seq)
        upd, session, notify, also = self._span(first, seq, group, records)
        if session is None:
            records = ()
        append = AppendSpan(group, key, first, seq, upd, is_saved, session, notify, records)
        return [append, *also]

    def _on_confirm(self, event: Confirm, now_wall_ms: int) -> list[Effect]:
        pair = event.pair
        have = self.received[pair]  # the shell has filled it in from the log
        if have < event.seq:
            return [Push(event.conversation, Missing(self.user, have))]
        done = Barrier(event.conversation, FannedOut(self.user, event.seq))
        if self.waiting is None or not isinstance(pair, str):
            return [done]
        waiting = self.waiting.get(pair)
        if waiting is None or waiting.saved == waiting.head:
            return [done]
        if self.is_full:
            return []  # it is asked again
        waiting.saved = waiting.head
        return [SaveMoved(pair, waiting.key, waiting.after, waiting.head), done]

    # -- when somebody comes -----------------------------------------------------------------------
    def _let_in(self, delivery: Delivery, event: Attach) -> list[Effect]:
        if self.waiting is None:
            return super()._let_in(delivery, event)
        return [*self._number_all(), *super()._let_in(delivery, event)]

    def _number_all(self) -> list[Effect]:
        if self.is_full:
            return [StartTimer(NUMBER_AGAIN_S, NumberDue())]
        return [effect for group in list(self.waiting or ()) for effect in self._number(group)]

    def _on_number_due(self, event: NumberDue, now_wall_ms: int) -> list[Effect]:
        return self._number_all() if self.waiting and self._is_somebody_here() else []

    _TAKE_IN: dict[type, Any] = {
        Moved: _on_moved,
        Confirm: _on_confirm,
        NumberDue: _on_number_due,
    }
