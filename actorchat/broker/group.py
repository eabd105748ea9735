"""Knows how to do what a group decides. Must not know how anything is stored or shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from actorchat.actor import tell_all
from actorchat.broker.abroad import ANSWERS, Abroad
from actorchat.broker.access import OUTSIDER
from actorchat.broker.act import look_up, written
from actorchat.broker.concealing import keep_concealed
from actorchat.broker.entity import IDLE_CHECK
from actorchat.broker.log_writer import store_full
from actorchat.broker.moderation import audit
from actorchat.broker.moved import MOVED_DUE, MovedTeller
from actorchat.broker.sequence import SequenceActor
from actorchat.chat.afar import Leave
from actorchat.chat.concealing import KeepConcealed
from actorchat.chat.effect import (
    AnswerAgain,
    MoveMarker,
    Push,
    ReadPage,
    Redrive,
    Refuse,
    SaveMarks,
    StartTimer,
    TellMarks,
)
from actorchat.chat.event import Accepted, Confirm, Deliver, Durable, Post, Refused
from actorchat.chat.group import Group
from actorchat.chat.group_effect import AskHomes, RedriveAll, SaveMembers, StoreInGroup
from actorchat.chat.group_event import Changing
from actorchat.chat.moderating import TakeAs
from actorchat.chat.moved import MovedDue, TellMoved, TellSlice
from actorchat.chat.receipt import Marks
from actorchat.chat.roster import NO_GROUP, Member
from actorchat.limits import (
    CATCH_UP_PAGE_UPDATES,
    GROUP_MARKS_PUSHED_MAX,
    GROUP_MOVED_EVERY_S,
    GROUP_PAGE_ITEMS_MAX,
    HISTORY_PAGE_BYTES_MAX,
)
from actorchat.protocol import codec
from actorchat.protocol.ops.group import Add, AnyChange, Create, Enter
from actorchat.store import keys
from actorchat.store.engine import Op

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.broker.place import Place

_BYTES_AN_ITEM = HISTORY_PAGE_BYTES_MAX // GROUP_PAGE_ITEMS_MAX


class Spread(msgspec.Struct, gc=False):
    """Deliveries that are told when they are synced: each to all of its places."""

    told: tuple[tuple[Deliver, tuple[Place, ...]], ...]


class GroupActor(Abroad):
    """One group, in the slot of its address."""

    def __init__(self, context: Context, address: str) -> None:
        super().__init__(context, context.router.conversation(address), keys.group_key(address))
        self._address = address
        self._go_abroad()
        self._log_of_groups = context.groups
        self._everybody: tuple[Place, ...] | None = None  # the homes of all members
        self._names: dict[str, bytes] = {}  # of who wrote, in CBOR
        self._machine: Group
        self._moved: MovedTeller

    def on_receive(self, event: Any) -> None:
        """Feed the machine; perform its effects."""
        if event is IDLE_CHECK:
            self._check_idle()
            return
        self._is_active = True
        if self._generation != self._committer.generation:
            if self._moves_on(event):
                return
            self._rebuild()
        if type(event) is Leave:  # let go twice
            return
        if isinstance(event, ANSWERS):
            self._take_answer(event)
            return
        machine = self._machine
        if isinstance(event, Post | Changing) and not self._may_ask(event, machine):
            return
        perform = self._PERFORM
        for effect in machine.handle(event, self._wall_ms()):
            perform[type(effect)](self, effect)

    def on_stop(self, reason: object) -> None:
        """Give up the place in the router."""
        self._context.router.forget_conversation(self._address, self.ref)
        self._let_go()

    # -- the machine -------------------------------------------------------------------------------
    def _build(self) -> None:
        archive, key = self._archive, self._key
        marks = {
            user: Marks(delivered, read)
            for user, (delivered, read) in self._log_of_groups.marks(key).items()
        }
        self._everybody = None
        context, head = self._context, archive.last_seq(key)
        self._machine = Group(
            self._address,
            self._log_of_groups.roster(key),
            head,
            archive.owed(key),
            marks,
            context.group_members_max,
            context.edit_window_s,
            context.group_inline_max,
        )
        roster = self._machine.roster
        if roster is not None and not self._log_of_groups.is_counted(key):
            members = roster.members  # the store was begun without the lists
            near = filter(self._is_near, members)
            rows = self._log_of_groups.listed(key, self._address, len(members), near)
            self._log.append_lazily(rows)
        # What is not told yet is told again, from the marker on.
        tell_homes = None if context.reach is None else self._tell_moved_homes
        about = (context.router, self._address, key, self._me, head)
        self._moved = MovedTeller(*about, tell_homes)
        for effect in self._machine.start():
            self._PERFORM[type(effect)](self, effect)

    def _is_settled(self) -> bool:
        return self._machine.is_settled and not self._held

    def _head(self) -> int:
        return self._machine.seq

    def _marks_shown(self) -> dict[str, dict[str, int]]:
        return self._machine.shown_marks(GROUP_MARKS_PUSHED_MAX)

    def _weigh(self, record: bytes) -> int:
        # Whom a change names is an item each, of two bytes at least; a page has a bound on both.
        items = 40 + len(record) // 2 if codec.record_is_change(record) else 13
        return max(len(record), items * _BYTES_AN_ITEM)

    def _decide_change(self, change: Changing) -> None:
        machine = self._machine
        if self._may_ask(change, machine, is_asked=True):
            for effect in machine.handle(change, self._wall_ms()):
                self._PERFORM[type(effect)](self, effect)

    def _may_ask(self, event: Post | Changing, machine: Group, is_asked: bool = False) -> bool:
        """Look up what the machine may need; say whether it may be asked at all."""
        if machine.roster is None:
            if not (isinstance(event, Changing) and isinstance(event.change, Create)):
                event.session.tell(Refused(event.rid, "no_such_group", NO_GROUP))
                self._passivate()  # addresses that somebody tries must not fill the memory
                return False
        key = machine.key_to_look_up(event)
        if key is not None:
            event.prior = self._archive.prior(self._key, key)
        if event.prior is not None:
            return True
        if self._committer.is_full:
            event.session.tell(store_full(event.rid))
            return False
        if isinstance(event, Post):
            if event.more is not None:
                look_up(self._archive, self._key, event, machine.acts)
        else:
            has_account = self._archive.has_account
            named = _named(event.sender, event.change)
            if self._context.reach is not None:
                here = list(filter(self._context.has, named))
                others = set(named).difference(here)
                if others and not is_asked and self._ask_abroad(event, sorted(others)):
                    return False
                named = here
            event.unknown += tuple(user for user in named if not has_account(user))
            has_blocked, sender = self._context.blocks.has_blocked, event.sender
            event.barred += tuple(user for user in named if has_blocked(user, sender))
        return True

    # -- what is stored, and told when it is synced ------------------------------------------------
    def _store(self, effect: StoreInGroup) -> None:
        request, seq, ts = effect.request, effect.seq, effect.ts
        key, change, touched = self._key, effect.change, effect.touched
        kept = b""
        more_ops: tuple[Op, ...] = ()
        if change is None:
            assert isinstance(request, Post)
            if request.more is None:
                record = self._record(request.sender, seq, ts, request.cid, request.body)
            else:
                address = self._address
                kept, record, more_ops = written(self._rows, key, request, seq, ts, address)
                audit(request, address, seq)
        else:
            encoded = codec.encode(change)
            record = self._record(request.sender, seq, ts, request.cid, "", encoded)
        ops = self._rows.message(key, seq, kept or record, effect.key, ts, effect.owes)
        if more_ops:
            ops = (*ops, *more_ops)
        ack = Accepted(request.rid, seq, ts)
        tell, spread = self._then(effect, record)
        if touched is not None:
            roster = self._machine.roster
            assert roster is not None
            is_near = None if self._context.reach is None else self._is_near
            about = (key, self._address, roster, touched, is_near)
            ops = (*ops, *self._log_of_groups.changed(*about))
        self._log.append(ops, request.session.tell, ack, tell, spread)
        if effect.wants_durable:
            self._log.append((), self._me.tell, Durable(seq))

    def _then(self, effect: StoreInGroup, record: bytes) -> tuple[Callable[[Any], None], object]:
        """Return who is told what of a record when it is durable."""
        seq = effect.seq
        if effect.touched is None:
            homes = self._homes()
            if effect.is_big:
                return self._moved.posted, (seq, homes, record)
            return self._tell, Spread(((self._deliver(seq, seq - 1, record), homes),))
        self._everybody = None
        if not effect.is_big:
            return self._tell, self._spread(seq, record)
        roster = self._machine.roster
        assert roster is not None
        return self._moved.changed, self._moved.change(seq, record, effect.floor, roster.rows)

    def _record(
        self, sender: str, seq: int, ts: int, cid: bytes, body: str, change: bytes | None = None
    ) -> bytes:
        name = self._names.get(sender)
        if name is None:
            name = self._names[sender] = codec.encode(sender)
        return codec.encode_group_record(self._address, name, seq, ts, cid, body, change)

    def _deliver(self, seq: int, prev: int, record: bytes) -> Deliver:
        value = self._rows.update_value(self._key, seq, record)
        return Deliver(self._address, self._key, self._me, seq, prev, record, value=value)

    def _homes(self) -> tuple[Place, ...]:
        if self._everybody is None:
            roster = self._machine.roster
            assert roster is not None
            self._everybody = tuple(map(self._context.router.user, roster.members))
        return self._everybody

    def _spread(self, seq: int, record: bytes, former: bytes = b"") -> Spread:
        """Return who is told `record`: all that it is for, by which of theirs came before.

        `former` is what those are told who are not in the group any more, if that is another.
        """
        roster = self._machine.roster
        assert roster is not None
        by_prev: dict[tuple[int, bytes], list[Place]] = {}
        for user, row in roster.rows.items():
            if row.owes(seq):
                told = record if not former or _is_in_since(row, seq) else former
                place = self._context.router.user(user)
                by_prev.setdefault((row.before(seq), told), []).append(place)
        return Spread(
            tuple(
                (self._deliver(seq, prev, told), tuple(places))
                for (prev, told), places in by_prev.items()
            )
        )

    def _both(self, record: bytes) -> tuple[bytes, bytes]:
        """Return what members are told again of a record in history, and what former ones are."""
        return self._shown(record), self._shown(record, OUTSIDER)

    def _tell(self, spread: Spread) -> None:
        for deliver, places in spread.told:
            self._tell_places(places, deliver)

    def _redrive_all(self, effect: RedriveAll) -> None:
        after, end = effect.after, self._machine.seq + 1
        if self._machine.is_big:
            roster = self._machine.roster
            assert roster is not None
            again = self._moved.again(roster.rows, after, end - 1)
            self._log.append((), self._moved.tell, again)
            return
        while True:
            page = self._archive.records(self._key, after, end, CATCH_UP_PAGE_UPDATES, False)
            for seq, record in page:
                # What the log has need not be synced yet.
                self._log.append((), self._tell, self._spread(seq, *self._both(record)))
            if len(page) < CATCH_UP_PAGE_UPDATES:
                return
            after = page[-1][0]

    def _redrive(self, effect: Redrive) -> None:
        roster = self._machine.roster
        assert roster is not None
        row, home = roster.rows[effect.user], (self._context.router.user(effect.user),)
        after, prev, end = effect.after, effect.prev, self._machine.seq + 1
        if self._machine.is_big:
            again = self._moved.again({effect.user: row}, after, end - 1, prev)
            self._log.append((), self._moved.tell, again)
            return
        while True:
            page = self._archive.records(self._key, after, end, CATCH_UP_PAGE_UPDATES, False)
            for seq, record in page:
                if row.owes(seq):
                    told = self._both(record)[not _is_in_since(row, seq)]
                    spread = Spread(((self._deliver(seq, prev, told), home),))
                    self._log.append((), self._tell, spread)
                    prev = seq
            if len(page) < CATCH_UP_PAGE_UPDATES:
                return
            after = page[-1][0]

    def _ask_homes(self, effect: AskHomes) -> None:
        by_seq: dict[int, list[Place]] = {}
        for user, seq in effect.seqs.items():
            by_seq.setdefault(seq, []).append(self._context.router.user(user))
        # Behind all deliveries that are still to be told.
        self._log.append((), self._moved.tell_rest, None)
        for seq, places in by_seq.items():
            confirm = Confirm(self._address, self._key, self._me, seq)
            self._log.append((), self._ask, (confirm, places))

    def _ask(self, question: tuple[Confirm, list[Place]]) -> None:
        confirm, places = question
        self._tell_places(places, confirm)

    def _tell_places(self, places: Sequence[Place], event: object) -> None:
        if self._context.reach is None:
            tell_all([place.ref() for place in places], event)
        else:
            self._tell_homes(places, event)

    def _tell_moved(self, effect: TellMoved) -> None:
        if self._moved.due():
            self.send_after(GROUP_MOVED_EVERY_S, MOVED_DUE, key=MovedDue)

    def _tell_slice(self, effect: TellSlice) -> None:
        self._moved.tell_slice()

    # -- answers and marks -------------------------------------------------------------------------
    def _answer_again(self, effect: AnswerAgain) -> None:
        # The first copy was appended before, but may not be synced yet.
        again = Accepted(effect.rid, effect.seq, effect.ts, True)
        self._log.append((), effect.session.tell, again)

    def _push(self, effect: Push) -> None:
        self._log.append((), effect.session.tell, effect.event)

    def _tell_marks(self, effect: TellMarks) -> None:
        self._context.router.user(effect.to, is_quiet=True).tell(effect.marked)

    def _save_members(self, effect: SaveMembers) -> None:
        roster = self._machine.roster
        assert roster is not None
        self._log.append_lazily(self._log_of_groups.members(self._key, roster, effect.users))

    _PERFORM: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        StoreInGroup: _store,
        AnswerAgain: _answer_again,
        Refuse: SequenceActor._refuse,
        MoveMarker: SequenceActor._move_marker,
        RedriveAll: _redrive_all,
        Redrive: _redrive,
        AskHomes: _ask_homes,
        SaveMembers: _save_members,
        TellMoved: _tell_moved,
        TellSlice: _tell_slice,
        SaveMarks: SequenceActor._save_marks,
        TellMarks: _tell_marks,
        ReadPage: SequenceActor._read_page,
        KeepConcealed: keep_concealed,
        TakeAs: SequenceActor._take_as,
        Push: _push,
        StartTimer: SequenceActor._start_timer,
    }


def _is_in_since(row: Member, seq: int) -> bool:
    """Say whether a member was in the group at `seq` and did not leave it afterwards."""
    return 0 < row.since <= seq


def _named(sender: str, change: AnyChange) -> list[str]:
    """Return the users that a change would make members."""
    if isinstance(change, Create):
        return [*change.members, sender]
    if isinstance(change, Enter):
        return [sender]
    return change.users if isinstance(change, Add) else []
