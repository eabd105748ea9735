"""Knows who may see when a user is online. Must not know who is, or whom anybody wrote to."""

from __future__ import annotations

from collections.abc import Callable

from actorchat.protocol.ops import PrivacyLevel

LEVELS: tuple[PrivacyLevel, ...] = ("everyone", "contacts", "nobody")

# Answers whether a user counts another among their contacts: (user, other) -> bool. Whoever knows
# better what a contact is, a list that users keep say, gives another function.
HasContact = Callable[[str, str], bool]


def may_see(
    owner: str,
    owner_level: PrivacyLevel,
    watcher: str,
    watcher_level: PrivacyLevel,
    has_contact: HasContact,
) -> bool:
    """Say whether `watcher` may see `owner`: each must let the other in, so it holds both ways."""
    if owner == watcher:
        return True
    return _lets_in(owner, owner_level, watcher, has_contact) and _lets_in(
        watcher, watcher_level, owner, has_contact
    )


def _lets_in(user: str, level: PrivacyLevel, other: str, has_contact: HasContact) -> bool:
    if level == "everyone":
        return True
    return level == "contacts" and has_contact(user, other)
