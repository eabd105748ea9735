"""Knows what a group can want done beside what any conversation can.
Must not know who performs effects.
"""

from __future__ import annotations

from actorchat.chat.effect import Effect
from actorchat.chat.event import Post
from actorchat.chat.group_event import Changing
from actorchat.chat.roster import Touched
from actorchat.protocol.ops.group import AnyChange


class StoreInGroup(Effect):
    """Store `request` under `seq`, in one batch with its id; then answer, and tell all members.

    `key` is its row in `sent`; `owes` when the fan-out marker must be put at this seq in the same
    batch. `change` is what is recorded of one, `touched` whose rows go with it. A `Durable` comes
    back if `wants_durable`. `is_big`: its homes are told by `Moved`; all up to `floor` was told in
    another way.
    """

    seq: int
    ts: int
    request: Post | Changing
    key: bytes
    owes: bool
    wants_durable: bool
    change: AnyChange | None = None
    touched: Touched | None = None
    is_big: bool = False
    floor: int = 0


class RedriveAll(Effect):
    """Tell all records after `after` again, each to all that it is for, once they are synced."""

    after: int


class AskHomes(Effect):
    """Ask each user's home for a `FannedOut` up to its seq, behind all that was told before."""

    seqs: dict[str, int]


class SaveMembers(Effect):
    """Keep the rows of these users; a hint, need not be synced."""

    users: tuple[str, ...]
