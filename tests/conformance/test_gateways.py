"""Knows what every gateway must do, whatever its transport. Must not know how one does it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
import trustme

from actorchat.errors import MailboxFull, Overloaded
from actorchat.gateway.base import CLOSE_REASONS, Bounds, Gateway, Outlet
from actorchat.gateway.listener import REFUSED_LINGER_MAX
from actorchat.gateway.poll import PollGateway
from actorchat.gateway.tcp import TcpGateway
from actorchat.gateway.ws import WsGateway
from actorchat.gateway.zeromq import ZmqGateway
from actorchat.protocol.codec import (
    encode,
    encode_accepted,
    encode_error,
    encode_push,
    encode_reply,
    encode_send,
)
from actorchat.protocol.ops import Ack, Hello, Invalid, Ping, Pong, Send
from tests.conformance.gateway_peers import (
    CURVE_KEYS,
    CurveZmqPeer,
    JsonWsPeer,
    Peer,
    PollPeer,
    TcpPeer,
    WsPeer,
    ZmqPeer,
    rest,
)


@dataclass(frozen=True)
class Kind:
    """One row of the battery: a gateway, the far end of its transport, and what that can do."""

    name: str
    gateway: Callable[..., Gateway]
    peer: type[Peer]
    is_tls: bool = False
    can_half_close: bool = False


GATEWAYS = [
    Kind("tcp", TcpGateway, TcpPeer, can_half_close=True),
    Kind("tls", TcpGateway, TcpPeer, is_tls=True),
    Kind("ws", WsGateway, WsPeer),
    Kind("ws-json", WsGateway, JsonWsPeer),
    Kind("wss", WsGateway, WsPeer, is_tls=True),
    Kind("http", PollGateway, PollPeer),
    Kind("https", PollGateway, PollPeer, is_tls=True),
    Kind("zmq", ZmqGateway, ZmqPeer),
    Kind("zmq-curve", partial(ZmqGateway, keys=CURVE_KEYS), CurveZmqPeer),
]

HELLO = encode_push(Hello(1, 1, "ann", "phone", "password", "secret"))
PING = encode_push(Ping())
QUIET_PING = encode_push(Ping(noreply=True))
ACK = encode_push(Ack(1))
TO_BOB = encode("bob")
BROAD = Bounds(close_linger_s=0.5, drain_answer_s=0.3, busy_pause_s=0.01, tick_s=0.05)


def a_send(request_id: int, body: str = "hi") -> bytes:
    return encode_send(request_id, TO_BOB, request_id.to_bytes(16, "big"), body)


class Session:
    """A session that takes down what it is told, and answers at once unless the house says no."""

    def __init__(self, house: House, outlet: Outlet) -> None:
        self.house = house
        self.outlet = outlet
        self.ops: list[Any] = []
        self.unanswered: list[int] = []
        self.reasons: list[str] = []
        self.is_over = asyncio.Event()

    def receive(self, op: Any) -> None:
        assert not self.reasons, "an op after the close"
        if self.house.fault is not None:
            raise self.house.fault
        self.ops.append(op)
        match op:
            case Hello():
                self.outlet.admit()
                self.outlet.reply(encode_reply(op.id, {"user": op.user}))
            case Send() if self.house.answers:
                self.outlet.reply(encode_accepted(op.id, op.id, 0))
            case Send():
                self.unanswered.append(op.id)
            case Ping():
                self.outlet.push(encode_push(Pong()))
            case Invalid():
                self.outlet.reply(encode_error(op.id, op.code, op.reason, "never", "none"))

    def answer(self, count: int = 2**32) -> None:
        due = self.unanswered[:count]
        del self.unanswered[:count]
        for request_id in due:
            self.outlet.reply(encode_accepted(request_id, request_id, 0))

    def closed(self, reason: str) -> None:
        self.reasons.append(reason)
        self.is_over.set()


class House:
    """Where the sessions of a test live."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.answers = True
        self.fault: Exception | None = None
        self.refusal: Exception | None = None

    def open_session(self, outlet: Outlet) -> Session:
        if self.refusal is not None:
            raise self.refusal
        self.sessions.append(Session(self, outlet))
        return self.sessions[-1]


