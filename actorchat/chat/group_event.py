"""Knows what can happen to a group beside what happens to any conversation.
Must not know who performs effects.
"""

from __future__ import annotations

from actorchat.chat.event import Address, Event, Prior
from actorchat.protocol.ops.group import AnyChange


class Changing(Event):
    """`sender` asks for a change under their own 16-byte id `cid`.

    `key` and `prior` as in `Post`. `unknown` are those that it names and that have no account,
    `barred` those who do not let themselves be added by the sender.
    """

    sender: str
    session: Address
    rid: int
    cid: bytes
    change: AnyChange
    unknown: tuple[str, ...] = ()
    prior: Prior | None = None
    key: bytes = b""
    barred: tuple[str, ...] = ()


class Describe(Event):
    """`user` asks what the group is, and for its members behind `after`."""

    user: str
    session: Address
    rid: int
    after: str | None = None


class AskReceipts(Event):
    """`user` asks how far each member got, of those behind `after`."""

    user: str
    session: Address
    rid: int
    after: str | None = None
