"""Knows how messages with more than a text, and acts on messages, are looked up and written.
Must not know who may do what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from actorchat.broker.archive import Archive
from actorchat.broker.rows import Rows
from actorchat.chat.act import Acts, refs_of, tombstone
from actorchat.chat.acting import Acting
from actorchat.chat.event import Post
from actorchat.chat.extra import recorded
from actorchat.limits import EXPIRED_AT_ONCE_MAX
from actorchat.protocol import codec, rich
from actorchat.protocol.ops import Edited, Extra, Record
from actorchat.store.engine import Op

if TYPE_CHECKING:
    from actorchat.broker.context import Context


def look_up(archive: Archive, conversation: bytes, post: Post, acts: Acts | None) -> None:
    """Fill in the messages that an act is about: as they are, with what is under way."""
    acting = post.more
    if not isinstance(acting, Acting):
        return
    pending = {} if acts is None else acts.pending
    acting.targets = targets = {}
    first = archive.first_seq(conversation)
    for ref in refs_of(acting.act):
        if ref < first:
            continue  # retention let it go
        target = pending.get(ref)
        if target is None and (record := archive.find(conversation, ref)) is not None:
            target = codec.decode_record(record)
        if target is not None:
            targets[ref] = target


def written(
    rows: Rows, conversation: bytes, post: Post, seq: int, ts: int, conv: str | None = None
) -> tuple[bytes, bytes, tuple[Op, ...]]:
    """Return the record that is kept, the one that is told, and what is written with them.

    The text of an edit is kept once, in the message that it is about: so it goes with it.
    """
    record = Record(post.sender, seq, ts, post.cid, post.body, conv)
    more = post.more
    if isinstance(more, Extra):
        record.extra = recorded(more, ts)
        packed = rich.encode(record)
        return packed, packed, _expiry(rows, conversation, record)
    assert more is not None, "what is plain is packed by hand"
    record.act = more.act
    told = rich.encode(record)
    kept = told
    if isinstance(record.act, Edited):
        kept = rich.encode(msgspec.structs.replace(record, body=""))
    ops: list[Op] = []
    for rewrite in more.rewrites:
        ops.append(rows.history(conversation, rewrite.seq, rich.encode(rewrite)))
        # Put once more, should it have been swept while this act was under way.
        ops += _expiry(rows, conversation, rewrite)
    return kept, told, tuple(ops)


def _expiry(rows: Rows, conversation: bytes, record: Record) -> tuple[Op, ...]:
    extra = record.extra
    if extra is None or extra.exp is None:
        return ()
    return (rows.expiry(conversation, extra.exp, record.seq),)


def bury_expired(context: Context, conversation: bytes, now_wall_ms: int) -> int:
    """Turn the messages of a conversation whose time is up into tombstones; return how many.

    They are hidden from all reads at their time; this is for their bytes. An act that is under way
    meanwhile puts the row of its message's time again, so that the next look finds it.

    At most `EXPIRED_AT_ONCE_MAX` at once, in 30 µs each: where it returns as many there are more.
    Nothing while the disk is full. Not synced when it returns, nor need it be: what a crash takes
    back is found again.

    Args:
        conversation: The 18 bytes with which its keys begin.
    """
    log, archive, rows = context.log, context.archive, context.rows
    if log.is_full:
        return 0
    log.apply()
    ops: list[Op] = []
    found = archive.due(conversation, now_wall_ms, EXPIRED_AT_ONCE_MAX)
    for at_wall_ms, seq in found:
        found_record = archive.find(conversation, seq)
        record = None if found_record is None else codec.decode_record(found_record)
        if record is not None and not record.gone:
            ops.append(rows.history(conversation, seq, rich.encode(tombstone(record))))
        ops.append(rows.expiry(conversation, at_wall_ms, seq, due=False))
    if ops:
        log.append_lazily(ops)
    return len(found)
