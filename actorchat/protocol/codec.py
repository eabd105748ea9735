"""Knows CBOR: strict on the way in, packed by hand where it is hot. Must not know frames or state.

Strict (RFC 8949, and 5.3.1 "basic validity"): one map of definite lengths, no tag, no duplicate
key, nothing behind it, bounded in depth and in items. Whatever is not, is a `MalformedFrame`, in
less than a millisecond and without an allocation that the bytes themselves do not pay for.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any, NoReturn

import cbor2
import msgspec

from actorchat.errors import MalformedFrame, Outcome, Retry
from actorchat.limits import CBOR_DEPTH_MAX, CBOR_ITEMS_MAX
from actorchat.protocol.ops import Failure, Pong, Record, Reply

# -- in ---------------------------------------------------------------------------------------

# Every tag that cbor2 would decode by itself; all others reach the tag hook.
_BUILT_IN_TAGS = (
    *(0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100),
    *(256, 258, 260, 261, 1004, 43_000, 55_799),
)
_REFUSALS = (cbor2.CBORError, ValueError, TypeError, ArithmeticError, MemoryError)
_COUNTED_BYTES_MIN = 1_024  # shorter frames can't hold enough items to matter


def _refuse_tag(*_: object) -> NoReturn:
    raise ValueError("tag")


def _new_decoder() -> _Decoder:
    source = BytesIO()
    decoder = cbor2.CBORDecoder(
        source,
        tag_hook=_refuse_tag,
        semantic_decoders=dict.fromkeys(_BUILT_IN_TAGS, _refuse_tag),
        max_depth=CBOR_DEPTH_MAX,
        allow_indefinite=False,
        allow_duplicate_keys=False,
        strict_hashable_types=True,
    )
    return source, decoder.decode


# A decoder that is used again costs 0.6 µs less a frame than `cbor2.loads` with the same options,
# and tells by its source's position that nothing was left. A list's pop and append are atomic, so
# two threads never share one; one that refused a frame is thrown away with what it buffered.
_Decoder = tuple[BytesIO, Callable[[], Any]]
_idle_decoders: list[_Decoder] = []


def decode(payload: bytes) -> dict[str, Any]:
    """Return the one map that `payload` is.

    Raises:
        MalformedFrame: Anything else than one strict CBOR map. Nothing else is ever raised.
    """
    if len(payload) >= _COUNTED_BYTES_MIN:
        _check_items(payload)
    try:
        decoder = _idle_decoders.pop()
    except IndexError:
        decoder = _new_decoder()
    source, decode_next = decoder
    BytesIO.__init__(source, payload)  # starts it anew, without a copy
    try:
        message = decode_next()
    except _REFUSALS as error:
        # The decoder's own words may quote the input, so they go no further than the cause.
        raise MalformedFrame("not one strict CBOR item") from error
    if source.tell() != len(payload):
        raise MalformedFrame("bytes behind the item")
    if type(message) is not dict:
        raise MalformedFrame("not a map")
    _idle_decoders.append(decoder)
    return message


def decode_record(record: bytes) -> Record:
    """Return the record that `encode_record` packed.

    Raises:
        MalformedFrame: Not a record.
    """
    try:
        return msgspec.convert(decode(record), Record)
    except msgspec.ValidationError as error:
        raise MalformedFrame("not a record") from error


def record_group(record: bytes) -> str | None:
    """Return the address of the group that a packed record names; None: it is of no group."""
    if record[0] == _RECORD_HEAD[0]:
        return None
    skip = _SKIP.get(record[0], 0)
    if skip and not record.startswith(_CONV, 1 + skip):
        return None
    return record[_GROUP_AT + skip : _GROUP_END + skip].decode()


def record_is_change(record: bytes) -> bool:
    """Say whether a packed record of a group is one of a change."""
    return record[0] == _CHANGE_HEAD[0]


def record_kind(record: bytes) -> str:
    """Return the kind of a packed record: `message`, `act` on one, or `change` of a group."""
    if record[0] == ACT_HEAD[0]:
        return "act"
    return "change" if record_is_change(record) else "message"


def record_sender(record: bytes) -> str:
    """Return the sender of a record that was packed here, without decoding the rest."""
    if record[0] == _RECORD_HEAD[0]:
        at = len(_RECORD_HEAD)
    else:
        skip = _SKIP.get(record[0], 0)
        is_in_group = not skip or record.startswith(_CONV, 1 + skip)
        at = (_GROUP_END + len(_FROM) if is_in_group else len(_RECORD_HEAD)) + skip
    length = record[at] & 31
    if length < 24:
        return record[at + 1 : at + 1 + length].decode()
    return record[at + 2 : at + 2 + record[at + 1]].decode()  # a name has at most 64 bytes


def record_ts(record: bytes) -> int:
    """Return the server's time (wall ms) of a record that was packed here."""
    at = record.index(_SEQ_MARK) + _TS_AFTER_MARK  # what stands before it holds no such byte
    return int.from_bytes(record[at : at + 8], "big")


