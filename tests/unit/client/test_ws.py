"""A client's WebSocket: open when the upgrade is granted, masked on the way out."""

from __future__ import annotations

import asyncio
from base64 import b64decode

import pytest

from actorchat.client.link import Address
from actorchat.client.ws import WsLink
from actorchat.limits import PUSH_FRAME_BYTES_MAX
from actorchat.protocol import ops, upgrade
from actorchat.protocol import websocket as ws
from actorchat.protocol.codec import encode
from tests.unit.client.test_tcp import FakeTransport

PONG = encode(ops.Pong())


class Wire(FakeTransport):
    """The transport, and what a server would make of it."""

    def __init__(self) -> None:
        super().__init__()
        self.request = b""
        self._splitter = ws.MessageSplitter(frames_are_masked=True)

    def write(self, line: bytes) -> None:  # type: ignore[override]
        self.request += line

    def granted(self) -> bytes:
        asked = upgrade.read_request(self.request.removesuffix(b"\r\n\r\n"), ())
        return upgrade.grant(asked.accept, asked.protocols[0])

    def frames(self) -> list[list[tuple[int, bytes]]]:
        """Return the frames of each call that wrote some."""
        lines = [call for call in self.calls if isinstance(call, list)]
        self.calls = [call for call in self.calls if not isinstance(call, list)]
        return [self._splitter.feed(b"".join(line), 2**24) for line in lines]


def dialled() -> tuple[WsLink, Wire, list[object]]:
    heard: list[object] = []
    link = WsLink(lambda: heard.append("open"), heard.append, heard.append)
    link._address = Address("ws", "chat.example.org", 7701)
    wire = Wire()
    link.connection_made(wire)
    return link, wire, heard


def linked() -> tuple[WsLink, Wire, list[object]]:
    link, wire, heard = dialled()
    link.data_received(wire.granted())
    assert heard == ["open"]
    heard.clear()
    return link, wire, heard


def said(*payloads: bytes) -> bytes:
    return b"".join(ws.server_frame(ws.BINARY, payload) for payload in payloads)


async def test_link_is_open_when_the_upgrade_is_granted() -> None:
    link, wire, heard = dialled()
    assert b"Host: chat.example.org:7701\r\n" in wire.request
    answer = wire.granted()
    for byte in answer[:-1]:
        link.data_received(bytes((byte,)))
    assert heard == []
    link.data_received(answer[-1:] + said(PONG))
    assert heard == ["open", [ops.Pong()]]


async def test_each_connection_asks_with_a_nonce_of_its_own() -> None:
    nonces = set()
    for _ in range(2):
        _, wire, _ = dialled()
        key = wire.request.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
        nonces.add(b64decode(key))
    assert len(nonces) == 2 and {len(nonce) for nonce in nonces} == {16}


async def test_refused_upgrade_is_an_end_with_its_status() -> None:
    link, wire, heard = dialled()
    link.data_received(upgrade.refusal(503, "later"))
    assert heard == ["the server refused the upgrade with HTTP status 503"]
    assert wire.calls == ["abort"]


async def test_endless_answer_is_an_end() -> None:
    link, wire, heard = dialled()
    link.data_received(b"HTTP/1.1 101 x\r\nX: " + b"x" * 10_000)
    assert len(heard) == 1
    assert wire.calls == ["abort"]


async def test_all_of_one_turn_goes_out_in_one_call_under_masks_of_their_own() -> None:
    link, wire, _ = linked()
    link.write(b"same")
    link.write(b"same")
    assert wire.calls == []
    await asyncio.sleep(0)
    (lines,) = wire.calls
    assert isinstance(lines, list) and lines[0] != lines[1]
    assert wire.frames() == [[(ws.BINARY, b"same")] * 2]


async def test_ops_of_one_read_are_heard_together_whatever_the_frames() -> None:
    link, _, heard = linked()
    stream = (
        said(PONG)
        + b"\x02\x01"
        + PONG[:1]
        + b"\x89\x00"
        + b"\x80"
        + bytes((len(PONG) - 1,))
        + PONG[1:]
    )
    link.data_received(stream[:5])
    link.data_received(stream[5:])
    assert heard == [[ops.Pong(), ops.Pong()]]


async def test_pings_of_a_server_are_answered() -> None:
    link, wire, heard = linked()
    link.data_received(ws.server_frame(ws.PING, b"a") + ws.server_frame(ws.PONG, b"b"))
    await asyncio.sleep(0)
    assert wire.frames() == [[(ws.PONG, b"a")]]
    assert heard == []


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (ws.server_frame(ws.CLOSE, ws.close_payload(1012)), "closed the WebSocket with code 1012"),
        (ws.server_frame(ws.CLOSE, b""), "closed the WebSocket"),
        (ws.server_frame(ws.TEXT, b"{}"), "text in a binary protocol"),
        (said(b"\xff"), "no sense"),
        (b"\xc2\x00", "a reserved bit"),
        (b"\x82\x7f" + (PUSH_FRAME_BYTES_MAX + 1).to_bytes(8), "expected at most"),
        (ws.client_frame(ws.BINARY, PONG, b"abcd"), "must not be masked"),
    ],
)
async def test_good_ops_before_the_end_are_heard(stream: bytes, reason: str) -> None:
    link, wire, heard = linked()
    link.data_received(said(PONG) + stream + said(PONG))
    assert heard[0] == [ops.Pong()]
    assert len(heard) == 2 and reason in str(heard[1])
    assert wire.calls == ["abort"]


async def test_a_closed_link_says_so_after_all_that_was_written() -> None:
    link, wire, heard = linked()
    link.write(b"ab")
    link.close()
    assert wire.frames() == [[(ws.BINARY, b"ab"), (ws.CLOSE, ws.close_payload(ws.NORMAL))]]
    assert wire.calls == ["close"]
    assert heard == []


async def test_link_closed_before_the_upgrade_says_nothing() -> None:
    link, wire, heard = dialled()
    link.close()
    link.data_received(wire.granted())
    assert wire.calls == ["close"]
    assert heard == []


async def test_a_dropped_link_hears_no_more() -> None:
    link, wire, heard = linked()
    link.drop()
    link.data_received(said(PONG))
    assert wire.calls == ["abort"]
    assert heard == []
