"""Knows what can happen at the sign-in desk, and what it can want. Must not know who does it."""

from __future__ import annotations

import msgspec

from actorchat.chat.account import Account, Device
from actorchat.chat.bearer import Reading
from actorchat.chat.event import Address, SignedIn
from actorchat.chat.invitation import Invitation
from actorchat.chat.reservation import Reservation


class Attempt(msgspec.Struct, gc=False):
    """A session asks to sign in; the shell fills in the rest from the store.

    `devices` are those that may sign in already, as of when the password was found right. `source`
    is where it comes from (`source_of`).
    """

    session: Address
    user: str
    device: str
    mech: str
    secret: str
    account: Account | None = None
    known_device: Device | None = None
    devices: list[str] = []
    source: str = ""
    is_gone: bool = False


class Provisioning(msgspec.Struct, gc=False):
    """An operator asks for an account, or for a device's token; the rest as in `Attempt`.

    With `bot_kinds` it is a bot's, and says which events it may read, and whether it `moderates`.
    `is_gone`: an account of this name has ended; nobody gets the name again.
    """

    session: Address
    rid: int
    user: str
    password: str | None
    device: str | None
    account: Account | None = None
    devices: list[str] = []
    bot_kinds: list[str] | None = None
    is_gone: bool = False
    moderates: bool = False


class Enrolment(msgspec.Struct, gc=False):
    """Somebody who has no account asks for one; the rest as in `Attempt` and `Provisioning`.

    `invitation` is the one that `code` is of, None if there is none. Where `is_afar`, it may be on
    another node: then a `reservation` is asked for first, with this `verdict`; empty: not yet.
    """

    session: Address
    user: str
    device: str
    password: str
    code: str | None = None
    source: str = ""
    account: Account | None = None
    devices: list[str] = []
    is_gone: bool = False
    invitation: Invitation | None = None
    is_afar: bool = False
    reservation: Reservation | None = None
    verdict: str = ""


class Renewal(msgspec.Struct, gc=False):
    """A device asks for another token; `secret` is what it has. The rest as in `Attempt`."""

    session: Address
    rid: int
    user: str
    device: str
    secret: str
    known_device: Device | None = None


class Revocation(msgspec.Struct, gc=False):
    """A user asks that `device` may sign in no more; `known_device` as in `Attempt`."""

    session: Address
    rid: int
    user: str
    device: str
    known_device: Device | None = None


class PasswordChange(msgspec.Struct, gc=False):
    """A user asks for another password; `secret` is the old one. The rest as in `Attempt`.

    `keep` are devices that stay signed in if it `revokes_others`.
    """

    session: Address
    rid: int
    user: str
    device: str
    secret: str
    password: str
    revokes_others: bool
    account: Account | None = None
    devices: list[str] = []
    keep: list[str] = []


class Erasing(msgspec.Struct, gc=False):
    """A user asks for the account to end; `secret` is the password. The rest as in `Attempt`."""

    session: Address
    rid: int
    user: str
    device: str
    secret: str
    account: Account | None = None
    devices: list[str] = []


class Verified(msgspec.Struct, gc=False):
    """The hasher has compared an attempt's password."""

    attempt: Attempt | PasswordChange | Erasing
    fits: bool


class TokenRead(msgspec.Struct, gc=False):
    """The token of an attempt by `jwt` was read; the shell looks up account and devices."""

    attempt: Attempt
    reading: Reading


class Hashed(msgspec.Struct, gc=False):
    """The hasher has hashed a new password; the shell looks up `account` once more."""

    provisioning: Provisioning | PasswordChange | Enrolment
    password_hash: str


class HasherLost(msgspec.Struct, gc=False):
    """The hasher failed at a job; nothing was done."""

    job: Attempt | Provisioning | PasswordChange | Erasing | Enrolment


class AskReservation(msgspec.Struct, gc=False):
    """Effect: take a use of the invitation of this; then it comes back with a `verdict`."""

    enrolment: Enrolment


class FreeReservation(msgspec.Struct, gc=False):
    """Effect: nothing comes of it."""

    reservation: Reservation


class Tell(msgspec.Struct, gc=False):
    """Effect: tell `event` to a session."""

    session: Address
    event: object


class Verify(msgspec.Struct, gc=False):
    """Effect: compare the attempt's password with `password_hash`; "" stands for a dummy."""

    attempt: Attempt | PasswordChange | Erasing
    password_hash: str


class ReadToken(msgspec.Struct, gc=False):
    """Effect: read the token that is the attempt's secret."""

    attempt: Attempt


class HashPassword(msgspec.Struct, gc=False):
    """Effect: hash a new password."""

    provisioning: Provisioning | PasswordChange | Enrolment


class IssueToken(msgspec.Struct, gc=False):
    """Effect: make a token for `device`, keep its digest, and when synced tell the session.

    With a `rid` the session gets an `Answer`, else a `SignedIn`. `account`, if any, is kept too,
    and so are the `bot_kinds`, whether the bot `moderates`, and what is left of the `invitation`
    that was used for it, or that a use is owed by this `reservation`.
    """

    session: Address
    user: str
    device: str
    rid: int | None
    account: Account | None
    bot_kinds: list[str] | None = None
    invitation: Invitation | None = None
    moderates: bool = False
    reservation: Reservation | None = None


class KeepDevice(msgspec.Struct, gc=False):
    """Effect: keep `device`, and when synced tell the session that it is signed in."""

    session: Address
    user: str
    device: Device
    signed_in: SignedIn


class RenewToken(msgspec.Struct, gc=False):
    """Effect: make a next token for `device`, keep its digest, and when synced answer."""

    session: Address
    rid: int
    user: str
    device: Device
    moderates: bool = False


class KeepAccount(msgspec.Struct, gc=False):
    """Effect: keep `account`, and when synced answer the request."""

    session: Address
    rid: int
    account: Account


class DropDevice(msgspec.Struct, gc=False):
    """Effect: delete a device's row, answer when synced, and tell the user's home."""

    session: Address
    rid: int
    user: str
    device: str


class ReplacePassword(msgspec.Struct, gc=False):
    """Effect: keep `account`, drop `devices`; when synced, answer and tell the user's home."""

    session: Address
    rid: int
    account: Account
    devices: list[str]


class EndAccount(msgspec.Struct, gc=False):
    """Effect: keep that the account of `user` has ended, and when synced answer the request.

    In the same batch its row, its `devices` and its profile go.
    """

    session: Address
    rid: int
    user: str
    devices: list[str]