def record_cid(record: bytes) -> bytes:
    """Return the client id of a record that was packed here."""
    at = record.index(_SEQ_MARK) + _CID_AFTER_MARK
    return record[at : at + 16]


def _check_items(payload: bytes) -> None:
    """Refuse more than `CBOR_ITEMS_MAX` items before any is built.

    A frame of 256 KiB can hold as many empty containers, which take cbor2 15 to 35 ms. This walk
    reads heads only, so that it costs nothing for what is long in honest frames, the body.
    """
    pos, owed, left, end = 0, 1, CBOR_ITEMS_MAX, len(payload)
    while owed and pos < end:
        if owed > left:
            raise MalformedFrame("too many items")
        head = payload[pos]
        pos += 1
        kind, argument = head >> 5, head & 31
        if argument > 23:
            width = 1 << (argument - 24)
            if width > 8:
                raise MalformedFrame("indefinite or reserved length")
            argument = int.from_bytes(payload[pos : pos + width], "big")
            pos += width
        if kind in {2, 3}:
            pos += argument
        elif kind == 4:
            owed += argument
        elif kind == 5:
            owed += 2 * argument
        elif kind == 6:
            raise MalformedFrame("tag")
        owed -= 1
        left -= 1
    if owed or pos != end:
        raise MalformedFrame("not one item")


# -- out --------------------------------------------------------------------------------------


def encode(value: object) -> bytes:
    """Return `value` (a map, a list, a text, an op …) in CBOR.

    Raises:
        UnicodeEncodeError: A text holds a lone surrogate.
    """
    if isinstance(value, msgspec.Struct):
        value = msgspec.to_builtins(value, builtin_types=(bytes,))
    return cbor2.dumps(value)


encode_push = encode
PONG = encode_push(Pong())


def encode_reply(re: int, ok: Mapping[str, Any]) -> bytes:
    """Return the payload that answers request `re` with `ok`."""
    return cbor2.dumps({"re": re, "ok": ok})


def encode_error(
    re: int | None,
    code: str,
    reason: str,
    retry: Retry,
    outcome: Outcome,
    after_ms: int | None = None,
) -> bytes:
    """Return the payload that says why request `re` was not done; None where its id is unknown."""
    return encode(Reply(re=re, err=Failure(code, reason, retry, outcome, after_ms)))


# -- out, packed by hand ----------------------------------------------------------------------
# What every message passes through costs cbor2 0.9 to 1.1 µs, and 0.1 to 0.4 this way. Numbers
# have fixed widths, so heads are constants; that is well-formed CBOR, only not the shortest.

_RECORD_HEAD = b"\xa5\x64from"
_FROM = b"\x64from"
_GROUP_HEAD = b"\xa6\x64conv\x77"  # 6 pairs, the first of them the address, of 23 bytes
_CHANGE_HEAD = b"\xa7\x64conv\x77"
# What a record has beyond these follows them; its map has a longer head, which tells it at once.
RICH_HEAD = b"\xb8"  # of a message
ACT_HEAD = b"\xb9\x00"  # of what was done to one
_CONV = b"\x64conv"
_SKIP = {RICH_HEAD[0]: 1, ACT_HEAD[0]: 2}  # bytes by which their heads are longer
_GROUP_AT = len(_GROUP_HEAD)
_GROUP_END = _GROUP_AT + 23
_SEQ_MARK = b"\x63seq\x1b"
_TS_AFTER_MARK = len(_SEQ_MARK) + 8 + len(b"\x62ts\x1b")
_CID_AFTER_MARK = _TS_AFTER_MARK + 8 + len(b"\x63cid\x50")
_ACCEPTED = struct.Struct(">5sI9sQ4sQ").pack
_UPDATE = struct.Struct(">13sQ4s").pack
_RECORD = struct.Struct(">5sQ4sQ5s").pack
_SEND = struct.Struct(">13sI3s").pack
_ACK = struct.Struct(">13sQ").pack
_HEADS_OF_TEXT = tuple(
    bytes((0x60 | size,)) if size < 24 else bytes((0x78, size)) for size in range(0x100)
)
_MARK = struct.Struct(">11sQ6sQ").pack
_HEAD_2 = struct.Struct(">BH").pack
_HEAD_4 = struct.Struct(">BI").pack


def _head(kind: int, argument: int) -> bytes:
    """Return the head of an item of major type `kind`, of the shortest width."""
    if argument < 24:
        return bytes((kind << 5 | argument,))
    if argument < 0x100:
        return bytes((kind << 5 | 24, argument))
    if argument < 0x10000:
        return _HEAD_2(kind << 5 | 25, argument)
    return _HEAD_4(kind << 5 | 26, argument)


