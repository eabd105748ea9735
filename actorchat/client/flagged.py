"""Knows how news of flags, set on the user's other devices, waits for the application.
Must not know where it comes from.
"""

from __future__ import annotations

from msgspec import Struct

from actorchat.client.feed import Feed
from actorchat.client.people import Flags
from actorchat.protocol.ops import FlagPush

FLAGGED_MAX = 1_024  # conversations whose news wait; they are hints, so the oldest may go


class Flagged(Struct, frozen=True):
    """How the user keeps the conversation with `conv` now, as another device of theirs set it."""

    conv: str
    flags: Flags


class FlagBoard(Feed[Flagged]):
    """The newest flags of each conversation that the application has not fetched."""

    def __init__(self) -> None:
        super().__init__()
        self._newest: dict[str, Flagged] = {}

    def __len__(self) -> int:
        return len(self._newest)

    def take(self, op: FlagPush) -> None:
        """Put up what the server told, and wake one who waits."""
        if op.conv not in self._newest and len(self._newest) >= FLAGGED_MAX:
            del self._newest[next(iter(self._newest))]
        self._newest[op.conv] = Flagged(op.conv, Flags(op.muted, op.archived, op.pinned))
        if self._waiters:
            self._wake()

    def _pop(self) -> Flagged:
        return self._newest.pop(next(iter(self._newest)))
