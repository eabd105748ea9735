"""Knows the ops by which a connection starts, lives and ends. Must not know who is signed in."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from actorchat.errors import Outcome, Retry
from actorchat.protocol.ops.field import (
    Agent,
    Code,
    DurationMs,
    HelloSecret,
    NewName,
    Position,
    RequestId,
    Version,
)

Mechanism = Literal["password", "token", "operator", "jwt"]
ByeCode = Literal["drain", "takeover", "revoked", "idle", "protocol", "slow_consumer", "overload"]
Reconnect = Literal["now", "after", "never", "elsewhere"]


class Hello(Struct, tag_field="op", tag="hello", gc=False, omit_defaults=True):
    """Ask to sign in `device` of `user`, and to go on after update `resume`.

    With `too_old` in the welcome, updates before its cursor are gone that the device never acked.
    The client then takes a snapshot, `conversations` and `history`, and acks the cursor; until then
    it is told so at each sign-in.

    Answer: the welcome, `{user, device, token?, lifetime?, head, cursor, ping_s, time_ms,
    durability, limits}`; updates after the cursor follow as `msg`. Errors: `unauthenticated`,
    `token_expired`, `rate_limited`, `version`, `busy`, `unavailable`, `unexpected_op` when already
    signed in.
    A `secret` has at most 1,024 characters, but a `jwt`: a token of the issuer that the settings
    name, which a device token takes the place of.
    `resume` absent: from the device's own acked position.
    """

    id: RequestId
    version: Version
    user: NewName
    device: NewName
    mech: Mechanism
    secret: HelloSecret
    resume: Position | None = None
    agent: Agent = ""


class Ping(Struct, tag_field="op", tag="ping", gc=False, omit_defaults=True):
    """Say that the client is alive. Answer: a `pong` push, but with `noreply` none.

    A server older than the field answers all the same.
    """

    noreply: bool = False


class Pong(Struct, tag_field="op", tag="pong", gc=False):
    """Answer a ping; says that the server is alive."""


class Bye(Struct, tag_field="op", tag="bye", gc=False, omit_defaults=True):
    """Say why the server closes the connection, and what the client should do about it.

    `code` is one of `ByeCode` today; a client must take one that it does not know, for `reconnect`
    alone says what to do. `after_ms` comes with `after`.
    """

    code: Code
    reconnect: Reconnect
    after_ms: DurationMs | None = None


class Failure(Struct, gc=False, omit_defaults=True):
    """What a reply says when a request was not done: the wire's `err`.

    `retry` says what the peer should do, `outcome` what is known of the effect.
    """

    code: Code
    reason: str
    retry: Retry
    outcome: Outcome
    after_ms: DurationMs | None = None


class Reply(Struct, gc=False, omit_defaults=True):
    """Answer the request `re`: `ok` when it was done, else `err`; never both.

    `re` is absent when the id of the request could not be read.
    """

    re: RequestId | None = None
    ok: dict[str, Any] | None = None
    err: Failure | None = None

    def __post_init__(self) -> None:
        if (self.ok is None) is (self.err is None):
            raise ValueError("a reply has either `ok` or `err`")


class Invalid(Struct, gc=False):
    """What a connection yields for a well-formed frame that is no valid op. Never on the wire.

    `id` is the request's id where it could be read, so that the refusal can be matched; `code` and
    `reason` are fit for that reply. The reason names the field; of what the peer sent it quotes no
    more than a wrong choice (`mech`), cut short.
    """

    id: int | None
    code: str
    reason: str
