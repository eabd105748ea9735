"""Knows how a connection's ops come to its session: in order, and only so many at once.
Must not know how ops are framed, or when a connection ends.
"""

from __future__ import annotations

from asyncio import Transport
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actorchat.errors import MailboxFull
from actorchat.protocol.codec import PONG, encode_error
from actorchat.protocol.ops import CLIENT_OPS, Invalid, Ping

if TYPE_CHECKING:
    from actorchat.gateway.listener import Listener
    from actorchat.gateway.outbox import Outbox

REQUESTS: frozenset[type] = frozenset(
    {op for op in CLIENT_OPS.values() if "id" in op.__struct_fields__} | {Invalid}
)


class Intake:
    """The part of a connection that passes ops on, and reads no more while they wait."""

    __slots__ = (
        "_listener",
        "_transport",
        "_outbox",
        "_receive",
        "_receive_all",
        "_in_flight",
        "_heard",
        "_held",
        "_farewell",
        "_is_admitted",
        "_is_closing",
        "_is_watchful",
    )

    _listener: Listener
    _transport: Transport
    _outbox: Outbox
    _receive: Callable[[Any], None]
    _receive_all: Callable[[list[Any]], None] | None
    _in_flight: int
    _heard: int
    _held: list[Any] | None
    _farewell: bytes | None
    _is_admitted: bool
    _is_closing: bool
    _is_watchful: bool

    def reply(self, payload: bytes) -> None:
        """Send `payload`, which answers one request."""
        raise NotImplementedError

    @staticmethod
    def _wrap(payload: bytes) -> bytes:
        raise NotImplementedError

    def _overflow(self) -> None:
        raise NotImplementedError

    def _fail(self, error: Exception) -> None:
        raise NotImplementedError

    def _deliver(self, ops: list[Any], in_flight_max: int) -> None:
        """Pass `ops` on in order, until one has to wait; those after it wait with it.

        Heartbeats end here: who has signed in is answered without the session, unless it owes an
        answer, which must come first. They are most of what idle connections cost, each alone in
        its turn of the loop.
        """
        if self._held is not None:
            self._held.extend(ops)
            return
        if len(ops) > 1 and self._delivers_all(ops, in_flight_max):
            return
        for position, op in enumerate(ops):
            is_request = op.__class__ in REQUESTS
            if is_request:
                if self._in_flight >= in_flight_max:
                    self._is_watchful = True
                    self._hold(ops[position:])
                    return
                self._in_flight += 1
            elif op.__class__ is Ping and self._is_admitted:
                if op.noreply:
                    continue
                if not self._in_flight:
                    if not self._outbox.put_now(self._wrap(PONG)):
                        self._overflow()
                        return
                    continue
            try:
                self._receive(op)
            except MailboxFull as error:
                self._hold(ops[position + is_request :])
                if is_request:
                    self._refuse(op.id, error)
                self._listener.loop.call_later(self._listener.bounds.busy_pause_s, self._resume)
                return
            except Exception as error:  # noqa: BLE001  as above
                self._fail(error)
                return
            if self._is_closing:
                return

    def _delivers_all(self, ops: list[Any], in_flight_max: int) -> bool:
        """Pass all of `ops` on at once, if nothing is against it; say whether they were."""
        requests = 0
        for op in ops:
            kind = op.__class__
            if kind in REQUESTS:
                requests += 1
            elif kind is Ping:
                return False
        receive_all, in_flight = self._receive_all, self._in_flight + requests
        if receive_all is None or in_flight > in_flight_max:
            return False
        self._in_flight = in_flight
        try:
            receive_all(ops)
        except MailboxFull:  # some may be taken
            self._in_flight -= requests
            return False
        except Exception as error:  # noqa: BLE001  as above
            self._fail(error)
        return True

    def _hold(self, ops: list[Any]) -> None:
        self._listener.counters.paused += 1
        self._held = ops
        self._transport.pause_reading()

    def _resume(self) -> None:
        held = self._held
        if held is None or self._farewell is not None:
            return
        self._held = None
        self._heard = self._listener.sweep.now
        self._transport.resume_reading()
        self._deliver(held, self._listener.bounds.in_flight_max)

    def _refuse(self, request_id: int | None, error: MailboxFull) -> None:
        bounds, counters = self._listener.bounds, self._listener.counters
        counters.busy += 1
        after_ms = max(1, int(bounds.busy_pause_s * 1000))
        reason = "the session is behind"
        self.reply(
            encode_error(request_id, error.code, reason, error.retry, error.outcome, after_ms)
        )
