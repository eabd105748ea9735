"""Knows the layout of the values of state rows. Must not know engines.

Integers are big-endian, as in keys. Every `unpack` raises `StoreCorrupt` for what no `pack` made.
"""

from __future__ import annotations

import struct

from actorchat.store.keys import OWNER_BYTES, corrupt

PRESENCE_LEVELS = 3  # who may see a user: everyone, contacts, nobody

_U64 = struct.Struct(">Q")
_PAIR = struct.Struct(">QQ")
_LEDGER = struct.Struct(">QQQ")
_PRESENCE = struct.Struct(">QB")
_FORMAT = struct.Struct(">H")
_FILE = struct.Struct(">QQ")
_INVITATION = struct.Struct(">IIQQ")


def pack_position(position: int) -> bytes:
    """Return the value of a row that holds one position: a cursor, a received seq."""
    return _U64.pack(position)


def unpack_position(value: bytes) -> int:
    """Return the position."""
    if len(value) != _U64.size:
        raise corrupt("position", value)
    return int(_U64.unpack(value)[0])


def pack_positions(first: int, second: int) -> bytes:
    """Return the value of a row that holds two: (head, trimmed) or (delivered, read)."""
    return _PAIR.pack(first, second)


def unpack_positions(value: bytes) -> tuple[int, int]:
    """Return the two positions."""
    if len(value) != _PAIR.size:
        raise corrupt("pair of positions", value)
    first, second = _PAIR.unpack(value)
    return first, second


def pack_moved(after: int, head: int, group: str) -> bytes:
    """Return the value of a row that says that a group's (after, head] are to be had."""
    return _PAIR.pack(after, head) + group.encode()


def unpack_moved(value: bytes) -> tuple[int, int, str]:
    """Return (after, head, the group's address)."""
    group = value[_PAIR.size :]
    if not group or not group.isascii():
        raise corrupt("moved head", value)
    after, head = _PAIR.unpack_from(value)
    if after >= head:
        raise corrupt("moved head", value)
    return after, head, group.decode()


def pack_members(pair: tuple[str, str]) -> bytes:
    """Return the value of a row that names a direct conversation's users, in canonical order."""
    return "\0".join(pair).encode()


def unpack_members(value: bytes) -> tuple[str, str]:
    """Return the two users."""
    first, _, second = value.partition(b"\0")
    # Names are ASCII (`ids.NAME_PATTERN`), so any other byte is damage.
    if not first or not second or b"\0" in second or not value.isascii():
        raise corrupt("members", value)
    return first.decode(), second.decode()


def pack_ledger(first: int, measured: int, kept_bytes: int) -> bytes:
    """Return the value of a row that says where a history begins, and what is kept of it.

    The records `first` to `measured` have `kept_bytes` together.
    """
    return _LEDGER.pack(first, measured, kept_bytes)


def unpack_ledger(value: bytes) -> tuple[int, int, int]:
    """Return (first, measured, kept bytes)."""
    if len(value) != _LEDGER.size or (numbers := _LEDGER.unpack(value))[0] < 1:
        raise corrupt("ledger", value)
    return numbers


def pack_sweep(after: bytes, messages: int, size: int, updates: int) -> bytes:
    """Return the value of the row that says how far the sweep is, and what it let go in all.

    `after` is the last owner that it has looked at, or empty; messages have `size` bytes.
    """
    return _LEDGER.pack(messages, size, updates) + after


def unpack_sweep(value: bytes) -> tuple[bytes, int, int, int]:
    """Return (last owner or nothing, messages, their bytes, updates)."""
    if len(value) not in (_LEDGER.size, _LEDGER.size + OWNER_BYTES):
        raise corrupt("sweep", value)
    messages, size, updates = _LEDGER.unpack_from(value)
    return value[_LEDGER.size :], messages, size, updates


def pack_presence(last_seen_wall_ms: int, level: int) -> bytes:
    """Return the value of a row of presence: when last seen, who may see it."""
    return _PRESENCE.pack(last_seen_wall_ms, level)


def unpack_presence(value: bytes) -> tuple[int, int]:
    """Return (last seen in wall ms, level)."""
    if len(value) != _PRESENCE.size:
        raise corrupt("presence", value)
    last_seen, level = _PRESENCE.unpack(value)
    if level >= PRESENCE_LEVELS:
        raise corrupt("presence", value)
    return last_seen, level


def pack_file(size: int, at_wall_ms: int, media_type: str) -> bytes:
    """Return the value of a file's row: how long it is, when it came, what it is said to be."""
    return _FILE.pack(size, at_wall_ms) + media_type.encode()


def unpack_file(value: bytes) -> tuple[int, int, str]:
    """Return (size, wall ms of its coming, media type)."""
    media_type = value[_FILE.size :]
    if not media_type or not media_type.isascii():
        raise corrupt("file", value)
    size, at_wall_ms = _FILE.unpack_from(value)
    return size, at_wall_ms, media_type.decode()


def pack_spans(spans: tuple[tuple[int, int], ...]) -> bytes:
    """Return the value of a row of hidden spans: (first, last) each, last 0 where it goes on."""
    return b"".join(_PAIR.pack(first, last) for first, last in spans)


def unpack_spans(value: bytes) -> tuple[tuple[int, int], ...]:
    """Return the spans; ascending, and only the last goes on."""
    if not value or len(value) % _PAIR.size:
        raise corrupt("spans", value)
    spans = tuple(_PAIR.iter_unpack(value))
    end = 0
    for at, (first, last) in enumerate(spans, 1):
        is_open = not last and at == len(spans)
        if first <= end or (last < first and not is_open):
            raise corrupt("spans", value)
        end = last
    return spans


def pack_invitation(uses: int, left: int, created: int, expires: int, title: str) -> bytes:
    """Return the value of an invitation's row: `left` of `uses`, made and over at wall ms."""
    return _INVITATION.pack(uses, left, created, expires) + title.encode()


def unpack_invitation(value: bytes) -> tuple[int, int, int, int, str]:
    """Return (uses, left, wall ms of its making, of its end or 0, title)."""
    if len(value) < _INVITATION.size:
        raise corrupt("invitation", value)
    uses, left, created, expires = _INVITATION.unpack_from(value)
    try:
        title = value[_INVITATION.size :].decode()
    except UnicodeDecodeError:
        raise corrupt("invitation", value) from None
    if not 0 < left <= uses:
        raise corrupt("invitation", value)
    return uses, left, created, expires, title


def pack_format(version: int) -> bytes:
    """Return the value of the format row."""
    return _FORMAT.pack(version)


def unpack_format(value: bytes) -> int:
    """Return the layout version that a store was written with."""
    if len(value) != _FORMAT.size:
        raise corrupt("format row", value)
    return int(_FORMAT.unpack(value)[0])
