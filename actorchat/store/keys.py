"""Knows the layout of keys and values, alone knows byte order. Must not know engines.

Every key begins with the slot, so that a slot can be scanned, copied and dropped; integers are
big-endian, so that the order of bytes is the order of numbers.

    family   key                                     value
    history  conversation 18 | seq u64               epoch u32 | record
    inbox    user 18 | upd u64                       kind u8 | epoch u32 | conversation 18
                                                     | seq u64 | record, if inline,
                                                     or how many, if a span, u32
    sent     conversation 18 | sender tag | cid 16   seq u64 | ts u64 (ms)
    outbox   conversation 18                         seq u64, the first that is still owed
    state    owner 18 | kind 1 | id                  depends on the kind

    user, conversation, owner = slot u16 | blake2b-16 of the name, of the two names, or of a
                                group's address
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

from actorchat.errors import StoreCorrupt
from actorchat.ids import CLIENT_ID_BYTES, direct_pair, slot_of

# Written into every store; raised whenever a byte of the table above changes its meaning.
LAYOUT_VERSION = 1

OWNER_BYTES = 18
SEQ_MAX = 2**64 - 1
_DIGEST_BYTES = 16
_SENDER_TAG_BYTES = 1

# Kinds of state rows: one byte each, printable so that a dump can be read.
ACCOUNT = b"A"
DEVICE = b"D"
CURSOR = b"C"
USER_LOG = b"L"
RECEIVED = b"R"
MARKS = b"M"
MEMBERS = b"P"
GROUP = b"G"
MEMBER = b"N"
LINK = b"K"
PRESENCE = b"S"
INDEX = b"I"
FLAGS = b"F"
SEEN = b"E"
TITLE = b"T"
PROFILE = b"B"
CONTACT = b"Q"
FILE = b"O"
USAGE = b"U"
EXPIRY = b"X"
HIDDEN = b"H"
VEIL = b"J"
EVENT = b"e"
EVENT_READER = b"f"
EVENT_PLACE = b"g"
UNSHOWN = b"Z"
BLOCKED = b"a"
GONE = b"b"
MOVED = b"V"
SIZE = b"W"
LEDGER = b"c"
META = b"#"
STATE_KINDS = frozenset(
    (
        *(ACCOUNT, DEVICE, CURSOR, USER_LOG, RECEIVED, MARKS, MEMBERS),
        *(GROUP, MEMBER, LINK, PRESENCE),
        *(INDEX, FLAGS, SEEN, TITLE, PROFILE, CONTACT, META),
        *(FILE, USAGE),
        *(EXPIRY, HIDDEN, VEIL),
        *(EVENT, EVENT_READER, EVENT_PLACE),
        *(UNSHOWN, BLOCKED, GONE),
        *(MOVED, SIZE),
        LEDGER,
    )
)

PRESENCE_LEVELS = 3  # who may see a user: everyone, contacts, nobody

# Kinds of inbox rows.
INLINE = 0
POINTER = 1
SPAN = 2  # many updates in one row, the key of which is the last of them

_SLOT = struct.Struct(">H")
_U64 = struct.Struct(">Q")
_HISTORY = struct.Struct(">I")
_INBOX = struct.Struct(f">BI{OWNER_BYTES}sQ")
_PLACE = struct.Struct(f">{OWNER_BYTES}sQ")
_U32 = struct.Struct(">I")
_SENT = struct.Struct(">QQ")
_PRESENCE = struct.Struct(">QB")
_LEDGER = struct.Struct(">QQQ")
_FORMAT = struct.Struct(">H")
_FILE = struct.Struct(">QQ")
_pack_u64 = _U64.pack

# Rows about the store itself; no slot has this number, so they are never copied with one.
NODE_OWNER = b"\xff\xff" + bytes(_DIGEST_BYTES)
FORMAT_KEY = NODE_OWNER + META + b"format"
PROBE_KEY = NODE_OWNER + META + b"probe"
EVENT_PREFIX = NODE_OWNER + EVENT
SWEEP_KEY = NODE_OWNER + META + b"sweep"


class InboxRow(NamedTuple):
    """The value of an inbox row; `record` is empty where it points into history.

    A span is `updates` of them, which are the messages up to `seq` without a hole.
    """

    kind: int
    epoch: int
    conversation: bytes
    seq: int
    record: bytes
    updates: int = 1


# -- keys -------------------------------------------------------------------------------------


def user_key(user: str) -> bytes:
    """Return the 18 bytes that begin every key of `user`."""
    return _SLOT.pack(slot_of(user)) + _digest(user.encode())


def conversation_key(one: str, other: str) -> bytes:
    """Return the 18 bytes of the direct conversation of two users, in either order."""
    first, second = direct_pair(one, other)
    return _SLOT.pack(slot_of(first)) + _digest(f"{first}\0{second}".encode())


def group_key(address: str) -> bytes:
    """Return the 18 bytes of the group with this address.

    A digest, as of users: who chooses a group's id must not choose another conversation's key.
    """
    return _SLOT.pack(slot_of(address)) + _digest(address.encode())


def file_key(sha256: bytes) -> bytes:
    """Return the 18 bytes of the file with this hash; a digest for the reason above."""
    return _SLOT.pack(slot_of(sha256.hex())) + _digest(b"file\0" + sha256)


# What every message passes is packed without a Python frame in between.
# (conversation, seq) -> the key of message `seq`; (user, upd) -> the key of that update.
history_key: Callable[[bytes, int], bytes] = _PLACE.pack
inbox_key: Callable[[bytes, int], bytes] = _PLACE.pack


def sent_key(conversation: bytes, sender_tag: bytes, cid: bytes) -> bytes:
    """Return the key that says that a client id was used; `sender_tag` is one byte."""
    return conversation + sender_tag + cid


def outbox_key(conversation: bytes) -> bytes:
    """Return the key of the conversation's fan-out marker."""
    return conversation


