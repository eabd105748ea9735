"""Knows how a user hides messages of a conversation that another slot has than they are in.
Must not know rows, or how what is left is read.

The conversation keeps what it is not to show them, and then their home what it is not to show them.
"""

from __future__ import annotations

from typing import Any

from actorchat.chat.effect import Effect
from actorchat.chat.event import Address, Conv, Event


class Conceal(Event):
    """`user`, at home in another slot, deletes messages of this conversation for oneself.

    `session` gets an `Answer` from the home, once both have kept it.
    """

    user: str
    seqs: list[int]
    session: Address
    rid: int


class Concealed(Event):
    """A conversation keeps from now on that the user at home has hidden messages of it."""

    conv: Conv
    seqs: list[int]
    session: Address
    rid: int


class KeepConcealed(Effect):
    """Keep what is hidden, if it is there, and when synced tell the home of who hides it."""

    asked: Conceal


def on_conceal(_machine: Any, event: Conceal, _now_wall_ms: int) -> list[Effect]:
    """Return what a conversation, or a group, does with it."""
    return [KeepConcealed(event)]
