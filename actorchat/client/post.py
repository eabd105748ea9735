"""Knows what a send must be before it is queued. Must not know how it goes out."""

from __future__ import annotations

import os
import time

import msgspec

from actorchat.errors import InvalidOp
from actorchat.ids import CLIENT_ID_BYTES, is_group, is_name
from actorchat.limits import BODY_CHARS_MAX, FRAME_BYTES_MAX
from actorchat.protocol.ops import Extra

SEND_BYTES_MAX = FRAME_BYTES_MAX - 256  # a send's frame without its text is well below 256 bytes


def new_cid() -> bytes:
    """Return a new client message id: a UUIDv7, so that ids of one device sort by time."""
    noise = bytearray(os.urandom(10))
    noise[0] = 0x70 | noise[0] & 0x0F
    noise[2] = 0x80 | noise[2] & 0x3F
    return (time.time_ns() // 1_000_000).to_bytes(6) + noise


def check_peer(conv: str) -> None:
    """Refuse what is neither a user's name nor a group's address.

    Raises:
        InvalidOp: It says so.
    """
    if not is_name(conv) and not is_group(conv):
        raise InvalidOp(f"not a user's name: {conv!r}")


def check_send(to: str, text: str, cid: bytes | None, extra: Extra | None = None) -> None:
    """Refuse what would only be refused by the server, or would end the connection.

    Raises:
        InvalidOp: It says why.
    """
    check_peer(to)
    if cid is not None and len(cid) != CLIENT_ID_BYTES:
        raise InvalidOp(f"a cid has {CLIENT_ID_BYTES} bytes, not {len(cid)}")
    if len(text) > BODY_CHARS_MAX:
        raise InvalidOp(f"a text of {len(text)} characters, at most {BODY_CHARS_MAX} may be sent")
    if not text.isascii():
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise InvalidOp(f"a text that is no Unicode: {error.reason}") from None
        if size > SEND_BYTES_MAX:
            raise InvalidOp(f"a text of {size} bytes, at most {SEND_BYTES_MAX} may be sent")
    if extra is not None:
        _check_extra(text, extra)


def _check_extra(text: str, extra: Extra) -> None:
    if extra.exp is not None:
        raise InvalidOp("a send says expires_s, not exp")
    try:
        msgspec.convert(msgspec.to_builtins(extra, builtin_types=(bytes,)), Extra)
    except msgspec.ValidationError as error:
        raise InvalidOp(str(error)) from None
    size = len(text.encode()) + len(msgspec.msgpack.encode(extra))
    if size > SEND_BYTES_MAX:
        raise InvalidOp(f"{size} bytes with its extra, at most {SEND_BYTES_MAX} may be sent")