def state_key(owner: bytes, kind: bytes, id: bytes = b"") -> bytes:
    """Return the key of a state row of `owner` (18 bytes of a user or conversation)."""
    return owner + kind + id


def place(conversation: bytes, seq: int) -> bytes:
    """Return the id by which a user's row names a message."""
    return conversation + _pack_u64(seq)


def parse_place(id: bytes) -> tuple[bytes, int]:
    """Return (conversation, seq)."""
    return _split_number(id, "place")


def expiry_key(conversation: bytes, at_wall_ms: int, seq: int) -> bytes:
    """Return the key of the row that says when a message's time is up."""
    return conversation + EXPIRY + _pack_u64(at_wall_ms) + _pack_u64(seq)


def parse_expiry_id(id: bytes) -> tuple[int, int]:
    """Return (wall ms, seq)."""
    if len(id) != 2 * _U64.size:
        raise _bad("expiry id", id)
    at_wall_ms, seq = _SENT.unpack(id)
    return at_wall_ms, seq


def event_key(position: int) -> bytes:
    """Return the key of what was stored at `position` of the node's events."""
    return EVENT_PREFIX + _pack_u64(position)


def parse_event_key(key: bytes) -> int:
    """Return the position."""
    if len(key) != len(EVENT_PREFIX) + _U64.size or not key.startswith(EVENT_PREFIX):
        raise _bad("event key", key)
    return int(_U64.unpack_from(key, len(EVENT_PREFIX))[0])


def parse_history_key(key: bytes) -> tuple[bytes, int]:
    """Return (conversation, seq)."""
    return _split_number(key, "history")


def parse_inbox_key(key: bytes) -> tuple[bytes, int]:
    """Return (user, upd)."""
    return _split_number(key, "inbox")


def parse_sent_key(key: bytes) -> tuple[bytes, bytes, bytes]:
    """Return (conversation, sender tag, client id)."""
    if len(key) != OWNER_BYTES + _SENDER_TAG_BYTES + CLIENT_ID_BYTES:
        raise _bad("sent key", key)
    tag_end = OWNER_BYTES + _SENDER_TAG_BYTES
    return key[:OWNER_BYTES], key[OWNER_BYTES:tag_end], key[tag_end:]


def parse_outbox_key(key: bytes) -> bytes:
    """Return the conversation."""
    if len(key) != OWNER_BYTES:
        raise _bad("outbox key", key)
    return key


def parse_state_key(key: bytes) -> tuple[bytes, bytes, bytes]:
    """Return (owner, kind, id)."""
    kind = key[OWNER_BYTES : OWNER_BYTES + 1]
    if kind not in STATE_KINDS:
        raise _bad("state key", key)
    return key[:OWNER_BYTES], kind, key[OWNER_BYTES + 1 :]


def slot_in(key: bytes) -> int:
    """Return the slot with which `key` begins."""
    return int(_SLOT.unpack_from(key)[0])


# -- ranges -----------------------------------------------------------------------------------


