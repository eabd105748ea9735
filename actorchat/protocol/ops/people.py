"""Knows the ops by which a user looks after devices and conversations.
Must not know messages or secrets.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from actorchat.limits import (
    ABOUT_CHARS_MAX,
    CONVERSATIONS_PAGE_MAX,
    KEPT_DEVICES_MAX,
    TITLE_CHARS_MAX,
)
from actorchat.protocol.ops.account import DeleteAccount
from actorchat.protocol.ops.block import Block, Blocks
from actorchat.protocol.ops.field import Name, NewSecret, RequestId, Secret
from actorchat.protocol.ops.group import Groups

Title = Annotated[str, Meta(max_length=TITLE_CHARS_MAX)]
About = Annotated[str, Meta(max_length=ABOUT_CHARS_MAX)]
Kept = Annotated[list[Name], Meta(max_length=KEPT_DEVICES_MAX)]
ConversationLimit = Annotated[int, Meta(ge=1, le=CONVERSATIONS_PAGE_MAX)]


class Devices(Struct, tag_field="op", tag="devices", gc=False):
    """Ask for the user's devices.

    Answer: `{devices: [{device, title, created, seen, cursor, current}…]}`: when its token was made
    and when it signed in last, in ms since 1970 (0: never by this token's server), the last update
    that it acked (null: it never was here), and whether it is the one that asks.
    """

    id: RequestId


class Rename(Struct, tag_field="op", tag="rename", gc=False):
    """Ask for the user's own `device` to be shown as `title`; empty: by its name alone.

    Answer: `{}`. Error: `no_such_device`.
    """

    id: RequestId
    device: Name
    title: Title


class Password(Struct, tag_field="op", tag="password", gc=False, omit_defaults=True):
    """Ask for the user's password to be `new`, where it is `old` now.

    With `revoke_others` all tokens but those of the device that asks and of `keep` are void, and
    the sessions of those devices end. Answer: `{}`. Errors: `unauthenticated`, `rate_limited`,
    `busy`.
    """

    id: RequestId
    old: Secret
    new: NewSecret
    revoke_others: bool = False
    keep: Kept = []


class Conversations(Struct, tag_field="op", tag="conversations", gc=False, omit_defaults=True):
    """Ask for a page of the user's conversations, those behind the one with `after`.

    Answer: `{conversations: [{conv, head, last, unread, marks, muted, archived, pinned}…], more}`,
    in an order of the server's. `last` is the newest record; `unread` counts what others wrote
    above the user's read mark, up to 100. A group has its `title`, the user's `role` and its `size`
    too, and of `marks` only the user's own. Error: `busy`.
    """

    id: RequestId
    after: Name | None = None
    limit: ConversationLimit = 20


class Flag(Struct, tag_field="op", tag="flag", gc=False, omit_defaults=True):
    """Ask for the user's own flags of the conversation with, or group, `conv`.

    Null leaves one as it is. The user's other devices get a push of the same. Answer: `{muted,
    archived, pinned}` as they are now. Error: `no_such_conversation`.
    """

    id: RequestId
    conv: Name
    muted: bool | None = None
    archived: bool | None = None
    pinned: bool | None = None


class FlagPush(Struct, tag_field="op", tag="flags", gc=False):
    """Tell how the user keeps the conversation with, or group, `conv` now. A hint."""

    conv: Name
    muted: bool
    archived: bool
    pinned: bool


class Profile(Struct, tag_field="op", tag="profile", gc=False):
    """Ask what `user` says of oneself.

    Answer: `{user, title, about, bot?}`, both texts empty where nothing was said; `bot: true` of a
    bot. Error: `no_such_user`.
    """

    id: RequestId
    user: Name


class Describe(Struct, tag_field="op", tag="describe", gc=False, omit_defaults=True):
    """Ask for what others may read of the user; null leaves a text as it is.

    Answer: `{user, title, about, bot?}` as they are now.
    """

    id: RequestId
    title: Title | None = None
    about: About | None = None


class Contact(Struct, tag_field="op", tag="contact", gc=False, omit_defaults=True):
    """Ask for `user` to be one of the user's own contacts, or with `keep: false` not any more.

    Answer: `{}`, also where nothing changed. Errors: `no_such_user`, `too_many_contacts`.
    """

    id: RequestId
    user: Name
    keep: bool = True


class Contacts(Struct, tag_field="op", tag="contacts", gc=False):
    """Ask for the user's contacts. Answer: `{contacts: [user…]}`, by name."""

    id: RequestId


PEOPLE_OPS = (
    *(Devices, Rename, Conversations, Flag, Profile, Describe, Contact, Contacts, Groups),
    *(Block, Blocks, DeleteAccount),
)
