"""Knows records that say more than who wrote which text when: how they are packed, and told apart.
Must not know what follows from them.

A plain record is packed by `codec.encode_record`. One with an extra, an act, an edit, reactions, or
that is gone, has the same pairs in the same places, and what is more behind them. Its map has a
longer head than needs be, one for messages and one for acts, so that the first byte tells.
"""

from __future__ import annotations

from msgspec import to_builtins

from actorchat.protocol import codec
from actorchat.protocol.codec import ACT_HEAD, RICH_HEAD
from actorchat.protocol.ops import Record

_RICH, _ACT = RICH_HEAD[0], ACT_HEAD[0]
_PLAIN = frozenset(("from", "seq", "ts", "cid", "body", "conv"))


def is_rich(record: bytes) -> bool:
    """Say whether a packed record has more than a plain one, or a change, has."""
    return record[0] >= _RICH


def is_act(record: bytes) -> bool:
    """Say whether a packed record is about an earlier one."""
    return record[0] == _ACT


def encode(record: Record) -> bytes:
    """Return `record` as it is stored, delivered and paged; a plain one as `codec` packs it."""
    sender, seq, ts = codec.encode(record.sender), record.seq, record.ts
    if record.conv is None:
        plain = codec.encode_record(sender, seq, ts, record.cid, record.body)
        count = 5
    else:
        plain = codec.encode_group_record(record.conv, sender, seq, ts, record.cid, record.body)
        count = 6
    fields = to_builtins(record, builtin_types=(bytes,))
    more = {name: value for name, value in fields.items() if name not in _PLAIN}
    if not more:
        return plain
    head = RICH_HEAD if record.act is None else ACT_HEAD
    rest = codec.encode(more)
    return b"".join((head, bytes((count + len(more),)), plain[1:], rest[1:]))


def count_items(record: bytes) -> int:
    """Return how many CBOR items a packed record is, for what bounds a page."""
    items, pos, owed = 0, 0, 1
    while owed:
        head = record[pos]
        pos += 1
        kind, argument = head >> 5, head & 31
        if argument > 23:
            width = 1 << (argument - 24)
            argument = int.from_bytes(record[pos : pos + width], "big")
            pos += width
        if kind in {2, 3}:
            pos += argument
        owed += argument * (kind - 3) if kind in {4, 5} else 0
        owed -= 1
        items += 1
    return items