def encode_accepted(re: int, seq: int, ts: int) -> bytes:
    """Return the payload `{re, ok: {seq, ts}}`."""
    return _ACCEPTED(b"\xa2\x62re\x1a", re, b"\x62ok\xa2\x63seq\x1b", seq, b"\x62ts\x1b", ts)


def encode_record(sender_cbor: bytes, seq: int, ts: int, cid: bytes, body: str) -> bytes:
    """Return the record `{from, seq, ts, cid, body}`, as it is stored, delivered and paged.

    `sender_cbor` is `encode(sender)`, which the caller keeps.
    """
    text = body.encode()
    size = len(text)
    return b"".join(
        (
            _RECORD_HEAD,
            sender_cbor,
            _RECORD(b"\x63seq\x1b", seq, b"\x62ts\x1b", ts, b"\x63cid\x50"),
            cid,
            b"\x64body",
            _HEADS_OF_TEXT[size] if size < 0x100 else _head(3, size),
            text,
        )
    )


def encode_group_record(
    group: str,
    sender_cbor: bytes,
    seq: int,
    ts: int,
    cid: bytes,
    body: str,
    change: bytes | None = None,
) -> bytes:
    """Return a group's record: that of `encode_record` with its `conv`, and `change` if given.

    `change` is what `encode` makes of it.
    """
    text = body.encode()
    return b"".join(
        (
            _GROUP_HEAD if change is None else _CHANGE_HEAD,
            group.encode(),
            _FROM,
            sender_cbor,
            _RECORD(b"\x63seq\x1b", seq, b"\x62ts\x1b", ts, b"\x63cid\x50"),
            cid,
            b"\x64body",
            _head(3, len(text)),
            text,
            b"" if change is None else b"\x66change" + change,
        )
    )


def encode_update(upd: int, record: bytes) -> bytes:
    """Return the payload `{op: "msg", upd, msg}` with the packed `record` as it is."""
    return _UPDATE(b"\xa3\x62op\x63msg\x63upd\x1b", upd, b"\x63msg") + record


def encode_own_update(upd: int, to: str, record: bytes) -> bytes:
    """Return the payload `{op: "msg", upd, to, msg}`: what the user wrote to `to` elsewhere."""
    text = to.encode()
    head = _UPDATE(b"\xa4\x62op\x63msg\x63upd\x1b", upd, b"\x62to")[:-1]
    return b"".join((head, _HEADS_OF_TEXT[len(text)], text, b"\x63msg", record))


def encode_mark(conv: str, user: str, delivered: int, read: int) -> bytes:
    """Return the payload `{op: "mark", conv, user, delivered, read}`; names have < 256 bytes."""
    conv_text, user_text = conv.encode(), user.encode()
    return b"".join(
        (
            b"\xa5\x62op\x64mark\x64conv",
            _HEADS_OF_TEXT[len(conv_text)],
            conv_text,
            b"\x64user",
            _HEADS_OF_TEXT[len(user_text)],
            user_text,
            _MARK(b"\x69delivered\x1b", delivered, b"\x64read\x1b", read),
        )
    )


def encode_page(
    re: int,
    records: Sequence[bytes],
    head: int,
    more: bool,
    marks: Mapping[str, Mapping[str, int]],
    first: int = 1,
    go_on: int | None = None,
) -> bytes:
    """Return the answer to `history`, with packed `records` as they are.

    `first` is left out where it is 1, `next` where there is none.
    """
    others: dict[str, object] = {"head": head, "more": more, "marks": marks}
    if first > 1:
        others["first"] = first
    if go_on is not None:
        others["next"] = go_on
    rest = cbor2.dumps(others)
    return b"".join(
        (
            b"\xa2\x62re",
            cbor2.dumps(re),
            b"\x62ok",
            _head(5, 1 + len(others)),
            b"\x66events",
            _head(4, len(records)),
            *records,
            rest[1:],  # its head is spent: all entries are one map
        )
    )


def encode_send(re: int, to_cbor: bytes, cid: bytes, body: str) -> bytes:
    """Return the payload of a `send` with request id `re`; `to_cbor` is `encode(to)`."""
    text = body.encode()
    return b"".join(
        (
            _SEND(b"\xa5\x62op\x64send\x62id\x1a", re, b"\x62to"),
            to_cbor,
            b"\x63cid\x50",
            cid,
            b"\x64body",
            _head(3, len(text)),
            text,
        )
    )


def encode_ack(upd: int) -> bytes:
    """Return the payload of an `ack` of all updates up to `upd`."""
    return _ACK(b"\xa2\x62op\x63ack\x63upd\x1b", upd)
