"""A connection of the registry: what strangers may send, and what a slow one may be owed."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from actorchat.cluster.registry_actor import Came
from actorchat.cluster.registry_listener import Endpoint
from actorchat.cluster.registry_machine import Gone, Said
from actorchat.limits import HELLO_FRAME_BYTES_MAX, REGISTRY_OUTBOX_BYTES_MAX
from actorchat.protocol import codec
from actorchat.protocol.framing import frame


class Wire:
    """A transport that keeps what it is given."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.ended = ""
        self.owed = 0

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return bool(self.ended)

    def get_write_buffer_size(self) -> int:
        return self.owed

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = "aborted"


class Registry:
    def __init__(self) -> None:
        self.told: list[Any] = []

    def tell(self, message: Any) -> None:
        self.told.append(message)


def connected() -> tuple[Endpoint, Wire, Registry, set[Endpoint]]:
    registry, wire, endpoints = Registry(), Wire(), set[Endpoint]()
    endpoint = Endpoint(cast(Any, registry), endpoints)
    endpoint.connection_made(cast(asyncio.BaseTransport, wire))
    return endpoint, wire, registry, endpoints


async def test_frames_become_messages_and_the_end_is_told() -> None:
    endpoint, _, registry, endpoints = connected()
    assert endpoints == {endpoint}
    endpoint.data_received(frame(codec.encode({"id": 1})) + frame(codec.encode({"id": 2})))
    endpoint.connection_lost(None)
    came, one, two, gone = registry.told
    assert isinstance(came, Came)
    assert (one, two) == (Said(came.conn, {"id": 1}), Said(came.conn, {"id": 2}))
    assert gone == Gone(came.conn)
    assert not endpoints


async def test_what_is_no_frame_ends_it_and_is_not_told() -> None:
    for said in (frame(b"\xff"), frame(b""), b"\xff\xff\xff\xff"):
        endpoint, wire, registry, _ = connected()
        endpoint.data_received(said)
        assert wire.ended == "closed"
        endpoint.data_received(frame(codec.encode({"id": 1})))
        assert len(registry.told) == 1
        endpoint.connection_lost(None)


async def test_stranger_may_send_little_and_a_node_much() -> None:
    large = frame(codec.encode({"id": 1, "pad": b"x" * HELLO_FRAME_BYTES_MAX}))
    endpoint, wire, registry, _ = connected()
    endpoint.data_received(large)
    assert wire.ended == "closed"
    endpoint.connection_lost(None)
    endpoint, wire, registry, _ = connected()
    endpoint.say({"nonce": b"n"})
    endpoint.say({"re": 0, "ok": {}})  # it has proved who it is
    endpoint.data_received(large)
    assert not wire.ended
    assert len(registry.told) == 2
    endpoint.connection_lost(None)


async def test_peer_that_takes_nothing_is_cut_off() -> None:
    endpoint, wire, _, _ = connected()
    wire.owed = REGISTRY_OUTBOX_BYTES_MAX + 1
    endpoint.say({"event": "changed"})
    assert wire.ended == "aborted"
    endpoint.say({"event": "changed"})
    assert len(wire.written) == 1
    endpoint.connection_lost(None)


async def test_connections_beyond_the_bound_are_not_heard_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("actorchat.cluster.registry_listener.REGISTRY_CONNECTIONS_MAX", 3)
    registry, wire = Registry(), Wire()
    full = {cast(Endpoint, object()) for _ in range(3)}
    endpoint = Endpoint(cast(Any, registry), full)
    endpoint.connection_made(cast(asyncio.BaseTransport, wire))
    assert wire.ended == "aborted"
    endpoint.data_received(frame(codec.encode({"id": 1})))
    endpoint.connection_lost(None)
    assert registry.told == []
