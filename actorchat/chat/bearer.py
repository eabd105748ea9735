"""Knows what becomes of a sign-in by somebody else's token: what is asked, what was found in it.
Must not know JSON Web Tokens, keys or clocks.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from actorchat.chat.event import SignInRefused

# Why a token signs nobody in; `unknown_key` may pass once the issuer's keys are fetched anew.
Problem = Literal["", "invalid", "expired", "elsewhere", "no_user", "unknown_key"]

DISABLED = SignInRefused("unauthenticated", "this server takes no tokens of others", "never")
_REASONS: dict[Problem, str] = {
    "invalid": "this token is not good here",
    "expired": "this token has expired",
    "elsewhere": "this token is for another server, or of another issuer",
    "no_user": "this token is of another user",
    "unknown_key": "this token's key is not known here",
}


class Reading(msgspec.Struct, gc=False):
    """What a token says: whose it is, or why it is not good.

    `retry_ms`: the keys are being fetched, and it may be good after so long.
    """

    user: str
    problem: Problem = ""
    retry_ms: int | None = None


def refusal(reading: Reading) -> SignInRefused:
    """Return what a client is told of a token that signs nobody in."""
    if reading.problem == "unknown_key" and reading.retry_ms is not None:
        reason = "the issuer's keys are being fetched"
        return SignInRefused("unavailable", reason, "after", reading.retry_ms)
    return SignInRefused("unauthenticated", _REASONS[reading.problem or "no_user"], "never")
