"""Knows what lies in a mailbox and what happens when it is full. Must not know who drains it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from actorchat.actor.future import Reply
    from actorchat.actor.ref import LocalRef

Overflow = Literal["fail", "drop_new", "drop_old"]

NOTHING: Final = object()


@dataclass(frozen=True, slots=True)
class Mailbox:
    """How many messages an actor lets wait, and what to do with one too many.

    A full mailbox never blocks the sender: two full actors that tell each other would stand
    still for ever. `fail` raises `MailboxFull` in the sender, `drop_new` and `drop_old` make a
    dead letter of the newest or the oldest message. Signals of the runtime (stop, Down, timers)
    are neither refused nor dropped. Tells from other threads may pass the limit by a few.
    """

    limit: int | None = None
    overflow: Overflow = "fail"

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            msg = f"a mailbox holds at least one message, not {self.limit}"
            raise ValueError(msg)
        if self.overflow not in ("fail", "drop_new", "drop_old"):
            msg = f"unknown overflow policy {self.overflow!r}"
            raise ValueError(msg)

    @property
    def bound(self) -> int:
        """The limit as a number that a length can be compared with."""
        return sys.maxsize if self.limit is None else self.limit


class Call:
    """A message whose sender waits for the handler's result."""

    __slots__ = ("message", "reply")

    def __init__(self, message: Any, reply: Reply[Any]) -> None:
        self.message = message
        self.reply = reply


class Signal:
    """What the runtime itself puts in a mailbox, so that it keeps its place among messages."""

    __slots__ = ()

    def unwrap(self, ref: LocalRef) -> object:
        """Return the message for the handler, or NOTHING; in the actor's own turn."""
        raise NotImplementedError

    def peek(self, ref: LocalRef) -> object:
        """Return what `unwrap` would, or this where that is for the runtime; no effect."""
        del ref
        return self


class Stop(Signal):
    """Ends the actor when all that was told before it has been handled."""

    __slots__ = ("reason",)

    def __init__(self, reason: object) -> None:
        self.reason = reason

    def unwrap(self, ref: LocalRef) -> object:
        """Mark the actor as ending."""
        ref.leave(self.reason)
        return NOTHING
