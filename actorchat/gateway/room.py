"""Knows how many connections a node has room for, through whichever gateway they come.
Must not know gateways.
"""

from __future__ import annotations

from sys import maxsize


class Room:
    """The places of a node, shared by its gateways; each connection takes one.

    A connection takes an open file, too, and the store needs some of those: a node that gave them
    all to strangers would fail at its next write. `taken` counts all that are open, also those
    above `places` that are about to be sent away. Thread: the loop's.
    """

    __slots__ = ("places", "taken")

    def __init__(self, places: int = maxsize) -> None:
        self.places = places
        self.taken = 0

    @property
    def is_over(self) -> bool:
        """Say whether the connection that came last is one too many."""
        return self.taken > self.places

    def enter(self) -> None:
        """Count a connection in."""
        self.taken += 1

    def leave(self) -> None:
        """Count a connection out, which was counted in."""
        assert self.taken > 0
        self.taken -= 1
