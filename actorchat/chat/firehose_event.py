"""Knows what can happen to the firehose, and what it can want.
Must not know who performs effects.

The firehose is all records of a node in the order in which they were stored, each at a position.
Its readers are hooks, to which events are posted, and bots, which ask for them. A reader is named
`hook/NAME` or `bot/NAME`.
"""

from __future__ import annotations

import msgspec

from actorchat.chat.event import Address, Event
from actorchat.protocol.ops.firehose import Bot, Events, Hook, Hooks

Item = dict[str, object]  # one event, as bots and hooks get it


# -- events ------------------------------------------------------------------------------------
class Wanted(Event):
    """A session asks for `op`; `user` is empty for an operator."""

    session: Address
    user: str
    op: Hook | Hooks | Events | Bot


class Granted(Event):
    """The bot `user` may read events of these kinds from now on; the grant is kept already."""

    user: str
    kinds: list[str]


class Advanced(Event):
    """Every record up to position `head` is synced."""

    head: int


class Found(Event):
    """What was read for `reader`: events in (after, upto], and whether some before were dropped."""

    reader: str
    upto: int
    items: list[Item]


class Posted(Event):
    """A post is over: `status` is that of the answer, 0 where there was none for `reason`."""

    serial: int
    status: int
    reason: str


class HookDue(Event):
    """Time to try the hook `name` again."""

    name: str
    serial: int


class WaitOver(Event):
    """A bot has waited for its first event as long as it wanted."""

    reader: str
    rid: int


class TrimDue(Event):
    """Time to drop what everybody has."""


# -- what is kept --------------------------------------------------------------------------------
class HookRow(msgspec.Struct, gc=False):
    """A hook as the operator made it; `state` is `active`, `paused` or `dead`."""

    name: str
    url: str
    secret: str
    kinds: list[str]
    state: str
    created_at_wall_ms: int


class Place(msgspec.Struct, gc=False):
    """How far a reader is; the rest is of a hook that fails: since when, how often, why."""

    position: int
    failing_since_wall_ms: int = 0
    failures: int = 0
    error: str = ""


# -- effects -------------------------------------------------------------------------------------
class Open(msgspec.Struct, gc=False):
    """Effect: have positions given out from now on, or not any more."""

    is_open: bool


class Read(msgspec.Struct, gc=False):
    """Effect: read at most `limit` events of `kinds` in (after, upto], and feed them back."""

    reader: str
    after: int
    upto: int
    limit: int
    kinds: list[str]


class PostItems(msgspec.Struct, gc=False):
    """Effect: post events to a hook's URL, and feed back what came of it as `serial`."""

    serial: int
    name: str
    url: str
    secret: str
    items: list[Item]
    missed: bool


class KeepHook(msgspec.Struct, gc=False):
    """Effect: keep a hook and its place, and when synced answer the request, if there is one."""

    row: HookRow
    place: Place
    session: Address | None = None
    rid: int = 0


class DropHook(msgspec.Struct, gc=False):
    """Effect: forget a hook and its place, and when synced answer the request."""

    name: str
    session: Address
    rid: int


class KeepPlace(msgspec.Struct, gc=False):
    """Effect: keep a reader's place, as a hint."""

    reader: str
    place: Place


class Say(msgspec.Struct, gc=False):
    """Effect: tell `event` to `session`."""

    session: Address
    event: object


class Later(msgspec.Struct, gc=False):
    """Effect: feed `event` back after `delay_s`."""

    delay_s: float
    event: HookDue | WaitOver | TrimDue


class DropEvents(msgspec.Struct, gc=False):
    """Effect: drop the positions up to `upto`, and older ones than are kept; the last one stays."""

    upto: int
