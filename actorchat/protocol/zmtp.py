"""Knows ZMTP 3, which ZeroMQ speaks on a byte stream, as a server. Must not know sockets or ops.

A greeting of 64 bytes each way, the mechanism's handshake, then frames: flags, a length, a body.
Sources: https://rfc.zeromq.org/spec/23/ and https://rfc.zeromq.org/spec/37/
"""

from __future__ import annotations

from struct import Struct
from typing import Protocol

from actorchat.errors import FrameTooBig, MalformedFrame, ProtocolError

MORE, LONG, COMMAND = 1, 2, 4
_RESERVED = 0xFF & ~(MORE | LONG | COMMAND)

GREETING_BYTES = 64
COMMAND_BYTES_MAX = 2_048  # of a handshake or a ping: neither needs a quarter of it
SOCKET_TYPE = b"ROUTER"
_NAME_BYTES = 20
_SIGNATURE = b"\xff" + bytes(8) + b"\x7f"
_LONG_HEAD = Struct(">BQ")
_SHORT_HEADS = tuple(bytes((0, size)) for size in range(256))
_REASON_BYTES_MAX = 255
_PONG_CONTEXT_BYTES = 16
_PARTS = "a message of several parts, expected one"


class Refused(Exception):
    """A peer does not come in. `is_denied`: for who it is, and not for what it said."""

    def __init__(self, reason: str, *, is_denied: bool = False) -> None:
        super().__init__(reason)
        self.is_denied = is_denied

    @property
    def command(self) -> bytes:
        """The frame that tells the peer."""
        reason = str(self).encode("ascii", "replace")[:_REASON_BYTES_MAX]
        return frame(COMMAND, command(b"ERROR", bytes((len(reason),)) + reason))


class Mechanism(Protocol):
    """How a peer shows who it is, and how what follows is guarded; one for each connection."""

    @property
    def name(self) -> bytes:
        """What the greeting calls it."""
        ...

    @property
    def overhead_bytes(self) -> int:
        """How much longer a frame's body is than the message in it; 0: nothing is guarded."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether the peer has come in."""
        ...

    def take(self, body: bytes) -> bytes:
        """Take a command of the handshake; return the frame that answers it.

        Raises:
            Refused: The peer does not come in.
        """
        ...

    def wrap(self, payload: bytes) -> bytes:
        """Return a message as a whole frame."""
        ...

    def wrap_command(self, body: bytes) -> bytes:
        """Return a command as a whole frame."""
        ...

    def unwrap(self, body: bytes) -> tuple[int, bytes]:
        """Return the flags and the body that were guarded.

        Raises:
            MalformedFrame: They were not guarded as they should be.
        """
        ...


def wrap(payload: bytes) -> bytes:
    """Return `payload` as a frame: one message of one part."""
    size = len(payload)
    if size < 256:
        return _SHORT_HEADS[size] + payload
    return _LONG_HEAD.pack(LONG, size) + payload


def frame(flags: int, body: bytes) -> bytes:
    """Return a frame with any flags but `LONG`, which follows from the length."""
    size = len(body)
    head = bytes((flags, size)) if size < 256 else _LONG_HEAD.pack(flags | LONG, size)
    return head + body


def command(name: bytes, data: bytes = b"") -> bytes:
    """Return the body of a command."""
    return bytes((len(name),)) + name + data


def split_command(body: bytes) -> tuple[bytes, bytes]:
    """Return the name and the data of a command's body; no name where it is cut short."""
    end = 1 + body[0] if body else 0
    return (body[1:end], body[end:]) if 1 < end <= len(body) else (b"", b"")


def pack_properties(properties: dict[bytes, bytes]) -> bytes:
    """Return the metadata of a handshake."""
    return b"".join(
        bytes((len(name),)) + name + len(value).to_bytes(4, "big") + value
        for name, value in properties.items()
    )


