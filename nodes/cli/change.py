"""Knows how a change of a group reads in one line. Must not know where it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actorchat.protocol.ops.group import (
    Add,
    Alter,
    Assign,
    Create,
    Enter,
    Invite,
    Leave,
    Remove,
    Uninvite,
)

if TYPE_CHECKING:
    from actorchat.client import Entry, Message
    from actorchat.protocol.ops import AnyChange

NAMED_MAX = 8


def text_of(message: Message | Entry) -> str:
    """Return the text of a message, or what its change is, in words."""
    return message.text if message.change is None else f"* {_words(message.change)}"


def _words(change: AnyChange) -> str:
    match change:
        case Create():
            others = f" with {_names(change.members)}" if change.members else ""
            return f"made the group {change.name!r}{others}"
        case Alter():
            fields = {name: getattr(change, name) for name in change.__struct_fields__}
            told = (f"{name} to {value!r}" for name, value in fields.items() if value is not None)
            return f"set {', '.join(told)}"
        case Add():
            as_reader = " as readers" if change.role == "reader" else ""
            return f"added {_names(change.users)}{as_reader}"
        case Remove():
            return f"removed {change.user}"
        case Leave():
            return f"left; {change.heir} is the owner now" if change.heir else "left"
        case Assign():
            return f"made {change.user} {change.role}"
        case Invite():
            return "made an invite link"
        case Uninvite():
            return "made an invite link void"
        case Enter():
            return "joined by a link"


def _names(users: list[str]) -> str:
    if len(users) > NAMED_MAX:
        return f"{', '.join(users[:NAMED_MAX])} and {len(users) - NAMED_MAX} others"
    return ", ".join(users)
