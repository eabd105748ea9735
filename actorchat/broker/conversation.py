"""Knows how to do what a conversation decides.
Must not know how anything is stored or delivered.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from actorchat.broker.access import UserAccess
from actorchat.broker.act import look_up, written
from actorchat.broker.concealing import keep_concealed
from actorchat.broker.entity import IDLE_CHECK
from actorchat.broker.log_writer import store_full
from actorchat.broker.meeting import Meeting
from actorchat.broker.moderation import audit
from actorchat.broker.plain import store_plain, take_posts
from actorchat.broker.sequence import SequenceActor
from actorchat.chat.afar import AnswerDue, Known, Leave
from actorchat.chat.block import HiddenRecord, KeepBlock, StoreHidden, cut, is_heard
from actorchat.chat.concealing import KeepConcealed
from actorchat.chat.conversation import Conversation
from actorchat.chat.effect import (
    AnswerAgain,
    AskFanOut,
    MoveMarker,
    ReadPage,
    Redrive,
    Refuse,
    Restart,
    SaveMarks,
    StartTimer,
    Store,
    TellMarks,
)
from actorchat.chat.erasure import KeepGone
from actorchat.chat.event import (
    Accepted,
    Answer,
    Confirm,
    Deliver,
    HomeLost,
    Join,
    Joined,
    OutOfOrder,
    Pair,
    Post,
    Record,
    Redriven,
    Refused,
    Relay,
    Repeat,
)
from actorchat.chat.moderating import TakeAs
from actorchat.chat.sighting import BlockChanged
from actorchat.errors import BUSY, MailboxFull, Outcome
from actorchat.limits import CATCH_UP_PAGE_UPDATES, ENTITY_MAILBOX_MAX, HOME_FULL_WAIT_S
from actorchat.protocol import codec, rich
from actorchat.store import keys

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.store.engine import Op


class ConversationActor(Meeting):
    """One direct conversation, in the slot of the first user of its pair."""

    take = take_posts

    def __init__(self, context: Context, pair: Pair) -> None:
        super().__init__(context, context.router.conversation(pair), keys.conversation_key(*pair))
        self._meet_as(pair)
        self._home = context.router.user(pair[0])
        self._away = context.router.user(pair[1], is_quiet=True)
        self._names = {user: codec.encode(user) for user in pair}
        self._held: list[Any] | None = None  # what came before the log may be read
        self._released: list[Any] = []
        self._machine: Conversation

    def on_receive(self, event: Any) -> None:
        """Feed the machine; perform its effects."""
        kind = type(event)
        if kind is Post and store_plain(self, event):
            return
        if event is IDLE_CHECK:
            self._check_idle()
            return
        self._is_active = True
        if self._generation != self._committer.generation:
            self._hold(event)
            return
        if kind is Leave:  # let go twice
            return
        machine = self._machine
        if kind is Post and not self._may_post(event, machine):
            return
        if self._is_far and isinstance(event, Known | AnswerDue):
            self._meet(event)
            return
        perform = self._PERFORM
        for effect in machine.handle(event, self._wall_ms()):
            perform[type(effect)](self, effect)

    def on_start(self) -> None:
        """Ask for the log; start looking whether this conversation is used."""
        if not self._begins_apart():
            self._join()
        self._watch_idle()

    def on_stop(self, reason: object) -> None:
        """Give up the place in the router."""
        self._context.router.forget_conversation(self._pair, self.ref)
        for event in [*self._strangers, *self._released, *(self._held or ())]:
            self.discarded(event)

    # -- the machine -------------------------------------------------------------------------------
    def _join(self) -> None:
        """Begin anew, behind all records that are still on their way to the home of the pair."""
        self._generation = -1
        self._held = []
        self._ask_home()

    def _ask_home(self) -> None:
        try:
            self._home.tell(Join(self._me))
        except MailboxFull:
            self._wait_for_home()

    def _wait_for_home(self) -> None:
        """Begin anew a little later: the home did not take what it had to."""
        self._generation = -1
        if self._held is None:
            self._held = []
        self.send_after(HOME_FULL_WAIT_S, HomeLost(), key=HomeLost)

    def _overrun(self, post: Post, full: MailboxFull) -> None:
        """Refuse what the home did not take; its seq is given out again, from the log."""
        post.session.tell(_busy(post.rid, full, "none"))
        self._wait_for_home()

    def _hold(self, event: Any) -> None:
        """Keep `event` until the log may be read; then build the machine and go on."""
        if self._moves_on(event):
            return
        if self._held is None:
            self._join()
        assert self._held is not None
        kind = type(event)
        if kind is Joined:
            self._rebuild()
            if self._generation < 0:
                return  # the home is full again
            self._released, self._held = self._held, None
            # Those that wait here are answered, too, should this actor crash on the way.
            while self._released:
                self.on_receive(self._released[0])
                del self._released[0]
        elif kind is HomeLost:
            self._ask_home()
        elif kind is Post and len(self._held) >= ENTITY_MAILBOX_MAX:
            event.session.tell(_busy(event.rid, MailboxFull(), "none"))
        elif kind is not OutOfOrder:  # which spoke of the machine that is given up
            self._held.append(event)

    def _build(self) -> None:
        archive, key = self._archive, self._key
        seq = archive.last_seq(key)
        machine = Conversation(self._pair, seq, archive.owed(key), self._context.edit_window_s)
        for user, marks in machine.marks.items():
            marks.delivered, marks.read = archive.marks(key, user)
        self._machine = machine
        self._has_members = seq > 0 and self._are_here()
        blocks = self._context.blocks
        for user, spans in blocks.of_conversation(key, self._pair).items():
            machine.blocks[user] = kept = cut(spans, seq)
            if kept != spans:
                self._log.append_lazily((blocks.spans_row(key, user, kept),))
        if self._has_members and not self._census.is_listed(key, self._pair):
            # The store was begun without the index.
            self._log.append_lazily(self._index_rows())
        if seq:
            self._list_afar()
        for effect in machine.start():
            self._PERFORM[type(effect)](self, effect)

    def _is_settled(self) -> bool:
        return self._held is None and self._machine.is_settled and not self._strangers

    def _may_post(self, post: Post, machine: Conversation) -> bool:
        """Look up what the machine may need; say whether it may be asked at all."""
        if not self._has_members:
            self._has_members = self._are_here()
            if self._has_members or self._is_known(post, machine):
                pass
            elif self._is_far and self._archive.has_account(self._pair[0]):
                self._ask_for(post)
                return False
            else:
                refused = Refused(post.rid, "no_such_user", "there is no such user")
                post.session.tell(refused)
                self._passivate()  # names that somebody tries must not fill the memory
                return False
        key = machine.key_to_look_up(post)
        if key is not None:
            post.prior = self._archive.prior(self._key, key)
        if post.more is not None:
            look_up(self._archive, self._key, post, machine.acts)
        if post.prior is None and self._committer.is_full:
            post.session.tell(store_full(post.rid))
            return False
        return True

    def _is_known(self, post: Post, machine: Conversation) -> bool:
        """Say whether `post` was stored before its recipient's account ended."""
        key = machine.key_to_look_up(post)
        return key is None or self._archive.prior(self._key, key) is not None

    # -- effects -----------------------------------------------------------------------------------
    def _store(self, effect: Store) -> None:
        post, seq, ts = effect.post, effect.seq, effect.ts
        key, pair, me = self._key, self._pair, self._me
        is_usual = post.more is None and seq > 1
        if is_usual:
            record = codec.encode_record(self._names[post.sender], seq, ts, post.cid, post.body)
            ops = self._rows.message(key, seq, record, effect.key, ts, effect.owes)
        else:
            record, ops = self._rows_of(effect)
        ack = Accepted(post.rid, seq, ts)
        recipient = deliver = None
        is_own = False
        if effect.is_away:
            recipient = self._away
            is_own = post.sender == pair[0]  # of the user at home
            deliver = Deliver(pair, key, me, seq, effect.prev, record, not is_own)
            if not is_usual and post.sender not in pair:
                deliver.is_own = False  # a moderator's, who is neither of the two
        try:
            self._home.tell(
                Record(
                    pair,
                    key,
                    me,
                    seq,
                    record,
                    ops,
                    post.session,
                    ack,
                    recipient,
                    deliver,
                    effect.wants_durable,
                    is_own,
                    post.has_company,
                )
            )
        except MailboxFull as full:
            self._overrun(post, full)
            return
        if not is_usual:
            if post.more is not None:
                audit(post, " ".join(pair), seq)
            if seq == 1:
                self._list_afar()

    def _rows_of(self, effect: Store) -> tuple[bytes, tuple[Op, ...]]:
        """Return the record that is told of any message, and its rows."""
        post, seq, ts, key = effect.post, effect.seq, effect.ts, self._key
        if post.more is None:
            kept = told = codec.encode_record(
                self._names[post.sender], seq, ts, post.cid, post.body
            )
            more_ops: tuple[Op, ...] = ()
        else:
            kept, told, more_ops = written(self._rows, key, post, seq, ts)
        ops = (*self._rows.message(key, seq, kept, effect.key, ts, effect.owes), *more_ops)
        if seq == 1:
            pair = self._pair
            ops = (*ops, self._rows.members(key, pair), *self._index_rows())
        return told, ops

    def _store_hidden(self, effect: StoreHidden) -> None:
        post, seq, ts = effect.post, effect.seq, effect.ts
        key, pair, me = self._key, self._pair, self._me
        record, ops = self._rows_of(effect)
        recipient = deliver = None
        if effect.is_away:  # other devices of the sender
            recipient = self._away
            deliver = Deliver(pair, key, me, seq, effect.prev, record, is_own=True)
        ack = Accepted(post.rid, seq, ts)
        is_own = post.sender == pair[0]
        to = (post.session, ack, recipient, deliver)
        rest = (effect.wants_durable, is_own, post.has_company)
        try:
            self._home.tell(HiddenRecord(pair, key, me, seq, record, ops, *to, *rest))
        except MailboxFull as full:
            self._overrun(post, full)
        if seq == 1:
            self._list_afar()

    def _keep_block(self, effect: KeepBlock) -> None:
        blocks, user, other = self._context.blocks, effect.user, effect.other
        if self._context.is_apart(self._pair[0], user):
            self._keep_block_afar(effect)
            return
        rows = (
            blocks.spans_row(self._key, user, effect.spans),
            blocks.list_row(user, other, effect.on),
        )
        changed = BlockChanged(user, other, effect.on)
        answer = Answer(effect.rid, {})
        follow = self._context.trackers.follow_block
        self._log.append(rows, effect.session.tell, answer, follow, changed)

    def _answer_again(self, effect: AnswerAgain) -> None:
        # The first copy may still be on its way to the log, or lost on it with an earlier home.
        again = Accepted(effect.rid, effect.seq, effect.ts, True)
        pair, key, session = self._pair, self._key, effect.session
        try:
            self._home.tell(Repeat(pair, key, self._me, effect.seq, session, again))
        except MailboxFull as full:
            session.tell(_busy(effect.rid, full, "unknown"))

    def _ask_fan_out(self, effect: AskFanOut) -> None:
        confirm = Confirm(self._pair, self._key, self._me, effect.seq)
        with suppress(MailboxFull):  # it is asked again in a while
            self._home.tell(Relay(self._away, confirm))

    def _redrive(self, effect: Redrive) -> None:
        """Deliver again what history has for the user elsewhere; it drops what it has."""
        after, prev = effect.after, effect.prev
        end = self._machine.seq + 1
        last = 0
        access = UserAccess(effect.user, self._context.blocks, self._context.groups)
        while True:
            page = self._archive.records(self._key, after, end, CATCH_UP_PAGE_UPDATES, False)
            for seq, record in page:
                is_own = codec.record_sender(record) == effect.user
                if not is_own and self._machine.hides(effect.user, seq):
                    if not self._is_heard(effect.user, record):
                        continue
                told = self._shown(record, access)
                deliver = Deliver(self._pair, self._key, self._me, seq, prev, told, is_own, True)
                try:
                    self._home.tell(Relay(self._away, deliver))
                except MailboxFull:
                    self._wait_for_home()
                    return
                last = prev = seq
            if len(page) < CATCH_UP_PAGE_UPDATES:
                break
            after = page[-1][0]
        # At once, before any message that waits: the next delivery must name the last of these as
        # the one before it, or the recipient could not see that these were lost.
        for outcome in self._machine.handle(Redriven(last), self._wall_ms()):
            self._PERFORM[type(outcome)](self, outcome)

    def _is_heard(self, user: str, record: bytes) -> bool:
        act = codec.decode_record(record).act if rich.is_act(record) else None
        return act is not None and is_heard(act, self._machine.blocks.get(user, ()))

    def _tell_marks(self, effect: TellMarks) -> None:
        with suppress(MailboxFull):  # a hint
            (self._home if effect.to == self._pair[0] else self._away).tell(effect.marked)

    def _head(self) -> int:
        return self._machine.seq

    def _marks_shown(self) -> dict[str, dict[str, int]]:
        return {
            user: {"delivered": marks.delivered, "read": marks.read}
            for user, marks in self._machine.marks.items()
        }

    def _restart(self, effect: Restart) -> None:
        self._join()

    _PERFORM: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        Store: _store,
        AnswerAgain: _answer_again,
        Refuse: SequenceActor._refuse,
        MoveMarker: SequenceActor._move_marker,
        AskFanOut: _ask_fan_out,
        Redrive: _redrive,
        SaveMarks: SequenceActor._save_marks,
        TellMarks: _tell_marks,
        ReadPage: SequenceActor._read_page,
        KeepConcealed: keep_concealed,
        TakeAs: SequenceActor._take_as,
        StartTimer: SequenceActor._start_timer,
        Restart: _restart,
        StoreHidden: _store_hidden,
        KeepBlock: _keep_block,
        KeepGone: Meeting._keep_gone,
    }


def _busy(rid: int, full: MailboxFull, outcome: Outcome) -> Refused:
    return Refused(rid, full.code, BUSY, full.retry, outcome, 1_000)
