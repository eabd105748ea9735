"""Knows one group's order: who may post and change what, which seq, what is owed to whom.
Must not know logs or devices.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from actorchat.chat.act import Acts
from actorchat.chat.acting import Acting
from actorchat.chat.change import digest_of, recorded
from actorchat.chat.effect import (
    AnswerAgain,
    Effect,
    MoveMarker,
    Redrive,
    Refuse,
    SaveMarks,
    StartTimer,
    TellMarks,
)
from actorchat.chat.event import (
    ConfirmDue,
    Durable,
    Event,
    FannedOut,
    Marked,
    MarksDue,
    Missing,
    Post,
    Prior,
    Reached,
    Refused,
)
from actorchat.chat.extra import digest_of as digest_of_content
from actorchat.chat.extra import judge_extra
from actorchat.chat.fan_out import FanOut
from actorchat.chat.group_effect import AskHomes, RedriveAll, SaveMembers, StoreInGroup
from actorchat.chat.group_event import Changing
from actorchat.chat.group_question import GroupQuestions
from actorchat.chat.moderation import is_moderating
from actorchat.chat.moved import MovedDue, SliceDue, TellMoved, TellSlice
from actorchat.chat.receipt import Marks
from actorchat.chat.roster import FORBIDDEN, NO_GROUP, Deed, Roster, Touched, Verdict, found
from actorchat.chat.window import Window
from actorchat.ids import CLIENT_ID_BYTES, group_address
from actorchat.limits import (
    EDIT_WINDOW_S,
    FAN_OUT_CONFIRM_S,
    GROUP_INLINE_MEMBERS_MAX,
    GROUP_MARKS_DELAY_S,
    GROUP_MARKS_PUSHED_MAX,
    GROUP_MEMBERS_MAX,
)
from actorchat.protocol.ops import Edited, Extra
from actorchat.protocol.ops.group import Create

# In `sent`, a member and their client id are one digest, for a member has no number.
GROUP_TAG = b"\x02"


class Group(GroupQuestions):
    """A group: its members, and one dense sequence of their messages and of its changes.

    Each record is for everybody who is a member at its seq, the sender included, whose other
    devices want it too; the one that says that somebody goes is the last for them. So the record
    before is, for nearly all, the seq before, and one delivery serves all homes. What they have
    not confirmed is owed: a marker in the log says from which seq on (`FanOut`).

    Args:
        address: The group's.
        roster: Who is in it; None while there is no such group.
        seq: The last seq in the log.
        owed: Where the marker stands, or None.
        marks: How far the members have got.
        size_max: How many members a group may have on this server.
        edit_window_s: How long a message may be edited.
        inline_max: With how many each home gets each record; with more it is told of the head.
    """

    __slots__ = (
        "_edit_window_s",
        "_fan_out",
        "_inline_max",
        "_news",
        "_size_max",
        "_window",
        "acts",
        "address",
        "marks",
        "roster",
        "seq",
    )

    def __init__(
        self,
        address: str,
        roster: Roster | None = None,
        seq: int = 0,
        owed: int | None = None,
        marks: dict[str, Marks] | None = None,
        size_max: int = GROUP_MEMBERS_MAX,
        edit_window_s: float = EDIT_WINDOW_S,
        inline_max: int = GROUP_INLINE_MEMBERS_MAX,
    ) -> None:
        self.address = address
        self.roster = roster
        self.seq = seq
        self.marks = marks or {}
        self._window = Window()
        self._fan_out = FanOut(owed)
        self._news: set[str] | None = None  # whose marks are to be pushed
        self._size_max = size_max
        self.acts: Acts | None = None  # made with the first
        self._edit_window_s = edit_window_s
        self._inline_max = inline_max

    @property
    def is_big(self) -> bool:
        """Whether it has so many members that they are told of its head, not of each record."""
        return self.roster is not None and len(self.roster.members) > self._inline_max

    @property
    def is_settled(self) -> bool:
        """Whether no fan-out is owed, so that the group may be put away."""
        return self._fan_out.owed is None and self._news is None

    def start(self) -> list[Effect]:
        """Return what must be done first: tell again what may not have arrived."""
        for marks in self.marks.values():
            marks.cut(self.seq)
        if self._fan_out.owed is None:
            return []
        return [RedriveAll(self._fan_out.owed - 1), *self._time()]

    def _time(self) -> list[Effect]:
        if self._fan_out.is_timed:
            return []
        self._fan_out.is_timed = True
        return [StartTimer(FAN_OUT_CONFIRM_S, ConfirmDue())]

    def key_to_look_up(self, event: Post | Changing) -> bytes | None:
        """Note what the window knows of a client id, before `handle`.

        Returns the id's key in the log if that must be asked what it knows of it.
        """
        event.key = key = member_key(event.sender, event.cid)
        known = self._window.get(key)
        if known is None:
            return key
        event.prior = known
        return None

    def handle(self, event: Event, now_wall_ms: int) -> list[Effect]:
        """Take `event` in; return what must be done, in this order."""
        return self._HANDLERS[type(event)](self, event, now_wall_ms)

    # -- what is appended --------------------------------------------------------------------------
    def _on_post(self, event: Post, now_wall_ms: int) -> list[Effect]:
        if not event.key:
            self.key_to_look_up(event)
        digest = digest_of_content(event.body, event.more)
        # An answer that was lost is given again to who is no member any more.
        if event.prior is not None:
            return [_again(event, event.prior, digest)]
        roster = self.roster
        more = event.more
        is_mild = type(more) is Acting and type(more.act) is not Edited
        deed: Deed = "read" if is_mild else "post"
        if roster is None or not (roster.may(event.sender, deed) or is_moderating(event)):
            return [self._refuse(event, event.sender)]
        if event.more is not None:
            verdict = self._judge_post(event, roster, now_wall_ms)
            if verdict is not None:
                return [Refuse(event.session, Refused(event.rid, verdict.code, verdict.reason))]
        return self._store(event, now_wall_ms, digest)

    def _judge_post(self, event: Post, roster: Roster, now_wall_ms: int) -> Verdict | None:
        sender, more = event.sender, event.more
        first = 1 if is_moderating(event) else roster.first_readable(sender)
        if isinstance(more, Extra):
            return judge_extra(more, event.body, first, self.seq, roster.members)
        if self.acts is None:
            self.acts = Acts(int(self._edit_window_s * 1_000))
        is_staff = roster.may(sender, "remove") or is_moderating(event)
        return self.acts.judge(event, first, self.seq, is_staff, now_wall_ms)

    def _on_changing(self, event: Changing, now_wall_ms: int) -> list[Effect]:
        if not event.key:
            self.key_to_look_up(event)
        change = event.change
        digest = digest_of(change)
        if event.prior is not None:
            return [_again(event, event.prior, digest)]
        was_big = self.is_big
        verdict = self._judge(event)
        if verdict is not None:
            return [Refuse(event.session, Refused(event.rid, verdict.code, verdict.reason))]
        assert self.roster is not None
        touched = self.roster.apply(event.sender, change, self.seq + 1)
        for user in touched.left:
            self.marks.pop(user, None)
        return self._store(event, now_wall_ms, digest, touched, was_big)

    def _judge(self, event: Changing) -> Verdict | None:
        change, roster = event.change, self.roster
        if isinstance(change, Create) and event.cid != _id_of(event, self.address):
            return Verdict("bad_request", "the cid of a create is the group's own id")
        if roster is None and not isinstance(change, Create):
            return Verdict("no_such_group", NO_GROUP)
        if roster is not None:
            is_stranger = event.sender not in roster.members
            verdict = roster.judge(event.sender, change, self._size_max)
            if is_stranger and verdict is FORBIDDEN:
                return Verdict("no_such_group", NO_GROUP)
            if verdict is not None:
                return verdict
        if event.unknown:
            return Verdict("no_such_user", f"there is no user {event.unknown[0]}")
        if event.barred:
            reason = f"{event.barred[0]} does not let you add them; send a link instead"
            return Verdict("forbidden", reason)
        if roster is None:
            assert isinstance(change, Create)
            made = found(event.sender, change, self._size_max)
            if isinstance(made, Verdict):
                return made
            self.roster = made
        return None

    def _store(
        self,
        event: Post | Changing,
        now_wall_ms: int,
        digest: int,
        touched: Touched | None = None,
        was_big: bool = True,
    ) -> list[Effect]:
        self.seq = seq = self.seq + 1
        wants = self._window.add(event.key, Prior(seq, now_wall_ms, digest))
        if isinstance(event, Post) and type(event.more) is Acting:
            wants = True
        change = None
        if isinstance(event, Changing):
            change = recorded(event.change, None if touched is None else touched.heir)
        owes = self._fan_out.owe(seq)
        store = StoreInGroup(seq, now_wall_ms, event, event.key, owes, wants, change, touched)
        if self.is_big or (was_big and touched is not None):
            store.is_big, store.floor = True, 0 if was_big else seq - 1
        return [store, *self._time()] if owes else [store]

    # -- the fan-out -------------------------------------------------------------------------------
    def _on_durable(self, event: Durable, now_wall_ms: int) -> list[Effect]:
        self._window.rotate(event.seq)
        if self.acts is not None:
            self.acts.settle(event.seq)
        return []

    def _on_confirm_due(self, event: ConfirmDue, now_wall_ms: int) -> list[Effect]:
        self._fan_out.is_timed = False
        roster = self.roster
        seqs = {} if roster is None else self._fan_out.ask(roster.rows, self.seq)
        return [AskHomes(seqs), *self._time()] if seqs else []

    def _on_fanned_out(self, event: FannedOut, now_wall_ms: int) -> list[Effect]:
        upto = self._fan_out.confirmed(event.user, event.seq)
        if upto is None or self.roster is None:
            return []
        self._fan_out.settle(upto, self.seq)
        changed = self.roster.settle(upto)
        out: list[Effect] = [MoveMarker(self._fan_out.owed)]
        return [*out, SaveMembers(changed)] if changed else out

    def _on_missing(self, event: Missing, now_wall_ms: int) -> list[Effect]:
        roster, user, have = self.roster, event.user, event.have
        if roster is None or user not in roster.rows:
            return []
        if not self._fan_out.wants_redrive(user, have):
            return []
        return [Redrive(user, have, have)]

    def _on_moved_due(self, event: MovedDue, now_wall_ms: int) -> list[Effect]:
        return [TellMoved()]

    def _on_slice_due(self, event: SliceDue, now_wall_ms: int) -> list[Effect]:
        return [TellSlice()]

    # -- marks -------------------------------------------------------------------------------------
    def _on_reached(self, event: Reached, now_wall_ms: int) -> list[Effect]:
        user, roster = event.user, self.roster
        if roster is None or user not in roster.members:
            return []
        marks = self.marks.get(user)
        if marks is None:
            marks = self.marks[user] = Marks()
        if not marks.advance(event.delivered, event.read, self.seq):
            return []
        save = SaveMarks(user, marks.delivered, marks.read)
        if len(roster.members) > GROUP_MARKS_PUSHED_MAX:
            return [save]
        if self._news is not None:
            self._news.add(user)
            return [save]
        self._news = {user}
        return [save, StartTimer(GROUP_MARKS_DELAY_S, MarksDue())]

    def _on_marks_due(self, event: MarksDue, now_wall_ms: int) -> list[Effect]:
        news, self._news = self._news or set(), None
        if self.roster is None:
            return []
        members = self.roster.members
        if len(members) > GROUP_MARKS_PUSHED_MAX:
            return []
        return [
            TellMarks(to, Marked(self.address, user, marks.delivered, marks.read))
            for user in sorted(news & members.keys() & self.marks.keys())
            for marks in (self.marks[user],)
            for to in members
            if to != user
        ]

    _HANDLERS: dict[type, Callable[[Any, Any, int], list[Effect]]] = {
        **GroupQuestions.ANSWERED,
        Post: _on_post,
        Changing: _on_changing,
        Durable: _on_durable,
        ConfirmDue: _on_confirm_due,
        FannedOut: _on_fanned_out,
        Missing: _on_missing,
        MovedDue: _on_moved_due,
        SliceDue: _on_slice_due,
        Reached: _on_reached,
        MarksDue: _on_marks_due,
    }


def member_key(sender: str, cid: bytes) -> bytes:
    """Return the key by which the log knows a member's client id."""
    return GROUP_TAG + blake2b(sender.encode() + cid, digest_size=CLIENT_ID_BYTES).digest()


def _again(event: Post | Changing, known: Prior, digest: int) -> Effect:
    if known.digest not in (None, digest):
        reason = "this client id stands for something else"
        return Refuse(event.session, Refused(event.rid, "id_conflict", reason))
    return AnswerAgain(event.session, event.rid, known.seq, known.ts)


def _id_of(event: Changing, address: str) -> bytes:
    """Return the client id of a create, if it is the id that the address stands for."""
    return event.cid if group_address(event.cid) == address else b""
