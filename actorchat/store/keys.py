"""Knows the layout of keys and of the log's values. Must not know engines.

Every key begins with the slot, so that a slot can be scanned, copied and dropped; integers are
big-endian, so that the order of bytes is the order of numbers.

    family   key                                     value
    history  conversation 18 | seq u64               epoch u32 | record
    inbox    user 18 | upd u64                       kind u8 | epoch u32 | conversation 18
                                                     | seq u64 | record, if inline,
                                                     or how many, if a span, u32
    sent     conversation 18 | sender tag | cid 16   seq u64 | ts u64 (ms)
    outbox   conversation 18                         seq u64, the first that is still owed
    state    owner 18 | kind 1 | id                  depends on the kind: kinds.py, values.py

    user, conversation, owner = slot u16 | blake2b-16 of the name, of the two names, or of a
                                group's address
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import NamedTuple

from actorchat.errors import StoreCorrupt
from actorchat.ids import CLIENT_ID_BYTES, direct_pair, slot_of
from actorchat.store.kinds import EVENT, EXPIRY, META, STATE_KINDS

# Written into every store; raised whenever a byte of the table above changes its meaning.
LAYOUT_VERSION = 1

OWNER_BYTES = 18
INVITATION_ID_BYTES = 16
SEQ_MAX = 2**64 - 1
_DIGEST_BYTES = 16
_SENDER_TAG_BYTES = 1

# Kinds of inbox rows.
INLINE = 0
POINTER = 1
SPAN = 2  # many updates in one row, the key of which is the last of them

_SPAN = bytes((SPAN,))
_SLOT = struct.Struct(">H")
_U64 = struct.Struct(">Q")
_HISTORY = struct.Struct(">I")
_INBOX = struct.Struct(f">BI{OWNER_BYTES}sQ")
_PLACE = struct.Struct(f">{OWNER_BYTES}sQ")
_U32 = struct.Struct(">I")
_SENT = struct.Struct(">QQ")
_pack_u64 = _U64.pack

# Rows about the store itself; no slot has this number, so they are never copied with one.
NODE_OWNER = b"\xff\xff" + bytes(_DIGEST_BYTES)
FORMAT_KEY = NODE_OWNER + META + b"format"
PROBE_KEY = NODE_OWNER + META + b"probe"
EVENT_PREFIX = NODE_OWNER + EVENT
SWEEP_KEY = NODE_OWNER + META + b"sweep"
CLUSTER_KEY = NODE_OWNER + META + b"cluster"
LEAVING_PREFIX = NODE_OWNER + META + b"leaving/"
COMING_PREFIX = NODE_OWNER + META + b"coming/"


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


def slot_owner(slot: int) -> bytes:
    """Return the 18 bytes that begin the keys of what a slot has beside users and conversations."""
    return _SLOT.pack(slot) + bytes(_DIGEST_BYTES)


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
        raise corrupt("expiry id", id)
    at_wall_ms, seq = _SENT.unpack(id)
    return at_wall_ms, seq


def event_key(position: int) -> bytes:
    """Return the key of what was stored at `position` of the node's events."""
    return EVENT_PREFIX + _pack_u64(position)


def parse_event_key(key: bytes) -> int:
    """Return the position."""
    if len(key) != len(EVENT_PREFIX) + _U64.size or not key.startswith(EVENT_PREFIX):
        raise corrupt("event key", key)
    return int(_U64.unpack_from(key, len(EVENT_PREFIX))[0])


def moving_key(prefix: bytes, slot: int) -> bytes:
    """Return the key of the row that a slot is leaving this store, or coming into it."""
    return prefix + _SLOT.pack(slot)


def parse_moving_key(key: bytes) -> int:
    """Return the slot."""
    return int(_SLOT.unpack(key[-_SLOT.size :])[0])


def parse_history_key(key: bytes) -> tuple[bytes, int]:
    """Return (conversation, seq)."""
    return _split_number(key, "history")


def parse_inbox_key(key: bytes) -> tuple[bytes, int]:
    """Return (user, upd)."""
    return _split_number(key, "inbox")


