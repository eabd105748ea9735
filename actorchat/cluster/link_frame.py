"""Knows how what nodes tell each other is laid out in bytes.

Must not know sockets, actors, or whose turn it is.

A frame is a head, the sender's name, and items; a hello has the name of whom it is for instead.
All numbers are little-endian. An item is a head of 27 bytes and its payload, which begins with a
name if the item is for a named actor, and with numbers if it is for many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct, error
from typing import Final

import msgspec

from actorchat.errors import MalformedFrame, VersionMismatch
from actorchat.limits import LINK_MESSAGE_BYTES_MAX

MAGIC: Final = 0xAC
VERSION: Final = 1

HELLO, ITEMS, BYE = 1, 2, 3  # kinds of frames
# Kinds of items: what `to` and `number` are is said in `pack_item`.
TELL, CALL, REPLY, FAIL, MONITOR, DEMONITOR, DOWN, SPREAD = range(1, 9)
NAMED: Final = 0x80  # added to the kind: `to` is the length of a name

_HEAD = Struct("<BBBBQQQQQQ")
_ITEM = Struct("<IBHIQQ")
_PID = Struct("<Q")
HEAD_BYTES: Final = _HEAD.size
ITEM_BYTES: Final = _ITEM.size
_MIN_BYTES = 2  # what tells of a version that this program does not know

Item = tuple[int, int, int, int, int, bytes]  # kind, code, epoch, to, number, payload


class Head(msgspec.Struct, gc=False):
    """What every frame says of itself, and of what came the other way.

    `incarnation` and `lane` name the sender's process and its connection; `seq` counts frames of
    a lane, a hello's is 0. The acked ones are the receiver's own; 0 where there are none.
    """

    kind: int
    node: str
    incarnation: int
    lane: int
    seq: int
    acked_incarnation: int = 0
    acked_lane: int = 0
    acked_seq: int = 0


def pack_frame(head: Head, body: bytes) -> bytes:
    """Return the frame."""
    name = head.node.encode()
    return b"".join(
        (
            _HEAD.pack(
                MAGIC,
                VERSION,
                head.kind,
                len(name),
                head.incarnation,
                head.lane,
                head.seq,
                head.acked_incarnation,
                head.acked_lane,
                head.acked_seq,
            ),
            name,
            body,
        )
    )


def parse_head(frame: bytes) -> tuple[Head, int]:
    """Return the head of a frame, and where its body begins.

    Raises:
        VersionMismatch: The frame is of another version of this protocol.
        MalformedFrame: It is none of this protocol.
    """
    if len(frame) < _MIN_BYTES or frame[0] != MAGIC:
        raise MalformedFrame("no frame of a node")
    if frame[1] != VERSION:
        raise VersionMismatch(f"link protocol {frame[1]}, not {VERSION}")
    try:
        _, _, kind, size, *numbers = _HEAD.unpack_from(frame)
        at = HEAD_BYTES + size
        if not size or at > len(frame) or not HELLO <= kind <= BYE:
            raise MalformedFrame("no head of a frame")
        return Head(kind, frame[HEAD_BYTES:at].decode("ascii"), *numbers), at
    except (error, UnicodeDecodeError):
        raise MalformedFrame("no head of a frame") from None


def pack_item(
    kind: int,
    to: int = 0,
    number: int = 0,
    code: int = 0,
    payload: bytes = b"",
    epoch: int = 0,
) -> bytes:
    """Return one item.

    Args:
        kind: `TELL`, `CALL`, `MONITOR`: `to` is the number of an actor. `CALL`, `REPLY`, `FAIL`:
            `number` is the caller's number of the call. `MONITOR`, `DEMONITOR`, `DOWN`: it is the
            watcher's mref. `SPREAD`: `to` says how many numbers of actors begin the payload.
        code: The type of the message.
        epoch: Of the table by which the sender found the receiver; 0: by none.
    """
    return _ITEM.pack(len(payload), kind, code, epoch, to, number) + payload


def pack_named(
    kind: int, name: bytes, number: int = 0, code: int = 0, payload: bytes = b"", epoch: int = 0
) -> bytes:
    """Return one item for the actor that is registered as `name` there."""
    size = len(payload) + len(name)
    return _ITEM.pack(size, kind | NAMED, code, epoch, len(name), number) + name + payload


def pack_spread(pids: Sequence[int], code: int, payload: bytes, epoch: int = 0) -> bytes:
    """Return one item that tells all of `pids` the same."""
    numbers = Struct(f"<{len(pids)}Q").pack(*pids)
    size = len(numbers) + len(payload)
    return b"".join((_ITEM.pack(size, SPREAD, code, epoch, len(pids), 0), numbers, payload))


def split_spread(count: int, payload: bytes) -> tuple[tuple[int, ...], bytes]:
    """Return the numbers of the actors and the payload of a `SPREAD`.

    Raises:
        MalformedFrame: There are fewer.
    """
    size = count * _PID.size
    if size > len(payload):
        raise MalformedFrame("numbers are missing")
    return Struct(f"<{count}Q").unpack_from(payload), payload[size:]


def parse_items(frame: bytes, at: int) -> Iterator[Item]:
    """Yield the items of a frame's body, which begins at `at`.

    Raises:
        MalformedFrame: The body ends within an item.
    """
    end, unpack, head = len(frame), _ITEM.unpack_from, ITEM_BYTES
    while at < end:
        if at + head > end:
            raise MalformedFrame("half an item")
        size, kind, code, epoch, to, number = unpack(frame, at)
        at += head
        if at + size > end:
            raise MalformedFrame("half an item")
        yield kind, code, epoch, to, number, frame[at : at + size]
        at += size


def is_sendable(payload: bytes) -> bool:
    """Say whether a message of this length may cross."""
    return len(payload) <= LINK_MESSAGE_BYTES_MAX
