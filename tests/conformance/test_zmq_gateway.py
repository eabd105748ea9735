"""What only ZeroMQ's clients can do wrong is refused, counted and bounded; nobody else notices."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
import zmq

from actorchat import limits
from actorchat.errors import SettingsError
from actorchat.gateway.base import Outlet
from actorchat.gateway.curve import CurveKeys
from actorchat.gateway.zeromq import ZmqGateway
from tests.conformance.gateway_peers import (
    CURVE_CLIENT_PUBLIC,
    CURVE_CLIENT_SECRET,
    CURVE_KEYS,
    CURVE_SERVER_PUBLIC,
    CurveZmqPeer,
    ZmqPeer,
    rest,
)
from tests.conformance.test_gateways import BROAD, HELLO, PING, House, a_send, until

GREETING = bytes.fromhex("ff00000000000000007f0300") + b"NULL".ljust(20, b"\0") + bytes(32)
SIGNED_IN = {"re": 1, "ok": {"user": "ann"}}
PONG = {"op": "pong"}


def ready(socket_type: bytes = b"DEALER", routing_id: bytes = b"") -> bytes:
    """Return the command by which a ZMTP 3 peer says who it is."""
    command = b"\x05READY"
    for name, value in ((b"Socket-Type", socket_type), (b"Identity", routing_id)):
        command += bytes((len(name),)) + name + len(value).to_bytes(4, "big") + value
    return bytes((4, len(command))) + command


class Door:
    """A gateway, who comes in, and somebody who is signed in and must not notice anything."""

    def __init__(self) -> None:
        self.house = House()
        self.gateways: list[ZmqGateway] = []
        self.peers: list[ZmqPeer] = []
        self.sockets: list[socket.socket] = []
        self.gateway: ZmqGateway
        self.bystander: ZmqPeer

    async def open(self, keys: CurveKeys | None = None, **bounds: Any) -> None:
        self.gateway = ZmqGateway(
            self.house.open_session, "127.0.0.1", 0, bounds=replace(BROAD, **bounds), keys=keys
        )
        await self.gateway.start()
        self.gateways.append(self.gateway)
        dial = CurveZmqPeer.connect if keys else ZmqPeer.connect
        self.bystander = await self.sign_in(dial(self.gateway.address, None))

    async def sign_in(self, dialled: Awaitable[ZmqPeer]) -> ZmqPeer:
        peer = await dialled
        self.peers.append(peer)
        await peer.send(HELLO)
        assert await peer.receive() == SIGNED_IN
        return peer

    async def dial(self, **options: Any) -> ZmqPeer:
        self.peers.append(await ZmqPeer.connect_with(self.gateway.address, **options))
        return self.peers[-1]

    async def raw(self, *pieces: bytes) -> socket.socket:
        """Return a bare TCP connection that has sent `pieces`."""
        found = socket.create_connection(("127.0.0.1", self.gateway.port))
        found.setblocking(False)
        self.sockets.append(found)
        for piece in pieces:
            await asyncio.get_running_loop().sock_sendall(found, piece)
            await asyncio.sleep(0.02)  # in steps, as a peer that waits for the other's
        return found

    async def close(self) -> None:
        await self.bystander.send(PING)
        async with asyncio.timeout(5):
            assert await self.bystander.receive() == PONG
        for peer in self.peers:
            await peer.close()
        for found in self.sockets:
            found.close()
        for gateway in self.gateways:
            await gateway.stop()
            assert gateway.counters.session_errors == 0
        assert all(len(session.reasons) == 1 for session in self.house.sessions)


@pytest_asyncio.fixture
async def door(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Door]:
    door = Door()
    yield door
    await door.close()
    assert [*caplog.get_records("call"), *caplog.get_records("teardown")] == []


async def read_to_the_end(found: socket.socket) -> bytes:
    loop, got = asyncio.get_running_loop(), b""
    async with asyncio.timeout(5):
        try:
            while chunk := await loop.sock_recv(found, 65_536):
                got += chunk
        except ConnectionError:
            pass
    return got


# -- messages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [[PING, PING], [b"", PING], [PING, b""], [b"x"] * 500])
async def test_message_of_several_parts_is_refused(door: Door, parts: list[bytes]) -> None:
    await door.open()
    peer = await door.sign_in(ZmqPeer.connect(door.gateway.address, None))
    await peer.send(a_send(2))
    peer.dealer.send_multipart(parts)
    answer, error, bye = await rest(peer)
    assert answer["re"] == 2
    assert error["err"]["code"] == "bad_frame" and "one" in error["err"]["reason"]
    assert bye == {"op": "bye", "code": "protocol", "reconnect": "never"}
    assert door.gateway.counters.protocol_errors == 1
    assert door.house.sessions[-1].reasons == ["protocol"]


async def test_parts_that_look_like_somebodys_id_are_not_taken_for_them(door: Door) -> None:
    await door.open()
    (bystander_id,) = door.gateway._router._peers
    peer = await door.dial()
    peer.dealer.send_multipart([b"x", bystander_id, a_send(7), bystander_id, a_send(8)])
    error, bye = await rest(peer)
    assert (error["err"]["code"], bye["code"]) == ("bad_frame", "protocol")
    assert [type(op).__name__ for op in door.house.sessions[0].ops] == ["Hello"]


async def test_request_socket_is_refused_for_it_sends_two_parts(door: Door) -> None:
    await door.open()
    requester = zmq.Context.instance().socket(zmq.REQ)
    requester.linger = 0
    requester.connect(door.gateway.address.replace("zmq://", "tcp://"))
    requester.send(HELLO)
    await until(lambda: door.gateway.counters.protocol_errors == 1)
    requester.close()
    await until(lambda: door.gateway.counters.open == 1)


@pytest.mark.parametrize("routing_id", [b"ann", b"x" * 255, b"12345"])
async def test_routing_id_of_ones_own_is_refused(door: Door, routing_id: bytes) -> None:
    await door.open()
    peer = await door.dial(routing_id=routing_id)
    await peer.send(HELLO)
    error, bye = await rest(peer)
    assert (error["err"]["code"], bye["code"]) == ("bad_request", "protocol")
    assert door.gateway.counters.protocol_errors == 1
    assert door.house.sessions[-1].ops == []


async def test_message_beyond_what_libzmq_takes_cuts_its_sender(door: Door) -> None:
    await door.open()
    peer = await door.sign_in(ZmqPeer.connect(door.gateway.address, None))
    await peer.send(bytes(limits.FRAME_BYTES_MAX * 2))
    assert await rest(peer) == []
    await until(lambda: door.gateway.counters.open == 1)
    assert door.house.sessions[-1].reasons[0] in {"eof", "reset"}


async def test_peer_that_sends_on_unread_is_sent_away_and_its_bytes_are_bounded(door: Door) -> None:
    await door.open(in_flight_max=4, backlog_bytes_max=100_000)
    peer = await door.sign_in(ZmqPeer.connect(door.gateway.address, None))
    door.house.answers = False
    sending = asyncio.ensure_future(peer.send(*(a_send(n, "x" * 2000) for n in range(2, 500))))
    *_, bye = await rest(peer)
    await sending
    assert bye["code"] == "overload" and bye["reconnect"] == "after"
    assert door.gateway.counters.overruns == 1
    assert door.house.sessions[-1].reasons == ["overrun"]
    assert len(door.house.sessions[-1].ops) == 5  # the hello, and four that wait
    door.house.answers = True


async def test_message_without_an_end_is_cut_before_it_fills_the_memory(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ZMQ_UNHEARD_BYTES_MAX", 1_000_000)
    await door.open(tick_s=0.01, handshake_timeout_s=30.0)
    part = b"\x03" + (200_000).to_bytes(8, "big") + bytes(200_000)  # and more follow
    attacker = await door.raw(GREETING, ready())
    before = resident_bytes()
    sent = 0
    with pytest.raises(ConnectionError):
        async with asyncio.timeout(10):
            while True:
                await asyncio.get_running_loop().sock_sendall(attacker, part)
                sent += len(part)
                await asyncio.sleep(0.001)
    assert door.gateway.counters.endless == 1
    assert sent > 1_000_000
    assert resident_bytes() - before < sent + 50_000_000
    assert len(door.house.sessions) == 1


async def test_large_messages_that_are_whole_are_no_flood(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ZMQ_UNHEARD_BYTES_MAX", 1_000_000)
    await door.open(tick_s=0.01)
    peer = await door.sign_in(ZmqPeer.connect(door.gateway.address, None))
    for number in range(2, 42):
        await peer.send(a_send(number, "x" * 65_000))
        assert await peer.receive() == {"re": number, "ok": {"seq": number, "ts": 0}}
    assert door.gateway.counters.endless == 0


# -- who comes in -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "sent"),
    [
        ("nothing", []),
        ("half a greeting", [GREETING[:11]]),
        ("a greeting", [GREETING]),
        ("half a command", [GREETING, ready()[:9]]),
        ("a handshake and no message", [GREETING, ready()]),
        ("half a message", [GREETING, ready(), b"\x00\xc8abc"]),
    ],
)
async def test_who_says_nothing_is_cut_in_time(door: Door, what: str, sent: list[bytes]) -> None:
    await door.open(handshake_timeout_s=0.2, tick_s=0.02)
    silent = await door.raw(*sent)
    await read_to_the_end(silent)
    await until(lambda: len(door.gateway._lines) == 1)
    assert len(door.house.sessions) == 1, what
    assert door.gateway.bounds.room.taken == 1


async def test_who_speaks_no_zmtp_is_cut(door: Door) -> None:
    await door.open(handshake_timeout_s=0.2, tick_s=0.02)
    stranger = await door.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + os.urandom(1000))
    await read_to_the_end(stranger)
    await until(lambda: len(door.gateway._lines) == 1)


async def test_flood_of_connections_is_cut_and_leaves_nothing(door: Door) -> None:
    await door.open(connections_max=4, handshake_timeout_s=0.5, tick_s=0.02)
    door.gateway._lines.rules = replace(door.gateway._lines.rules, lines_max=8)
    flood = [await door.raw() for _ in range(40)]
    # Those beyond are cut long before the others' time is over.
    for each in flood[8:]:
        await read_to_the_end(each)
    assert door.gateway.counters.handshake_timeouts == 0
    assert len(door.gateway._lines) <= 9
    for each in flood[:8]:
        each.close()
    await until(lambda: len(door.gateway._lines) == 1)
    assert door.gateway.bounds.room.taken == 1
    await door.sign_in(ZmqPeer.connect(door.gateway.address, None))


def a_stranger() -> dict[str, bytes]:
    public, secret = zmq.curve_keypair()
    return {
        "curve_serverkey": CURVE_SERVER_PUBLIC,
        "curve_publickey": public,
        "curve_secretkey": secret,
    }


def wrong_server() -> dict[str, bytes]:
    return {
        "curve_serverkey": zmq.curve_keypair()[0],
        "curve_publickey": CURVE_CLIENT_PUBLIC,
        "curve_secretkey": CURVE_CLIENT_SECRET,
    }


def plain_password() -> dict[str, bytes]:
    return {"plain_username": b"ann", "plain_password": b"secret"}


@pytest.mark.parametrize(
    ("options", "denied"), [(a_stranger, 1), (wrong_server, 0), (plain_password, 0), (dict, 0)]
)
async def test_who_is_not_listed_does_not_come_in(
    door: Door, options: Callable[[], dict[str, bytes]], denied: int
) -> None:
    await door.open(CURVE_KEYS, handshake_timeout_s=0.5, tick_s=0.02)
    with pytest.raises(ConnectionRefusedError):
        await ZmqPeer.connect_with(door.gateway.address, handshake_ivl=1000, **options())
    await until(lambda: len(door.gateway._lines) == 1)
    assert door.gateway.counters.denied == denied
    assert len(door.house.sessions) == 1


async def test_curve_client_does_not_come_in_by_a_plain_door(door: Door) -> None:
    await door.open(handshake_timeout_s=0.5, tick_s=0.02)
    with pytest.raises(ConnectionRefusedError):
        await CurveZmqPeer.connect(door.gateway.address, None)
    await until(lambda: len(door.gateway._lines) == 1)
    assert len(door.house.sessions) == 1


async def test_without_keys_only_this_machine_is_listened_to() -> None:
    gateway = ZmqGateway(House().open_session, "0.0.0.0", 0)  # noqa: S104
    with pytest.raises(SettingsError, match=r"gateway\.zmq\.listen: 0\.0\.0\.0"):
        await gateway.start()


async def test_taken_address_is_an_os_error(door: Door) -> None:
    await door.open()
    second = ZmqGateway(House().open_session, "127.0.0.1", door.gateway.port)
    with pytest.raises(OSError, match="in use"):
        await second.start()


# -- who leaves, and who does not read ----------------------------------------------------------


async def test_peer_that_vanishes_without_a_word_is_noticed(door: Door) -> None:
    await door.open()
    vanishing = await door.raw(GREETING, ready(), bytes((0, len(HELLO))) + HELLO)
    await until(lambda: len(door.house.sessions) == 2)
    linger = b"\x01\0\0\0\0\0\0\0"
    vanishing.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)  # the close is a reset
    vanishing.close()
    await door.house.sessions[-1].is_over.wait()
    assert door.house.sessions[-1].reasons[0] in {"eof", "reset"}
    await until(lambda: door.gateway.counters.open == 1)


async def test_peer_that_does_not_read_costs_no_time_while_it_waits(door: Door) -> None:
    await door.open(outbox_bytes_max=10_000_000)
    peer = await door.sign_in(ZmqPeer.connect(door.gateway.address, None))
    outlet: Outlet = door.house.sessions[-1].outlet
    while outlet.unsent_bytes < 300_000:  # type: ignore[attr-defined]
        outlet.push(b"\xa0" * 4000)
        await asyncio.sleep(0)
    passes = count_passes(door.gateway)
    await asyncio.sleep(0.3)
    assert len(passes) < 60  # a pass for each try by the clock, every 20 ms
    assert door.gateway.counters.slow_consumers == 0
    await peer.close()
    await until(lambda: door.gateway.counters.open == 1)


def count_passes(gateway: ZmqGateway) -> list[None]:
    router, passes = gateway._router, list[None]()
    read = router._read

    def counted() -> bool:
        passes.append(None)
        return read()

    router._read = counted  # type: ignore[method-assign]
    return passes


def resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
