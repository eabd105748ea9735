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
CURVE_OPTIONS = {
    "curve_serverkey": CURVE_SERVER_PUBLIC,
    "curve_publickey": CURVE_CLIENT_PUBLIC,
    "curve_secretkey": CURVE_CLIENT_SECRET,
}
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
        async with asyncio.timeout(20):
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
    async with asyncio.timeout(20):
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


async def test_request_socket_does_not_come_in(door: Door) -> None:
    await door.open()
    requester = zmq.Context.instance().socket(zmq.REQ)
    requester.linger = 0
    requester.connect(door.gateway.address.replace("zmq://", "tcp://"))
    requester.send(HELLO)
    await until(lambda: door.gateway.counters.protocol_errors == 1)
    await until(lambda: door.gateway.counters.open == 1)
    requester.close()
    assert len(door.house.sessions) == 1


@pytest.mark.parametrize("routing_id", [b"ann", b"x" * 255, b"12345"])
async def test_routing_id_of_ones_own_does_not_come_in(door: Door, routing_id: bytes) -> None:
    await door.open()
    with pytest.raises(ConnectionRefusedError):
        await door.dial(routing_id=routing_id)
    assert door.gateway.counters.protocol_errors == 1
    await until(lambda: door.gateway.counters.open == 1)
    assert len(door.house.sessions) == 1


async def test_ids_that_libzmq_would_give_out_itself_do_no_harm(door: Door) -> None:
    # libzmq's own ROUTER ends the process when a peer has chosen the id that it gives out next.
    await door.open()
    chosen = [b"\0" + number.to_bytes(4, "big") for number in range(200)]
    for routing_id in chosen:
        stranger = await door.raw()
        stranger.sendall(GREETING + ready(routing_id=routing_id))
        told = await read_to_the_end(stranger)
        assert b"\x05ERROR" in told and b"routing id" in told
        stranger.close()
        if routing_id[-1] % 50 == 0:
            await door.sign_in(ZmqPeer.connect(door.gateway.address, None))
    assert door.gateway.counters.protocol_errors == len(chosen)


async def test_whole_handshake_and_a_message_may_come_in_one_piece(door: Door) -> None:
    await door.open()
    hasty = await door.raw(GREETING + ready() + bytes((0, len(HELLO))) + HELLO)
    await until(lambda: len(door.house.sessions) == 2 and len(door.house.sessions[1].ops) == 1)
    hasty.close()


@pytest.mark.parametrize("keys", [None, CURVE_KEYS], ids=["null", "curve"])
async def test_heartbeats_are_answered(door: Door, keys: CurveKeys | None) -> None:
    await door.open(keys)
    options = CURVE_OPTIONS if keys else {}
    beating = ZmqPeer.connect_with(
        door.gateway.address, heartbeat_ivl=20, heartbeat_timeout=200, **options
    )
    peer = await door.sign_in(beating)
    before = door.gateway.counters.frames_out
    await until(lambda: door.gateway.counters.frames_out > before + 20)
    await peer.send(PING)
    assert await peer.receive() == PONG


async def test_message_that_is_much_too_long_is_answered_all_the_same(door: Door) -> None:
    await door.open()
    peer = await door.sign_in(ZmqPeer.connect(door.gateway.address, None))
    await peer.send(bytes(limits.FRAME_BYTES_MAX * 20))
    error, bye = await rest(peer)
    assert (error["err"]["code"], bye["code"]) == ("too_large", "protocol")
    assert door.gateway.counters.bytes_in < limits.FRAME_BYTES_MAX * 2


async def test_peer_that_does_not_wait_for_answers_is_not_read(door: Door) -> None:
    await door.open(in_flight_max=4)
    peer = await door.sign_in(ZmqPeer.connect(door.gateway.address, None))
    door.house.answers = False
    sending = asyncio.ensure_future(peer.send(*(a_send(n, "x" * 60_000) for n in range(2, 900))))
    await until(lambda: door.gateway.counters.paused == 1)
    await asyncio.sleep(0.3)
    assert len(door.house.sessions[-1].ops) == 5  # the hello, and four that wait
    assert door.gateway.counters.bytes_in < 1_500_000
    sending.cancel()
    await peer.close()
    door.house.answers = True


