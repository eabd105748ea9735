"""Knows the ops that say how far a message came. Must not know the messages."""

from __future__ import annotations

from msgspec import Struct

from actorchat.protocol.ops.field import Name, Position


class Ack(Struct, tag_field="op", tag="ack", gc=False):
    """Say that the device holds every update up to `upd`. No answer; repeats are harmless."""

    upd: Position


class Mark(Struct, tag_field="op", tag="mark", gc=False):
    """Say that the user read the conversation with, or group, `conv` up to seq `read`. No answer.

    The server keeps the highest; a lower one changes nothing.
    """

    conv: Name
    read: Position


class MarkPush(Struct, tag_field="op", tag="mark", gc=False):
    """Tell how far `user` got in `conv`, a user or group: delivered to a device, and read.

    A hint: monotonic, possibly skipped or repeated. `history` has the marks as they are.
    """

    conv: Name
    user: Name
    delivered: Position
    read: Position
