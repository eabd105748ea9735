"""Knows how bytes from the peer become ops, on both sides. Must not know sockets, time, or users.

The one place where a frame's contents are judged:

    the frame                                  what `receive` makes of it
    ---------------------------------------    ------------------------------------------
    a valid op                                 the op
    a map that is no valid op                  `Invalid(id, code, reason)`; goes on
    not one strict CBOR map (`bad_frame`)      `error` is set; nothing further is read
    longer than the limit (`too_large`)        `error` is set; nothing further is read
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from msgspec import ValidationError, convert

from actorchat.errors import FrameTooBig, InvalidOp, MalformedFrame, ProtocolError, UnknownOp
from actorchat.limits import HELLO_FRAME_BYTES_MAX, PUSH_FRAME_BYTES_MAX, REQUEST_ID_MAX
from actorchat.protocol.codec import decode, encode
from actorchat.protocol.framing import FrameSplitter, frame
from actorchat.protocol.ops import CLIENT_OPS, SERVER_OPS, ClientOp, Invalid, Ping, Reply, ServerOp

__all__ = ["Connection", "Side", "frame"]

Received = ClientOp | ServerOp | Invalid

_REASON_CHARS_MAX = 200


class Side(Enum):
    """Which end of a connection this is."""

    SERVER = "server"
    CLIENT = "client"


# What each side takes, by the op's name; a reply has none.
_TAKES: dict[Side, Mapping[Any, type[Any]]] = {
    Side.SERVER: CLIENT_OPS,
    Side.CLIENT: {**SERVER_OPS, None: Reply},
}
_FRAME_BYTES_MAX = {Side.SERVER: HELLO_FRAME_BYTES_MAX, Side.CLIENT: PUSH_FRAME_BYTES_MAX}
# Most of what idle connections say, each alone in its chunk: one that is known by its bytes costs
# a third of one that is decoded.
_BEAT_OPS = {frame(encode(op)): op for op in (Ping(), Ping(noreply=True))}
_BEATS = tuple(_BEAT_OPS)  # compared with by length first, where a look-up would hash every chunk


class Connection:
    """The receiving half of a connection, without I/O: bytes in, ops out.

    `frame_bytes_max` bounds a payload; the server's is small until its owner raises it after
    sign-in. It holds for the frames that follow, so a client waits for the welcome before it sends
    anything long. `error` is None until framing or CBOR is lost, and then says how for ever.
    """

    __slots__ = ("_splitter", "_decode", "_takes", "_id_key", "error", "frame_bytes_max")

    def __init__(
        self,
        side: Side,
        frame_bytes_max: int | None = None,
        decode: Callable[[bytes], dict[str, Any]] = decode,
    ) -> None:
        self._splitter = FrameSplitter()
        self._decode = decode
        self._takes = _TAKES[side]
        self._id_key = "id" if side is Side.SERVER else "re"
        self.error: ProtocolError | None = None
        self.frame_bytes_max = (
            _FRAME_BYTES_MAX[side] if frame_bytes_max is None else frame_bytes_max
        )

    def receive(self, data: bytes) -> list[Received]:
        """Return the ops that `data`, the next bytes of the stream, completes, in order.

        Look at `error` afterwards: where it is set, the ops before the bad frame are still good,
        and the connection must end.
        """
        if self.error is not None:
            return []
        splitter = self._splitter
        if data in _BEATS and not splitter.held_bytes and self._takes_beats():
            return [_BEAT_OPS[data]]
        ops: list[Received] = []
        try:
            for payload in splitter.feed(data, self.frame_bytes_max):
                ops.append(self._op(payload))  # noqa: PERF401 (keeps what came before an error)
        except MalformedFrame as error:
            self.error = error
            return ops
        if splitter.oversize is not None:
            self.error = self._too_big(splitter.oversize)
        return ops

    def receive_payload(self, payload: bytes) -> Received:
        """Return the op that is `payload`, one message of a transport that has messages.

        Raises:
            ProtocolError: It is too long or malformed, or an earlier one was; kept in `error`.
        """
        if self.error is None:
            try:
                if len(payload) > self.frame_bytes_max:
                    raise self._too_big(len(payload))
                return self._op(payload)
            except ProtocolError as error:
                self.error = error
        raise self.error

    def _takes_beats(self) -> bool:
        is_servers = self._takes is CLIENT_OPS and self._decode is decode
        return is_servers and self.frame_bytes_max >= len(_BEATS[-1])

    def _op(self, payload: bytes) -> Received:
        message = self._decode(payload)
        # `convert` to the op's own class: to a union, msgspec builds its type information anew at
        # each call, for 3.4 µs instead of 0.2.
        try:
            op: Received = convert(message, self._takes[message.get("op")])
        except (KeyError, TypeError):
            return self._unknown(message)
        except ValidationError as error:
            return self._invalid(message, InvalidOp.code, str(error))
        return op

    def _unknown(self, message: dict[str, Any]) -> Invalid:
        if isinstance(message.get("op"), str):
            return self._invalid(message, UnknownOp.code, "no such op")
        return self._invalid(message, InvalidOp.code, "Object missing required field `op`")

    def _invalid(self, message: dict[str, Any], code: str, reason: str) -> Invalid:
        given = message.get(self._id_key)
        is_id = type(given) is int and 0 <= given <= REQUEST_ID_MAX
        return Invalid(given if is_id else None, code, reason[:_REASON_CHARS_MAX])

    def _too_big(self, size: int) -> FrameTooBig:
        return FrameTooBig(f"a frame of {size} bytes, expected at most {self.frame_bytes_max}")
