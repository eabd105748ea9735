"""The load's peers write what a gateway reads, and take messages out of a stream in any pieces."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest

from actorchat.protocol import codec, jsontext
from actorchat.protocol import websocket as ws
from actorchat.protocol.framing import FrameSplitter, frame
from bench.load import Tally
from bench.peers import GATEWAYS, JsonWsPeer, StreamPeer, TcpPeer, WsPeer, ZmqPeer, zmtp_frame

GRANT = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL".ljust(55, b"\0")
READY = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06ROUTER"
CURSOR = 7


class Sink:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def take(self) -> bytes:
        written, self.written = self.written, b""
        return written


def read_tcp(stream: bytes) -> list[dict[str, Any]]:
    return [codec.decode(each) for each in FrameSplitter().feed(stream, 2**20)]


def read_ws(stream: bytes) -> list[dict[str, Any]]:
    splitter = ws.MessageSplitter(frames_are_masked=True)
    found = splitter.feed(stream, 2**20)
    assert splitter.violation is None
    decode = {ws.BINARY: codec.decode, ws.TEXT: jsontext.decode}
    return [decode[opcode](payload) for opcode, payload in found]


def read_zmtp(stream: bytes) -> list[dict[str, Any]]:
    found = []
    while stream:
        assert stream[0] == 0  # one part, short
        found.append(codec.decode(stream[2 : 2 + stream[1]]))
        stream = stream[2 + stream[1] :]
    return found


def wrap_json(payload: bytes) -> bytes:
    return ws.server_frame(ws.TEXT, jsontext.transcode(payload))


def wrap_ws(payload: bytes) -> bytes:
    return ws.server_frame(ws.BINARY, payload)


# For each: what comes before the server's first op, its frames, and how it reads a client's.
KINDS = {
    TcpPeer: (b"", frame, read_tcp),
    WsPeer: (GRANT, wrap_ws, read_ws),
    JsonWsPeer: (GRANT, wrap_json, read_ws),
    ZmqPeer: (GREETING + zmtp_frame(READY, 4), zmtp_frame, read_zmtp),
}


def from_server() -> list[bytes]:
    record = codec.encode_record(codec.encode("bob"), 3, 5, bytes(8) + (1).to_bytes(8, "big"), "é")
    long = codec.encode_record(
        codec.encode("bob"), 4, 5, bytes(8) + (2).to_bytes(8, "big"), "x" * 300
    )
    return [
        codec.encode_reply(0, {"cursor": CURSOR}),
        codec.encode_update(CURSOR + 1, record),
        codec.encode_update(CURSOR + 2, long),
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("piece", [1, 7, 100_000])
async def test_peer_signs_in_and_takes_messages_in_any_pieces(
    kind: type[StreamPeer], piece: int
) -> None:
    opening, wrap, read = KINDS[kind]
    tally, sink = Tally(), Sink()
    peer = kind(tally, "ann", "bob", "secret")
    peer.connection_made(cast(Any, sink))
    if opening:
        sink.take()
    for at in range(0, len(opening), piece):
        peer.data_received(opening[at : at + piece])
    (hello,) = read(sink.take())
    assert (hello["op"], hello["user"], hello["secret"]) == ("hello", "ann", "secret")
    stream = b"".join(map(wrap, from_server()))
    for at in range(0, len(stream), piece):
        peer.data_received(stream[at : at + piece])
    assert tally.errors == []
    assert peer.ready.done()
    assert peer.seqs_got == [3, 4]
    assert (tally.received, tally.lost, tally.duplicated) == (2, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_posted_is_what_a_gateway_reads(kind: type[StreamPeer]) -> None:
    opening, _, read = KINDS[kind]
    sink = Sink()
    peer = kind(Tally(), "ann", "bob", "secret")
    peer.connection_made(cast(Any, sink))
    peer.data_received(opening)
    sink.take()
    peer.post_many(2)
    one, other = read(sink.take())
    assert (one["op"], one["id"], one["to"], other["id"]) == ("send", 1, "bob", 2)
    assert len(one["cid"]) == 16
    assert len(one["body"]) == 100
    peer._ack()
    assert read(sink.take()) == [{"op": "ack", "upd": 0}]


async def test_refused_upgrade_is_a_broken_promise() -> None:
    tally = Tally()
    peer = WsPeer(tally, "ann", "bob", "secret")
    peer.connection_made(cast(Any, Sink()))
    peer.data_received(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
    assert peer.ready.done()
    assert len(tally.errors) == 1


async def test_message_that_is_missing_or_comes_twice_is_counted() -> None:
    tally = Tally()
    peer = TcpPeer(tally, "ann", "bob", "secret")
    peer.connection_made(cast(Any, Sink()))
    reply, first, second = from_server()
    peer.data_received(frame(reply) + frame(second))
    assert (tally.lost, len(tally.errors)) == (1, 1)
    peer.data_received(frame(first))
    assert (tally.duplicated, len(tally.errors)) == (1, 2)


def test_every_gateway_of_a_node_is_loaded() -> None:
    assert {each.place for each in GATEWAYS.values()} == {"tcp", "ws", "zmq", "http"}
    assert msgspec.json.decode(JsonWsPeer._to_json({"a": 1})) == {"a": 1}
