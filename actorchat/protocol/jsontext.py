"""Knows the JSON form of ops: strict on the way in, made of CBOR on the way out. No frames.

The same maps as in CBOR. What JSON has no exact form for is text: bytes in base64url (RFC 4648,
section 5) without padding, and integers beyond ±(2^53 - 1) in decimal. Ops have bytes in `cid`,
`sha256` and the `hash` of a file alone, and no such integer; only an answer to `status` can.

Must not know which op is meant.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from typing import Any

import msgspec

from actorchat.errors import MalformedFrame
from actorchat.limits import CBOR_DEPTH_MAX, CBOR_ITEMS_MAX, POSITION_MAX
from actorchat.protocol import codec

_REFUSALS = (msgspec.MsgspecError, ValueError, RecursionError)

_SHAPE = b"[]{}:,"
_NO_SHAPE = bytes(byte for byte in range(0x100) if byte not in _SHAPE)
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1, ord(":"): 0, ord(","): 0}
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)

_read = msgspec.json.Decoder().decode
_write = msgspec.json.Encoder().encode


def decode(text: bytes) -> dict[str, Any]:
    """Return the one map that `text` is, with its `cid`, `sha256` and the like as bytes.

    Strict (RFC 8259, and I-JSON's rules of RFC 7493): UTF-8 without a mark, no duplicate key, no
    lone surrogate, no NaN, bounded in depth and in items like CBOR.

    Raises:
        MalformedFrame: Anything else. Nothing else is ever raised.
    """
    members = _count_members(text)
    try:
        message = _read(text)
    except _REFUSALS as error:
        raise MalformedFrame("not one strict JSON value") from error
    if type(message) is not dict:
        raise MalformedFrame("not a map")
    if _count_keys(message) != members:
        raise MalformedFrame("a key comes twice")
    _restore(message)
    return message


def encode(value: object) -> bytes:
    """Return `value` (a map with text keys, an op …) as JSON.

    Raises:
        UnicodeEncodeError: A text holds a lone surrogate.
    """
    if isinstance(value, msgspec.Struct):
        value = msgspec.to_builtins(value, builtin_types=(bytes,))
    return _write(_plain(value))


def transcode(payload: bytes) -> bytes:
    """Return the JSON form of `payload`, which is CBOR of our own making.

    Raises:
        MalformedFrame: It is not strict CBOR.
    """
    return _write(_plain(codec.decode(payload)))


def _count_members(text: bytes) -> int:
    """Return how many members all objects have together, read off what is left without strings.

    Raises:
        MalformedFrame: Too deep, or too many items, found before any of them is built.
    """
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Every quote that is left begins or ends a string, so every other piece is outside of them.
    if text.count(b'"') > 2 * CBOR_ITEMS_MAX:
        raise MalformedFrame("too many items")
    shape = b"".join(text.split(b'"')[::2]).translate(None, _NO_SHAPE)
    if len(shape) > 2 * CBOR_ITEMS_MAX:
        raise MalformedFrame("too many items")
    depth = 0
    for byte in shape:
        depth += _STEPS[byte]
        if depth > CBOR_DEPTH_MAX:
            raise MalformedFrame("too deep")
    return shape.count(b":")


def _count_keys(value: object) -> int:
    if type(value) is dict:
        return len(value) + sum(_count_keys(each) for each in value.values())
    if type(value) is list:
        return sum(map(_count_keys, value))
    return 0


def _restore(message: dict[str, Any]) -> None:
    """Make bytes again of each `cid` and file's hash: of an op, a record, those of an answer."""
    _restore_cid(message)
    if type(sha256 := message.get("sha256")) is str:
        message["sha256"] = _bytes_of(sha256)
    if message.get("op") == "files" and type(after := message.get("after")) is str:
        message["after"] = _bytes_of(after)
    _restore_cid(message.get("msg"))
    answer = message.get("ok")
    if type(answer) is dict and type(events := answer.get("events")) is list:
        for record in events:
            _restore_cid(record)
    if type(answer) is dict and type(listed := answer.get("conversations")) is list:
        for line in listed:
            if type(line) is dict:
                _restore_cid(line.get("last"))
    if type(answer) is dict and type(hits := answer.get("hits")) is list:
        for hit in hits:
            if type(hit) is dict:
                _restore_cid(hit.get("record"))
    if type(answer) is dict and type(files := answer.get("files")) is list:
        for file in files:
            if type(file) is dict and type(content := file.get("sha256")) is str:
                file["sha256"] = _bytes_of(content)


def _restore_cid(holder: object) -> None:
    if type(holder) is not dict:
        return
    if type(cid := holder.get("cid")) is str:
        holder["cid"] = _bytes_of(cid)
    if type(extra := holder.get("extra")) is dict and type(files := extra.get("files")) is list:
        for file in files:
            if type(file) is dict and type(content := file.get("hash")) is str:
                file["hash"] = _bytes_of(content)


def _bytes_of(text: str) -> bytes:
    """Return the bytes that `text` stands for; none where it is no base64url, which is no id."""
    if _BASE64URL.fullmatch(text) is None:
        return b""
    try:
        content = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except Error:
        return b""
    # One text for one value: the bits behind the last byte are zero.
    return content if _text_of(content) == text else b""


def _text_of(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _plain(value: Any) -> Any:
    """Return `value` with what JSON has no exact form for as text."""
    kind = type(value)
    if kind is dict:
        return {key: _plain(each) for key, each in value.items()}
    if kind is list:
        return [_plain(each) for each in value]
    if kind is bytes:
        return _text_of(value)
    if kind is int and not -POSITION_MAX <= value <= POSITION_MAX:
        return str(value)
    return value
