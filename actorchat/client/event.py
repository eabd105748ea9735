"""Knows what can happen to a client: the vocabulary of events. Must not know what follows.

`key` is the caller's own handle of a question (a future, say); the machine only hands it back.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from actorchat.protocol.ops import (
    Actors,
    Block,
    Blocks,
    Bot,
    Change,
    Contact,
    Contacts,
    Conversations,
    Delete,
    DeleteAccount,
    Describe,
    Devices,
    Download,
    Edit,
    Events,
    Extra,
    Flag,
    Group,
    Groups,
    History,
    Hook,
    Hooks,
    Password,
    Privacy,
    Profile,
    Provision,
    React,
    Receipts,
    Rename,
    Revoke,
    Search,
    ServerOp,
    Status,
    Upload,
    Watch,
    Whereis,
)

Request = (
    History
    | Change
    | Group
    | Receipts
    | Watch
    | Privacy
    | Revoke
    | Provision
    | Status
    | Whereis
    | Actors
    | Devices
    | Rename
    | Conversations
    | Flag
    | Search
    | Password
    | Profile
    | Describe
    | Contact
    | Contacts
    | Upload
    | Download
    | Edit
    | Delete
    | React
    | Bot
    | Events
    | Hook
    | Hooks
    | Block
    | Blocks
    | DeleteAccount
    | Groups
)


class State(Enum):
    """Where a client stands; the values are for people."""

    IDLE = "idle"
    CONNECTING = "connecting"
    SIGNING_IN = "signing in"
    OPEN = "open"
    WAITING = "waiting to reconnect"
    ENDED = "ended"


class Start(Struct):
    """Begin to connect."""


class Opened(Struct):
    """The transport that `Connect` asked for is open."""


class Lost(Struct):
    """The transport failed to open, or went, for `reason`."""

    reason: str = ""


class Received(Struct):
    """These ops came from the server, in this order."""

    ops: list[ServerOp]


class Post(Struct):
    """Send `body` to user or group `to` under the 16-byte `cid`. Answer: `Accepted` or `Failed`."""

    key: object
    to: str
    cid: bytes
    body: str
    extra: Extra | None = None


class Ask(Struct):
    """Put `request` to the server; its id is filled in. Answer: `Answered` or `Failed`."""

    key: object
    request: Request


class MarkRead(Struct):
    """The user read the conversation with `conv` up to seq `read`."""

    conv: str
    read: int


class Taken(Struct):
    """The application holds every update up to `upd`."""

    upd: int


class Paused(Struct):
    """The transport is not being read, so that silence means nothing."""


class Resumed(Struct):
    """The transport is being read again."""


class Tick(Struct):
    """The deadline has come."""


class Close(Struct):
    """The application is done."""


Event = (
    Start
    | Opened
    | Lost
    | Received
    | Post
    | Ask
    | MarkRead
    | Taken
    | Paused
    | Resumed
    | Tick
    | Close
)