def prefix_range(prefix: bytes) -> tuple[bytes, bytes]:
    """Return (start, stop) of all keys that begin with `prefix`.

    ValueError if there is no such stop: the prefix is empty or all 0xff.
    """
    trimmed = prefix.rstrip(b"\xff")
    if not trimmed:
        raise ValueError("this prefix has no end")
    return prefix, trimmed[:-1] + bytes((trimmed[-1] + 1,))


def slot_range(slot: int) -> tuple[bytes, bytes]:
    """Return (start, stop) of all keys of a slot, in any family."""
    return _SLOT.pack(slot), _SLOT.pack(slot + 1)


# -- values -----------------------------------------------------------------------------------


def pack_history(epoch: int, record: bytes) -> bytes:
    """Return the value of a history row."""
    return _HISTORY.pack(epoch) + record


def unpack_history(value: bytes) -> tuple[int, bytes]:
    """Return (epoch, record)."""
    if len(value) < _HISTORY.size:
        raise _bad("history value", value)
    return _HISTORY.unpack_from(value)[0], value[_HISTORY.size :]


# The value of an inbox row: (POINTER, epoch, conversation, seq), read from history; or with INLINE
# what stands before its record.
pack_inbox: Callable[[int, int, bytes, int], bytes] = _INBOX.pack


def pack_span(epoch: int, conversation: bytes, seq: int, count: int) -> bytes:
    """Return the value of an inbox row that is the `count` messages up to `seq`."""
    return _INBOX.pack(SPAN, epoch, conversation, seq) + _U32.pack(count)


def unpack_inbox(value: bytes) -> InboxRow:
    """Return the parts of an inbox row."""
    if len(value) < _INBOX.size:
        raise _bad("inbox value", value)
    kind, epoch, conversation, seq = _INBOX.unpack_from(value)
    record = value[_INBOX.size :]
    if kind == SPAN:
        count = _U32.unpack(record)[0] if len(record) == _U32.size else 0
        if not 0 < count <= seq:
            raise _bad("inbox value", value)
        return InboxRow(kind, epoch, conversation, seq, b"", count)
    # Exactly one of the two: an inline row with a record, or a pointer without one.
    if kind not in (INLINE, POINTER) or (kind == INLINE) != bool(record):
        raise _bad("inbox value", value)
    return InboxRow(kind, epoch, conversation, seq, record)


# The value of a sent row, of (seq, ts in ms). No function around it: each message has one.
pack_sent: Callable[[int, int], bytes] = _SENT.pack


def unpack_sent(value: bytes) -> tuple[int, int]:
    """Return (seq, ts)."""
    if len(value) != _SENT.size:
        raise _bad("sent value", value)
    seq, ts = _SENT.unpack(value)
    return seq, ts


def pack_outbox(seq: int) -> bytes:
    """Return the value of a fan-out marker: the first seq that is still owed."""
    return _pack_u64(seq)


def unpack_outbox(value: bytes) -> int:
    """Return the first seq that is still owed."""
    if len(value) != _U64.size:
        raise _bad("outbox value", value)
    return int(_U64.unpack(value)[0])


def pack_position(position: int) -> bytes:
    """Return the value of a row that holds one position: a cursor, a received seq."""
    return _pack_u64(position)


def unpack_position(value: bytes) -> int:
    """Return the position."""
    if len(value) != _U64.size:
        raise _bad("position", value)
    return int(_U64.unpack(value)[0])


def pack_positions(first: int, second: int) -> bytes:
    """Return the value of a row that holds two: (head, trimmed) or (delivered, read)."""
    return _SENT.pack(first, second)


def unpack_positions(value: bytes) -> tuple[int, int]:
    """Return the two positions."""
    if len(value) != _SENT.size:
        raise _bad("pair of positions", value)
    first, second = _SENT.unpack(value)
    return first, second


def pack_moved(after: int, head: int, group: str) -> bytes:
    """Return the value of a row that says that a group's (after, head] are to be had."""
    return _SENT.pack(after, head) + group.encode()


def unpack_moved(value: bytes) -> tuple[int, int, str]:
    """Return (after, head, the group's address)."""
    group = value[_SENT.size :]
    if not group or not group.isascii():
        raise _bad("moved head", value)
    after, head = _SENT.unpack_from(value)
    if after >= head:
        raise _bad("moved head", value)
    return after, head, group.decode()


def pack_members(pair: tuple[str, str]) -> bytes:
    """Return the value of a row that names a direct conversation's users, in canonical order."""
    return "\0".join(pair).encode()


