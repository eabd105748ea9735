"""Knows what a gateway, its sessions and its bounds look like. Must not know single transports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

from actorchat import limits
from actorchat.gateway.room import Room
from actorchat.metrics import counter, gauge


class Outlet(Protocol):
    """A connection as its session sees it. All methods belong to the loop's thread.

    What is given after the close, by either side, is ignored.
    """

    @property
    def peer(self) -> str:
        """Where the connection comes from, fit for a log line."""
        ...

    @property
    def source(self) -> str:
        """The address that the connection comes from, without a port; empty if it has none.

        The socket's own: what a header says of whom a proxy speaks for is not believed.
        """
        ...

    @property
    def in_flight(self) -> int:
        """How many requests of the peer have no answer yet."""
        ...

    def push(self, payload: bytes) -> None:
        """Send `payload`, which answers nothing."""
        ...

    def reply(self, payload: bytes) -> None:
        """Send `payload`, which answers one request: one call for each op that has an `id`.

        `Invalid` counts as a request, whether its id could be read or not.
        """
        ...

    def admit(self) -> None:
        """Say that the peer has signed in: longer frames, no handshake deadline any more."""
        ...

    def close(self, payload: bytes | None = None) -> None:
        """Send what is queued, and `payload` last, then close; `Inlet.closed` is told at once."""
        ...


class Inlet(Protocol):
    """A session as its connection sees it. Called on the loop's thread, and never waits.

    One that has `receive_all(ops)` too is given what one read brought in one call, unless that
    raises MailboxFull, having taken none of it.
    """

    def receive(self, op: Any) -> None:
        """Take one op of the peer.

        Raises:
            MailboxFull: The op was not taken. A request is answered `busy`, another op is given
                again; the connection is not read for `limits.BUSY_PAUSE_S`.
        """
        ...

    def closed(self, reason: str) -> None:
        """Learn that the connection is over; told exactly once, and nothing after it.

        `reason` is one of `CLOSE_REASONS`.
        """
        ...


# May raise `Unavailable` when there is no room for a session: the peer is sent away politely.
OpenSession = Callable[[Outlet], Inlet]

CLOSE_REASONS = {
    "eof": "the peer closed",
    "reset": "the connection broke",
    "session": "the session closed it",
    "handshake": "the peer did not sign in in time",
    "idle": "nothing came from the peer",
    "protocol": "framing was lost, or a frame was hostile",
    "slow_consumer": "the peer does not read what it is sent",
    "drain": "the gateway drains",
    "stop": "the gateway stopped",
    "error": "the session failed",
}


class Gateway(Protocol):
    """A listener for one transport."""

    @property
    def address(self) -> str:
        """The bound address as clients dial it, `scheme://host:port`."""
        ...

    @property
    def counters(self) -> Counters:
        """What happened since the start."""
        ...

    async def start(self) -> None:
        """Bind and accept."""
        ...

    async def drain(self) -> int:
        """Accept no more, let requests under way be answered, send everybody off with a bye.

        Returns how many connections had to be cut, because they did not take their last bytes.
        """
        ...

    async def stop(self) -> None:
        """Stop accepting and cut every connection."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The bounds of one gateway; tests and small machines shrink them.

    Those that are given the same `room` share it.
    """

    frame_bytes_max: int = limits.FRAME_BYTES_MAX
    hello_frame_bytes_max: int = limits.HELLO_FRAME_BYTES_MAX
    outbox_bytes_max: int = limits.OUTBOX_BYTES_MAX
    in_flight_max: int = limits.REQUESTS_IN_FLIGHT_MAX
    connections_max: int = limits.CONNECTIONS_MAX
    accept_backlog: int = limits.ACCEPT_BACKLOG
    handshake_timeout_s: float = limits.HANDSHAKE_TIMEOUT_S
    idle_timeout_s: float = limits.IDLE_TIMEOUT_S
    close_linger_s: float = limits.CLOSE_LINGER_S
    busy_pause_s: float = limits.BUSY_PAUSE_S
    drain_answer_s: float = limits.DRAIN_ANSWER_S
    drain_spread_ms: int = limits.DRAIN_SPREAD_MS
    overload_spread_ms: int = limits.OVERLOAD_SPREAD_MS
    tick_s: float = limits.SWEEP_TICK_S
    poll_wait_s: float = limits.POLL_WAIT_S
    room: Room = field(default_factory=Room)


@dataclass(slots=True)
class Counters:
    """What a gateway counts, as plain ints; `open` is a level, the others only grow."""

    accepted: Annotated[int, counter("connections", "Connections accepted.")] = 0
    open: Annotated[int, gauge("connections", "Connections open now.")] = 0
    refused: Annotated[int, counter("connections", "Connections sent away for want of room.")] = 0
    bytes_in: Annotated[int, counter("bytes", "Bytes received.")] = 0
    bytes_out: Annotated[int, counter("bytes", "Bytes handed to the kernel.")] = 0
    frames_in: Annotated[int, counter("frames", "Frames received.")] = 0
    frames_out: Annotated[int, counter("frames", "Frames sent.")] = 0
    slow_consumers: Annotated[int, counter("connections", "Closed because they did not read.")] = 0
    protocol_errors: Annotated[int, counter("connections", "Closed because framing was lost.")] = 0
    idle_closed: Annotated[int, counter("connections", "Closed because nothing came.")] = 0
    handshake_timeouts: Annotated[int, counter("connections", "Closed before they signed in.")] = 0
    paused: Annotated[int, counter("times", "Times that a connection was not read.")] = 0
    busy: Annotated[int, counter("requests", "Requests refused because a session was behind.")] = 0
    session_errors: Annotated[int, counter("connections", "Closed as their session failed.")] = 0
