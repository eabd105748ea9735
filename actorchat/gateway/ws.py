"""Knows WebSocket: an HTTP upgrade, then one op a message; with or without TLS. No chat rules.

Must not know what ops mean.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

from actorchat import limits
from actorchat.errors import FrameTooBig, ProtocolError
from actorchat.gateway.base import Bounds, OpenSession
from actorchat.gateway.endpoint import Endpoint
from actorchat.gateway.listener import Listener
from actorchat.protocol import codec, jsontext, upgrade
from actorchat.protocol import websocket as ws
from actorchat.protocol.connection import Connection, Side


class Form(NamedTuple):
    """How payloads look in the messages of one subprotocol."""

    opcode: int
    decode: Callable[[bytes], dict[str, Any]]
    wrap: Callable[[bytes], bytes]  # a session's payload, which is CBOR, as a whole frame


def _wrap_json(payload: bytes) -> bytes:
    return ws.server_frame(ws.TEXT, jsontext.transcode(payload))


FORMS: Mapping[str | None, Form] = {
    upgrade.CBOR_PROTOCOL: Form(ws.BINARY, codec.decode, partial(ws.server_frame, ws.BINARY)),
    upgrade.JSON_PROTOCOL: Form(ws.TEXT, jsontext.decode, _wrap_json),
}

# What a peer is told by the close frame, for each reason of `CLOSE_REASONS`; ours, not its own.
_CODES = {
    "session": ws.NORMAL,
    "eof": ws.NORMAL,
    "handshake": ws.POLICY,
    "idle": ws.POLICY,
    "protocol": ws.INVALID,
    "slow_consumer": ws.POLICY,
    "drain": ws.RESTART,
    "error": ws.INTERNAL_ERROR,
    "": ws.TRY_LATER,
}
# And what it is told in HTTP, where it has not come as far as frames.
_STATUSES = {
    "handshake": (408, "the request took too long"),
    "drain": (503, "the server goes down, come back later"),
}


class _Handshake:
    """What a connection needs until it is a WebSocket, and no longer."""

    __slots__ = ("has_room", "head")

    def __init__(self, has_room: bool) -> None:
        self.has_room = has_room
        self.head = upgrade.Head(limits.UPGRADE_BYTES_MAX)


class _WrongKind(ProtocolError):
    """Text where the subprotocol has binary messages, or the other way round."""


class WsConnection(Endpoint, asyncio.Protocol):
    """One WebSocket. No task, no timer, no buffer of its own but a message's first part.

    What breaks WebSocket's own rules is told by the code of the close frame; what breaks those of
    the ops in it, a message too long among them, by an error and a bye as on any transport.
    """

    __slots__ = ("_close", "_form", "_handshake", "_messages", "_protocol", "_wrap")

    _listener: WsGateway
    _form: Form
    _messages: ws.MessageSplitter
    _protocol: Connection
    _wrap: Callable[[bytes], bytes]  # type: ignore[assignment]

    def __init__(self, listener: WsGateway) -> None:
        super().__init__(listener)
        self._handshake: _Handshake | None = None
        self._close: bytes | None = None  # what our close frame says, if the end has not the word

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take up the connection. Both loops have set TCP_NODELAY."""
        self._handshake = _Handshake(self._attach(cast(asyncio.Transport, transport)))

    def data_received(self, data: bytes) -> None:
        """Make ops of `data` and pass them on."""
        if self._is_closing:
            return
        self._heard = self._listener.sweep.now
        self._listener.counters.bytes_in += len(data)
        if self._handshake is not None:
            data = self._shake_hands(self._handshake, data)
        if data and not self._is_closing:
            self._take(data)

    def eof_received(self) -> bool:
        """Close too: a WebSocket has no half-closed state."""
        self._is_peer_done = True
        self._end("eof")
        return False

    def _shake_hands(self, handshake: _Handshake, data: bytes) -> bytes:
        """Take a part of the request; grant or refuse it when it is whole. Return what follows."""
        listener = self._listener
        try:
            whole = handshake.head.feed(data)
            if whole is None:
                return b""
            head, rest = whole
            request = upgrade.read_request(head, listener.origins)
            name = listener.choose(request.protocols)
        except upgrade.UpgradeRefused as refused:
            listener.counters.protocol_errors += 1
            self._say(upgrade.refusal(refused.status, str(refused)))
            super()._end("protocol")
            return b""
        self._handshake = None
        self._form = form = listener.forms[name]
        self._wrap = form.wrap
        self._messages = ws.MessageSplitter(frames_are_masked=True)
        bounds = listener.bounds
        self._protocol = Connection(Side.SERVER, bounds.hello_frame_bytes_max, form.decode)
        self._say(upgrade.grant(request.accept, name))
        self._begin(handshake.has_room)
        return rest

    def _take(self, data: bytes) -> None:
        """Take frames."""
        ops: list[Any] = []
        messages = self._messages
        for opcode, payload in messages.feed(data, self._protocol.frame_bytes_max):
            if opcode < ws.CLOSE:
                try:
                    ops.append(self._to_op(opcode, payload))
                except ProtocolError as error:
                    self._close_after(ops, ws.INVALID, error)
                    return
            elif opcode == ws.PING:
                if not self._outbox.put(ws.server_frame(ws.PONG, payload)):
                    self._overflow()
            elif opcode == ws.CLOSE:
                self._close = payload[:2]
                self._count(ops)
                self._deliver_last(ops)
                self._end("eof")
                return
        if (violation := messages.violation) is not None:
            code, reason = violation
            too_big = FrameTooBig(reason) if code == ws.TOO_BIG else None
            self._close_after(ops, code, too_big, reason)
        elif ops:
            self._count(ops)
            self._deliver(ops, self._listener.bounds.in_flight_max)

    def _to_op(self, opcode: int, payload: bytes) -> Any:
        """Return the op that is in a message.

        Raises:
            ProtocolError: There is none.
        """
        if opcode != self._form.opcode:
            raise _WrongKind("a message of the wrong kind for this subprotocol")
        return self._protocol.receive_payload(payload)

    def _close_after(
        self, ops: list[Any], code: int, error: ProtocolError | None, reason: str = ""
    ) -> None:
        """Close with `code` after `ops`."""
        self._count(ops)
        if isinstance(error, _WrongKind):
            code, reason, error = ws.UNSUPPORTED, str(error), None
        self._close = ws.close_payload(code, reason)
        self._break(ops, error)

    def _count(self, ops: list[Any]) -> None:
        self._listener.counters.frames_in += len(ops)

    def _say(self, answer: bytes) -> None:
        """Send what is no frame, before there are any."""
        if not self._transport.is_closing():
            self._listener.counters.bytes_out += len(answer)
            self._transport.write(answer)

    def _end(self, reason: str, payload: bytes | None = None) -> None:
        """Close in good order; say goodbye in frames if there are any yet, else in HTTP."""
        if self._is_closing:
            return
        if self._handshake is not None:
            self._handshake = None
            if reason in _STATUSES:
                self._say(upgrade.refusal(*_STATUSES[reason]))
        else:
            if payload is not None:
                self._outbox.put(self._wrap(payload))
            close = ws.close_payload(_CODES[reason]) if self._close is None else self._close
            self._outbox.put(ws.server_frame(ws.CLOSE, close))
        super()._end(reason)

    def _widen(self, frame_bytes_max: int) -> None:
        self._protocol.frame_bytes_max = frame_bytes_max


