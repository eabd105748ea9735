"""Knows what every actor of a node is given. Must not know how any of it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from actorchat.ids import slot_of
from actorchat.limits import (
    EDIT_WINDOW_S,
    GROUP_INLINE_MEMBERS_MAX,
    GROUP_MEMBERS_MAX,
    PING_INTERVAL_S,
    REQUESTS_IN_FLIGHT_MAX,
)

if TYPE_CHECKING:
    from actorchat.actor import ActorSystem
    from actorchat.broker.archive import Archive
    from actorchat.broker.blocks import Blocks
    from actorchat.broker.census import Census
    from actorchat.broker.firehose_log import FirehoseLog
    from actorchat.broker.group_log import GroupLog
    from actorchat.broker.invitations import Invitations
    from actorchat.broker.log_writer import LogWriter
    from actorchat.broker.moderation import Moderators
    from actorchat.broker.reach import Reach
    from actorchat.broker.router import Router
    from actorchat.broker.rows import Rows
    from actorchat.broker.shelf import Shelf
    from actorchat.broker.tombs import Tombs
    from actorchat.broker.tracker import Trackers
    from actorchat.broker.veil import VeilLog
    from actorchat.chat.event import Conv
    from actorchat.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the welcome tells a client of this node, as it is configured.

    `durability` is `fsync`, or `none` where the settings switched the sync off.
    """

    durability: str = "fsync"
    ping_s: float = PING_INTERVAL_S
    in_flight_max: int = REQUESTS_IN_FLIGHT_MAX


Located = dict[str, object]
# Answers `locate`: of a user, the region that the client claims and the address it comes from.
Locate = Callable[[str, str, str], Located]


def _stay(_user: str, _region: str, _source: str) -> Located:
    """Answer of a node that is alone."""
    return {"node": "", "region": "", "home": "", "addresses": []}


@dataclass(slots=True)
class Context:
    """The parts of one node that its actors share. One a node; many nodes fit in one process.

    `token_source` returns a new, unguessable token. `report` returns the node's counters,
    `files_base` the address at which HTTP brings and fetches files, empty if there is none.
    """

    system: ActorSystem
    clock: Clock
    log: LogWriter
    archive: Archive
    rows: Rows
    census: Census
    token_source: Callable[[], str]
    entity_idle_s: float
    terms: Terms
    groups: GroupLog
    blocks: Blocks
    tombs: Tombs
    group_members_max: int = GROUP_MEMBERS_MAX
    edit_window_s: float = EDIT_WINDOW_S
    group_inline_max: int = GROUP_INLINE_MEMBERS_MAX
    sweeps: int = 0  # passes of the sweeper, and what it has let go since the store was made:
    swept: tuple[int, int, int] = (0, 0, 0)  # messages, their bytes, updates
    reach: Reach | None = None  # None: every slot is led here
    router: Router = field(init=False)
    shelf: Shelf = field(init=False)
    moderators: Moderators = field(init=False)
    files_base: Callable[[], str] = field(init=False, default=str)
    trackers: Trackers = field(init=False)
    veils: VeilLog = field(init=False)
    firehose: FirehoseLog = field(init=False)
    invitations: Invitations = field(init=False)
    report: Callable[[], dict[str, int | str]] = field(init=False, default=dict)
    locate: Locate = field(init=False, default=_stay)

    def is_here(self, conv: Conv) -> bool:
        """Say whether a conversation, or a group by its address, runs on this node."""
        reach = self.reach
        return reach is None or reach.is_here(conv if isinstance(conv, str) else conv[0])

    def is_apart(self, one: str, other: str) -> bool:
        """Say whether what two names have is in different slots of several nodes.

        Then neither writes rows of the other, or points into them: a slot may move.
        """
        return self.reach is not None and slot_of(one) != slot_of(other)

    def has(self, user: str) -> bool:
        """Say whether a user is at home on this node."""
        return self.reach is None or self.reach.is_here(user)
