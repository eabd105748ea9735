"""Knows what an application gets to see of devices and conversations.
Must not know where it comes from.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Struct

from actorchat.client.message import Entry, Marks
from actorchat.errors import InvalidOp
from actorchat.protocol.ops import Record

Answer = TypeVar("Answer")


class DeviceInfo(Struct, frozen=True):
    """A device of the user: times in ms since 1970, `cursor` the last update that it acked."""

    device: str
    title: str
    created: int
    seen: int
    cursor: int | None
    current: bool


class Profile(Struct, frozen=True):
    """What a user says of oneself; both texts may be empty."""

    user: str
    title: str
    about: str


class ContactsAnswer(Struct):
    """The server's answer to `contacts`."""

    contacts: list[str]


class Flags(Struct, frozen=True):
    """How the user keeps a conversation."""

    muted: bool
    archived: bool
    pinned: bool


class Conversation(Struct, frozen=True):
    """One line of the list: `unread` is counted up to 100."""

    conv: str
    head: int
    last: Entry
    unread: int
    marks: dict[str, Marks]
    flags: Flags


class DevicesAnswer(Struct):
    """The server's answer to `devices`."""

    devices: list[DeviceInfo]


class Line(Struct):
    """A conversation as the server says it."""

    conv: str
    head: int
    last: Record
    unread: int
    marks: dict[str, Marks]
    muted: bool
    archived: bool
    pinned: bool

    def conversation(self) -> Conversation:
        """Return what the application gets."""
        last = Entry(self.last.sender, self.last.seq, self.last.ts, self.last.cid, self.last.body)
        flags = Flags(self.muted, self.archived, self.pinned)
        return Conversation(self.conv, self.head, last, self.unread, self.marks, flags)


class ConversationsAnswer(Struct):
    """The server's answer to `conversations`."""

    conversations: list[Line]
    more: bool


def read(answer: dict[str, object], kind: type[Answer]) -> Answer:
    """Return the server's answer as `kind`.

    Raises:
        InvalidOp: It is none.
    """
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError as error:
        raise InvalidOp(f"the server's answer makes no sense: {error}") from error
