"""Knows who wants to hear of which kind of event. Must not know who publishes them, or why.

After Akka's EventStream (https://doc.akka.io/libraries/akka-core/current/event-bus.html).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actorchat.actor.lifecycle import require_alive
from actorchat.errors import MailboxFull

if TYPE_CHECKING:
    from threading import RLock

    from actorchat.actor.reason import Crash
    from actorchat.actor.ref import LocalRef


@dataclass(frozen=True, slots=True)
class Crashed:
    """A handler, hook or `on_start` of `ref` let an exception out; see `system.on_crash`."""

    ref: LocalRef
    crash: Crash


@dataclass(frozen=True, slots=True)
class Restarted:
    """`supervisor` started `ref` in the place of a child that ended.

    One for each child that was started anew, also for those that had to end for another's
    sake. `child` is its id (of a DynamicSupervisor its label), `reason` the end of the one that
    caused it all.
    """

    supervisor: LocalRef
    child: str
    ref: LocalRef
    reason: object


class EventStream:
    """Passes events to whoever subscribed to their class or a base of it. Safe from any thread.

    The runtime publishes `DeadLetter`, `Crashed` and `Restarted`; an application adds classes
    of its own. A subscriber hears an event once, however many of its subscriptions fit, and is
    forgotten when it ends. Events are ordinary messages; what one thread publishes arrives in
    order.
    """

    __slots__ = ("_lock", "_resolved", "_subscribers", "_types", "has_subscribers")

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._subscribers: dict[type, dict[LocalRef, None]] = {}
        self._types: dict[LocalRef, dict[type, None]] = {}
        # Who hears events of exactly this class, as far as was asked. Replaced as a whole when
        # a subscription changes, so that it can be read without the lock.
        self._resolved: dict[type, tuple[LocalRef, ...]] = {}
        self.has_subscribers = False  # what the runtime asks before it makes an event

    def subscribe(self, event_type: type, ref: LocalRef) -> bool:
        """Tell `ref` every event of this class or a subclass; False when it is told already.

        Raises:
            ActorDead: The actor has ended.
            TypeError: `event_type` is no class, or `ref` no ref of a local actor.
            ValueError: The actor lives in another system.
        """
        if not isinstance(event_type, type):
            msg = f"one subscribes to a class, not to {event_type!r}"  # type: ignore[unreachable]
            raise TypeError(msg)
        with self._lock:
            require_alive(ref, self._lock)
            refs = self._subscribers.setdefault(event_type, {})
            if ref in refs:
                return False
            refs[ref] = None
            self._types.setdefault(ref, {})[event_type] = None
            self._changed()
            return True

    def unsubscribe(self, event_type: type, ref: LocalRef) -> bool:
        """Take one subscription back; False when there is none (any more).

        Other subscriptions stay, also those to its bases and subclasses. Events that wait in
        the mailbox are still handled.
        """
        with self._lock:
            if ref not in self._subscribers.get(event_type, ()):
                return False
            self._drop(event_type, ref)
            types = self._types[ref]
            del types[event_type]
            if not types:
                del self._types[ref]
            self._changed()
            return True

    def subscribers(self, event_type: type) -> tuple[LocalRef, ...]:
        """Return who hears an event of this class, each once."""
        refs = self._resolved.get(event_type)
        if refs is None:
            with self._lock:
                found: dict[LocalRef, None] = {}
                for base in event_type.__mro__:
                    found.update(self._subscribers.get(base, ()))
                refs = self._resolved[event_type] = tuple(found)
        return refs

    def publish(self, event: Any) -> None:
        """Tell `event` to its subscribers.

        One whose mailbox is full and refuses misses it, which `system.dead_letters.refused`
        counts; one that ends is not told.
        """
        if self.has_subscribers:
            for ref in self.subscribers(type(event)):
                if ref._exit is None:
                    try:
                        ref.tell(event)
                    except MailboxFull:
                        pass  # whoever publishes does not know its listeners

    # -- for the runtime -------------------------------------------------------------------

    def release(self, ref: LocalRef) -> None:
        """Forget a subscriber that ends; the caller holds the system's lock."""
        types = self._types.pop(ref, None)
        if types is not None:
            for event_type in types:
                self._drop(event_type, ref)
            self._changed()

    def _drop(self, event_type: type, ref: LocalRef) -> None:
        refs = self._subscribers[event_type]
        del refs[ref]
        if not refs:
            del self._subscribers[event_type]

    def _changed(self) -> None:
        self._resolved = {}
        self.has_subscribers = bool(self._types)
