"""Knows the ops that carry and read messages. Must not know who may talk to whom."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from actorchat.limits import HISTORY_PAGE_BYTES_MAX, HISTORY_PAGE_MESSAGES_MAX
from actorchat.protocol.ops.act import AnyAct, Emoji
from actorchat.protocol.ops.extra import Extra
from actorchat.protocol.ops.field import Body, ClientId, Name, Position, RequestId
from actorchat.protocol.ops.group import AnyChange, GroupAddress

PageBytes = Annotated[int, Meta(ge=1, le=HISTORY_PAGE_BYTES_MAX)]
RecordKind = Literal["message", "change", "act"]
RecordKinds = Annotated[list[RecordKind], Meta(max_length=8)]
PageLimit = Annotated[int, Meta(ge=1, le=HISTORY_PAGE_MESSAGES_MAX)]


class Record(Struct, rename={"sender": "from"}, gc=False, omit_defaults=True):
    """A message as it is stored and delivered; on the wire `sender` is `from`.

    `seq` is its place in the conversation, from 1; `ts` the server's wall clock in ms. A record of
    a group names it, as `conv`; one with a `change` says what `from` did, and has no body.

    One with an `act` says what `from` did to an earlier message, which shows it: `edited` is the
    seq of its last edit, `reactions` has who put which emoji. A message that is `gone` was deleted,
    or its time was up: it has no body and no extra; `hidden` where only this user deleted it.
    """

    sender: Name
    seq: Position
    ts: Position
    cid: ClientId
    body: Body
    conv: GroupAddress | None = None
    change: AnyChange | None = None
    extra: Extra | None = None
    act: AnyAct | None = None
    edited: Position | None = None
    gone: bool = False
    hidden: bool = False
    reactions: dict[Emoji, list[Name]] = {}


class Send(Struct, tag_field="op", tag="send", gc=False, omit_defaults=True):
    """Ask for `body` to be appended to the conversation with user `to`, or to the group `to`.

    Answer: `{seq, ts}` when it is durable, with `dup: true` where `cid` was seen before. The client
    chooses `cid`, and repeats it when it sends again. Errors: `no_such_user`, `no_such_group`,
    `forbidden`, `id_conflict`, `busy`, `store_full`, `unavailable`; with an `extra` also
    `no_such_message` and `bad_request`.
    """

    id: RequestId
    to: Name
    cid: ClientId
    body: Body
    extra: Extra | None = None


class History(Struct, tag_field="op", tag="history", gc=False, omit_defaults=True):
    """Ask for a page of the conversation with user, or of the group, `conv`; by default the newest.

    Answer: `{events: [record…], head, more, marks: {user: {delivered, read}}, first?, next?}`,
    records by ascending seq. With `before` the page ends just below it, and `after` bounds it from
    below; with `forward` it begins just above `after`. `around` a seq has as many before as behind
    it. `bytes` bounds what the records have together, but for the first. `kinds` leaves others out;
    then `next` is the `before` or `after` to go on with, also where nothing was found. `first` is
    the first seq that there is, if that is not 1: what was before it was kept long enough.
    `marks` is empty where a group has more than 32 members. Errors: `no_such_user`,
    `no_such_group`, `busy`.
    """

    id: RequestId
    conv: Name
    after: Position = 0
    before: Position | None = None
    limit: PageLimit = 50
    around: Position | None = None
    forward: bool = False
    bytes: PageBytes | None = None
    kinds: RecordKinds = []


class Msg(Struct, tag_field="op", tag="msg", gc=False, omit_defaults=True):
    """Deliver the message `msg` as update `upd` of the user; the device acks `upd`.

    The conversation is the group that the record names, else the one with its `from`; but with `to`
    where the user wrote it to another user, on any device. The device that wrote it gets it too, as
    long as the user has others.
    """

    upd: Position
    msg: Record
    to: Name | None = None
