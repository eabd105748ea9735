"""Knows the client ids of the latest messages of a conversation.
Must not know where the older ones are.
"""

from __future__ import annotations

from actorchat.chat.event import Prior
from actorchat.limits import IDEMPOTENCE_WINDOW, POSITION_MAX


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
        self._asked: int | None = None  # the seq whose `Durable` rotates

    def get(self, key: bytes) -> Prior | None:
        """Return what is known of `key` (sender tag + client id), or None."""
        known = self._young.get(key)
        return known if known is not None else self._old.get(key)

    def add(self, key: bytes, prior: Prior) -> bool:
        """Remember `key`; say whether the owner must now ask for a `Durable`."""
        self._young[key] = prior
        if self._asked is not None or len(self._young) < IDEMPOTENCE_WINDOW:
            return False
        self._asked = prior.seq
        return True

    def rotate(self, upto: int = POSITION_MAX) -> None:
        """Forget the old generation, if all records up to `upto`, which are synced, are enough."""
        if self._asked is not None and upto >= self._asked:
            self._asked = None
            self._old, self._young = self._young, {}