async def test_message_without_an_end_is_refused_at_its_first_part(door: Door) -> None:
    await door.open(close_linger_s=0.1, tick_s=0.02)
    part = b"\x03" + (200_000).to_bytes(8, "big") + bytes(1000)
    attacker = await door.raw(GREETING, ready(), part)
    told = await read_to_the_end(attacker)
    assert b"bad_frame" in told and told.endswith(b"\0\0")
    assert door.gateway.counters.protocol_errors == 1


async def test_large_messages_are_taken(door: Door) -> None:
    await door.open()
    peer = await door.sign_in(ZmqPeer.connect(door.gateway.address, None))
    for number in range(2, 42):
        await peer.send(a_send(number, "x" * 65_000))
        assert await peer.receive() == {"re": number, "ok": {"seq": number, "ts": 0}}


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
    await door.open(handshake_timeout_s=0.2, close_linger_s=0.1, tick_s=0.02)
    silent = await door.raw(*sent)
    await read_to_the_end(silent)
    await until(lambda: door.gateway.counters.open == 1)
    has_come_in = ready() in sent
    assert len(door.house.sessions) == 1 + has_come_in, what
    assert door.gateway.counters.handshake_timeouts == 1
    assert door.gateway.bounds.room.taken == 1


@pytest.mark.parametrize("keys", [None, CURVE_KEYS], ids=["null", "curve"])
async def test_slow_greeting_is_cut_in_time(door: Door, keys: CurveKeys | None) -> None:
    await door.open(keys, handshake_timeout_s=0.3, close_linger_s=0.1, tick_s=0.02)
    slow = await door.raw()
    greeting = GREETING.replace(b"NULL\0", b"CURVE") if keys else GREETING
    stream = greeting + ready() + bytes(100_000)
    with pytest.raises(ConnectionError):
        async with asyncio.timeout(20):
            for byte in stream:
                await asyncio.get_running_loop().sock_sendall(slow, bytes((byte,)))
                await asyncio.sleep(0.01)
    assert door.gateway.counters.handshake_timeouts == 1
    await until(lambda: door.gateway.counters.open == 1)
    assert len(door.house.sessions) == 1


async def test_who_speaks_no_zmtp_is_cut(door: Door) -> None:
    await door.open(handshake_timeout_s=0.2, tick_s=0.02)
    stranger = await door.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + os.urandom(1000))
    await read_to_the_end(stranger)
    await until(lambda: door.gateway.counters.open == 1)
    assert door.gateway.counters.protocol_errors == 1


@pytest.mark.parametrize("version", [1, 2])
async def test_old_zmtp_does_not_come_in(door: Door, version: int) -> None:
    await door.open()
    old = await door.raw(GREETING[:10] + bytes((version,)) + b"\5\0\0")
    told = await read_to_the_end(old)
    assert len(told) == 64  # our greeting, and nothing that it could not read
    await until(lambda: door.gateway.counters.open == 1)


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
    ("options", "denied"), [(a_stranger, 1), (wrong_server, 1), (plain_password, 0), (dict, 0)]
)
async def test_who_is_not_listed_does_not_come_in(
    door: Door, options: Callable[[], dict[str, bytes]], denied: int
) -> None:
    await door.open(CURVE_KEYS, handshake_timeout_s=0.5, tick_s=0.02)
    with pytest.raises(ConnectionRefusedError):
        await ZmqPeer.connect_with(door.gateway.address, handshake_ivl=1000, **options())
    await until(lambda: door.gateway.counters.open == 1)
    assert door.gateway.counters.denied == denied
    assert len(door.house.sessions) == 1


async def test_curve_client_does_not_come_in_by_a_plain_door(door: Door) -> None:
    await door.open(handshake_timeout_s=0.5, tick_s=0.02)
    with pytest.raises(ConnectionRefusedError):
        await CurveZmqPeer.connect(door.gateway.address, None)
    await until(lambda: door.gateway.counters.open == 1)
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
