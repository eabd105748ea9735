"""Knows the op by which a user's account ends. Must not know what becomes of its rows."""

from __future__ import annotations

from msgspec import Struct

from actorchat.protocol.ops.field import RequestId, Secret


class DeleteAccount(Struct, tag_field="op", tag="delete_account", gc=False):
    """Ask for the account to end for good; `password` is the user's.

    Answer: `{}`, when it is durable that it has ended; then the sessions of all devices end
    (`revoked`). What it had is removed, groups are left; others keep what they were sent, and
    nobody gets the name again. Errors: `unauthenticated`, `rate_limited`, `store_full`, `busy`.
    """

    id: RequestId
    password: Secret
