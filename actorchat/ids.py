"""Knows what names things: users, devices, conversations, slots.
Must not know how they are stored or sent.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from typing import NewType
from zlib import crc32

Slot = NewType("Slot", int)

NAME_LENGTH_MAX = 64
CLIENT_ID_BYTES = 16
SLOTS = 1024

# Lower-case ASCII, so that no two names look alike and none can carry control characters,
# path separators or markup into a log line, a key, a terminal or a page.
NAME_PATTERN = r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?"
_NAME = re.compile(NAME_PATTERN)

# A group's address is its id, which is as long as a client id, behind what no name begins with.
# The last of 22 characters carries two bits of the 128, so it is one of four.
GROUP_MARK = "#"
GROUP_PATTERN = r"#[A-Za-z0-9_-]{21}[AQgw]"
_GROUP = re.compile(GROUP_PATTERN)


def is_name(text: str) -> bool:
    """Say whether `text` can name a user or device: 1-64 of a-z 0-9 . _ -, ends alphanumeric."""
    return _NAME.fullmatch(text) is not None


def is_group(text: str) -> bool:
    """Say whether `text` is the address of a group, as `group_address` makes it."""
    return _GROUP.fullmatch(text) is not None


def group_address(id: bytes) -> str:
    """Return the address of the group with the 16-byte `id`: `#` and base64url, 23 characters."""
    assert len(id) == CLIENT_ID_BYTES
    return GROUP_MARK + urlsafe_b64encode(id).rstrip(b"=").decode("ascii")


def slot_of(user: str) -> Slot:
    """Return the slot in which `user`, or a group's address, is at home; stable for ever."""
    return Slot(crc32(user.encode()) % SLOTS)


def direct_pair(one: str, other: str) -> tuple[str, str]:
    """Return the two users of a direct conversation in its one canonical order.

    The conversation lives in the slot of the first of the two. `one` may equal `other`: a
    conversation with oneself.
    """
    return (one, other) if one <= other else (other, one)


def other_of(pair: tuple[str, str], user: str) -> str:
    """Return whom `user` talks to in the direct conversation `pair`; oneself in one's own."""
    return pair[1] if user == pair[0] else pair[0]
