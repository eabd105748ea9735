"""Knows which read marks may not have reached the server. Must not know when it is asked."""

from __future__ import annotations


class ReadMarks:
    """The user's own read marks, until it is sure that they came.

    A mark has no answer, but the answer to a ping says that all before the ping came, too. While
    one is unsure, pings ask for theirs.
    """

    __slots__ = ("_new", "_pinged")

    def __init__(self) -> None:
        self._new: dict[str, int] = {}
        self._pinged: dict[str, int] = {}

    @property
    def is_unsure(self) -> bool:
        """Say whether some may not have come."""
        return bool(self._new or self._pinged)

    def advance(self, conv: str, read: int) -> bool:
        """Take a mark; say whether it is news."""
        if read <= max(self._new.get(conv, 0), self._pinged.get(conv, 0)):
            return False
        self._new[conv] = read
        return True

    def pinged(self) -> None:
        """Note that a ping went out after all the marks."""
        self._pinged.update(self._new)
        self._new.clear()

    def ponged(self) -> None:
        """Note that the last ping was answered."""
        self._pinged.clear()

    def again(self) -> list[tuple[str, int]]:
        """Return the marks that a new connection must repeat."""
        self._new = {**self._pinged, **self._new}
        self._pinged = {}
        return list(self._new.items())
