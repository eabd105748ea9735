"""Knows what a client's machine asks for: the vocabulary of effects. Must not know who acts.

Ops are effects too: one that a client sends is to be written to the connection, and a `Msg` or
another push among the effects is news for the application.
"""

from __future__ import annotations

from msgspec import Struct

from actorchat.client.signin import Welcome
from actorchat.errors import ActorchatError
from actorchat.protocol.ops import ClientOp, FlagPush, MarkPush, Msg, Presence, SignalPush


class Connect(Struct):
    """Open a transport; answer with `Opened` or `Lost`."""


class Disconnect(Struct):
    """Drop the transport; `flush` lets what was written go out first.

    `elsewhere`: the server wants the next one to go to another address, where there is one.
    `reason` is for people.
    """

    reason: str = ""
    flush: bool = False
    elsewhere: bool = False


class SignedIn(Struct):
    """The server granted `welcome`."""

    welcome: Welcome


class Accepted(Struct):
    """The post `key` is durable as `seq`, stored at `ts` (ms); `dup` says it was there before."""

    key: object
    seq: int
    ts: int
    dup: bool


class Answered(Struct):
    """The server's answer to the question `key`."""

    key: object
    ok: dict[str, object]


class Failed(Struct):
    """The post or question `key` came to nothing, or nobody knows what it came to."""

    key: object
    error: ActorchatError


class Jumped(Struct):
    """The server goes on after update `cursor`, though the client held updates up to `held`.

    Updates between are not delivered any more (past their retention, or the server lost its log);
    what they carried is in `history`.
    """

    held: int
    cursor: int


class Ended(Struct):
    """It is over for `error`, and nothing more will be tried."""

    error: ActorchatError


Effect = (
    Connect
    | Disconnect
    | SignedIn
    | Accepted
    | Answered
    | Failed
    | Jumped
    | Ended
    | Msg
    | MarkPush
    | Presence
    | SignalPush
    | FlagPush
    | ClientOp
)
