"""A peer that polls has one poll wait, sends with another, and takes what comes twice once."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from actorchat.protocol import codec
from actorchat.protocol.framing import FrameSplitter, frame
from bench.load import Tally
from bench.poll_peer import HttpLine, PollPeer

GRANTED = b'{"token": "t0", "poll_wait_s": 25}'


class Wire:
    """The server's side of one connection."""

    def __init__(self, peer: PollPeer) -> None:
        self.requests: list[bytes] = []
        self.line = HttpLine(peer.end)
        self.line.connection_made(cast(Any, self))
        peer._lines.append(self.line)

    def write(self, data: bytes) -> None:
        self.requests.append(data)

    def close(self) -> None:
        self.requests.append(b"closed")

    def answer(self, seq: int, taken: int, *payloads: bytes) -> None:
        body = b"".join(map(frame, payloads))
        head = f"HTTP/1.1 200 OK\r\nActorchat-Seq: {seq}\r\nactorchat-taken: {taken}\r\n"
        data = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        for at in range(0, len(data), 11):
            self.line.data_received(data[at : at + 11])


def ops(request: bytes) -> list[Any]:
    body = request.partition(b"\r\n\r\n")[2]
    return [codec.decode(each)["op"] for each in FrameSplitter().feed(body, 2**20)]


async def signed_in(tally: Tally) -> tuple[PollPeer, Wire, Wire]:
    """Return a peer of which one poll, with its hello, waits on the first of its wires."""
    peer = PollPeer(tally, "ann", "bob", "secret")
    first, second = Wire(peer), Wire(peer)
    peer._free.append(second.line)
    first.line.ask(b"open", peer._open)
    first.line.data_received(
        b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n" % len(GRANTED) + GRANTED
    )
    await asyncio.sleep(0)
    assert ops(first.requests[-1]) == ["hello"]
    return peer, first, second


async def test_what_is_written_goes_with_a_second_poll() -> None:
    tally = Tally()
    peer, first, second = await signed_in(tally)
    first.answer(1, 1, codec.encode_reply(0, {"cursor": 0}))
    assert peer.ready.done()
    assert b"Actorchat-Poll: 2\r\nActorchat-Ack: 1\r\n" in first.requests[-1]
    peer.post_many(2)
    await asyncio.sleep(0)
    assert ops(second.requests[-1]) == ["send", "send"]
    peer.post()
    await asyncio.sleep(0)
    assert len(second.requests) == 1  # both are under way
    first.answer(1, 2)
    assert ops(first.requests[-1]) == ["send"]
    assert tally.errors == []


async def test_frames_that_come_twice_are_taken_once() -> None:
    tally = Tally()
    peer, first, second = await signed_in(tally)
    first.answer(1, 1, codec.encode_reply(0, {"cursor": 0}))
    peer.post()
    await asyncio.sleep(0)
    ack = codec.encode_accepted(1, 1, 5)
    second.answer(2, 3, ack)
    first.answer(2, 3, ack)
    assert tally.acked == 1
    assert tally.errors == []


async def test_poll_that_overtook_another_is_repeated() -> None:
    tally = Tally()
    peer, first, second = await signed_in(tally)
    first.answer(1, 1, codec.encode_reply(0, {"cursor": 0}))
    peer.post()
    await asyncio.sleep(0)
    second.answer(1, 1)
    assert len(second.requests) == 2
    assert second.requests[0] == second.requests[1]
    assert tally.errors == []


async def test_peer_that_leaves_tells_the_server_first() -> None:
    tally = Tally()
    peer, first, second = await signed_in(tally)
    peer.leave()
    assert second.requests[-1].startswith(b"DELETE /v1/session ")
    second.line.data_received(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert first.requests[-1] == second.requests[-1] == b"closed"
    peer.end(None)
    assert tally.errors == []
