"""Knows WebSocket frames on a byte stream, on both sides (RFC 6455). Must not know ops or HTTP."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA

# Why a connection is closed (section 7.4.1, and IANA's registry).
NORMAL = 1000
PROTOCOL_ERROR = 1002
UNSUPPORTED = 1003
INVALID = 1007
POLICY = 1008
TOO_BIG = 1009
INTERNAL_ERROR = 1011
RESTART = 1012
TRY_LATER = 1013

_CONTINUATION = 0x0
_FINAL = 0x80
_RESERVED = 0x70
_MASKED = 0x80
_CONTROL_BYTES_MAX = 125
_WHOLE_BINARY = _FINAL | BINARY
_REASON_BYTES_MAX = 123
_MASK_BYTES = 4
# 1004 to 1006 and 1015 are never sent, the others below 3000 have no meaning.
_CODES = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})

_head_short = Struct(">BB").pack
_head_16 = Struct(">BBH").pack
_head_64 = Struct(">BBQ").pack
_code = Struct(">H").pack


class Violation(NamedTuple):
    """What was wrong with the peer's frames: the code to close with, and a reason for people."""

    code: int
    reason: str


def server_frame(opcode: int, payload: bytes) -> bytes:
    """Return one whole message, or control frame, as a server sends it: not masked."""
    return _head(opcode, len(payload), 0) + payload


def client_frame(opcode: int, payload: bytes, mask: bytes) -> bytes:
    """Return one whole message, or control frame, as a client sends it.

    `mask` is 4 bytes that nobody can foresee (section 10.3).
    """
    return _head(opcode, len(payload), _MASKED) + mask + masked(payload, mask)


def close_payload(code: int, reason: str = "") -> bytes:
    """Return the payload of a close frame; a long reason is cut short."""
    text = reason.encode()[:_REASON_BYTES_MAX].decode(errors="ignore")
    return _code(code) + text.encode()


def close_code(payload: bytes) -> int | None:
    """Return the code of a close frame that a splitter let through, None where it has none."""
    return int.from_bytes(payload[:2], "big") if payload else None


