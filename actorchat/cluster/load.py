"""Knows how loaded each node is, and which one a client is best sent to.
Must not know sessions, gateways or how nodes hear of each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

import msgspec

LOAD_CODE = 0x8001  # codes from 0x8000 on are the cluster's own
STEPS = 10  # nodes whose load differs by less than a tenth are as good as each other


class Load(msgspec.Struct, frozen=True, gc=False):
    """What a node says of itself.

    Attributes:
        clients: Addresses at which clients reach it, separated by spaces.
        sessions: Connections that it has; `places`: that it may have.
        is_open: Whether it takes any.
    """

    node: str
    region: str
    clients: str
    sessions: int
    places: int
    is_open: bool

    @property
    def share(self) -> float:
        """How much of its room is taken."""
        return self.sessions / max(1, self.places)


def choose(loads: Iterable[Load], region: str, home: str, user: str) -> Load | None:
    """Return the node that `user` is best sent to; None if none takes anybody.

    One of the client's region, if there is one with room; of those the least loaded, in steps of a
    tenth; of these the user's home, or else one by the user's name, so that users spread.
    """
    able = [load for load in loads if load.is_open and load.clients and load.share < 1]
    near = [load for load in able if load.region == region] or able
    if not near:
        return None
    return min(
        near,
        key=lambda load: (
            int(load.share * STEPS),
            load.node != home,
            crc32(f"{user}@{load.node}".encode()),
        ),
    )
