"""Knows which event each op that changes what was said is, and for whom.
Must not know who may ask.
"""

from __future__ import annotations

from actorchat.chat.act import Hide
from actorchat.chat.acting import Acting
from actorchat.chat.event import Address, Post
from actorchat.chat.session import Session
from actorchat.ids import direct_pair, is_group
from actorchat.protocol import ops


def acting(
    session: Session, address: Address, op: ops.Edit | ops.Delete | ops.React
) -> Post | Hide:
    """Return what is asked of the conversation, or, of what is for oneself alone, of one's home."""
    user = session.user
    body, moderates = "", False
    act: ops.AnyAct
    if isinstance(op, ops.Edit):
        body, act = op.body, ops.Edited(op.seq)
    elif isinstance(op, ops.React):
        act = ops.Reacted(op.seq, op.emoji, op.on)
    elif op.scope == "all":
        act = ops.Deleted(op.seqs)
    elif op.scope == "moderate":
        act, moderates = ops.Deleted(op.seqs, pair_of(op) or []), True
    else:
        conv = op.conv if is_group(op.conv) else direct_pair(user, op.conv)
        return Hide(conv, op.seqs, address, op.id)
    more = Acting(act, moderates=moderates)
    return Post(user, address, op.id, op.cid, body, None, b"", session.has_company, more)


def pair_of(op: ops.Delete) -> list[str] | None:
    """Return the two users of the direct conversation that a moderator names; None: a group."""
    return None if op.of is None else [*direct_pair(op.conv, op.of)]
