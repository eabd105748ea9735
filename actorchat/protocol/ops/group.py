"""Knows the ops that keep groups, and what a group's sequence says of changes.
Must not know who may ask for what.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from actorchat.ids import GROUP_PATTERN
from actorchat.limits import (
    GROUP_DESCRIPTION_CHARS_MAX,
    GROUP_NAME_CHARS_MAX,
    GROUP_NAMED_MAX,
    GROUP_SIZE_MAX,
    GROUPS_PAGE_MAX,
)
from actorchat.protocol.ops.field import ClientId, Name, RequestId

GroupAddress = Annotated[str, Meta(pattern=rf"\A{GROUP_PATTERN}\Z")]
Title = Annotated[str, Meta(min_length=1, max_length=GROUP_NAME_CHARS_MAX)]
Description = Annotated[str, Meta(max_length=GROUP_DESCRIPTION_CHARS_MAX)]
Users = Annotated[list[Name], Meta(max_length=GROUP_NAMED_MAX)]
Size = Annotated[int, Meta(ge=1, le=GROUP_SIZE_MAX)]
Token = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{22}\Z")]
Role = Literal["owner", "admin", "member", "reader"]
Who = Literal["members", "admins"]
Span = Literal["all", "since_join"]


class Create(Struct, tag_field="kind", tag="create", gc=False, omit_defaults=True):
    """The group begins: with who asked as its owner, and `members`.

    `post` and `add` say who may write and who may add others; `history` what those may read who
    join later; `size` how many it may have (absent: as many as the server allows).
    """

    name: Title
    members: Users = []
    description: Description = ""
    post: Who = "members"
    add: Who = "admins"
    history: Span = "since_join"
    size: Size | None = None


class Alter(Struct, tag_field="kind", tag="set", gc=False, omit_defaults=True):
    """What is given is set: name, description, and the settings of `Create`."""

    name: Title | None = None
    description: Description | None = None
    post: Who | None = None
    add: Who | None = None
    history: Span | None = None
    size: Size | None = None


class Add(Struct, tag_field="kind", tag="add", gc=False, omit_defaults=True):
    """`users` become members, or readers; none of them may be one already."""

    users: Annotated[list[Name], Meta(min_length=1, max_length=GROUP_NAMED_MAX)]
    role: Literal["member", "reader"] = "member"


class Remove(Struct, tag_field="kind", tag="remove", gc=False):
    """`user` is a member no more."""

    user: Name


class Leave(Struct, tag_field="kind", tag="leave", gc=False, omit_defaults=True):
    """Who asked is a member no more. If that was the owner, `heir` is now (only in the record)."""

    heir: Name | None = None


class Assign(Struct, tag_field="kind", tag="role", gc=False):
    """`user` has another role. Where it is `owner`, who was that becomes an admin."""

    user: Name
    role: Role


class Invite(Struct, tag_field="kind", tag="link", gc=False, omit_defaults=True):
    """Who has `token` may join. The record has its digest instead, as `link`."""

    token: Token | None = None
    link: Token | None = None


class Uninvite(Struct, tag_field="kind", tag="unlink", gc=False):
    """The link with this digest is void."""

    link: Token


class Enter(Struct, tag_field="kind", tag="join", gc=False, omit_defaults=True):
    """Who asked, and has the `token` of a link, becomes a member. The record has the `link`."""

    token: Token | None = None
    link: Token | None = None


AnyChange = Create | Alter | Add | Remove | Leave | Assign | Invite | Uninvite | Enter


class Change(Struct, tag_field="op", tag="change", gc=False):
    """Ask for a change of the group `conv`, which takes a place in its sequence like a message.

    Answer and `cid`: as of `send`; of a `create`, `cid` is the group's own id. Errors:
    `no_such_group`, `no_such_user`, `forbidden`, `exists`, `group_full`, `bad_request`,
    `id_conflict`, `busy`, `store_full`, `unavailable`.
    """

    id: RequestId
    conv: GroupAddress
    cid: ClientId
    change: AnyChange


class Group(Struct, tag_field="op", tag="group", gc=False, omit_defaults=True):
    """Ask what the group `conv` is; for its members.

    Answer: `{conv, name, description, post, add, history, size, head, members: {user: role},
    links}`; `links` is empty for who may not void them. A page has 1,000 members, by name; with
    `more: true` others follow, those behind `after`. Error: `no_such_group`.
    """

    id: RequestId
    conv: GroupAddress
    after: Name | None = None


class Receipts(Struct, tag_field="op", tag="receipts", gc=False, omit_defaults=True):
    """Ask how far each member of the group `conv` got; for its members.

    Answer: `{head, marks: {user: {delivered, read}}}`. A page has 400 members, by name; with
    `more: true` others follow, those behind `after`. Error: `no_such_group`.
    """

    id: RequestId
    conv: GroupAddress
    after: Name | None = None


class Groups(Struct, tag_field="op", tag="groups", gc=False, omit_defaults=True):
    """Ask for a page of the groups that the user is in, those behind `after`.

    Answer: `{groups: [{conv, title, role, size, head, unread}…], more}`, in an order of the
    server's: `size` is how many are in it; `unread` as in `conversations`. Error: `busy`.
    """

    id: RequestId
    after: GroupAddress | None = None
    limit: Annotated[int, Meta(ge=1, le=GROUPS_PAGE_MAX)] = GROUPS_PAGE_MAX