def check_properties(data: bytes) -> None:
    """See that the metadata of a peer's handshake is that of a DEALER without an id of its own.

    Raises:
        Refused: It is not.
    """
    properties: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        name_end = at + 1 + data[at]
        value_at = name_end + 4
        value_end = value_at + int.from_bytes(data[name_end:value_at], "big")
        name = data[at + 1 : name_end].lower()
        if value_at > len(data) or value_end > len(data) or not name or name in properties:
            raise Refused("metadata that makes no sense")
        properties[name] = data[value_at:value_end]
        at = value_end
    if properties.get(b"socket-type") != b"DEALER":
        raise Refused("a DEALER was expected")
    if properties.get(b"identity"):
        # There is no use for it here, and whoever counts on one should learn that at once.
        raise Refused("a routing id of your own, expected none")


def greeting(mechanism: bytes, *, is_server: bool) -> bytes:
    """Return what a side says first."""
    head = _SIGNATURE + b"\x03\x01" + mechanism.ljust(_NAME_BYTES, b"\0") + bytes((is_server,))
    return head.ljust(GREETING_BYTES, b"\0")


class Null:
    """The mechanism that guards nothing."""

    __slots__ = ("is_ready",)

    name = b"NULL"
    overhead_bytes = 0
    wrap = staticmethod(wrap)

    def __init__(self) -> None:
        self.is_ready = False

    def take(self, body: bytes) -> bytes:
        """Take the peer's READY; answer with ours.

        Raises:
            Refused: It is none, or not that of a DEALER.
        """
        name, data = split_command(body)
        if name != b"READY":
            raise Refused("READY was expected")
        check_properties(data)
        self.is_ready = True
        return frame(COMMAND, command(b"READY", pack_properties({b"Socket-Type": SOCKET_TYPE})))

    @staticmethod
    def wrap_command(body: bytes) -> bytes:
        """Return a command as a whole frame."""
        return frame(COMMAND, body)

    @staticmethod
    def unwrap(body: bytes) -> tuple[int, bytes]:
        """Return it as it is."""
        return 0, body


