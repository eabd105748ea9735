"""Knows whether one user may see what was done to a message later than it was sent to them.
Must not know what is shown instead.
"""

from __future__ import annotations

from typing import Protocol

from actorchat.broker.blocks import Blocks
from actorchat.broker.group_log import GroupLog
from actorchat.chat.block import hides
from actorchat.protocol.ops import Record


class Access(Protocol):
    """One who reads."""

    user: str  # empty: nobody in particular

    def misses(self, conversation: bytes, record: Record, seq: int) -> bool:
        """Say whether record `seq`, by which `record` was changed, is not for this one."""
        ...


class UserAccess:
    """What is for a user: what no block hides, and of a group what was done while they are in it.

    Who has left a group may still get what was sent to them before. It must not say then what
    others made of it since. Costs: two gets of 2 µs, for a message that was changed.
    """

    __slots__ = ("_blocks", "_groups", "user")

    def __init__(self, user: str, blocks: Blocks, groups: GroupLog) -> None:
        self.user = user
        self._blocks = blocks
        self._groups = groups

    def misses(self, conversation: bytes, record: Record, seq: int) -> bool:
        """Say so by the rows of blocks and members."""
        if record.conv is None:
            return hides(self._blocks.spans(conversation, self.user), seq)
        member = self._groups.member(conversation, self.user)
        if member is None or not member.since:
            return True
        if seq >= member.since:
            return False
        profile = self._groups.profile(conversation)
        return profile is None or profile.history == "since_join"


class Insider:
    """Who gets all that was done: the members of a group as it is delivered to them."""

    user = ""

    def misses(self, conversation: bytes, record: Record, seq: int) -> bool:
        """Say no."""
        return False


class Outsider:
    """Who gets nothing of what was done later: those who have left a group."""

    user = ""

    def misses(self, conversation: bytes, record: Record, seq: int) -> bool:
        """Say yes."""
        return True


INSIDER, OUTSIDER = Insider(), Outsider()