def masked(payload: bytes, mask: bytes) -> bytes:
    """Return `payload` masked, or unmasked, which is the same."""
    # As whole numbers: what pure Python does in one step for all bytes.
    size = len(payload)
    pattern = (mask * (size // _MASK_BYTES + 1))[:size]
    number = int.from_bytes(payload, "little") ^ int.from_bytes(pattern, "little")
    return number.to_bytes(size, "little")


def _head(opcode: int, size: int, mask_bit: int) -> bytes:
    first = _FINAL | opcode
    if size < 126:
        return _head_short(first, mask_bit | size)
    if size < 0x10000:
        return _head_16(first, mask_bit | 126, size)
    return _head_64(first, mask_bit | 127, size)


class MessageSplitter:
    """Cuts a stream, in whatever chunks it comes, into messages and control frames.

    Fragments are put together. What can be seen to be wrong in a frame's head ends it before the
    rest of the frame has come: `violation` is set, and nothing is read any more. Nor is it after a
    close. Linear in what comes; it never holds more than one message and one chunk.
    """

    __slots__ = (
        "_frames_are_masked",
        "_held",
        "_is_over",
        "_opcode",
        "_parts",
        "_wanted",
        "violation",
    )

    def __init__(self, *, frames_are_masked: bool) -> None:
        self._frames_are_masked = frames_are_masked
        self._held: bytearray | None = None  # a frame that is not complete
        self._wanted = 0  # how much of it must be held before it is worth a look
        self._parts: bytearray | None = None  # the fragments of a message so far
        self._opcode = 0  # of that message
        self._is_over = False
        self.violation: Violation | None = None

    def feed(self, chunk: bytes, message_bytes_max: int) -> list[tuple[int, bytes]]:
        """Return opcode and payload of what `chunk`, the next bytes, completes, in order.

        Opcodes are `TEXT` (valid UTF-8), `BINARY`, `PING`, `PONG` and `CLOSE` (a valid code, or no
        payload). `message_bytes_max` bounds a message with all its fragments.
        """
        if self._is_over:
            return []
        held = self._held
        if held is not None:
            held += chunk
            if len(held) < self._wanted:
                return []
            chunk = bytes(held)
            self._held = None
        found: list[tuple[int, bytes]] = []
        try:
            start = self._split(chunk, found, message_bytes_max)
        except _Violated as violated:
            self._is_over = True
            self._parts = None
            self.violation = violated.violation
            return found
        if start < len(chunk) and not self._is_over:
            self._held = bytearray(chunk[start:])
        return found

    @property
    def held_bytes(self) -> int:
        """Say how much of an unfinished message is held."""
        return len(self._held or b"") + len(self._parts or b"")

    def _split(self, chunk: bytes, found: list[tuple[int, bytes]], bytes_max: int) -> int:
        """Put what `chunk` holds whole into `found`; return where the rest begins."""
        start, end = 0, len(chunk)
        while True:
            head = self._read_head(chunk, start, bytes_max)
            if head is None:
                return start
            at, size = head
            stop = at + size
            if stop > end:
                self._wanted = stop - start
                return start
            payload = chunk[at:stop]
            if self._frames_are_masked:
                payload = masked(payload, chunk[at - _MASK_BYTES : at])
            first = chunk[start]
            start = stop
            if first == _WHOLE_BINARY:
                found.append((BINARY, payload))  # as `_finish` would, for most of what comes
                continue
            event = self._finish(first, payload)
            if event is not None:
                found.append(event)
                if event[0] == CLOSE:
                    self._is_over = True
                    return start

    def _read_head(self, chunk: bytes, start: int, bytes_max: int) -> tuple[int, int] | None:
        """Return where the payload of the frame at `start` begins, and its size.

        None where the head is not complete; `_wanted` then says what it takes.
        """
        left = len(chunk) - start
        if left < 2:
            self._wanted = 2
            return None
        first, second = chunk[start], chunk[start + 1]
        is_masked = self._frames_are_masked
        if first != _WHOLE_BINARY or self._parts is not None or (second < _MASKED) is is_masked:
            self._check_kind(first, second)
        size = second & 0x7F
        at = start + 2
        if size > _CONTROL_BYTES_MAX:
            if first & 0x08:
                raise _Violated(PROTOCOL_ERROR, "a long control frame")
            width, least = (2, 126) if size == 126 else (8, 0x10000)
            if left < 2 + width:
                self._wanted = 2 + width
                return None
            size = int.from_bytes(chunk[at : at + width], "big")
            if size < least or size >> 63:
                raise _Violated(PROTOCOL_ERROR, "a length in a wrong form")
            at += width
        if not first & 0x08:
            total = size if self._parts is None else size + len(self._parts)
            if total > bytes_max:
                text = f"a message of {total} bytes, expected at most {bytes_max}"
                raise _Violated(TOO_BIG, text)
        return (at + _MASK_BYTES if is_masked else at), size

    def _check_kind(self, first: int, second: int) -> None:
        """Refuse what the first two bytes of a frame can't be, as things stand."""
        if first & _RESERVED:
            raise _Violated(PROTOCOL_ERROR, "a reserved bit")
        if (second >= _MASKED) is not self._frames_are_masked:
            must = "must" if self._frames_are_masked else "must not"
            raise _Violated(PROTOCOL_ERROR, f"a frame {must} be masked")
        opcode = first & 0x0F
        if opcode >= CLOSE:
            if opcode > PONG:
                raise _Violated(PROTOCOL_ERROR, "an unknown opcode")
            if not first & _FINAL:
                raise _Violated(PROTOCOL_ERROR, "a fragmented control frame")
        elif opcode > BINARY:
            raise _Violated(PROTOCOL_ERROR, "an unknown opcode")
        elif (opcode == _CONTINUATION) is (self._parts is None):
            raise _Violated(PROTOCOL_ERROR, "fragments out of order")

    def _finish(self, first: int, payload: bytes) -> tuple[int, bytes] | None:
        """Take a whole frame; return the message or the control frame that it completes."""
        opcode = first & 0x0F
        if opcode >= CLOSE:
            if opcode == CLOSE:
                _check_close(payload)
            return opcode, payload
        if opcode:
            self._opcode = opcode
        if self._parts is not None:
            self._parts += payload
        elif not first & _FINAL:
            self._parts = bytearray(payload)
        if not first & _FINAL:
            return None
        if self._parts is not None:
            payload = bytes(self._parts)
            self._parts = None
        if self._opcode == TEXT:
            _check_text(payload)
        return self._opcode, payload


class _Violated(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.violation = Violation(code, reason)


def _check_text(payload: bytes) -> None:
    try:
        payload.decode()
    except UnicodeDecodeError:
        raise _Violated(INVALID, "text that is not UTF-8") from None


def _check_close(payload: bytes) -> None:
    if not payload:
        return
    if close_code(payload) not in _CODES or len(payload) < 2:
        raise _Violated(PROTOCOL_ERROR, "a bad close code")
    _check_text(payload[2:])