def parse_sent_key(key: bytes) -> tuple[bytes, bytes, bytes]:
    """Return (conversation, sender tag, client id)."""
    if len(key) != OWNER_BYTES + _SENDER_TAG_BYTES + CLIENT_ID_BYTES:
        raise corrupt("sent key", key)
    tag_end = OWNER_BYTES + _SENDER_TAG_BYTES
    return key[:OWNER_BYTES], key[OWNER_BYTES:tag_end], key[tag_end:]


def parse_outbox_key(key: bytes) -> bytes:
    """Return the conversation."""
    if len(key) != OWNER_BYTES:
        raise corrupt("outbox key", key)
    return key


def parse_state_key(key: bytes) -> tuple[bytes, bytes, bytes]:
    """Return (owner, kind, id)."""
    kind = key[OWNER_BYTES : OWNER_BYTES + 1]
    if kind not in STATE_KINDS:
        raise corrupt("state key", key)
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


def slot_prefix(slot: int) -> bytes:
    """Return the bytes with which all keys of a slot begin, in any family."""
    return _SLOT.pack(slot)


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
        raise corrupt("history value", value)
    return _HISTORY.unpack_from(value)[0], value[_HISTORY.size :]


# The value of an inbox row: (POINTER, epoch, conversation, seq), read from history; or with INLINE
# what stands before its record.
pack_inbox: Callable[[int, int, bytes, int], bytes] = _INBOX.pack


def pack_span(epoch: int, conversation: bytes, seq: int, count: int) -> bytes:
    """Return the value of an inbox row that is the `count` messages up to `seq`."""
    return _INBOX.pack(SPAN, epoch, conversation, seq) + _U32.pack(count)


def spanned(values: Iterable[bytes]) -> set[bytes]:
    """Return the conversations of which there is a span among values of inbox rows."""
    return {unpack_inbox(value).conversation for value in values if value[:1] == _SPAN}


def unpack_inbox(value: bytes) -> InboxRow:
    """Return the parts of an inbox row."""
    if len(value) < _INBOX.size:
        raise corrupt("inbox value", value)
    kind, epoch, conversation, seq = _INBOX.unpack_from(value)
    record = value[_INBOX.size :]
    if kind == SPAN:
        count = _U32.unpack(record)[0] if len(record) == _U32.size else 0
        if not 0 < count <= seq:
            raise corrupt("inbox value", value)
        return InboxRow(kind, epoch, conversation, seq, b"", count)
    # Exactly one of the two: an inline row with a record, or a pointer without one.
    if kind not in (INLINE, POINTER) or (kind == INLINE) != bool(record):
        raise corrupt("inbox value", value)
    return InboxRow(kind, epoch, conversation, seq, record)


# The value of a sent row, of (seq, ts in ms). No function around it: each message has one.
pack_sent: Callable[[int, int], bytes] = _SENT.pack


def unpack_sent(value: bytes) -> tuple[int, int]:
    """Return (seq, ts)."""
    if len(value) != _SENT.size:
        raise corrupt("sent value", value)
    seq, ts = _SENT.unpack(value)
    return seq, ts


def pack_outbox(seq: int) -> bytes:
    """Return the value of a fan-out marker: the first seq that is still owed."""
    return _pack_u64(seq)


def unpack_outbox(value: bytes) -> int:
    """Return the first seq that is still owed."""
    if len(value) != _U64.size:
        raise corrupt("outbox value", value)
    return int(_U64.unpack(value)[0])


def corrupt(what: str, content: bytes) -> StoreCorrupt:
    """Return the error that says that `content` is no `what`."""
    # Only the length of values and the head of keys: a body must not reach a log line.
    return StoreCorrupt(f"bad {what}: {len(content)} bytes, begins {content[:OWNER_BYTES].hex()}")


# -- inside -----------------------------------------------------------------------------------


def _digest(name: bytes) -> bytes:
    return blake2b(name, digest_size=_DIGEST_BYTES).digest()


def _split_number(key: bytes, family: str) -> tuple[bytes, int]:
    if len(key) != OWNER_BYTES + _U64.size:
        raise corrupt(f"{family} key", key)
    return key[:OWNER_BYTES], int(_U64.unpack_from(key, OWNER_BYTES)[0])
