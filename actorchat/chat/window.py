"""Knows the client ids of the latest messages of a conversation.
Must not know where the older ones are.
"""

from __future__ import annotations

from actorchat.chat.event import Prior
from actorchat.limits import IDEMPOTENCE_WINDOW


class Window:
    """Two generations of client ids, so that forgetting costs nothing a message.

    A generation may only be dropped when all in it is synced, for then the store knows it. So the
    owner asks for a `Durable` once the young one `is_full`, and rotates when it arrives: what was
    given out in the meantime has gone to the generation that stays.
    """

    __slots__ = ("_asked", "_old", "_young")

    def __init__(self) -> None:
        self._young: dict[bytes, Prior] = {}
        self._old: dict[bytes, Prior] = {}
        self._asked = False

    def get(self, key: bytes) -> Prior | None:
        """Return what is known of `key` (sender tag + client id), or None."""
        known = self._young.get(key)
        return known if known is not None else self._old.get(key)

    def add(self, key: bytes, prior: Prior) -> bool:
        """Remember `key`; say whether the owner must now ask for a `Durable`."""
        self._young[key] = prior
        if self._asked or len(self._young) < IDEMPOTENCE_WINDOW:
            return False
        self._asked = True
        return True

    def rotate(self) -> None:
        """Forget the old generation: everything in it is synced."""
        if self._asked:
            self._asked = False
            self._old, self._young = self._young, {}
