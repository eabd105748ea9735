"""Knows who signs in, by what, and which endings are for good. Must not know when it is tried."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from actorchat.errors import (
    ActorchatError,
    AuthFailed,
    Refusal,
    Revoked,
    SessionEnded,
    TakenOver,
    TokenExpired,
    VersionMismatch,
)
from actorchat.limits import PING_INTERVAL_S, PROTOCOL_VERSION
from actorchat.protocol.ops import Bye, Failure, Hello, Mechanism, SignUp


class Lifetime(Struct):
    """How long the token by which one is signed in is still good, and how long it was in all."""

    left_ms: int
    of_ms: int


class Welcome(Struct):
    """What the server granted; `head` and `cursor` are positions in the user's update log."""

    user: str
    device: str
    head: int
    cursor: int
    ping_s: Annotated[float, Meta(gt=0)] = PING_INTERVAL_S
    token: str | None = None
    time_ms: int = 0
    durability: str = ""
    limits: dict[str, int] = field(default_factory=dict)
    too_old: bool = False  # what the device lacked up to `cursor` is gone: take a snapshot
    lifetime: Lifetime | None = None  # of the token; None: for ever


class Identity(Struct):
    """Who signs in, and by what; after a password the server's token takes its place."""

    user: str
    device: str
    mech: Mechanism
    secret: str
    agent: str = ""

    @property
    def token(self) -> str | None:
        """Return the token that signs this device in, once there is one."""
        return self.secret if self.mech == "token" else None

    def hello(self, rid: int, resume: int | None) -> Hello | SignUp:
        """Return the op that asks to sign in as request `rid`."""
        return Hello(
            rid,
            PROTOCOL_VERSION,
            self.user,
            self.device,
            self.mech,
            self.secret,
            resume,
            self.agent,
        )

    def keep(self, token: str | None) -> None:
        """Sign in by `token` from now on, where the server gave one."""
        if token is not None:
            self.mech = "token"
            self.secret = token

    def refused(self, err: Failure) -> ActorchatError | None:
        """Return the error that a refusal ends the client with; None when to try again."""
        return end_by_refused_hello(err)


def refusal(err: Failure) -> Refusal:
    """Return the wire's `err` as the error to raise."""
    return Refusal(err.code, err.reason, err.retry, err.outcome, err.after_ms)


def end_by_refused_hello(err: Failure) -> ActorchatError | None:
    """Return the error that a refused hello ends the client with; None when to try again."""
    match err.code:
        case "unauthenticated":
            return AuthFailed(err.reason)
        case "token_expired":
            return TokenExpired(err.reason)
        case "version":
            return VersionMismatch(err.reason)
        case "revoked":
            return Revoked("revoked", err.reason)
        case _:
            return refusal(err) if err.retry == "never" else None


def end_by_bye(bye: Bye) -> ActorchatError | None:
    """Return the error that a bye ends the client with; None when to connect again."""
    match bye.code:
        case "takeover":
            return TakenOver("takeover", "this device signed in elsewhere")
        case "revoked":
            return Revoked("revoked", "this device's token was revoked")
        case _ if bye.reconnect == "never":
            return SessionEnded(bye.code, f"the server ended the session: {bye.code}")
        case _:
            return None
