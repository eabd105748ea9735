"""Knows how a listener counts and sends off. Must not know sockets: the battery does."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from actorchat.gateway import listener as module
from actorchat.gateway.base import Bounds, Counters
from actorchat.gateway.endpoint import Endpoint
from actorchat.gateway.listener import Listener
from actorchat.gateway.tcp import TcpGateway
from actorchat.metrics import Exposition
from actorchat.protocol.codec import decode
from tests.unit.gateway.stage import FakeSession, Stage


def test_connection_beyond_the_bound_is_sent_away_and_opens_no_session() -> None:
    stage = Stage(connections_max=2)
    for _ in range(2):
        stage.connect()
    _, transport = stage.connect()
    (bye,) = transport.sent()
    assert (bye["code"], bye["reconnect"]) == ("overload", "after")
    assert len(stage.sessions) == 2
    counters = stage.gateway.counters
    assert (counters.accepted, counters.refused, counters.open) == (2, 1, 3)


def test_flood_beyond_the_bound_is_cut_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFUSED_LINGER_MAX", 3)
    stage = Stage(connections_max=1)
    transports = [stage.connect()[1] for _ in range(6)]
    assert [transport.is_aborted for transport in transports] == [False] * 4 + [True] * 2
    assert transports[5].writes == []
    assert stage.gateway.counters.refused == 5


def test_lost_connection_makes_room() -> None:
    stage = Stage(connections_max=1)
    connection, _ = stage.connect()
    connection.connection_lost(None)
    stage.connect()
    assert stage.gateway.counters.accepted == 2


def test_reconnects_after_a_drain_are_spread() -> None:
    gateway = Stage(drain_spread_ms=1000, overload_spread_ms=50_000).gateway
    gateway._sent_off = 20  # so few are no crowd
    few = [decode(gateway.bye("drain", "after"))["after_ms"] for _ in range(100)]
    assert len(set(few)) > 5 and max(few) <= 20
    gateway._sent_off = 5_000
    drains = [decode(gateway.bye("drain", "after"))["after_ms"] for _ in range(100)]
    assert len(set(drains)) > 50 and max(drains) <= 1000
    others = [decode(gateway.bye("overload", "after"))["after_ms"] for _ in range(100)]
    assert 1000 < max(others) <= 50_000
    assert "after_ms" not in decode(gateway.bye("idle", "now"))


def test_address_names_scheme_host_and_port() -> None:
    assert Stage().gateway.address == "tcp://127.0.0.1:7700"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert TcpGateway(FakeSession, "::1", 7, context).address == "tls://[::1]:7"


def test_transport_must_say_what_its_endpoints_are() -> None:
    with pytest.raises(NotImplementedError):
        Listener(FakeSession, "127.0.0.1", 0)._make_endpoint()


async def test_gateway_that_never_started_can_be_stopped() -> None:
    gateway = TcpGateway(FakeSession, "127.0.0.1", 0)
    await gateway.stop()
    assert gateway.is_full()


async def test_byes_of_a_drain_are_said_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYES_A_TURN", 2)
    stage = Stage()
    for _ in range(5):
        stage.connect()
    sending = asyncio.ensure_future(stage.gateway._send_off(Endpoint.leave))
    told = []
    while not sending.done():
        await asyncio.sleep(0)
        told.append(sum(bool(session.reasons) for session in stage.sessions))
    assert told[:3] == [2, 4, 5]
    await stage.gateway._send_off(Endpoint.dismiss)  # all are closing: nobody is told again
    assert [session.reasons for session in stage.sessions] == [["drain"]] * 5


def test_counters_are_read_by_name() -> None:
    exposition = Exposition()
    exposition.add("tcp", Counters(accepted=3))
    counts = exposition.snapshot()
    assert counts["tcp_accepted"] == 3 and counts["tcp_slow_consumers"] == 0
    assert set(counts) >= {"tcp_open", "tcp_refused", "tcp_bytes_in", "tcp_frames_out", "tcp_busy"}


def test_bounds_start_from_the_limits() -> None:
    assert Bounds().outbox_bytes_max == 1_048_576
