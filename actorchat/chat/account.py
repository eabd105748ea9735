"""Knows what an account and a device's right to sign in are.
Must not know hashing, rows or sessions.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest

import msgspec

TOKEN_BYTES = 32


class Account(msgspec.Struct, gc=False):
    """A user of this server, or a bot; without a `password_hash` nobody signs in by password."""

    user: str
    created_at_wall_ms: int
    password_hash: str = ""
    is_bot: bool = False


class Device(msgspec.Struct, gc=False):
    """A device that may sign in with a token, of which only the SHA-256 is kept.

    `next_sha256` is of a token that takes its place once it is used; empty: there is none.
    """

    device: str
    token_sha256: bytes
    created_at_wall_ms: int
    next_sha256: bytes = b""
    next_at_wall_ms: int = 0


# Compared with when there is no such device, so that the answer takes as long.
NO_DEVICE = Device("", bytes(32), 0)


def token_digest(token: str) -> bytes:
    """Return what is kept of a token.

    The token has 256 random bits, so neither salt nor work is needed.
    """
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def token_fits(device: Device | None, token: str) -> bool:
    """Say whether `token` is the one of `device`, in the same time whether or not there is one."""
    kept = NO_DEVICE if device is None else device
    fits = compare_digest(kept.token_sha256, token_digest(token))
    return fits and device is not None
