"""Knows who may make an account for oneself. Must not know hashing, rows or sessions."""

from __future__ import annotations

from typing import Literal

import msgspec

from actorchat.chat.event import SignInRefused
from actorchat.chat.invitation import Invitation, is_good, used_once
from actorchat.chat.signin_event import Enrolment
from actorchat.chat.throttle import Throttle
from actorchat.ids import is_name
from actorchat.limits import (
    PASSWORD_CHARS_MIN,
    SECRET_CHARS_MAX,
    SIGN_IN_BUCKETS_MAX,
    SIGN_UPS_PER_MINUTE,
)

SignUpMode = Literal["closed", "invitation", "open"]

CLOSED = SignInRefused("signup_closed", "an operator makes the accounts of this server")
BAD_CODE = SignInRefused("bad_invitation", "this server wants the code of a good invitation")
TAKEN = SignInRefused("exists", "this name is taken")
BAD_NAME = SignInRefused(
    "bad_request",
    "a name is 1 to 64 of a-z 0-9 . _ - and begins and ends with a letter or digit",
)
BAD_PASSWORD = SignInRefused(
    "bad_request", f"a password has {PASSWORD_CHARS_MIN} to {SECRET_CHARS_MAX} characters"
)


class SignUpPolicy(msgspec.Struct, frozen=True):
    """Who may make an account: nobody but operators, who has an invitation, or everybody.

    `per_minute` is how many tries an address has, also the burst.
    """

    mode: SignUpMode = "closed"
    per_minute: int = SIGN_UPS_PER_MINUTE


class SignUps:
    """Judges enrolments: before their password is hashed, and again when it has been.

    The code comes before the name, so that who may not sign up learns no names. Every try counts
    against its address, whatever came of it, but those that the server could not finish.
    """

    __slots__ = ("_policy", "_sources")

    def __init__(self, policy: SignUpPolicy) -> None:
        self._policy = policy
        self._sources = Throttle(policy.per_minute, SIGN_IN_BUCKETS_MAX)

    def refusal(self, event: Enrolment, now_wall_ms: int) -> SignInRefused | None:
        """Return why `event` may not go on; None if it may, which is counted."""
        if self._policy.mode == "closed":
            return CLOSED
        if wait_ms := self._sources.wait_ms(event.source, now_wall_ms):
            reason = "too many accounts were asked for from this address"
            return SignInRefused("rate_limited", reason, "after", wait_ms)
        self._sources.failed(event.source, now_wall_ms)
        if not (is_name(event.user) and is_name(event.device)):
            return BAD_NAME
        if not PASSWORD_CHARS_MIN <= len(event.password) <= SECRET_CHARS_MAX:
            return BAD_PASSWORD
        if self.reserves(event):  # what its invitation is good for is not known here
            return BAD_CODE if event.code is None else None
        return self.late_refusal(event, now_wall_ms)

    def reserves(self, event: Enrolment) -> bool:
        """Say whether a use of the invitation must be taken elsewhere first."""
        return event.is_afar and self._policy.mode == "invitation"

    def late_refusal(self, event: Enrolment, now_wall_ms: int) -> SignInRefused | None:
        """Return why no account may be made, as the store is now; None if one may."""
        if self._policy.mode == "invitation" and not is_good(event.invitation, now_wall_ms):
            return BAD_CODE
        return TAKEN if event.account is not None or event.is_gone else None

    def spent(self, event: Enrolment) -> Invitation | None:
        """Return what is left of the invitation by which the account is made; None if by none."""
        if self._policy.mode != "invitation" or event.invitation is None or event.is_afar:
            return None
        return used_once(event.invitation)

    def give_back(self, event: Enrolment) -> None:
        """Take a try back, of which nobody knows what would have come."""
        self._sources.give_back(event.source)