class Site:
    """A gateway of one kind, its sessions, and a way to reach it."""

    def __init__(self, kind: Kind, tls_server: ssl.SSLContext, tls_client: ssl.SSLContext) -> None:
        self.kind = kind
        self.house = House()
        self.gateway: Gateway
        self._tls_server = tls_server if kind.is_tls else None
        self._tls_client = tls_client if kind.is_tls else None
        self._gateways: list[Gateway] = []
        self._peers: list[Peer] = []

    async def open(self, **bounds: Any) -> None:
        self.gateway = self.kind.gateway(
            self.house.open_session,
            "127.0.0.1",
            0,
            ssl_context=self._tls_server,
            bounds=replace(BROAD, **bounds),
        )
        await self.gateway.start()
        self._gateways.append(self.gateway)

    async def dial(self) -> Peer:
        peer = await self.kind.peer.connect(self.gateway.address, self._tls_client)
        self._peers.append(peer)
        return peer

    async def sign_in(self) -> tuple[Peer, Session]:
        peer = await self.dial()
        await peer.send(HELLO)
        assert await peer.receive() == {"re": 1, "ok": {"user": "ann"}}
        return peer, self.house.sessions[-1]

    async def close(self) -> None:
        for peer in self._peers:
            await peer.close()
        for gateway in self._gateways:
            await gateway.stop()
        assert all(len(session.reasons) == 1 for session in self.house.sessions)
        assert {s.reasons[0] for s in self.house.sessions} <= set(CLOSE_REASONS)


@pytest.fixture(scope="module")
def tls_contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


@pytest_asyncio.fixture(params=GATEWAYS, ids=lambda kind: kind.name)
async def site(
    request: pytest.FixtureRequest,
    tls_contexts: tuple[ssl.SSLContext, ssl.SSLContext],
    caplog: pytest.LogCaptureFixture,
) -> AsyncIterator[Site]:
    site = Site(request.param, *tls_contexts)
    yield site
    await site.close()
    # Whatever peers do, the loop finds nothing to complain about, and nothing makes a traceback.
    said = caplog.get_records("call") + caplog.get_records("teardown")
    assert {record.name for record in said} <= {"actorchat.gateway.endpoint"}


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that the far end can't see."""
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)


# -- bytes in -----------------------------------------------------------------------------------


async def test_single_bytes_make_the_same_ops_as_whole_frames(site: Site) -> None:
    await site.open()
    peer, session = await site.sign_in()
    await peer.send_in_pieces(a_send(2), PING, a_send(3, "é" * 40))
    assert await peer.receive() == {"re": 2, "ok": {"seq": 2, "ts": 0}}
    assert await peer.receive() == {"op": "pong"}
    assert await peer.receive() == {"re": 3, "ok": {"seq": 3, "ts": 0}}
    assert [type(op) for op in session.ops] == [Hello, Send, Send]  # the gateway's was the pong
    assert session.ops[2].body == "é" * 40


async def test_coalesced_frames_are_answered_each_and_in_order(site: Site) -> None:
    await site.open()
    peer, _ = await site.sign_in()
    await peer.send(*map(a_send, range(2, 2002)))
    got = [await peer.receive() for _ in range(2000)]
    assert got == [{"re": n, "ok": {"seq": n, "ts": 0}} for n in range(2, 2002)]
    counters = site.gateway.counters
    assert counters.frames_in == counters.frames_out == 2001
    assert counters.bytes_in > 2000 * 40 and counters.bytes_out > 2000 * 20


async def test_longest_frame_passes_after_sign_in(site: Site) -> None:
    await site.open()
    peer, session = await site.sign_in()
    await peer.send(a_send(2, "x" * 65_536))
    assert await peer.receive() == {"re": 2, "ok": {"seq": 2, "ts": 0}}
    assert len(session.ops[1].body) == 65_536


async def test_longer_frame_than_a_stranger_may_send_ends_the_connection(site: Site) -> None:
    await site.open()
    peer = await site.dial()
    await peer.send(HELLO[:1] + b"x" * 4096)
    error, bye = await rest(peer)
    assert (error["err"]["code"], bye["code"]) == ("too_large", "protocol")
    await until(lambda: site.gateway.counters.open == 0)
    assert site.gateway.counters.protocol_errors == 1