class WsGateway(Listener):
    """Listens for `ws://`, or `wss://` when it has a TLS context.

    `origins` are those of the web pages that may connect beside pages of the gateway's own host
    and port, as `upgrade.parse_origin` returns them, or `upgrade.ANY_ORIGIN`. `forms` are the
    subprotocols by name; under None is what a peer speaks that asks for none.
    """

    schemes = ("ws", "wss")

    def __init__(
        self,
        open_session: OpenSession,
        host: str,
        port: int,
        ssl_context: ssl.SSLContext | None = None,
        bounds: Bounds | None = None,
        rng: random.Random | None = None,
        *,
        origins: Collection[str] = (),
        forms: Mapping[str | None, Form] = FORMS,
    ) -> None:
        super().__init__(open_session, host, port, ssl_context, bounds, rng)
        self.origins = frozenset(origins)
        self.forms = forms

    def choose(self, offered: Sequence[str]) -> str | None:
        """Return the first subprotocol of `offered` that is spoken here.

        Raises:
            UpgradeRefused: There is none.
        """
        for name in offered or (None,):
            if name in self.forms:
                return name
        known = " or ".join(filter(None, self.forms))
        raise upgrade.UpgradeRefused(400, f"expected Sec-WebSocket-Protocol: {known}")

    def _make_endpoint(self) -> WsConnection:
        return WsConnection(self)
