"""Knows how a bot is let delete what others wrote on other nodes. Must not know who granted it.

The session asks the bot's home, which knows of the grant, and that has the conversation do it.
"""

from __future__ import annotations

from typing import Any

from actorchat.chat.acting import Acting
from actorchat.chat.effect import Effect
from actorchat.chat.event import Address, Conv, Event, Post
from actorchat.protocol.ops import Deleted
from actorchat.protocol.ops.firehose import Bot


class BotWanted(Event):
    """An operator asks the home of a bot for it; of events it reads none."""

    session: Address
    op: Bot


class Moderate(Event):
    """`sender`, at home here, asks for messages of `conv` to be deleted, under an id of its own."""

    sender: str
    session: Address
    rid: int
    cid: bytes
    conv: Conv
    seqs: list[int]


class Moderated(Event):
    """The same, to the conversation: the sender was granted it."""

    sender: str
    session: Address
    rid: int
    cid: bytes
    conv: Conv
    seqs: list[int]


class TakeAs(Effect):
    """Take in `post` instead."""

    post: Post


def on_moderated(_machine: Any, event: Moderated, _now_wall_ms: int) -> list[Effect]:
    """Return what a conversation, or a group, does with it."""
    between = [] if isinstance(event.conv, str) else [*event.conv]
    act = Acting(Deleted(event.seqs, between), moderates=True)
    about = (event.sender, event.session, event.rid, event.cid, "")
    return [TakeAs(Post(*about, more=act))]