class Stream:
    """The receiving half of a connection, without I/O: bytes in, messages out.

    `refused` is set when the peer does not come in, `error` when it is in and framing is lost; each
    is final. `answers` is what must be sent, in order, the greeting at first; its owner empties it.
    A frame that is not complete is held in one buffer, with its length judged before: never more
    than the longest frame and one chunk. Linear in what comes.
    """

    __slots__ = (
        "_has_greeting",
        "_held",
        "_is_known",
        "_mechanism",
        "_wanted",
        "answers",
        "error",
        "is_open",
        "refused",
    )

    def __init__(self, mechanism: Mechanism) -> None:
        self._mechanism = mechanism
        self._has_greeting = False
        self._held: bytearray | None = None
        self._is_known = False  # a message has come; the first may be empty, a knock (PROBE_ROUTER)
        self._wanted = 0  # so long must what is held be, before a look at it is worth it
        self.answers = [greeting(mechanism.name, is_server=mechanism.overhead_bytes > 0)]
        self.is_open = False  # the peer has come in
        self.error: ProtocolError | None = None
        self.refused: Refused | None = None

    def receive(self, data: bytes, frame_bytes_max: int) -> list[bytes]:
        """Return the messages that `data`, the next bytes of the stream, completes.

        Look at `refused` and `error` afterwards: messages before the bad frame are still good.
        """
        messages: list[bytes] = []
        if self.error is not None or self.refused is not None:
            return messages
        held = self._held
        if held is not None:
            held += data
            if len(held) < self._wanted:
                return messages
            data = bytes(held)
            self._held = None
        at = 0
        try:
            if not self.is_open:
                at = self._shake_hands(data)
            if self.is_open:
                at = self._take_frames(data, at, frame_bytes_max, messages)
        except ProtocolError as error:
            self.error = error
            return messages
        except Refused as refused:
            self.refused = refused
            if self._has_greeting:  # or it could make no sense of the answer
                self.answers.append(refused.command)
            return messages
        if at < len(data):
            self._held = bytearray(data[at:])
        return messages

    # -- until the peer is in -------------------------------------------------------------------

    def _shake_hands(self, data: bytes) -> int:
        """Take the greeting and the handshake; return where the first bytes begin that wait."""
        at = 0
        if not self._has_greeting:
            self._check_greeting(data)
            if len(data) < GREETING_BYTES:
                self._wanted = 0  # each piece is looked at, so that a stranger is soon found out
                return 0
            self._has_greeting = True
            at = GREETING_BYTES
        while not self.is_open:
            found = self._read_head(data, at)
            if found is None:
                return at
            flags, body_at, size = found
            if flags & ~LONG != COMMAND or size > COMMAND_BYTES_MAX:
                raise Refused("a command of the handshake was expected")
            stop = body_at + size
            if stop > len(data):
                self._wanted = stop - at
                return at
            self.answers.append(self._mechanism.take(data[body_at:stop]))
            self.is_open = self._mechanism.is_ready
            at = stop
        return at

    def _check_greeting(self, data: bytes) -> None:
        if data[:1] != b"\xff"[: len(data)] or (len(data) > 9 and not data[9] & 1):
            raise Refused("ZMTP was expected")
        if len(data) > 10 and data[10] < 3:
            raise Refused("ZMTP 3 was expected")
        name = self._mechanism.name
        if len(data) >= GREETING_BYTES and data[12:32] != name.ljust(_NAME_BYTES, b"\0"):
            raise Refused(f"the mechanism {name.decode()} was expected")

    # -- from then on ---------------------------------------------------------------------------

    def _take_frames(
        self, data: bytes, at: int, frame_bytes_max: int, messages: list[bytes]
    ) -> int:
        """Put the messages from `at` on into `messages`; return where the rest begins."""
        end = len(data)
        overhead = self._mechanism.overhead_bytes
        body_bytes_max = frame_bytes_max + overhead
        while at < end:
            if data[at] == 0 and at + 1 < end:  # as most: short, one part, no command
                flags, body_at, size = 0, at + 2, data[at + 1]
            else:
                found = self._read_head(data, at)
                if found is None:
                    return at
                flags, body_at, size = found
                if flags & ~LONG:
                    self._check_flags(flags, size)
            if size > body_bytes_max:
                text = f"a frame of {size - overhead} bytes, expected at most {frame_bytes_max}"
                raise FrameTooBig(text)
            stop = body_at + size
            if stop > end:
                self._wanted = stop - at
                return at
            body = data[body_at:stop]
            if overhead:
                flags, body = self._mechanism.unwrap(body)
            if flags & COMMAND:
                self._take_command(body)
                at = stop
                continue
            if flags & MORE:
                raise MalformedFrame(_PARTS)
            if body or self._is_known:
                messages.append(body)
            self._is_known = True
            at = stop
        return at

    def _read_head(self, data: bytes, at: int) -> tuple[int, int, int] | None:
        """Return a frame's flags, where its body begins, and its size; None: there is too little.

        `_wanted` then says what it takes.
        """
        left = len(data) - at
        if left < 2:
            self._wanted = 2
            return None
        flags = data[at]
        if not flags & LONG:
            return flags, at + 2, data[at + 1]
        if left < _LONG_HEAD.size:
            self._wanted = _LONG_HEAD.size
            return None
        return flags, at + _LONG_HEAD.size, int.from_bytes(data[at + 1 : at + 9], "big")

    def _check_flags(self, flags: int, size: int) -> None:
        """Refuse, before its body is there, what the head of a frame shows to be wrong."""
        if flags & _RESERVED or flags & (MORE | COMMAND) == MORE | COMMAND:
            raise MalformedFrame("flags that ZMTP does not know")
        if flags & MORE:
            raise MalformedFrame(_PARTS)
        # Where all is guarded, messages too may come as commands (RFC 26).
        if not self._mechanism.overhead_bytes and size > COMMAND_BYTES_MAX:
            raise MalformedFrame("a command that is too long")

    def _take_command(self, body: bytes) -> None:
        name, data = split_command(body)
        if name == b"PING":  # two bytes of how long it waits, then what the answer repeats
            pong = command(b"PONG", data[2 : 2 + _PONG_CONTEXT_BYTES])
            self.answers.append(self._mechanism.wrap_command(pong))
