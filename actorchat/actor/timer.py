"""Knows when a message or a deadline is due. Must not know what it is for."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, Any, Protocol

from actorchat.actor.mailbox import NOTHING, Signal
from actorchat.limits import TIMER_TICK_S

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from actorchat.actor.future import Reply
    from actorchat.actor.ref import LocalRef


class Timer:
    """Something due once."""

    __slots__ = ("due", "is_over")

    def __init__(self) -> None:
        self.due: Any = None  # set by the Timers it was added to
        self.is_over = False  # cancelled, or its effect is done

    def fire(self) -> None:
        """Do what it is for; in the dispatcher's thread, must not raise."""
        raise NotImplementedError


class TimerMessage(Timer, Signal):
    """A message that an actor sends itself later.

    When due it lies in the mailbox as itself and is looked at once more when its turn comes, so
    that a cancelled timer's message is never handled, not even one that was waiting already.
    """

    __slots__ = ("key", "message", "ref")

    def __init__(self, ref: LocalRef, message: Any, key: Hashable | None) -> None:
        super().__init__()
        self.ref = ref
        self.message = message
        self.key = key

    def fire(self) -> None:
        """Put it into its actor's mailbox."""
        self.ref._signal(self)

    def unwrap(self, ref: LocalRef) -> object:
        """Return the message, unless the timer was cancelled or set anew meanwhile."""
        if self.is_over:
            return NOTHING
        self.is_over = True
        self.forget(ref)
        return self.message

    def peek(self, ref: LocalRef) -> object:
        """Return the message that would be handled."""
        return NOTHING if self.is_over else self.message

    def forget(self, ref: LocalRef) -> None:
        """Take it out of its actor's table, unless another has its key now."""
        key = self if self.key is None else self.key
        if ref._bonds is not None and ref._bonds.timers.get(key) is self:
            del ref._bonds.timers[key]


class Deadline(Timer):
    """Ends the wait for a reply."""

    __slots__ = ("ref", "reply", "timeout_s")

    def __init__(self, reply: Reply[Any], ref: LocalRef, timeout_s: float) -> None:
        self.due = None  # super().__init__(), inlined: each call makes one
        self.is_over = False
        self.reply = reply
        self.ref = ref
        self.timeout_s = timeout_s

    def fire(self) -> None:
        """Settle the reply with CallTimeout; nothing if it was settled meanwhile."""
        self.reply.expire(self.ref.label, self.timeout_s)


class Wake(Timer):
    """Ends a sleep."""

    __slots__ = ("reply",)

    def __init__(self, reply: Reply[None]) -> None:
        super().__init__()
        self.reply = reply

    def fire(self) -> None:
        """Settle the reply."""
        self.reply.settle(None)


class Timers(Protocol):
    """Where timers wait. Safe from any thread."""

    def add(self, timer: Timer, delay_s: float) -> None:
        """Fire `timer` once, not before `delay_s` seconds from now."""

    def discard(self, timer: Timer) -> None:
        """Never fire `timer`; nothing if it fired or was discarded before."""


class Cancellable(Protocol):
    """A scheduled callback."""

    def cancel(self) -> None:
        """Never run it."""


class TimerHost(Protocol):
    """What a wheel needs of its dispatcher."""

    thread_id: int | None

    def now_s(self) -> float:
        """Return the dispatcher's monotonic time."""
        ...

    def call_later(self, delay_s: float, fn: Callable[..., object], *args: Any) -> Cancellable:
        """Run `fn(*args)` in the dispatcher's thread after `delay_s` seconds."""
        ...

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        """Run `fn(*args)` in the dispatcher's thread soon; from any thread."""


class Wheel:
    """A hashed timing wheel: adding and discarding cost a dict operation each.

    All timers share one `call_later` of the host, set to the next slot that holds any; an
    empty wheel costs nothing. Source: Varghese and Lauck, "Hashed and Hierarchical Timing
    Wheels", SOSP 1987, scheme 6.
    """

    SLOTS = 1024  # a power of two; 10 s a round at 10 ms, longer timers wait several rounds

    def __init__(self, host: TimerHost, tick_s: float = TIMER_TICK_S) -> None:
        self._host = host
        self._tick_s = tick_s
        self._ticks_per_s = 1.0 / tick_s
        self._origin_s = host.now_s()
        self._tick = 0  # all that was due up to here has fired
        self._slots: list[dict[Timer, None]] = [{} for _ in range(self.SLOTS)]
        self._count = 0
        self._armed: Cancellable | None = None
        self._armed_tick = 0

    def __len__(self) -> int:
        return self._count

    def add(self, timer: Timer, delay_s: float) -> None:
        """Fire `timer` at a tick after `delay_s`: at most two ticks late, never early."""
        host = self._host
        if get_ident() != host.thread_id:
            # The delay begins when the host's thread comes round to it: late, never early.
            host.post(self.add, timer, delay_s)
            return
        if timer.is_over:
            return
        due = int((host.now_s() - self._origin_s + delay_s) * self._ticks_per_s) + 1
        if due <= self._tick:
            due = self._tick + 1
        timer.due = due
        self._slots[due & (self.SLOTS - 1)][timer] = None
        self._count += 1
        if self._armed is None or due < self._armed_tick:
            self._arm(due)

    def discard(self, timer: Timer) -> None:
        """Forget `timer`."""
        timer.is_over = True
        # From another thread the mark must do: the slot may be in use; it is swept when due.
        due = timer.due
        if due is not None and get_ident() == self._host.thread_id:
            if self._slots[due & (self.SLOTS - 1)].pop(timer, self) is None:
                self._count -= 1

    def _arm(self, tick: int) -> None:
        if self._armed is not None:
            self._armed.cancel()
        self._armed_tick = tick
        delay_s = self._origin_s + tick * self._tick_s - self._host.now_s()
        self._armed = self._host.call_later(max(0.0, delay_s), self._turn)

    def _turn(self) -> None:
        self._armed = None
        # A little more, or rounding could put "now" before the very tick that this call is for.
        now = int((self._host.now_s() - self._origin_s) * self._ticks_per_s + 1e-6)
        # Behind by more than a round, one look into each slot finds all that is due.
        for tick in range(max(self._tick + 1, now - self.SLOTS + 1), now + 1):
            slot = self._slots[tick & (self.SLOTS - 1)]
            if slot:
                self._fire_due(slot, now)
        self._tick = max(self._tick, now)
        if self._count:
            self._arm_next()

    def _fire_due(self, slot: dict[Timer, None], now: int) -> None:
        for timer in [timer for timer in slot if timer.due <= now or timer.is_over]:
            if timer in slot:  # else one that fired before it has discarded it
                del slot[timer]
                self._count -= 1
                if not timer.is_over:
                    timer.fire()

    def _arm_next(self) -> None:
        for tick in range(self._tick + 1, self._tick + 1 + self.SLOTS):
            if self._slots[tick & (self.SLOTS - 1)]:
                if self._armed is None or tick < self._armed_tick:
                    self._arm(tick)
                return
