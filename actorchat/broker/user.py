"""Knows how to do what a user's inbox decides. Must not know how anything is shown to a device."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from actorchat.actor import Down
from actorchat.broker.access import UserAccess
from actorchat.broker.entity import IDLE_CHECK
from actorchat.broker.hiding import Hiding, conversation_key_of
from actorchat.broker.log_writer import store_full
from actorchat.broker.plain import take_updates
from actorchat.broker.reading import Reading
from actorchat.broker.veil import NO_VEILS
from actorchat.broker.whereabouts import tell_where
from actorchat.chat.afar import Hold, Leave, Where
from actorchat.chat.backlog import AppendSpan, NumberDue, SaveMoved
from actorchat.chat.block import HiddenRecord
from actorchat.chat.effect import (
    AppendRecord,
    AppendUpdate,
    Barrier,
    Checkpoint,
    ForgetDevice,
    Push,
    ReadRows,
    ReadUnmarked,
    SaveCursor,
    StartTimer,
    TellReached,
    Trim,
)
from actorchat.chat.event import (
    Attach,
    Confirm,
    Deliver,
    Detach,
    Durable,
    Ended,
    HomeLost,
    OutOfOrder,
    Reached,
    Record,
    Repeat,
    Rows,
    Stored,
    Unmarked,
    Update,
)
from actorchat.chat.gone import GoneHome, Strayed
from actorchat.chat.inbox import Inbox
from actorchat.chat.moved import Moved
from actorchat.chat.retention import Expire
from actorchat.ids import other_of
from actorchat.limits import CATCH_UP_PAGE_BYTES_MAX
from actorchat.protocol import codec
from actorchat.protocol.codec import encode_update
from actorchat.store import keys

if TYPE_CHECKING:
    from actorchat.broker.context import Context

_RICH = codec.RICH_HEAD[0]


class UserActor(Hiding):
    """The home of one user: its update log and the cursors of its devices."""

    take = take_updates

    def __init__(self, context: Context, user: str) -> None:
        super().__init__(context, context.router.user(user))
        self._user = user
        self._key = keys.user_key(user)
        self._archive = context.archive
        self._rows = context.rows
        self._census = context.census
        self._me = self.ref
        self._append = context.log.append
        self._is_many = context.reach is not None
        self._attaching: list[Attach] = []
        self._veils = NO_VEILS

    def on_receive(self, event: Any) -> None:
        """Feed the machine; perform its effects."""
        if event is IDLE_CHECK:
            self._check_idle()
            return
        self._is_active = True
        if self._generation != self._committer.generation:
            if self._moves_on(event):
                return
            self._rebuild_with_sessions()
        prepare = self._PREPARE.get(type(event))
        if prepare is not None and not prepare(self, event):
            return
        perform, machine = self._PERFORM, self._machine
        for effect in machine.HANDLERS[type(event)](machine, event, 0):
            perform[type(effect)](self, effect)

    def on_start(self) -> None:
        """Build the machine; until then, if that has to wait, this is nobody's home."""
        if self._is_many:
            self._machine = GoneHome(self._user)
        super().on_start()

    def on_stop(self, reason: object) -> None:
        """Give up the place in the router; tell the sessions, which attach again."""
        self._context.router.forget_user(self._user, self.ref)
        for session in [*self._machine.sessions(), *(a.session for a in self._attaching)]:
            session.tell(HomeLost())

    # -- the machine -------------------------------------------------------------------------------
    def _build(self) -> None:
        archive, owner = self._archive, self._key
        cursors = self._cursors()
        if not cursors and self._context.tombs.has(self._user):
            self._machine = GoneHome(self._user)
            return
        head, trimmed = archive.user_log(owner)
        self._veils = self._context.veils.load(owner)
        machine = Inbox(self._user, head, trimmed, cursors)
        for row in archive.rows(self._user, owner, head + 1):
            machine.recall(row.upd, row.pair, row.seq)
        for key, after, moved_to, group in archive.moved(owner):
            machine.recall_moved(group, key, after, moved_to)
        self._machine = machine
        for effect in machine.start():
            self._PERFORM[type(effect)](self, effect)

    def _cursors(self) -> dict[str, int]:
        """Return the places of the devices that may sign in; drop what a revocation left behind."""
        kept = {}
        for device, upd in self._archive.cursors(self._key).items():
            if self._archive.has_device(self._user, device):
                kept[device] = upd
            else:
                self._log.append_lazily(self._rows.cursor(self._key, device, None))
        return kept

    def _rebuild_with_sessions(self) -> None:
        self._attaching = [
            Attach(device, session)
            for device, delivery in self._machine.devices.items()
            if (session := delivery.session or delivery.coming) is not None
        ]
        self._rebuild()
        # Those that wait here are told, too, should this actor crash on the way.
        while self._attaching:
            self.on_receive(self._attaching[0])
            del self._attaching[0]

    def _is_settled(self) -> bool:
        return self._machine.is_quiet

    # -- what the machine must know before it is asked ---------------------------------------------
    def _before_record(self, event: Record) -> bool:
        if event.pair not in self._machine.recorded:
            self._know_recorded(event)
        if not self._committer.is_full:
            return True
        event.session.tell(store_full(event.ack.rid))
        event.conversation.tell(OutOfOrder(self._machine.recorded[event.pair]))
        return False

    def _know_recorded(self, event: Record | Repeat) -> bool:
        recorded = self._machine.recorded
        if event.pair not in recorded:
            recorded[event.pair] = self._archive.last_seq(event.key)
        return True

    def _before_deliver(self, event: Deliver) -> bool:
        # While the disk is full the delivery stays owed; its conversation tells it again.
        if event.pair not in self._machine.received:
            self._know_received(event)
        return not self._committer.is_full

    def _before_moved(self, event: Moved) -> bool:
        if event.pair not in self._machine.received:
            self._know_received(event)
        return not self._committer.is_full

    def _know_received(self, event: Deliver | Confirm | Moved) -> bool:
        received = self._machine.received
        if event.pair not in received:
            received[event.pair] = self._archive.received(self._key, event.key)
            if self._is_many and not isinstance(event.pair, str):
                self._list(event.pair, event.key)
        return True

    def _session_down(self, event: Down) -> bool:
        """Detach a session of another node, which ended or can't be reached."""
        for device, delivery in list(self._machine.devices.items()):
            if event.ref in (delivery.session, delivery.coming):
                self.on_receive(Detach(device, event.ref))
        return False

    def _before_confirm(self, event: Confirm) -> bool:
        self._machine.is_full = self._committer.is_full
        return self._know_received(event)

    def _before_number(self, event: NumberDue) -> bool:
        self._machine.is_full = self._committer.is_full
        return True

    def _may_attach(self, event: Attach) -> bool:
        self._machine.is_full = self._committer.is_full
        # Its token was right a moment ago. A revocation in between, whose word to this home may
        # have been lost with an earlier actor, counts all the same.
        if self._archive.has_device(self._user, event.device):
            session: Any = event.session
            if self._is_many and session.is_foreign:
                self.monitor(session)
            return True
        event.session.tell(Ended("revoked", "never"))
        return False

    _PREPARE: ClassVar[dict[type, Callable[[Any, Any], bool]]] = {
        **Hiding.ENDINGS,
        Hold: Hiding._on_hold,
        Leave: lambda _home, _event: False,  # let go twice
        Attach: _may_attach,
        Record: _before_record,
        HiddenRecord: _before_record,
        Repeat: _know_recorded,
        Deliver: _before_deliver,
        Moved: _before_moved,
        Confirm: _before_confirm,
        Down: _session_down,
        Where: lambda home, where: tell_where(home._context, where, home._machine),
        NumberDue: _before_number,
    }

    # -- effects -----------------------------------------------------------------------------------
    def _append_record(self, effect: AppendRecord) -> None:
        event, upd = effect.record, effect.upd
        append, ack_to = self._append, event.session.tell
        if not upd:
            if event.recipient is None:  # it is hidden from who is at home here
                append(event.ops, ack_to, event.ack)
            else:
                append(event.ops, ack_to, event.ack, event.recipient.tell, event.deliver)
        else:
            record = event.record
            if record[0] < _RICH:
                row = self._rows.update(self._key, upd, event.key, event.seq, record)
                ops = (*event.ops, row)
            else:
                ops = (*event.ops, *self._rich(event, upd))
            session = effect.session
            if session is not None and not event.is_own:  # the usual case, as in `_shown`
                shown = Update(encode_update(upd, record))
                append(ops, ack_to, event.ack, session.tell, shown)
            else:
                append(ops, ack_to, event.ack, *self._shown(effect, upd, event, event.is_own))
            if event.recipient is not None:
                append((), event.recipient.tell, event.deliver)
        if event.wants_durable:
            append((), event.conversation.tell, Durable(event.seq))

    def _append_update(self, effect: AppendUpdate) -> None:
        event, upd = effect.deliver, effect.upd
        then, update = self._shown(effect, upd, event, event.is_own)
        if self._is_many and event.key[:2] != self._key[:2]:  # of another slot
            self._append(self._from_afar(event, upd), then, update)
            return
        if event.record[0] >= _RICH:
            self._append(self._rich(event, upd), then, update)
            return
        elif event.value:
            row = self._rows.shared_update(self._key, upd, event.value)
        else:
            row = self._rows.update(self._key, upd, event.key, event.seq, event.record)
        self._append((row,), then, update)

    def _shown(
        self, effect: AppendRecord | AppendUpdate, upd: int, event: Record | Deliver, is_own: bool
    ) -> tuple[Callable[[Any], object] | None, object]:
        """Return who is told what when the update is durable."""
        if effect.session is not None and not is_own:
            return effect.session.tell, Update(encode_update(upd, event.record))
        if effect.notify or effect.session is not None:
            if is_own:
                assert not isinstance(event.pair, str), "a group's go to its sender as to others"
                to = other_of(event.pair, self._user)
                payload = codec.encode_own_update(upd, to, event.record)
            else:
                payload = encode_update(upd, event.record)
            if effect.session is not None:
                return effect.session.tell, Update(payload)
            return self._me.tell, Stored(upd, event.pair, event.seq, payload)
        return None, None

    def _append_span(self, effect: AppendSpan) -> None:
        upd, seq, first, key = effect.upd, effect.seq, effect.first, effect.key
        ops = [self._rows.span(self._key, upd, key, seq, seq - first + 1)]
        if effect.is_saved:
            ops.append(self._rows.moved(self._key, key, effect.group, seq, seq))
        if effect.session is not None:
            self._append(ops, _show_span, effect)
        elif effect.notify:
            self._append(ops, self._me.tell, Stored(upd))
        else:
            self._append(ops)

    def _save_moved(self, effect: SaveMoved) -> None:
        row = self._rows.moved(self._key, effect.key, effect.group, effect.after, effect.head)
        self._append((row,))

    def _checkpoint(self, effect: Checkpoint) -> None:
        rows = self._rows.checkpoint(
            self._key, effect.head, effect.trimmed, effect.received, conversation_key_of
        )
        self._log.append_lazily(rows)

    def _barrier(self, effect: Barrier) -> None:
        to = self._me if effect.to is None else effect.to
        self._append((), to.tell, effect.event)

    def _read_rows(self, effect: ReadRows) -> None:
        archive, first, last = self._archive, effect.first, effect.last
        access = UserAccess(self._user, self._context.blocks, self._context.groups)
        now_wall_ms = self._context.clock.wall_ms()
        reading = Reading(archive, now_wall_ms, self._key, self._veils, access, True)
        rows = archive.rows(self._user, self._key, first, last, CATCH_UP_PAGE_BYTES_MAX, reading)
        gone = next((at for at, row in enumerate(rows) if not row.payload), len(rows))
        if gone < len(rows):
            if not gone:
                self._me.tell(Expire(rows[0].upd))  # so that the device is told that it is gone
            rows = rows[:gone]
        self._me.tell(Rows(effect.device, rows, len(rows) <= last - first))

    def _read_unmarked(self, effect: ReadUnmarked) -> None:
        archive, user = self._archive, self._user
        last = {
            row.pair: row.seq for row in archive.rows(user, self._key, effect.first, effect.last)
        }
        behind = {
            pair: seq
            for pair, seq in last.items()
            if archive.marks(conversation_key_of(pair), user)[0] < seq
        }
        if behind:
            self.ref.tell(Unmarked(behind))

    def _push(self, effect: Push) -> None:
        effect.session.tell(effect.event)

    def _save_cursor(self, effect: SaveCursor) -> None:
        self._log.append_lazily(self._rows.cursor(self._key, effect.device, effect.upd))

    def _forget_device(self, effect: ForgetDevice) -> None:
        self._log.append_lazily(self._rows.cursor(self._key, effect.device, None))

    def _trim(self, effect: Trim) -> None:
        self._log.delete_range(*self._rows.trimmed(self._key, effect.after, effect.upto))
        if self._veils:
            lifted = self._context.veils.lifted(self._veils, self._key, effect.upto)
            self._log.append_lazily(lifted)

    def _start_timer(self, effect: StartTimer) -> None:
        self.send_after(effect.delay_s, effect.event, key=type(effect.event))

    def _tell_reached(self, effect: TellReached) -> None:
        place = self._context.router.conversation(effect.pair, is_quiet=True)
        place.tell(Reached(self._user, effect.delivered))

    _PERFORM: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        AppendRecord: _append_record,
        AppendUpdate: _append_update,
        AppendSpan: _append_span,
        SaveMoved: _save_moved,
        Checkpoint: _checkpoint,
        Barrier: _barrier,
        ReadRows: _read_rows,
        ReadUnmarked: _read_unmarked,
        Push: _push,
        SaveCursor: _save_cursor,
        ForgetDevice: _forget_device,
        Trim: _trim,
        StartTimer: _start_timer,
        TellReached: _tell_reached,
        Strayed: Hiding._strayed,
    }


def _show_span(effect: AppendSpan) -> None:
    session = effect.session
    assert session is not None
    upd = effect.upd - len(effect.records)
    for record in effect.records:
        upd += 1
        session.tell(Update(codec.encode_update(upd, record)))
