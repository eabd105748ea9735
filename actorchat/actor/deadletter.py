"""Knows which messages reached nobody. Must not know what they meant."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actorchat import limits, logs
from actorchat.actor.mailbox import Call
from actorchat.errors import MailboxFull

if TYPE_CHECKING:
    from actorchat.actor.ref import LocalRef
    from actorchat.actor.stream import EventStream
    from actorchat.clock import Clock


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """`message` for `ref` was not handled because of `reason`."""

    reason: str
    ref: LocalRef
    message: Any


class DeadLetters:
    """All dead letters counted by reason, the last `limits.DEAD_LETTERS_KEPT` kept.

    Reasons: `noproc` (told to a dead actor), `left` (in the mailbox when the actor ended),
    `overflow` (dropped by a full mailbox). Each is published on `system.events`, but for those of
    the actors that subscribed to dead letters. A message that `fail` refused is none: its sender
    knows. `refused` counts those.
    """

    __slots__ = ("_events", "_lock", "_warnings", "counts", "last", "refused")

    def __init__(self, clock: Clock, events: EventStream) -> None:
        self._events = events
        # Reentrant: a log handler may itself tell an actor that is dead.
        self._lock = threading.RLock()
        self._warnings = logs.Warnings(logs.logger(__name__), clock)
        self.counts: Counter[str] = Counter()
        self.last: deque[DeadLetter] = deque(maxlen=limits.DEAD_LETTERS_KEPT)
        self.refused = 0

    @property
    def total(self) -> int:
        """How many there were."""
        return self.counts.total()

    def bury(self, ref: LocalRef, item: Any, reason: str) -> None:
        """Record one message; who waits for its answer is told. Safe from any thread."""
        message = item.message if isinstance(item, Call) else item
        letter = DeadLetter(reason, ref, message)
        with self._lock:
            self.counts[reason] += 1
            self.last.append(letter)
            if not ref.actor_class.is_ephemeral:
                self._warnings.warn(
                    "dead letter", reason, reason=reason, to=ref.label, type=type(message).__name__
                )
        if isinstance(item, Call):
            if reason == "overflow":
                item.reply.settle(None, MailboxFull(f"{ref.label} dropped the message"))
            else:
                item.reply.settle(None, ref.dead())
        if self._events.has_subscribers:
            self._publish(letter)

    def _publish(self, letter: DeadLetter) -> None:
        # To publish a letter can make another: a listener ends, or its full mailbox drops one.
        # These two are never published, or each would cause the next for ever.
        if isinstance(letter.message, DeadLetter):
            return
        if letter.ref not in self._events.subscribers(DeadLetter):
            self._events.publish(letter)


__all__ = ["DeadLetter", "DeadLetters"]
