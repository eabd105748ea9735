"""Knows how messages whose time is up leave the disk. Must not know when somebody looks for them.

They are hidden from all reads at their time; this is for their bytes. An act that is under way
meanwhile puts the row of its message's time again, so that the next look finds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actorchat.chat.act import tombstone
from actorchat.limits import EXPIRED_AT_ONCE_MAX
from actorchat.protocol import codec, rich

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.store.engine import Op


def bury_expired(context: Context, conversation: bytes, now_wall_ms: int) -> int:
    """Turn the messages of a conversation whose time is up into tombstones; return how many.

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
        record = codec.decode_record(archive.record(conversation, seq))
        if not record.gone:
            ops.append(rows.history(conversation, seq, rich.encode(tombstone(record))))
        ops.append(rows.expiry(conversation, at_wall_ms, seq, due=False))
    if ops:
        log.append_lazily(ops)
    return len(found)
