"""Knows a client's and a server's connection, joined. Must not know what they say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from actorchat.limits import FRAME_BYTES_MAX
from actorchat.protocol.codec import encode
from actorchat.protocol.connection import Connection, Received, Side, frame


class ConnectionPair:
    """Two connections and the wires between them (the idea is h11's `ConnectionPair`)."""

    def __init__(self) -> None:
        self.server = Connection(Side.SERVER, FRAME_BYTES_MAX)
        self.client = Connection(Side.CLIENT)

    def to_server(self, ops: Iterable[Struct], cuts: Iterable[int] = ()) -> list[Received]:
        """Send `ops` to the server, the stream cut at `cuts`; return what it took."""
        return _carry(self.server, ops, cuts)

    def to_client(self, ops: Iterable[Struct], cuts: Iterable[int] = ()) -> list[Received]:
        """Send `ops` to the client, the stream cut at `cuts`; return what it took."""
        return _carry(self.client, ops, cuts)


def _carry(to: Connection, ops: Iterable[Struct], cuts: Iterable[int]) -> list[Received]:
    stream = b"".join(frame(encode(op)) for op in ops)
    return [op for chunk in chunked(stream, cuts) for op in to.receive(chunk)]


def chunked(stream: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    """Yield `stream` in pieces that begin at each of `cuts`, which may lie beyond its end."""
    start = 0
    for cut in sorted(cuts):
        yield stream[start:cut]
        start = min(cut, len(stream))
    yield stream[start:]