@pytest.mark.parametrize("size", [262_145, 2**31, 2**32 - 1])
async def test_too_long_frame_is_refused_before_it_has_come(site: Site, size: int) -> None:
    await site.open()
    peer, session = await site.sign_in()
    await peer.send(a_send(2))
    await peer.send_too_long(size)
    answer, error, bye = await rest(peer)
    assert answer == {"re": 2, "ok": {"seq": 2, "ts": 0}}
    assert "re" not in error and error["err"]["code"] == "too_large"
    assert bye == {"op": "bye", "code": "protocol", "reconnect": "never"}
    await session.is_over.wait()
    assert session.reasons == ["protocol"]


HOSTILE = {
    "empty": b"",
    "no map": b"\x00",
    "random": bytes(range(255, 200, -1)),
    "deep": b"\x81" * 1000 + b"\x00",
    "long text": b"\x7b" + b"\xff" * 8,
    "long list": b"\x9a\x7f\xff\xff\xff",
    "tag": b"\xa1\x62op\xc2\x41\x01",
    "shared reference": b"\xa1\x62op\xd8\x1d\x00",
    "indefinite": b"\xbf\x62op\x64ping\xff",
    "duplicate key": b"\xa2\x62op\x64ping\x62op\x64ping",
    "trailing": PING + b"\x00",
    "bad text": b"\xa1\x62op\x62\xff\xfe",
}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_cbor_gets_one_error_and_a_bye(
    site: Site, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await site.open()
    peer, session = await site.sign_in()
    await peer.send(a_send(2), payload, a_send(3))
    answer, error, bye = await rest(peer)
    assert answer["re"] == 2
    assert error["err"]["code"] == "bad_frame" and error["err"]["retry"] == "never"
    assert bye == {"op": "bye", "code": "protocol", "reconnect": "never"}
    assert [getattr(op, "id", None) for op in session.ops] == [1, 2]
    assert session.reasons == ["protocol"]
    assert site.gateway.counters.protocol_errors == 1
    assert not caplog.records


async def test_bad_op_in_a_good_frame_is_the_sessions_to_answer(site: Site) -> None:
    await site.open()
    peer, _ = await site.sign_in()
    await peer.send(encode({"op": "dance", "id": 7}), a_send(8))
    refusal, answer = await peer.receive(), await peer.receive()
    assert refusal is not None and refusal["re"] == 7
    assert refusal["err"]["code"] == "unknown_op"
    assert answer == {"re": 8, "ok": {"seq": 8, "ts": 0}}


# -- backpressure -------------------------------------------------------------------------------


async def test_unanswered_requests_stop_the_reading_until_half_are_answered(site: Site) -> None:
    await site.open(in_flight_max=8)
    peer, session = await site.sign_in()
    site.house.answers = False
    await peer.send(*map(a_send, range(2, 42)))
    await until(lambda: len(session.unanswered) == 8)
    await asyncio.sleep(0.05)
    assert len(session.unanswered) == 8
    assert site.gateway.counters.paused == 1

    session.answer(3)
    await asyncio.sleep(0.05)
    assert len(session.unanswered) == 5  # more than half are still out
    session.answer(1)
    await until(lambda: session.unanswered == [6, 7, 8, 9, 10, 11, 12, 13])

    site.house.answers = True
    session.answer()
    got = [await peer.receive() for _ in range(40)]
    assert [message and message["re"] for message in got] == list(range(2, 42))


async def test_ops_without_an_id_are_not_counted_as_in_flight(site: Site) -> None:
    await site.open(in_flight_max=2)
    peer, _ = await site.sign_in()
    await peer.send(*[PING] * 10)
    assert [await peer.receive() for _ in range(10)] == [{"op": "pong"}] * 10
    assert site.gateway.counters.paused == 0


async def test_a_ping_that_wants_no_reply_gets_none(site: Site) -> None:
    await site.open()
    peer, session = await site.sign_in()
    await peer.send(*[QUIET_PING] * 10, PING, QUIET_PING, a_send(2))
    assert await peer.receive() == {"op": "pong"}
    assert (await peer.receive())["re"] == 2
    assert [type(op) for op in session.ops] == [Hello, Send]


async def test_full_mailbox_is_answered_busy_and_the_next_ops_wait(site: Site) -> None:
    await site.open()
    peer, session = await site.sign_in()
    site.house.fault = MailboxFull("full")
    await peer.send(a_send(2), a_send(3), ACK)
    refusal = await peer.receive()
    assert refusal is not None and refusal["re"] == 2
    assert refusal["err"] | {"reason": ""} == {
        "code": "busy",
        "reason": "",
        "retry": "after",
        "outcome": "none",
        "after_ms": 10,
    }
    site.house.fault = None
    assert (await peer.receive() or {})["re"] == 3
    # An op that can't be refused waits instead.
    await until(lambda: session.ops[-1] == Ack(1))


async def test_peer_that_does_not_read_is_closed_and_its_bytes_are_bounded(site: Site) -> None:
    bytes_max = 262_144
    await site.open(outbox_bytes_max=bytes_max)
    peer, session = await site.sign_in()
    payload = encode({"op": "msg", "x": "x" * 4000})
    most = 0
    async with asyncio.timeout(20):
        while not session.reasons:
            for _ in range(20):
                session.outlet.push(payload)
                most = max(most, session.outlet.unsent_bytes)  # type: ignore[attr-defined]
            await asyncio.sleep(0)
    assert session.reasons == ["slow_consumer"]
    assert most <= bytes_max + len(payload) + 100
    assert site.gateway.counters.slow_consumers == 1
    *_, bye = await rest(peer)  # one that only was slow still learns why
    assert bye["code"] == "slow_consumer" and bye["reconnect"] == "after"


async def test_burst_to_a_peer_that_reads_is_no_slow_consumer(site: Site) -> None:
    await site.open(outbox_bytes_max=262_144)
    peer, session = await site.sign_in()
    payload = encode({"op": "msg", "x": "x" * 4000})
    for _ in range(50):
        session.outlet.push(payload)
    for _ in range(50):
        assert await peer.receive() == {"op": "msg", "x": "x" * 4000}
    assert session.reasons == []


# -- the end ------------------------------------------------------------------------------------


async def test_half_closed_peer_gets_the_answers_that_it_waits_for(site: Site) -> None:
    if not site.kind.can_half_close:
        pytest.skip("this transport has no half-closed state")
    await site.open()
    peer, session = await site.sign_in()
    site.house.answers = False
    await peer.send(a_send(2), a_send(3))
    await peer.half_close()
    await until(lambda: len(session.unanswered) == 2)
    await asyncio.sleep(0.02)
    assert session.reasons == []
    session.answer()
    assert [message["re"] for message in await rest(peer)] == [2, 3]
    assert session.reasons == ["eof"]


async def test_close_of_the_peer_is_told_once(site: Site) -> None:
    await site.open()
    peer, session = await site.sign_in()
    await peer.close()
    await session.is_over.wait()
    await until(lambda: site.gateway.counters.open == 0)
    session.outlet.close()
    assert session.reasons in (["eof"], ["reset"])


async def test_close_of_the_session_sends_what_is_queued_and_the_last_word(site: Site) -> None:
    await site.open()
    peer, session = await site.sign_in()
    session.outlet.push(encode({"n": 1}))
    session.outlet.close(encode({"n": 2}))
    assert session.reasons == ["session"]
    session.outlet.push(encode({"n": 3}))
    session.outlet.reply(encode({"n": 4}))
    session.outlet.close(encode({"n": 5}))
    session.outlet.admit()
    assert await rest(peer) == [{"n": 1}, {"n": 2}]
    await peer.close()
    await until(lambda: site.gateway.counters.open == 0)
    session.outlet.push(encode({"n": 6}))
    assert session.reasons == ["session"]


async def test_ops_after_the_close_are_thrown_away(site: Site) -> None:
    await site.open()
    peer, session = await site.sign_in()
    session.outlet.close(encode({"n": 1}))
    await peer.send(a_send(2))
    await rest(peer)
    assert [type(op) for op in session.ops] == [Hello]


async def test_peer_that_never_closes_its_side_is_cut(site: Site) -> None:
    await site.open(close_linger_s=0.05, tick_s=0.02)
    _, session = await site.sign_in()
    payload = encode({"op": "msg", "x": b"x" * 200_000})
    for _ in range(4):  # more than the kernel takes, so that it can't end by itself
        session.outlet.push(payload)
    session.outlet.close()
    await until(lambda: site.gateway.counters.open == 0)
    assert session.reasons == ["session"]


async def test_failing_session_takes_only_its_own_connection_down(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    await site.open()
    peer, session = await site.sign_in()
    other, other_session = await site.sign_in()
    site.house.fault = RuntimeError("a bug")
    await peer.send(a_send(2), a_send(3))
    assert await rest(peer) == []
    site.house.fault = None
    await other.send(a_send(2))
    assert await other.receive() == {"re": 2, "ok": {"seq": 2, "ts": 0}}
    assert (session.reasons, other_session.reasons) == (["error"], [])
    assert [record.message for record in caplog.records] == ["session failed"]
    assert caplog.records[0].levelno == logging.ERROR


# -- deadlines ----------------------------------------------------------------------------------


async def test_peer_that_does_not_sign_in_is_sent_away(site: Site) -> None:
    # TLS has its own handshake under the same bound, and that one needs its time.
    await site.open(handshake_timeout_s=1.0, tick_s=0.02)
    peer = await site.dial()
    await peer.send(PING)
    pong, bye = await rest(peer)
    assert pong == {"op": "pong"}
    assert bye["op"] == "bye" and bye["reconnect"] == "after"
    assert site.house.sessions[0].reasons == ["handshake"]
    assert site.gateway.counters.handshake_timeouts == 1


async def test_silent_peer_is_sent_away_and_a_talking_one_is_not(site: Site) -> None:
    await site.open(idle_timeout_s=0.2, tick_s=0.02)
    silent, silent_session = await site.sign_in()
    talking, talking_session = await site.sign_in()
    while not silent_session.reasons:
        await talking.send(PING)
        await talking.receive()
        await asyncio.sleep(0.02)
    assert await rest(silent) == [{"op": "bye", "code": "idle", "reconnect": "now"}]
    assert silent_session.reasons == ["idle"]
    assert talking_session.reasons == []
    assert site.gateway.counters.idle_closed == 1


# -- strangers ----------------------------------------------------------------------------------

# How a client of each transport begins, and goes on for so long as somebody lets it.
TLS_OPENING = bytes.fromhex("1603010200010001fc0303") + bytes(500)
OPENINGS = {
    "tcp": (4_000).to_bytes(4, "big") + b"\xa1" + bytes(500),
    "ws": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Drip: " + b"x" * 500,
    "http": b"POST /v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Drip: " + b"x" * 500,
    "zmq": b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(500),
}
Stranger = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def strangers(site: Site, count: int) -> list[Stranger]:
    """Open TCP connections to the gateway, whatever it speaks on them, and say nothing."""
    where = urlsplit(site.gateway.address)
    return [await asyncio.open_connection(where.hostname, where.port) for _ in range(count)]


async def is_cut(stranger: Stranger) -> None:
    """Return when the gateway has closed the connection, whatever it says before."""
    reader, writer = stranger
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(20):
            await reader.read(-1)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_strangers_who_are_silent_or_drip_are_cut(site: Site) -> None:
    await site.open(handshake_timeout_s=1.0, tick_s=0.02)
    opening = TLS_OPENING if site.kind.is_tls else OPENINGS[site.kind.name.partition("-")[0]]
    slow, *silent = await strangers(site, 10)

    async def drip() -> None:
        with contextlib.suppress(ConnectionError):
            for byte in opening:
                slow[1].write(bytes((byte,)))
                await slow[1].drain()
                await asyncio.sleep(0.02)  # for ten seconds in all, and no silence in between

    dripping = asyncio.ensure_future(drip())
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await asyncio.gather(*map(is_cut, (slow, *silent)))
    assert 0.9 < loop.time() - began_s < 8.0
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)
    await until(lambda: site.gateway.counters.open == 0)
    assert all(session.ops == [] for session in site.house.sessions)
    await site.sign_in()


async def test_flood_of_strangers_is_bounded_and_passes(site: Site) -> None:
    await site.open(connections_max=2, handshake_timeout_s=1.0, tick_s=0.02)
    flood = await strangers(site, 2 + REFUSED_LINGER_MAX + 100)
    assert site.gateway.counters.open <= 2 + REFUSED_LINGER_MAX
    await asyncio.gather(*map(is_cut, flood))
    await until(lambda: site.gateway.counters.open == 0)
    await site.sign_in()


# -- many ---------------------------------------------------------------------------------------


async def test_thousand_quick_connects_leave_nothing_behind(site: Site) -> None:
    await site.open()

    async def come_and_go() -> None:
        peer = await site.kind.peer.connect(site.gateway.address, site._tls_client)
        await peer.close()

    for _ in range(20):
        await asyncio.gather(*(come_and_go() for _ in range(50)))
    # Over TLS 1.3 a client may be gone before the server has finished its handshake.
    least = 1 if site.kind.is_tls else 1000
    await until(lambda: site.gateway.counters.accepted >= least)
    await until(lambda: site.gateway.counters.open == 0)
    assert all(len(session.reasons) == 1 for session in site.house.sessions)
    await site.sign_in()


async def test_one_connection_too_many_is_sent_away(site: Site) -> None:
    await site.open(connections_max=2)
    kept = [await site.sign_in() for _ in range(2)]
    peer = await site.dial()
    await peer.send(HELLO)
    (bye,) = await rest(peer)
    assert bye["code"] == "overload" and bye["reconnect"] == "after"
    assert 0 <= bye["after_ms"] <= BROAD.overload_spread_ms
    assert len(site.house.sessions) == 2
    assert (site.gateway.counters.accepted, site.gateway.counters.refused) == (2, 1)
    await peer.close()
    await kept[0][0].close()
    await until(lambda: site.gateway.counters.open == 1)
    await site.sign_in()


async def test_house_without_room_sends_peers_away(site: Site) -> None:
    await site.open()
    site.house.refusal = Overloaded("no room")
    (bye,) = await rest(await site.dial())
    assert bye["code"] == "overload"
    assert site.gateway.counters.refused == 1


# -- drain and stop -----------------------------------------------------------------------------


async def test_drain_answers_what_is_under_way_then_says_bye(site: Site) -> None:
    await site.open()
    idle, idle_session = await site.sign_in()
    site.house.answers = False
    busy, busy_session = await site.sign_in()
    await busy.send(a_send(2))
    await until(lambda: busy_session.unanswered == [2])

    draining = asyncio.ensure_future(site.gateway.drain())
    (bye,) = await rest(idle)
    assert bye["code"] == "drain" and bye["reconnect"] == "after"
    assert 0 <= bye["after_ms"] <= BROAD.drain_spread_ms
    assert busy_session.reasons == []
    busy_session.answer()
    answer, bye = await rest(busy)
    assert answer["re"] == 2 and bye["code"] == "drain"
    await idle.close()
    await busy.close()
    assert await draining == 0
    assert idle_session.reasons == busy_session.reasons == ["drain"]
    with pytest.raises(OSError):
        await site.dial()


async def test_drain_does_not_wait_for_ever(site: Site) -> None:
    await site.open(drain_answer_s=0.05, close_linger_s=0.1)
    site.house.answers = False
    peer, session = await site.sign_in()
    await peer.send(a_send(2))
    await until(lambda: session.unanswered == [2])
    payload = encode({"op": "msg", "x": b"x" * 200_000})
    for _ in range(4):
        session.outlet.push(payload)
    async with asyncio.timeout(20):
        cut = await site.gateway.drain()
    assert session.reasons == ["drain"]
    assert site.gateway.counters.open == 0
    assert cut in (0, 1)


async def test_stop_cuts_everybody_and_tells_the_sessions(site: Site) -> None:
    await site.open()
    peer, session = await site.sign_in()
    await site.gateway.stop()
    assert session.reasons == ["stop"]
    assert await rest(peer) == []
    assert site.gateway.counters.open == 0
