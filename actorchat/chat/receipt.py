"""Knows delivered and read marks. Must not know who sees them."""

from __future__ import annotations


class Marks:
    """How far one member of a conversation has got: two seqs that never go back.

    Read implies delivered. A mark beyond the conversation's head is cut down to it, so that a
    client can't mark what does not exist.
    """

    __slots__ = ("delivered", "read")

    def __init__(self, delivered: int = 0, read: int = 0) -> None:
        self.delivered = delivered
        self.read = read

    def cut(self, head: int) -> None:
        """Cut down to `head` what was marked of messages that were lost before they were synced."""
        self.delivered = min(self.delivered, head)
        self.read = min(self.read, head)

    def advance(self, delivered: int, read: int, head: int) -> bool:
        """Move the marks up as far as they go; say whether anything changed."""
        read = min(read, head)
        delivered = max(min(delivered, head), read)
        changed = False
        if delivered > self.delivered:
            self.delivered = delivered
            changed = True
        if read > self.read:
            self.read = read
            changed = True
        return changed
