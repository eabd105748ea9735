"""Knows how one connection and its session treat each other. Must not know how ops are framed."""

from __future__ import annotations

import logging
from asyncio import Transport
from collections.abc import Callable, Sequence
from sys import maxsize
from typing import TYPE_CHECKING, Any

from actorchat.errors import ProtocolError, Unavailable
from actorchat.gateway.base import Inlet
from actorchat.gateway.intake import Intake
from actorchat.gateway.outbox import Outbox
from actorchat.protocol.codec import encode_error

if TYPE_CHECKING:
    from actorchat.gateway.listener import Listener

log = logging.getLogger(__name__)


def _ignore(op: object) -> None:
    """Take the place of a session that is gone."""


class Endpoint(Intake):
    """One connection over an asyncio transport, and the `Outlet` of its session.

    Life: open → (admitted) → closing → lost. At the close the session is told at once and let go;
    the transport then has `close_linger_s` to get rid of its last bytes.

    A transport's own class wraps payloads, and makes ops of bytes that it hands to `_deliver`.
    """

    __slots__ = (
        "due",
        "_inlet",
        "_is_peer_done",
    )

    _transport: Transport
    _outbox: Outbox

    def __init__(self, listener: Listener) -> None:
        self.due = 0
        self._listener = listener
        self._inlet: Inlet | None = None
        self._receive: Callable[[Any], None] = _ignore
        self._receive_all: Callable[[list[Any]], None] | None = None  # where a session can
        self._in_flight = 0  # requests that the session has not answered
        self._heard = 0  # the tick in which the peer was last heard
        self._held: list[Any] | None = None  # ops read and not passed on: reading is paused
        self._farewell: bytes | None = None  # the bye that waits for the last answer of a drain
        self._is_admitted = False
        self._is_closing = False
        self._is_peer_done = False  # the peer has closed its side and may still read ours
        self._is_watchful = False  # something waits for `_in_flight` to fall

    # -- the session's side ---------------------------------------------------------------------

    @property
    def peer(self) -> str:
        """Where the connection comes from, fit for a log line."""
        name = self._transport.get_extra_info("peername")
        return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else "unknown"

    @property
    def source(self) -> str:
        """The address that the connection comes from; empty if it has none."""
        name = self._transport.get_extra_info("peername")
        return str(name[0]) if isinstance(name, tuple) else ""

    @property
    def in_flight(self) -> int:
        """How many requests of the peer have no answer yet."""
        return self._in_flight

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the peer's side has not taken yet."""
        return self._outbox.unsent_bytes

    def push(self, payload: bytes) -> None:
        """Send `payload`, which answers nothing."""
        if not self._outbox.put(self._wrap(payload)):
            self._overflow()

    def reply(self, payload: bytes) -> None:
        """Send `payload`, which answers one request."""
        if not self._outbox.put(self._wrap(payload)):
            self._overflow()
        if self._in_flight > 0:
            self._in_flight -= 1
        if self._is_watchful:
            self._settle()

    def admit(self) -> None:
        """Say that the peer has signed in: longer frames, no handshake deadline any more."""
        if self._is_admitted or self._is_closing:
            return
        self._is_admitted = True
        self._widen(self._listener.bounds.frame_bytes_max)
        sweep = self._listener.sweep
        sweep.watch(self, sweep.now + self._listener.idle_ticks)

    def close(self, payload: bytes | None = None) -> None:
        """Send what is queued, and `payload` last, then close."""
        self._end("session", payload)

    # -- the listener's side --------------------------------------------------------------------

    @property
    def is_closing(self) -> bool:
        """Whether the session is over."""
        return self._is_closing

    def leave(self, farewell: bytes) -> None:
        """Read no more; say `farewell` and close when every request under way is answered."""
        if self._is_closing:
            return
        if not self._in_flight:
            self._end("drain", farewell)
            return
        self._farewell = farewell
        self._is_watchful = True
        self._transport.pause_reading()

    def dismiss(self, farewell: bytes) -> None:
        """Say `farewell` and close, whatever is under way."""
        self._end("drain", farewell)

    def cut(self, reason: str) -> None:
        """Close without a word; unsent bytes are lost."""
        if not self._is_closing:
            self._is_closing = True
            self._let_go(reason)
        self._outbox.drop()
        self._transport.abort()

    def on_due(self) -> None:
        """Look at the deadline that has come: of the close, of the handshake, of silence."""
        listener = self._listener
        sweep, counters = listener.sweep, listener.counters
        if self._is_closing:
            self.cut("")
        elif not self._is_admitted:
            counters.handshake_timeouts += 1
            self._end("handshake", listener.bye("idle", "after"))
        elif self._held is not None or self._farewell is not None:
            # Nothing is heard because nothing is read: that is no silence of the peer.
            sweep.watch(self, sweep.now + listener.idle_ticks)
        elif self._heard + listener.idle_ticks > sweep.now:
            sweep.watch(self, self._heard + listener.idle_ticks)
        else:
            counters.idle_closed += 1
            self._end("idle", listener.bye("idle", "now"))

    # -- the transport's side -------------------------------------------------------------------

    def _open(self, transport: Transport) -> None:
        """Start with a fresh transport that can carry frames at once."""
        self._begin(self._attach(transport))

    def _attach(self, transport: Transport) -> bool:
        """Start with a fresh transport, under the handshake's deadline; say whether there is room.

        `_begin` goes on from there, when the transport can carry frames.
        """
        listener = self._listener
        bounds, sweep = listener.bounds, listener.sweep
        self._transport = transport
        self._outbox = Outbox(
            listener.loop, transport, listener.counters, bounds.outbox_bytes_max, listener.due
        )
        self._heard = sweep.now
        listener.add(self)
        sweep.watch(self, sweep.now + listener.handshake_ticks)
        return not listener.is_full()

    def _begin(self, has_room: bool) -> None:
        """Get a session, or send the peer away."""
        listener, counters = self._listener, self._listener.counters
        if not has_room:
            counters.refused += 1
            self._end("", listener.bye("overload", "after"))
            return
        try:
            inlet = listener.open_session(self)
        except Unavailable:
            counters.refused += 1
            self._end("", listener.bye("overload", "after"))
            return
        except Exception as error:  # noqa: BLE001  one session's fault must not reach the listener
            self._fail(error)
            return
        counters.accepted += 1
        self._inlet = inlet
        if self._is_closing:
            self._let_go("session")
        else:
            self._receive = inlet.receive
            self._receive_all = getattr(inlet, "receive_all", None)

    def _break(self, ops: Sequence[Any], error: ProtocolError | None) -> None:
        """End a connection whose bytes make no sense any more, after `ops` that still did.

        Without an `error` the transport has a way of its own to say what was wrong.
        """
        self._deliver_last(ops)
        if self._is_closing:
            return
        self._listener.counters.protocol_errors += 1
        if error is None:
            self._end("protocol")
            return
        answer = encode_error(None, error.code, str(error), error.retry, error.outcome)
        self._outbox.put(self._wrap(answer))
        self._end("protocol", self._listener.bye("protocol", "never"))

    def _deliver_last(self, ops: Sequence[Any]) -> None:
        """Pass on what is held and `ops`, which are the last."""
        # None is held back: what came before the end counts, and one read bounds it.
        held, self._held = self._held or [], None
        self._deliver([*held, *ops], maxsize)

    def _peer_closed(self) -> bool:
        """Note the end of what the peer sends; say whether our side stays open to answer it."""
        self._is_peer_done = True
        if self._is_closing:
            return False
        # TLS has no half-closed state: what the peer ends, it ends both ways.
        if self._in_flight and self._transport.can_write_eof():
            self._is_watchful = True
            return True
        self._end("eof")
        return False

    def pause_writing(self) -> None:
        """Keep further frames in the outbox."""
        self._outbox.hold()

    def resume_writing(self) -> None:
        """Let the outbox flow again."""
        self._outbox.release()

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up after a transport that is gone."""
        self._outbox.drop()
        if not self._is_closing:
            self._is_closing = True
            self._let_go("eof" if exc is None else "reset")
        self._listener.discard(self)

    @staticmethod
    def _wrap(payload: bytes) -> bytes:
        """Return `payload` as it goes over the transport."""
        raise NotImplementedError

    def _widen(self, frame_bytes_max: int) -> None:
        """Take frames of up to `frame_bytes_max` from now on."""
        raise NotImplementedError

    # -- within ---------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Do what waited for answers, if enough of them have come."""
        listener = self._listener
        if self._farewell is not None:
            if not self._in_flight:
                self._end("drain", self._farewell)
        elif self._held is not None:
            if self._in_flight <= listener.bounds.in_flight_max // 2:
                self._is_watchful = self._is_peer_done
                # Not from here: the session is in the middle of its turn.
                listener.loop.call_soon(self._resume)
        elif self._is_peer_done and not self._in_flight:
            self._end("eof")

    def _overflow(self) -> None:
        self._listener.counters.slow_consumers += 1
        self._end("slow_consumer", self._listener.bye("slow_consumer", "after"))

    def _fail(self, error: Exception) -> None:
        self._listener.counters.session_errors += 1
        log.error("session failed", exc_info=error, extra={"peer": self.peer})
        self._end("error")

    def _end(self, reason: str, payload: bytes | None = None) -> None:
        """Close in good order: the last bytes go out, then our side shuts, then the peer's."""
        if self._is_closing:
            return
        self._is_closing = True
        self._held = None
        if payload is not None:
            self._outbox.put(self._wrap(payload))
        self._outbox.close()
        listener = self._listener
        if not self._transport.is_closing():
            self._shut()
        listener.sweep.watch(self, listener.sweep.now + listener.linger_ticks)
        self._let_go(reason)

    def _shut(self) -> None:
        """Let the transport end behind what it was given."""
        transport = self._transport
        if self._is_peer_done or not transport.can_write_eof():
            transport.close()
        else:
            # Closing a socket with unread input resets it, and the peer may lose our last
            # frames. So only our side shuts; what still comes is read and thrown away.
            transport.resume_reading()
            transport.write_eof()

    def _let_go(self, reason: str) -> None:
        inlet, self._inlet = self._inlet, None
        self._receive, self._receive_all = _ignore, None
        if inlet is None:
            return
        try:
            inlet.closed(reason)
        except Exception:
            self._listener.counters.session_errors += 1
            log.exception("session failed at its close", extra={"reason": reason})
