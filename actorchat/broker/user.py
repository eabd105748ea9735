"""Knows how to do what a user's inbox decides. Must not know how anything is shown to a device."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from actorchat.broker.entity import IDLE_CHECK, EntityActor
from actorchat.broker.log_writer import store_full
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
    Conv,
    Deliver,
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
from actorchat.chat.inbox import Inbox
from actorchat.chat.retention import Expire
from actorchat.ids import other_of
from actorchat.limits import CATCH_UP_PAGE_BYTES_MAX
from actorchat.protocol import codec
from actorchat.store import keys

if TYPE_CHECKING:
    from actorchat.broker.context import Context


class UserActor(EntityActor):
    """The home of one user: its update log and the cursors of its devices."""

    def __init__(self, context: Context, user: str) -> None:
        super().__init__(context, context.router.user(user))
        self._user = user
        self._key = keys.user_key(user)
        self._archive = context.archive
        self._rows = context.rows
        self._me = self.ref
        self._append = context.log.append
        self._attaching: list[Attach] = []
        self._machine: Inbox

    def on_receive(self, event: Any) -> None:
        """Feed the machine; perform its effects."""
        if event is IDLE_CHECK:
            self._check_idle()
            return
        self._is_active = True
        if self._generation != self._committer.generation:
            self._rebuild_with_sessions()
        prepare = self._PREPARE.get(type(event))
        if prepare is not None and not prepare(self, event):
            return
        perform = self._PERFORM
        for effect in self._machine.handle(event, 0):
            perform[type(effect)](self, effect)

    def on_stop(self, reason: object) -> None:
        """Give up the place in the router; tell the sessions, which attach again."""
        self._context.router.forget_user(self._user, self.ref)
        for session in [*self._machine.sessions(), *(a.session for a in self._attaching)]:
            session.tell(HomeLost())

    # -- the machine -------------------------------------------------------------------------------
    def _build(self) -> None:
        archive, owner = self._archive, self._key
        head, trimmed = archive.user_log(owner)
        machine = Inbox(self._user, head, trimmed, self._cursors())
        for row in archive.rows(self._user, owner, head + 1):
            machine.recall(row.upd, row.pair, row.seq)
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

    def _know_received(self, event: Deliver | Confirm) -> bool:
        received = self._machine.received
        if event.pair not in received:
            received[event.pair] = self._archive.received(self._key, event.key)
        return True

    def _may_attach(self, event: Attach) -> bool:
        # Its token was right a moment ago. A revocation in between, whose word to this home may
        # have been lost with an earlier actor, counts all the same.
        if self._archive.has_device(self._user, event.device):
            return True
        event.session.tell(Ended("revoked", "never"))
        return False

    _PREPARE: ClassVar[dict[type, Callable[[Any, Any], bool]]] = {
        Attach: _may_attach,
        Record: _before_record,
        Repeat: _know_recorded,
        Deliver: _before_deliver,
        Confirm: _know_received,
    }

    # -- effects -----------------------------------------------------------------------------------
    def _append_record(self, effect: AppendRecord) -> None:
        event, upd = effect.record, effect.upd
        append, ack_to = self._append, event.session.tell
        if not upd:
            assert event.recipient is not None
            append(event.ops, ack_to, event.ack, event.recipient.tell, event.deliver)
        else:
            row = self._rows.update(self._key, upd, event.key, event.seq, event.record)
            then, update = self._shown(effect, upd, event, event.is_own)
            append((*event.ops, row), ack_to, event.ack, then, update)
            if event.recipient is not None:
                append((), event.recipient.tell, event.deliver)
        if event.wants_durable:
            append((), event.conversation.tell, Durable(event.seq))

    def _append_update(self, effect: AppendUpdate) -> None:
        event, upd = effect.deliver, effect.upd
        if event.value:
            row = self._rows.shared_update(self._key, upd, event.value)
        else:
            row = self._rows.update(self._key, upd, event.key, event.seq, event.record)
        then, update = self._shown(effect, upd, event, event.is_own)
        self._append((row,), then, update)

    def _shown(
        self, effect: AppendRecord | AppendUpdate, upd: int, event: Record | Deliver, is_own: bool
    ) -> tuple[Callable[[Any], object] | None, object]:
        """Return who is told what when the update is durable."""
        if effect.session is not None and not is_own:
            return effect.session.tell, Update(codec.encode_update(upd, event.record))
        if effect.notify or effect.session is not None:
            if is_own:
                assert not isinstance(event.pair, str), "a group's go to its sender as to others"
                to = other_of(event.pair, self._user)
                payload = codec.encode_own_update(upd, to, event.record)
            else:
                payload = codec.encode_update(upd, event.record)
            if effect.session is not None:
                return effect.session.tell, Update(payload)
            return self._me.tell, Stored(upd, event.pair, event.seq, payload)
        return None, None

    def _checkpoint(self, effect: Checkpoint) -> None:
        rows = self._rows.checkpoint(
            self._key, effect.head, effect.trimmed, effect.received, _conversation_key
        )
        self._log.append_lazily(rows)

    def _barrier(self, effect: Barrier) -> None:
        to = self._me if effect.to is None else effect.to
        self._append((), to.tell, effect.event)

    def _read_rows(self, effect: ReadRows) -> None:
        first, last = effect.first, effect.last
        rows = self._archive.rows(self._user, self._key, first, last, CATCH_UP_PAGE_BYTES_MAX)
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
            if archive.marks(_conversation_key(pair), user)[0] < seq
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

    def _start_timer(self, effect: StartTimer) -> None:
        self.send_after(effect.delay_s, effect.event, key=type(effect.event))

    def _tell_reached(self, effect: TellReached) -> None:
        place = self._context.router.conversation(effect.pair)
        place.tell(Reached(self._user, effect.delivered))

    _PERFORM: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        AppendRecord: _append_record,
        AppendUpdate: _append_update,
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
    }


def _conversation_key(conv: Conv) -> bytes:
    return keys.group_key(conv) if isinstance(conv, str) else keys.conversation_key(*conv)