def unpack_members(value: bytes) -> tuple[str, str]:
    """Return the two users."""
    first, _, second = value.partition(b"\0")
    # Names are ASCII (`ids.NAME_PATTERN`), so any other byte is damage.
    if not first or not second or b"\0" in second or not value.isascii():
        raise _bad("members", value)
    return first.decode(), second.decode()


def pack_ledger(first: int, measured: int, kept_bytes: int) -> bytes:
    """Return the value of a row that says where a history begins, and what is kept of it.

    The records `first` to `measured` have `kept_bytes` together.
    """
    return _LEDGER.pack(first, measured, kept_bytes)


def unpack_ledger(value: bytes) -> tuple[int, int, int]:
    """Return (first, measured, kept bytes)."""
    if len(value) != _LEDGER.size or (numbers := _LEDGER.unpack(value))[0] < 1:
        raise _bad("ledger", value)
    return numbers


def pack_sweep(after: bytes, messages: int, size: int, updates: int) -> bytes:
    """Return the value of the row that says how far the sweep is, and what it let go in all.

    `after` is the last owner that it has looked at, or empty; messages have `size` bytes.
    """
    return _LEDGER.pack(messages, size, updates) + after


def unpack_sweep(value: bytes) -> tuple[bytes, int, int, int]:
    """Return (last owner or nothing, messages, their bytes, updates)."""
    if len(value) not in (_LEDGER.size, _LEDGER.size + OWNER_BYTES):
        raise _bad("sweep", value)
    messages, size, updates = _LEDGER.unpack_from(value)
    return value[_LEDGER.size :], messages, size, updates


def pack_presence(last_seen_wall_ms: int, level: int) -> bytes:
    """Return the value of a row of presence: when last seen, who may see it."""
    return _PRESENCE.pack(last_seen_wall_ms, level)


def unpack_presence(value: bytes) -> tuple[int, int]:
    """Return (last seen in wall ms, level)."""
    if len(value) != _PRESENCE.size:
        raise _bad("presence", value)
    last_seen, level = _PRESENCE.unpack(value)
    if level >= PRESENCE_LEVELS:
        raise _bad("presence", value)
    return last_seen, level


def pack_file(size: int, at_wall_ms: int, media_type: str) -> bytes:
    """Return the value of a file's row: how long it is, when it came, what it is said to be."""
    return _FILE.pack(size, at_wall_ms) + media_type.encode()


def unpack_file(value: bytes) -> tuple[int, int, str]:
    """Return (size, wall ms of its coming, media type)."""
    media_type = value[_FILE.size :]
    if not media_type or not media_type.isascii():
        raise _bad("file", value)
    size, at_wall_ms = _FILE.unpack_from(value)
    return size, at_wall_ms, media_type.decode()


def pack_spans(spans: tuple[tuple[int, int], ...]) -> bytes:
    """Return the value of a row of hidden spans: (first, last) each, last 0 where it goes on."""
    return b"".join(_SENT.pack(first, last) for first, last in spans)


def unpack_spans(value: bytes) -> tuple[tuple[int, int], ...]:
    """Return the spans; ascending, and only the last goes on."""
    if not value or len(value) % _SENT.size:
        raise _bad("spans", value)
    spans = tuple(_SENT.iter_unpack(value))
    end = 0
    for at, (first, last) in enumerate(spans, 1):
        is_open = not last and at == len(spans)
        if first <= end or (last < first and not is_open):
            raise _bad("spans", value)
        end = last
    return spans


def pack_format(version: int) -> bytes:
    """Return the value of the format row."""
    return _FORMAT.pack(version)


def unpack_format(value: bytes) -> int:
    """Return the layout version that a store was written with."""
    if len(value) != _FORMAT.size:
        raise _bad("format row", value)
    return int(_FORMAT.unpack(value)[0])


# -- inside -----------------------------------------------------------------------------------


def _digest(name: bytes) -> bytes:
    return blake2b(name, digest_size=_DIGEST_BYTES).digest()


def _split_number(key: bytes, family: str) -> tuple[bytes, int]:
    if len(key) != OWNER_BYTES + _U64.size:
        raise _bad(f"{family} key", key)
    return key[:OWNER_BYTES], int(_U64.unpack_from(key, OWNER_BYTES)[0])


def _bad(what: str, content: bytes) -> StoreCorrupt:
    # Only the length of values and the head of keys: a body must not reach a log line.
    return StoreCorrupt(f"bad {what}: {len(content)} bytes, begins {content[:OWNER_BYTES].hex()}")
