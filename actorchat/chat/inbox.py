"""Knows a user's update log: positions, devices, what was delivered.
Must not know rows, sockets or tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actorchat.chat.attendance import Attendance
from actorchat.chat.backlog import Backlog
from actorchat.chat.block import HiddenRecord
from actorchat.chat.delivery import Delivery
from actorchat.chat.effect import (
    AppendRecord,
    AppendUpdate,
    Barrier,
    Checkpoint,
    Effect,
    Push,
    ReadRows,
    ReadUnmarked,
    SaveCursor,
    StartTimer,
    TellReached,
    Trim,
)
from actorchat.chat.event import (
    Acked,
    Address,
    Conv,
    Deliver,
    Ended,
    Event,
    Join,
    Joined,
    Marked,
    MarksDue,
    Missing,
    OutOfOrder,
    Record,
    Refused,
    Relay,
    Repeat,
    Rows,
    Stored,
    Unmarked,
    Update,
)
from actorchat.chat.landing import Landing
from actorchat.chat.retention import Expire
from actorchat.limits import (
    CHECKPOINT_EVERY_UPDATES,
    DELIVERY_WINDOW_UPDATES,
    MARK_DELAY_S,
    TRIM_EVERY_UPDATES,
)


class Inbox(Backlog):
    """The home of one user: every update has a dense position `upd`; each device has a cursor.

    A record of a conversation that lives here is appended with its inbox row (`Record`); one from
    elsewhere is a `Deliver`, which is appended once however often it comes. Updates are shown to
    devices when they are synced and not before. With one device that is up to date the update goes
    straight from the log to its session (`_direct`); otherwise by way of this machine.

    Args:
        user: Whose home it is.
        head: The last update of the last checkpoint; what follows in the log is recalled.
        trimmed: Everything up to here is gone from the log.
        cursors: Each device's last acked update.
    """

    __slots__ = (
        "_checkpoint_due",
        "_durable",
        "_expiring",
        "_landing",
        "_received_since",
        "recorded",
    )

    def __init__(
        self, user: str, head: int = 0, trimmed: int = 0, cursors: dict[str, int] | None = None
    ) -> None:
        super().__init__(user, head, trimmed, cursors or {})
        self.recorded: dict[Conv, int] = {}  # conversations that live here: their last seq
        self._received_since: dict[Conv, int] | None = None
        self._checkpoint_due = head + CHECKPOINT_EVERY_UPDATES
        self._durable = 0
        self._expiring = 0  # what is to go, once the marks of what landed of it are kept
        landed = max((d.acked for d in self.devices.values()), default=0)
        self._landing = Landing(landed, told=trimmed)

    def start(self) -> list[Effect]:
        """Return what must be done first: tell again what landed and may not have been marked."""
        out = self._recheck(self.trimmed, self._landing.landed)
        self._go_on_trimming(out)
        return out

    @property
    def is_quiet(self) -> bool:
        """Whether nobody is attached and nothing is under way, so that the home may be put away."""
        return not self._landing.is_under_way and not self.sessions()

    def recall(self, upd: int, pair: Conv, seq: int) -> None:
        """Take in a row behind the last checkpoint, when the machine is built from the log."""
        self.head = upd
        if pair[0] != self.user:
            self._receive(pair, seq)

    def handle(self, event: Event, now_wall_ms: int) -> list[Effect]:
        """Take `event` in; return what must be done, in this order."""
        return self.HANDLERS[type(event)](self, event, now_wall_ms)

    # -- appending -------------------------------------------------------------------------------
    def _on_record(self, event: Record, now_wall_ms: int) -> list[Effect]:
        pair, seq = event.pair, event.seq
        have = self.recorded[pair]  # the shell has filled it in from the log
        if seq != have + 1:
            # A crash has swallowed a record in between: nothing may be stored behind a hole.
            return self._out_of_order(event, have)
        self.recorded[pair] = seq
        if event.is_own and not event.has_company and len(self.devices) < 2:
            return [AppendRecord(event, 0, None, False)]
        self.head = upd = self.head + 1
        session, notify = self._route(upd, pair, seq)
        append = AppendRecord(event, upd, session, notify)
        return [append] if upd < self._checkpoint_due else [append, self._make_checkpoint()]

    def _on_hidden_record(self, event: HiddenRecord, now_wall_ms: int) -> list[Effect]:
        if event.is_own:
            return self._on_record(event, now_wall_ms)
        have = self.recorded[event.pair]  # as in `_on_record`
        if event.seq != have + 1:
            return self._out_of_order(event, have)
        self.recorded[event.pair] = event.seq
        return [AppendRecord(event, 0, None, False)]

    def _on_repeat(self, event: Repeat, now_wall_ms: int) -> list[Effect]:
        have = self.recorded[event.pair]  # the shell has filled it in from the log
        if event.seq > have:
            return self._out_of_order(event, have)
        return [Barrier(event.session, event.ack)]

    def _on_join(self, event: Join, now_wall_ms: int) -> list[Effect]:
        return [Push(event.conversation, Joined())]

    def _out_of_order(self, event: Record | Repeat, have: int) -> list[Effect]:
        reason = "the conversation is being rebuilt; send again"
        refused = Refused(event.ack.rid, "unavailable", reason, "now", "unknown")
        return [Push(event.session, refused), Push(event.conversation, OutOfOrder(have))]

    def _on_deliver(self, event: Deliver, now_wall_ms: int) -> list[Effect]:
        pair, seq = event.pair, event.seq
        have = self.received[pair]  # the shell has filled it in from the log
        if seq <= have:
            return []
        if event.prev > have:
            return [Push(event.conversation, Missing(self.user, have))]
        if self.waiting is not None and pair in self.waiting:
            return [*self._number(pair), *self._on_deliver(event, now_wall_ms)]
        self._receive(pair, seq)
        if event.is_again and event.is_own and len(self.devices) < 2:
            return []  # nobody knows any more whether another device wrote it: its one device did
        self.head = upd = self.head + 1
        session, notify = self._route(upd, pair, seq)
        append = AppendUpdate(event, upd, session, notify)
        return [append] if upd < self._checkpoint_due else [append, self._make_checkpoint()]

    def _receive(self, pair: Conv, seq: int) -> None:
        self.received[pair] = seq
        since = self._received_since
        if since is None:
            since = self._received_since = {}
        since[pair] = seq

    def _make_checkpoint(self) -> Effect:
        self._checkpoint_due = self.head + CHECKPOINT_EVERY_UPDATES
        since, self._received_since = self._received_since, None
        return Checkpoint(self.head, self.trimmed, since or {})

    def _route(self, upd: int, pair: Conv, seq: int) -> tuple[Address | None, bool]:
        """Say who is told when `upd` is synced: a session at once, or this machine."""
        direct = self._direct
        if direct is None:
            return None, any(d.session is not None for d in self.devices.values())
        if direct.sent - direct.acked >= DELIVERY_WINDOW_UPDATES:
            self._direct = None
            return None, True
        direct.sent = upd
        self._landing.fly_last(upd, pair, seq)
        return direct.session, False

    def _span(
        self, first: int, seq: int, group: str, records: tuple[bytes, ...]
    ) -> tuple[int, Address | None, bool, list[Effect]]:
        count = seq - first + 1
        self.head = upd = self.head + count
        also = [] if upd < self._checkpoint_due else [self._make_checkpoint()]
        direct = self._direct
        if direct is None:
            return upd, None, any(d.session is not None for d in self.devices.values()), also
        if not records or direct.sent + count - direct.acked > DELIVERY_WINDOW_UPDATES:
            self._direct = None
            return upd, None, True, also
        direct.sent = upd
        self._landing.fly(upd, group, seq)  # its mark is that of all before
        return upd, direct.session, False, also

    # -- delivering ------------------------------------------------------------------------------
    def _on_stored(self, event: Stored, now_wall_ms: int) -> list[Effect]:
        upd = event.upd
        if upd > self._durable:
            self._durable = upd
        out: list[Effect] = []
        for delivery in self.devices.values():
            session = delivery.session
            if session is None:
                continue
            if event.pair is not None and delivery.sent == upd - 1 and delivery.has_room():
                if not delivery.is_reading:
                    delivery.sent = upd
                    self._landing.fly(upd, event.pair, event.seq)
                    out.append(Push(session, Update(event.payload)))
                    continue
            self._pump(delivery, out)
        self._choose_direct()
        return out

    def _pump(self, delivery: Delivery, out: list[Effect]) -> None:
        page = delivery.next_page(self._durable)
        if page is not None:
            delivery.is_reading = True
            out.append(ReadRows(delivery.device, *page))

    def _on_rows(self, event: Rows, now_wall_ms: int) -> list[Effect]:
        delivery = self.devices.get(event.device)
        if delivery is None or not delivery.is_reading:
            return []
        delivery.is_reading = False
        session = delivery.session
        assert session is not None, "nothing is read for nobody"
        out: list[Effect] = []
        for row in event.rows:
            if row.upd == delivery.sent + 1:
                delivery.sent = row.upd
                self._landing.fly(row.upd, row.pair, row.seq)
                out.append(Push(session, Update(row.payload)))
        if event.is_cut:
            delivery.wanted = delivery.sent
        if out or (event.rows and event.rows[-1].upd <= delivery.sent):
            self._pump(delivery, out)  # else the page is of before the device attached anew
        self._choose_direct()
        return out

    def _choose_direct(self) -> None:
        """Take the short way when one device alone is attached and nothing at all is under way."""
        attached = [d for d in self.devices.values() if d.session is not None]
        if len(attached) == 1 and attached[0].sent == self.head == self._durable:
            self._direct = attached[0]

    # -- acks ------------------------------------------------------------------------------------
    def _on_acked(self, event: Acked, now_wall_ms: int) -> list[Effect]:
        delivery = self.devices.get(event.device)
        if delivery is None or not delivery.acked < event.upd <= self.head:
            return []
        out: list[Effect] = [SaveCursor(event.device, event.upd)]
        if event.upd > delivery.sent:
            # It was sent before this machine was built, and the log had lost the device's place.
            delivery.sent = event.upd
            out += self._recheck(delivery.acked, event.upd)
        delivery.acked = event.upd
        self._land(event.upd, out)
        if delivery is not self._direct:
            self._pump(delivery, out)
            self._choose_direct()
        return out

    def _land(self, upto: int, out: list[Effect]) -> None:
        if self._landing.land(upto):
            out.append(StartTimer(MARK_DELAY_S, MarksDue()))

    def _recheck(self, after: int, upto: int) -> list[Effect]:
        """Have the marks looked up that may not have been kept, of updates in (after, upto]."""
        after = max(after, upto - DELIVERY_WINDOW_UPDATES)
        return [ReadUnmarked(after + 1, upto)] if upto > after else []

    def _on_unmarked(self, event: Unmarked, now_wall_ms: int) -> list[Effect]:
        return [TellReached(pair, seq) for pair, seq in event.marks.items()]

    def _on_marks_due(self, event: MarksDue, now_wall_ms: int) -> list[Effect]:
        landing = self._landing
        marks = landing.end_round()
        out: list[Effect] = [TellReached(pair, seq) for pair, seq in marks.items()]
        # What leaves the log can't be marked again, so it stays until its marks had a round's
        # time to be kept: hints of both kinds go into the one log in that order.
        self._trim(out)
        if self._expiring:
            self._expire(out)
        landing.told = landing.landed
        self._go_on_trimming(out)
        return out

    def _go_on_trimming(self, out: list[Effect]) -> None:
        is_due = self._expiring or self._low() - self.trimmed >= TRIM_EVERY_UPDATES
        if is_due and self._landing.begin_round():
            out.append(StartTimer(MARK_DELAY_S, MarksDue()))

    def _trim(self, out: list[Effect]) -> None:
        low = min(self._landing.told, self._low())
        if low - self.trimmed >= TRIM_EVERY_UPDATES:
            self._trim_to(low, out)

    def _low(self) -> int:
        """Return what all devices have that the log still keeps anything for."""
        trimmed = self.trimmed
        here = [d.acked for d in self.devices.values() if d.acked >= trimmed or d.session]
        return min(here, default=trimmed)

    def _trim_to(self, low: int, out: list[Effect]) -> None:
        after, self.trimmed = self.trimmed, low
        # What a trim deletes must stand in the checkpoint of the same batch.
        out.append(self._make_checkpoint())
        out.append(Trim(after, low))

    def _on_expire(self, event: Expire, now_wall_ms: int) -> list[Effect]:
        """Let go of updates that some device has not acked; it is told so when it comes."""
        self._expiring = max(self._expiring, min(event.upd, self.head))
        out: list[Effect] = []
        self._expire(out)
        self._go_on_trimming(out)
        return out

    def _expire(self, out: list[Effect]) -> None:
        landing, upto = self._landing, self._expiring
        if landing.told < min(upto, landing.landed):
            upto = landing.told  # of what landed the marks come first
        else:
            self._expiring = 0
        if upto <= self.trimmed:
            return
        for delivery in self.devices.values():
            session = delivery.session
            if session is not None and delivery.acked < upto:
                if delivery is self._direct:
                    self._direct = None
                delivery.session, delivery.is_reading = None, False
                out.append(Push(session, Ended("slow_consumer", "now")))
        self._trim_to(upto, out)

    def _on_marked(self, event: Marked, now_wall_ms: int) -> list[Effect]:
        return [Push(session, event) for session in self.sessions()]

    # -- in the name of conversations ------------------------------------------------------------
    def _on_relay(self, event: Relay, now_wall_ms: int) -> list[Effect]:
        return [Barrier(event.to, event.event)]

    HANDLERS: dict[type, Callable[[Any, Any, int], list[Effect]]] = {
        **Attendance._ATTEND,
        **Backlog._TAKE_IN,
        Record: _on_record,
        HiddenRecord: _on_hidden_record,
        Repeat: _on_repeat,
        Join: _on_join,
        Deliver: _on_deliver,
        Stored: _on_stored,
        Rows: _on_rows,
        Unmarked: _on_unmarked,
        Acked: _on_acked,
        MarksDue: _on_marks_due,
        Expire: _on_expire,
        Marked: _on_marked,
        Relay: _on_relay,
    }
