"""Knows what the record of a group's change says, and when two changes ask for the same.
Must not know who may ask.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import blake2b

import msgspec

from actorchat.protocol.ops.group import Add, AnyChange, Create, Enter, Invite, Leave, Remove

TOKEN_DIGEST_BYTES = 16
_canonical = msgspec.json.Encoder().encode


def link_of(token: str) -> str:
    """Return the digest by which a link is kept and named: who reads it can't join."""
    mixed = blake2b(token.encode(), digest_size=TOKEN_DIGEST_BYTES, person=b"actorchat link")
    return urlsafe_b64encode(mixed.digest()).rstrip(b"=").decode("ascii")


def recorded(change: AnyChange, heir: str | None = None) -> AnyChange:
    """Return what is stored and shown of `change`: no token, but what follows from it."""
    if isinstance(change, Invite | Enter) and change.token is not None:
        return type(change)(link=link_of(change.token))
    return Leave(heir) if isinstance(change, Leave) else change


def digest_of(change: AnyChange) -> int:
    """Return the same number for what was asked and for its record; differs between processes."""
    return hash(_canonical(recorded(change)))


def membership(user: str, sender: str, change: AnyChange) -> bool | None:
    """Say whether a change by `sender` makes `user` a member, or ends that; None: neither."""
    if isinstance(change, Create | Enter) and user == sender:
        return True
    if isinstance(change, Create):
        return True if user in change.members else None
    if isinstance(change, Add):
        return True if user in change.users else None
    if isinstance(change, Remove):
        return False if user == change.user else None
    return False if isinstance(change, Leave) and user == sender else None
