"""Knows the ops that keep accounts and devices. Must not know how secrets are checked."""

from __future__ import annotations

from msgspec import Struct

from actorchat.protocol.ops.field import Name, NewName, NewSecret, RequestId


class Revoke(Struct, tag_field="op", tag="revoke", gc=False):
    """Ask for the token of the user's own `device` to be void.

    Answer: `{}`, also where there was no token. A live session of the device gets `bye revoked`.
    """

    id: RequestId
    device: Name


class Provision(Struct, tag_field="op", tag="provision", gc=False, omit_defaults=True):
    """Ask for an account, a device's token, or both; for operators only.

    Answer: `{user, token?}`, the token when `device` was given. Errors: `exists` when a password
    is given and the account is there, `forbidden` to anybody but an operator.
    """

    id: RequestId
    user: NewName
    password: NewSecret | None = None
    device: NewName | None = None


class Status(Struct, tag_field="op", tag="status", gc=False):
    """Ask for the node's counters; for operators only. Answer: a flat map, name → int or text."""

    id: RequestId
