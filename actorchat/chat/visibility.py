"""Knows who may see when a user is online. Must not know who is, or whom anybody wrote to."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from actorchat.protocol.ops import PrivacyLevel

LEVELS: tuple[PrivacyLevel, ...] = ("everyone", "contacts", "nobody")

# Answers whether a user counts another among their contacts: (user, other) -> bool. Whoever knows
# better what a contact is, a list that users keep say, gives another function.
HasContact = Callable[[str, str], bool]
# Answers whom a user blocks.
RecallBlocked = Callable[[str], Iterable[str]]


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


class Apart:
    """Who is kept apart by blocks, of those who are watched and who watch; mostly nobody.

    Args:
        recall_blocked: Looks up whom a user blocks.
    """

    __slots__ = ("_blocked", "_by_watcher", "_recall")

    def __init__(self, recall_blocked: RecallBlocked) -> None:
        self._recall = recall_blocked
        self._blocked: dict[str, frozenset[str]] = {}  # whom those block who are watched
        self._by_watcher: set[tuple[str, str]] = set()  # (user, watcher who blocks them)

    def __bool__(self) -> bool:
        """Say whether anybody is."""
        return bool(self._blocked or self._by_watcher)

    def learn(self, user: str) -> None:
        """Look up whom `user` blocks, who is watched from now on, or has changed it."""
        blocked = self.blocked(user)
        if blocked:
            self._blocked[user] = blocked
        else:
            self._blocked.pop(user, None)

    def blocked(self, user: str) -> frozenset[str]:
        """Return whom `user` blocks, looked up."""
        return frozenset(self._recall(user))

    def forget(self, user: str) -> None:
        """Forget whom `user` blocks, whom nobody watches any more."""
        self._blocked.pop(user, None)

    def note(self, user: str, watcher: str, blocked_by_watcher: Iterable[str]) -> None:
        """Note whether `watcher` blocks `user`."""
        if user in blocked_by_watcher:
            self._by_watcher.add((user, watcher))
        else:
            self._by_watcher.discard((user, watcher))

    def parts(self, user: str, watcher: str) -> bool:
        """Say whether one of the two blocks the other."""
        return watcher in self._blocked.get(user, ()) or (user, watcher) in self._by_watcher
