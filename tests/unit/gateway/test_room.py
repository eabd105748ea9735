"""Connections of all gateways of a node share its room."""

from __future__ import annotations

import random

import pytest

from actorchat.gateway import listener as module
from actorchat.gateway.base import Bounds
from actorchat.gateway.room import Room
from actorchat.gateway.tcp import TcpConnection, TcpGateway
from tests.unit.gateway.stage import FakeLoop, FakeSession, FakeTransport


def gateways(room: Room, count: int) -> list[TcpGateway]:
    made = []
    for number in range(count):
        bounds = Bounds(room=room)
        gateway = TcpGateway(FakeSession, "127.0.0.1", number, bounds=bounds, rng=random.Random(7))
        gateway.loop = FakeLoop()  # type: ignore[assignment]
        made.append(gateway)
    return made


def connect(gateway: TcpGateway) -> tuple[TcpConnection, FakeTransport]:
    connection = TcpConnection(gateway)
    transport = FakeTransport(connection)
    connection.connection_made(transport)  # type: ignore[arg-type]
    return connection, transport


def test_room_is_over_with_one_more_than_its_places() -> None:
    room = Room(2)
    for is_over in (False, False, True):
        room.enter()
        assert room.is_over is is_over
    room.leave()
    assert not room.is_over


def test_nobody_leaves_who_did_not_enter() -> None:
    with pytest.raises(AssertionError):
        Room(1).leave()


def test_room_of_its_own_has_no_bound() -> None:
    assert Bounds().room is not Bounds().room
    assert Bounds().room.places > 2**40


def test_connections_of_one_gateway_leave_no_place_to_those_of_another() -> None:
    room = Room(2)
    one, other = gateways(room, 2)
    first, _ = connect(one)
    connect(one)
    _, refused = connect(other)
    assert [message["code"] for message in refused.sent()] == ["overload"]
    assert (one.counters.refused, other.counters.refused, room.taken) == (0, 1, 3)
    first.connection_lost(None)
    assert room.taken == 2
    first.connection_lost(None)  # a second word of it gives no second place
    assert room.taken == 2


def test_flood_through_several_gateways_is_cut_at_one_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "REFUSED_LINGER_MAX", 2)
    both = gateways(Room(1), 2)
    transports = [connect(both[number % 2])[1] for number in range(6)]
    assert [transport.is_aborted for transport in transports] == [False] * 3 + [True] * 3
