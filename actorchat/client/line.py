"""Knows when to connect, to ping and to give up. Must not know what is said over the line."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from actorchat.client.event import State
from actorchat.client.outgoing import full_jitter
from actorchat.limits import (
    DEAD_AFTER_PINGS,
    HANDSHAKE_TIMEOUT_S,
    PING_INTERVAL_S,
    RECONNECT_CAP_S,
    RECONNECT_STABLE_S,
)


class Duty(Enum):
    """What the time asks of the line."""

    NONE = "none"
    CONNECT = "connect"
    PING = "ping"
    ASK = "ask"  # a ping that wants an answer
    GIVE_UP = "give up"


class Line:
    """The state of the one connection that a client has or tries to have."""

    __slots__ = (
        "_attempt",
        "_cap_s",
        "_ends_at",
        "_heard_at",
        "_is_paused",
        "_jitter",
        "_opened_at",
        "_ping_at",
        "_ping_s",
        "state",
    )

    def __init__(
        self, jitter: Callable[[], float], reconnect_cap_s: float = RECONNECT_CAP_S
    ) -> None:
        self.state = State.IDLE
        self._jitter = jitter
        self._cap_s = reconnect_cap_s
        self._attempt = 0  # tries in a row that came to nothing
        self._ends_at = 0.0  # when an attempt is given up, or the next one made
        self._opened_at: float | None = None
        self._heard_at = self._ping_at = 0.0
        self._ping_s = PING_INTERVAL_S
        self._is_paused = False

    @property
    def is_up(self) -> bool:
        """Say whether there is a transport, or one is being opened."""
        return self.state in {State.CONNECTING, State.SIGNING_IN, State.OPEN}

    def connect(self, now: float) -> None:
        """Note that a transport is being opened."""
        self.state = State.CONNECTING
        self._ends_at = now + HANDSHAKE_TIMEOUT_S
        self._is_paused = False

    def opened(self) -> None:
        """Note that the transport is open and the hello goes out."""
        self.state = State.SIGNING_IN

    def welcomed(self, ping_s: float, now: float) -> None:
        """Note that the server granted the hello and wants a ping every `ping_s`."""
        self.state = State.OPEN
        self._opened_at = self._heard_at = now
        self._ping_s = ping_s
        self._ping_at = now + ping_s

    def heard(self, now: float) -> None:
        """Note that something came from the server: it is alive."""
        self._heard_at = now

    def pause(self) -> None:
        """Note that nothing is being read, so that silence means nothing."""
        self._is_paused = True

    def resume(self, now: float) -> None:
        """Note that the transport is being read again."""
        if self._is_paused:
            self._is_paused = False
            self._heard_at = now

    def lost(self, now: float, after_s: float) -> None:
        """Note that the transport went; the next try comes after `after_s` at the earliest."""
        if self._opened_at is not None and now - self._opened_at >= RECONNECT_STABLE_S:
            self._attempt = 0
        self._opened_at = None
        self._ends_at = now + max(after_s, full_jitter(self._attempt, self._jitter, self._cap_s))
        self._attempt += 1
        self.state = State.WAITING

    def _dead_at(self) -> float:
        return self._heard_at + DEAD_AFTER_PINGS * self._ping_s

    def deadline(self) -> float | None:
        """Return when there is a duty; None when there is never one."""
        match self.state:
            case State.OPEN:
                return self._ping_at if self._is_paused else min(self._ping_at, self._dead_at())
            case State.IDLE | State.ENDED:
                return None
            case _:
                return self._ends_at

    def duty(self, now: float) -> Duty:
        """Return what is due, and take it as done."""
        match self.state:
            case State.OPEN if not self._is_paused and now >= self._dead_at():
                return Duty.GIVE_UP
            case State.OPEN if now >= self._ping_at:
                # What came since the ping before says that the server is alive. If this one is
                # late, the next may be too late to ask.
                since = max(self._ping_at, now - self._ping_s / 2) - self._ping_s
                is_silent = self._heard_at < since
                self._ping_at = now + self._ping_s
                return Duty.ASK if is_silent else Duty.PING
            case State.CONNECTING | State.SIGNING_IN if now >= self._ends_at:
                return Duty.GIVE_UP
            case State.WAITING if now >= self._ends_at:
                return Duty.CONNECT
            case _:
                return Duty.NONE
