"""Knows from which seq on it is not certain that a group's records have reached all members' homes.
Must not know records.
"""

from __future__ import annotations

from collections.abc import Mapping

from actorchat.chat.roster import Member


class FanOut:
    """What a group's fan-out owes, and the rounds in which it asks.

    A round asks every home for all that was told when it began, and ends when all have said that
    they hold it, synced. So it costs one question a member and second, not one a message; homes
    that do not answer are asked again.

    Args:
        owed: Where the marker stands in the log, or None.
    """

    __slots__ = ("_asked", "_redriven", "_waiting", "is_timed", "owed")

    def __init__(self, owed: int | None = None) -> None:
        self.owed = owed
        self.is_timed = False  # a ConfirmDue is on its way
        self._asked = 0
        self._waiting: dict[str, int] = {}  # user → the seq that their home must hold
        self._redriven: dict[str, int] = {}  # user → what their home had when it was told again

    def owe(self, seq: int) -> bool:
        """Note that `seq` is to be told; say whether the marker must be put there."""
        if self.owed is not None:
            return False
        self.owed = seq
        return True

    def ask(self, rows: Mapping[str, Member], head: int) -> dict[str, int]:
        """Begin a round, or go on with one; return whose home is asked up to which seq."""
        self._redriven.clear()
        if self.owed is None:
            return {}
        if not self._waiting:
            self._asked = head
            self._waiting = {user: row.before(head + 1) for user, row in rows.items()}
        return dict(self._waiting)

    def confirmed(self, user: str, seq: int) -> int | None:
        """Take in what a home holds; return the seq up to which now all have all."""
        due = self._waiting.get(user)
        if due is None or seq < due:
            return None
        del self._waiting[user]
        return None if self._waiting else self._asked

    def settle(self, upto: int, head: int) -> None:
        """Move on: all up to `upto` has arrived everywhere."""
        if self.owed is not None and upto >= self.owed:
            self.owed = None if upto >= head else upto + 1

    def wants_redrive(self, user: str, have: int) -> bool:
        """Say whether `user` must be told again: once for all that was behind the same gap."""
        if self._redriven.get(user) == have:
            return False
        self._redriven[user] = have
        return True
