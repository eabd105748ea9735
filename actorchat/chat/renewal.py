"""Knows how old a device's token may become, and how one takes the place of another.
Must not know tokens in the clear, rows or sessions.

A token is made at a wall time and good for a lifetime from then on; how much is left is reckoned
when it is presented, so nothing is to be done when it ends, and a clock that is set back makes it
no older. A next token waits beside the one in use, until it is presented for the first time.
"""

from __future__ import annotations

from hmac import compare_digest

from actorchat.chat.account import NO_DEVICE, Device, token_digest
from actorchat.chat.event import SignInRefused

DAY_MS = 86_400_000
EXPIRED = SignInRefused("token_expired", "this device's token has expired; sign in anew")

# What is left of a token's lifetime, and all of it, both in ms.
Lifetime = tuple[int, int]


def lifetime_of(made_at_wall_ms: int, life_ms: int, now_wall_ms: int) -> Lifetime | None:
    """Return what is left of a token, and of how much; None if tokens live for ever (0)."""
    if not life_ms:
        return None
    age_ms = max(0, now_wall_ms - made_at_wall_ms)
    return max(0, life_ms - age_ms), life_ms


def shown_lifetime(lifetime: Lifetime) -> dict[str, int]:
    """Return it as an answer says it."""
    left_ms, of_ms = lifetime
    return {"left_ms": left_ms, "of_ms": of_ms}


def presented(device: Device | None, token: str) -> Device | None:
    """Return the device once `token` was presented; None if it is not the device's.

    Another one than `device` where it was the next token: it has taken the other's place, which is
    to be kept. It takes as long whether or not there is such a device.
    """
    kept = NO_DEVICE if device is None else device
    digest = token_digest(token)
    fits = compare_digest(kept.token_sha256, digest)
    fits_next = compare_digest(kept.next_sha256 or NO_DEVICE.token_sha256, digest)
    if device is None or not (fits or fits_next):
        return None
    if fits:
        return device
    return Device(device.device, device.next_sha256, device.next_at_wall_ms)


def with_next(device: Device, token: str, now_wall_ms: int) -> Device:
    """Return the device with `token` as its next, in place of one that was never presented."""
    made_at = device.created_at_wall_ms
    return Device(device.device, device.token_sha256, made_at, token_digest(token), now_wall_ms)
