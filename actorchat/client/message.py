"""Knows the values that an application gets from a client. Must not know where they come from."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from actorchat.protocol.ops import AnyAct, AnyChange, Deleted, Extra, Msg, Record


class Sent(Struct, frozen=True):
    """A send that is durable: its seq in the conversation, when it was stored (ms since 1970).

    `dup` says that the same `cid` had been stored before; `seq` and `ts` are those of that time.
    """

    seq: int
    ts: int
    dup: bool = False


class Entry(Struct, frozen=True):
    """A message of a conversation's history, or a `change` of a group, which has no text.

    `extra`, `act` and what follows are as in `ops.Record`.
    """

    sender: str
    seq: int
    ts: int
    cid: bytes
    text: str
    change: AnyChange | None = None
    extra: Extra | None = None
    act: AnyAct | None = None
    edited: int | None = None
    gone: bool = False
    hidden: bool = False
    reactions: dict[str, list[str]] = {}


class Message(Struct):
    """A message that was delivered to this device, as update `upd` of its user.

    `group` is the address of the group that it is in, if any. A `change` of a group, which has no
    text, comes as a message too: what `sender` did to whom. `to` is the other user where the user
    wrote it, on another device, or where a moderator deleted messages, who is neither of the two.
    `extra`, `act` and what follows are as in `ops.Record`; the text of an edit is what the message
    `act.ref` says now.
    `own`: the user wrote it, or did it, on another device.
    """

    sender: str
    seq: int
    ts: int
    cid: bytes
    text: str
    upd: int
    _take: Callable[[int], None]
    group: str | None = None
    change: AnyChange | None = None
    to: str | None = None
    extra: Extra | None = None
    act: AnyAct | None = None
    edited: int | None = None
    gone: bool = False
    hidden: bool = False
    reactions: dict[str, list[str]] = {}
    own: bool = False

    @property
    def conversation(self) -> str:
        """What to answer to, read and mark: the group, or the other user."""
        return self.group or self.to or self.sender

    def ack(self) -> None:
        """Tell the server that this message and all before it are safe; for `ack="manual"`."""
        self._take(self.upd)

    def __repr__(self) -> str:
        """Return the message without its inner parts."""
        where = f" in {self.group}" if self.group else ""
        what = f"text={self.text!r}" if self.change is None else repr(self.change)
        what = what if self.act is None else f"{what}, {self.act!r}"
        return f"Message({self.sender!r}{where}, seq={self.seq}, upd={self.upd}, {what})"


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
    `marks` has each user's marks. `first` is the first seq that there is; `next`, of a page of some
    kinds, where to go on.
    """

    events: list[Entry]
    head: int
    more: bool
    marks: dict[str, Marks]
    first: int = 1
    next: int | None = None


class PageAnswer(Struct):
    """The server's answer to `history`."""

    events: list[Record]
    head: int
    more: bool = False
    marks: dict[str, Marks] = {}
    first: int = 1
    next: int | None = None

    def page(self) -> Page:
        """Return what the application gets."""
        entries = [entry_of(record) for record in self.events]
        return Page(entries, self.head, self.more, self.marks, self.first, self.next)


def entry_of(record: Record) -> Entry:
    """Return a record of a conversation's history as the application gets it."""
    return Entry(
        record.sender,
        record.seq,
        record.ts,
        record.cid,
        record.body,
        record.change,
        record.extra,
        record.act,
        record.edited,
        record.gone,
        record.hidden,
        record.reactions,
    )


class GroupInfo(Struct, frozen=True):
    """What a group is: its settings are those of `ops.group.Create`; `members` has their roles.

    `links` has the digests of the invite links, for those who may void them.
    """

    conv: str
    name: str
    description: str
    post: str
    add: str
    history: str
    size: int
    head: int
    members: dict[str, str]
    links: list[str]
    more: bool = False  # of a page of it: members follow


class ReceiptsAnswer(Struct):
    """The server's answer to `receipts`."""

    head: int
    marks: dict[str, Marks]
    more: bool = False


class GroupLine(Struct, frozen=True):
    """A group that the user is in: `size` is how many are in it, `unread` is counted up to 100."""

    conv: str
    title: str
    role: str
    size: int
    head: int
    unread: int


class GroupsAnswer(Struct):
    """The server's answer to `groups`."""

    groups: list[GroupLine]
    more: bool


def conversation_of(op: Msg, user: str) -> str:
    """Return the group that an update of `user` is in, or the other user."""
    return op.msg.conv or peer_of(op, user) or op.msg.sender


def peer_of(op: Msg, user: str) -> str | None:
    """Return the other user of a direct conversation, where that is not who wrote the update.

    `user` wrote it on another device, or a moderator did who is neither of the two.
    """
    act = op.msg.act
    if type(act) is Deleted and len(act.between) == 2:
        first, second = act.between
        return second if user == first else first
    return op.to


def own_cid(op: Msg, user: str) -> bytes:
    """Return the cid of what `user` wrote to others, on any device; it is empty of all else."""
    record = op.msg
    is_own = op.to is not None or (record.conv is not None and record.sender == user)
    return record.cid if is_own else b""
