"""Knows who may change what was said, and what the messages are afterwards.
Must not know rows, or who is told.
"""

from __future__ import annotations

import msgspec

from actorchat.chat import aside
from actorchat.chat.acting import Acting
from actorchat.chat.event import Address, Conv, Event, Post
from actorchat.chat.extra import is_over, judge_body
from actorchat.chat.roster import Verdict
from actorchat.limits import EMOJIS_MAX, REACTIONS_MAX, RECORD_BYTES_MAX
from actorchat.protocol.ops import AnyAct, Deleted, Edited, Reacted, Record

_measure = msgspec.msgpack.Encoder().encode  # as long as CBOR, but for single bytes


def tombstone(record: Record) -> Record:
    """Return what is left of a message that is gone: its place, and who wrote it when."""
    return Record(record.sender, record.seq, record.ts, record.cid, "", record.conv, gone=True)


def refs_of(act: AnyAct) -> list[int]:
    """Return the seqs of the messages that an act is about."""
    return act.refs if isinstance(act, Deleted) else [act.ref]


class Hide(Event):
    """The user at home deletes messages of a conversation for oneself.

    `session` gets an `Answer` once that is durable.
    """

    pair: Conv
    seqs: list[int]
    session: Address
    rid: int


class Acts:
    """The acts of one conversation that are under way.

    Until they are synced, what they wrote anew is known here alone.

    Args:
        edit_window_ms: How long a message may be edited.
    """

    __slots__ = ("_edit_window_ms", "_since", "pending")

    def __init__(self, edit_window_ms: int) -> None:
        self._edit_window_ms = edit_window_ms
        self.pending: dict[int, Record] = {}
        self._since: dict[int, int] = {}  # by whose act, the oldest first

    def judge(
        self, post: Post, first: int, head: int, is_staff: bool, now_wall_ms: int
    ) -> Verdict | None:
        """Say why an act is refused; else note in the post what it makes of its messages.

        Args:
            first, head: The seqs that who acts may see.
            is_staff: Who acts may delete what others wrote. Who moderates may do that alone.
        """
        acting, seq = post.more, head + 1
        assert isinstance(acting, Acting)
        act = acting.act
        refs = refs_of(act)
        if acting.moderates and not isinstance(act, Deleted):
            return Verdict("forbidden", "a moderator deletes, and does nothing else")
        if len(set(refs)) < len(refs):
            return Verdict("bad_request", "a message is named twice")
        rewrites = []
        for ref in refs:
            target = acting.targets.get(ref)
            if target is None or not first <= ref <= head:
                return Verdict("no_such_message", f"there is no message {ref}")
            if target.act is not None or target.change is not None:
                return Verdict("no_such_message", f"{ref} is no message that somebody wrote")
            if target.gone or is_over(target, now_wall_ms):
                return Verdict("deleted", f"message {ref} is gone")
            made = self._make(post, act, seq, target, is_staff, now_wall_ms)
            if isinstance(made, Verdict):
                return made
            rewrites.append(made)
        acting.rewrites = tuple(rewrites)
        for record in rewrites:
            self.pending[record.seq] = record
            self._since.pop(record.seq, None)
            self._since[record.seq] = seq
        return None

    def _make(
        self, post: Post, act: AnyAct, seq: int, target: Record, is_staff: bool, now_wall_ms: int
    ) -> Record | Verdict:
        is_own = post.sender == target.sender
        if isinstance(act, Deleted):
            if not is_own and not is_staff:
                return Verdict("forbidden", "only who wrote a message, or an admin, deletes it")
            return tombstone(target)
        if isinstance(act, Reacted):
            made = _reacted(target, act, post.sender)
        elif not is_own:
            return Verdict("forbidden", "only who wrote a message edits it")
        elif now_wall_ms - target.ts > self._edit_window_ms:
            minutes = self._edit_window_ms / 60_000
            return Verdict("too_late", f"a message may be edited for {minutes:g} minutes")
        else:
            kind = "text" if target.extra is None else target.extra.kind
            verdict = judge_body(kind, post.body)
            if verdict is not None:
                return verdict
            made = msgspec.structs.replace(target, body=post.body, edited=seq)
        if isinstance(made, Record) and len(_measure(made)) > RECORD_BYTES_MAX:
            return Verdict("too_many", "with that the message would be too long")
        return made

    def settle(self, seq: int) -> None:
        """Note that all records up to `seq` are synced."""
        while self._since:
            ref, since = next(iter(self._since.items()))
            if since > seq:
                return
            del self._since[ref], self.pending[ref]


def _reacted(target: Record, act: Reacted, user: str) -> Record | Verdict:
    reactions = {emoji: list(users) for emoji, users in target.reactions.items()}
    users, apart = aside.split(reactions.get(act.emoji, []))
    apart = [one for one in apart if one != user]
    if not act.on:
        reactions[act.emoji] = aside.joined([one for one in users if one != user], apart)
        if not reactions[act.emoji]:
            del reactions[act.emoji]
    elif user not in users:
        if len(reactions) + (act.emoji not in reactions) > EMOJIS_MAX:
            return Verdict("too_many", f"a message has at most {EMOJIS_MAX} different reactions")
        if sum(map(len, reactions.values())) >= REACTIONS_MAX:
            return Verdict("too_many", f"a message has at most {REACTIONS_MAX} reactions")
        reactions[act.emoji] = aside.joined([*users, user], apart)
    return msgspec.structs.replace(target, reactions=reactions)


def asked_of(record: Record, target: Record | None) -> tuple[str, AnyAct] | None:
    """Return body and act that were asked for; None where the text is not kept any more.

    Args:
        target: The message that the act is about, which alone keeps the text of an edit.
    """
    act = record.act
    assert act is not None
    if not isinstance(act, Edited):
        return "", act
    if target is None or target.edited != record.seq:
        return None
    return target.body, act
