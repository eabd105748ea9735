"""Knows where frames of a byte stream begin and end: u32 length, payload. Must not know CBOR."""

from __future__ import annotations

from struct import Struct

_PREFIX = Struct(">I")
_size_at = _PREFIX.unpack_from
_prefix = _PREFIX.pack
PREFIX_BYTES = _PREFIX.size


def frame(payload: bytes) -> bytes:
    """Return `payload` behind its length, as it goes over a byte stream."""
    return _prefix(len(payload)) + payload


class FrameSplitter:
    """Cuts a stream, in whatever chunks it comes, into payloads.

    A frame that is not complete is kept in one buffer that only grows by what comes, so a frame of
    n bytes costs O(n) in any chunking. It never holds more than one frame and one chunk.
    """

    __slots__ = ("_held", "_wanted", "oversize")

    def __init__(self) -> None:
        self._held: bytearray | None = None
        self._wanted = 0
        self.oversize: int | None = None

    def feed(self, data: bytes, frame_bytes_max: int) -> list[bytes]:
        """Return the payloads that `data` completes, in order.

        A prefix above `frame_bytes_max` ends it: `oversize` is that length from then on, and
        nothing of the frame is kept.
        """
        held = self._held
        if held is not None:
            held += data
            if len(held) < self._wanted:
                return []
            data = bytes(held)
            self._held = None
        payloads: list[bytes] = []
        start, end = 0, len(data)
        while end - start >= PREFIX_BYTES:
            (size,) = _size_at(data, start)
            if size > frame_bytes_max:
                self.oversize = size
                return payloads
            stop = start + PREFIX_BYTES + size
            if stop > end:
                self._wanted = PREFIX_BYTES + size
                break
            payloads.append(data[start + PREFIX_BYTES : stop])
            start = stop
        else:
            self._wanted = PREFIX_BYTES
        if start < end:
            self._held = bytearray(data[start:])
        return payloads

    @property
    def held_bytes(self) -> int:
        """Say how much of an unfinished frame is held."""
        return 0 if self._held is None else len(self._held)
