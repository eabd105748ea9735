"""Knows the values that an application gets from a client. Must not know where they come from."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from actorchat.protocol.ops import Record


class Sent(Struct, frozen=True):
    """A send that is durable: its seq in the conversation, when it was stored (ms since 1970).

    `dup` says that the same `cid` had been stored before; `seq` and `ts` are those of that time.
    """

    seq: int
    ts: int
    dup: bool = False


class Entry(Struct, frozen=True):
    """A message of a conversation's history."""

    sender: str
    seq: int
    ts: int
    cid: bytes
    text: str


class Message(Struct):
    """A message that was delivered to this device, as update `upd` of its user.

    `to` is None but where the user wrote it, on another device.
    """

    sender: str
    seq: int
    ts: int
    cid: bytes
    text: str
    upd: int
    _take: Callable[[int], None]
    to: str | None = None

    @property
    def conv(self) -> str:
        """The other user of the conversation, for `history` and `mark_read`."""
        return self.sender if self.to is None else self.to

    def ack(self) -> None:
        """Tell the server that this message and all before it are safe; for `ack="manual"`."""
        self._take(self.upd)

    def __repr__(self) -> str:
        """Return the message without its inner parts."""
        return f"Message({self.sender!r}, seq={self.seq}, upd={self.upd}, text={self.text!r})"


class Progress(Struct, frozen=True):
    """How far `user` got in the conversation with `conv`: delivered to a device, and read."""

    conv: str
    user: str
    delivered: int
    read: int


class Marks(Struct, frozen=True):
    """How far one user got in a conversation."""

    delivered: int = 0
    read: int = 0


class Page(Struct, frozen=True):
    """A page of history, by ascending seq.

    `head` is the conversation's last seq, `more` says that the page ended before the range did,
    `marks` has each user's marks.
    """

    events: list[Entry]
    head: int
    more: bool
    marks: dict[str, Marks]


class PageAnswer(Struct):
    """The server's answer to `history`."""

    events: list[Record]
    head: int
    more: bool = False
    marks: dict[str, Marks] = {}

    def page(self) -> Page:
        """Return what the application gets."""
        entries = [
            Entry(record.sender, record.seq, record.ts, record.cid, record.body)
            for record in self.events
        ]
        return Page(entries, self.head, self.more, self.marks)
