"""Knows the ops that change what was said, and what a conversation's sequence says of that.
Must not know who may ask for what.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from actorchat.ids import GROUP_MARK
from actorchat.limits import DELETED_AT_ONCE_MAX, EMOJI_CHARS_MAX
from actorchat.protocol.ops.extra import Place
from actorchat.protocol.ops.field import Body, ClientId, Name, RequestId

Places = Annotated[list[Place], Meta(min_length=1, max_length=DELETED_AT_ONCE_MAX)]
Emoji = Annotated[str, Meta(min_length=1, max_length=EMOJI_CHARS_MAX)]
Scope = Literal["me", "all", "moderate"]
Two = Annotated[list[Name], Meta(max_length=2)]


class Edited(Struct, tag_field="kind", tag="edit", gc=False, frozen=True):
    """The message `ref` says something else now: the body of this record, or of a later edit."""

    ref: Place


class Deleted(Struct, tag_field="kind", tag="delete", gc=False, frozen=True, omit_defaults=True):
    """The messages `refs` are gone, for everybody.

    `between` is there where a moderator did it who is no part of a direct conversation: the two
    whose it is, by whom its readers know it, for who wrote this is neither.
    """

    refs: Places
    between: Two = []


class Reacted(Struct, tag_field="kind", tag="react", gc=False, frozen=True, omit_defaults=True):
    """Who wrote this put `emoji` at the message `ref`, or with `on` false took it away."""

    ref: Place
    emoji: Emoji
    on: bool = True


AnyAct = Edited | Deleted | Reacted


class Edit(Struct, tag_field="op", tag="edit", gc=False):
    """Ask for the user's own message `seq` to say `body`.

    It is a record of its own in the sequence. Answer and `cid`: as of `send`. Errors:
    `no_such_message`, `deleted`, `forbidden`, `too_late`, `bad_request`, `no_such_user`,
    `no_such_group`, `id_conflict`, `busy`, `store_full`, `unavailable`.
    """

    id: RequestId
    conv: Name
    cid: ClientId
    seq: Place
    body: Body


class Delete(Struct, tag_field="op", tag="delete", gc=False, omit_defaults=True):
    """Ask for messages to be gone: for `all`, which is a record of its own, or for `me`.

    With `moderate`, which only a bot may that was granted it, they are gone for all in a group, or
    in the direct conversation of `conv` and `of`, whoever wrote them; the bot need be in neither.
    Answer: for `me` `{}`, for what is hidden already, too; else as of `send`. All `seqs` are
    deleted or none. Errors: as of `edit`, but `too_late`.
    """

    id: RequestId
    conv: Name
    cid: ClientId
    seqs: Places
    scope: Scope = "all"
    of: Name | None = None

    def __post_init__(self) -> None:
        is_of_two = self.scope == "moderate" and self.conv[:1] != GROUP_MARK
        if (self.of is not None) is not is_of_two:
            raise ValueError("`of` goes with `moderate` and a user, and such with `of`")
        if is_of_two and (self.of == self.conv or str(self.of)[:1] == GROUP_MARK):
            raise ValueError("`conv` and `of` are two users")


class React(Struct, tag_field="op", tag="react", gc=False, omit_defaults=True):
    """Ask for the user's `emoji` at the message `seq`, or with `on` false for none.

    It is a record of its own in the sequence. Answer and `cid`: as of `send`. Errors: as of `edit`,
    and `too_many`.
    """

    id: RequestId
    conv: Name
    cid: ClientId
    seq: Place
    emoji: Emoji
    on: bool = True
