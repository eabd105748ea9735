"""A client that shares nothing with the WebSocket gateway, `websockets`, gets on with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from actorchat.gateway.base import Bounds, Outlet
from actorchat.gateway.ws import WsGateway
from actorchat.protocol import codec
from actorchat.protocol.ops import Ack, Pong
from actorchat.protocol.upgrade import CBOR_PROTOCOL, JSON_PROTOCOL


class Parrot:
    """Says a pong to each op, but goodbye to an ack."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        outlet.admit()

    def receive(self, op: Any) -> None:
        if isinstance(op, Ack):
            self._outlet.close(codec.encode({"op": "bye"}))
        else:
            self._outlet.push(codec.encode_push(Pong()))

    def closed(self, reason: str) -> None: ...


@pytest_asyncio.fixture
async def gateway() -> AsyncIterator[WsGateway]:
    gateway = WsGateway(Parrot, "127.0.0.1", 0, bounds=Bounds(idle_timeout_s=0.2, tick_s=0.05))
    await gateway.start()
    yield gateway
    await gateway.stop()


def dial(gateway: WsGateway, protocol: str) -> connect:
    return connect(gateway.address, subprotocols=[Subprotocol(protocol)])


async def test_json_is_text_and_cbor_is_binary(gateway: WsGateway) -> None:
    async with dial(gateway, JSON_PROTOCOL) as peer:
        await peer.send(json.dumps({"op": "ping"}))
        assert await peer.recv() == '{"op":"pong"}'
    async with dial(gateway, CBOR_PROTOCOL) as peer:
        await peer.send(codec.encode({"op": "ping"}))
        assert await peer.recv() == codec.encode({"op": "pong"})


async def test_message_in_fragments_is_one_op(gateway: WsGateway) -> None:
    async with dial(gateway, JSON_PROTOCOL) as peer:
        await peer.send(iter(['{"op"', ":", '"ping"}']))
        assert await peer.recv() == '{"op":"pong"}'


async def test_pings_are_answered_and_keep_the_connection(gateway: WsGateway) -> None:
    async with dial(gateway, CBOR_PROTOCOL) as peer:
        for _ in range(8):
            await asyncio.wait_for(await peer.ping(), 20)
            await asyncio.sleep(0.05)
        assert peer.close_code is None


async def test_goodbye_is_heard_before_a_clean_close(gateway: WsGateway) -> None:
    async with dial(gateway, JSON_PROTOCOL) as peer:
        await peer.send('{"op":"ack","upd":1}')
        assert await peer.recv() == '{"op":"bye"}'
        with pytest.raises(ConnectionClosed):
            await peer.recv()
    assert (peer.close_code, peer.protocol.close_rcvd_then_sent) == (1000, True)


async def test_client_that_closes_is_answered(gateway: WsGateway) -> None:
    async with dial(gateway, CBOR_PROTOCOL) as peer:
        await peer.close(4001, "bored")
    assert peer.protocol.close_rcvd is not None
    assert (peer.protocol.close_rcvd.code, peer.protocol.close_rcvd_then_sent) == (4001, False)


async def test_no_extension_is_granted(gateway: WsGateway) -> None:
    async with dial(gateway, CBOR_PROTOCOL) as peer:
        assert peer.response is not None
        assert "Sec-WebSocket-Extensions" not in peer.response.headers


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 400),
        ({"subprotocols": ["chat"]}, 400),
        ({"subprotocols": [CBOR_PROTOCOL], "origin": "https://evil.example"}, 403),
    ],
)
async def test_refusal_is_proper_http(
    gateway: WsGateway, asked: dict[str, Any], status: int
) -> None:
    with pytest.raises(InvalidStatus) as caught:
        await connect(gateway.address, **asked)
    response = caught.value.response
    assert response.status_code == status
    assert response.body.endswith(b"\n")
