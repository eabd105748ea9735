"""ZeroMQ loses and waits in silence in many ways; none of them is left to it here."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
import zmq

from actorchat import limits
from actorchat.actor import ActorSystem, LoopDispatcher
from actorchat.cluster.link import PeerAddress
from actorchat.cluster.link_frame import HELLO, Head, pack_frame
from actorchat.cluster.link_key import NodeKey
from actorchat.cluster.link_zmq import ZmqTransport
from actorchat.cluster.mesh import Mesh
from actorchat.errors import SettingsError
from tests.unit.cluster.town import Note, Scribe, heard

WAIT_S = 20.0


def new_key() -> NodeKey:
    return NodeKey.of(zmq.curve_keypair()[1].decode())


async def until(holds: Callable[[], Any]) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline_s, "it never came to that"
        await asyncio.sleep(0)


class Ear:
    """A transport that listens, and what it heard."""

    def __init__(self, endpoint: str, key: NodeKey | None = None) -> None:
        self.transport = ZmqTransport(endpoint, key)
        self.heard: list[tuple[str | None, bytes]] = []
        self.known: set[str] = set()
        self.events: list[str] = []

    def start(self) -> Ear:
        self.transport.start(lambda *got: self.heard.append(got), self.known.__contains__)
        return self

    def dial(self, to: Ear, key: str | None = None) -> Any:
        address = PeerAddress(to.transport.endpoint, key)
        return self.transport.open(
            address, lambda: self.events.append("writable"), lambda: self.events.append("broken")
        )


@asynccontextmanager
async def ears(folder: Path, *names: str, curve: bool = False) -> AsyncIterator[list[Ear]]:
    folder.chmod(0o700)
    made = []
    for name in names:
        key = new_key() if curve else None
        made.append(Ear("tcp://127.0.0.1:0" if curve else f"ipc://{folder}/{name}", key))
    try:
        yield made
    finally:
        for ear in made:
            ear.transport.close()
        for ear in made:
            await ear.transport.gone()


async def send_all(lane: Any, frames: list[bytes]) -> None:
    for frame in frames:
        await until(lambda frame=frame: lane.send(frame))


async def test_every_frame_of_a_burst_is_read_though_the_descriptor_tells_once(
    tmp_path: Path,
) -> None:
    async with ears(tmp_path, "a", "b") as (one, other):
        one.start()
        other.start()
        lane = one.dial(other)
        frames = [b"%d" % number for number in range(5_000)]
        await send_all(lane, frames)
        await until(lambda: len(other.heard) == len(frames))
        assert other.heard == [(None, frame) for frame in frames]
        lane.close(0)


async def test_a_reader_that_raises_goes_on_with_the_next_frame(tmp_path: Path) -> None:
    caught: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, about: caught.append(about))
    async with ears(tmp_path, "a", "b") as (one, other):
        one.start()
        got: list[bytes] = []

        def choke(_key: str | None, frame: bytes) -> None:
            got.append(frame)
            if frame == b"1":
                raise ZeroDivisionError

        other.transport.start(choke, lambda _key: False)
        lane = one.dial(other)
        await send_all(lane, [b"0", b"1", b"2"])
        await until(lambda: len(got) == 3)
        assert len(caught) == 1
        lane.close(0)


async def test_nothing_is_queued_for_a_peer_that_is_not_there(tmp_path: Path) -> None:
    async with ears(tmp_path, "a", "b") as (one, other):
        one.start()
        lane = one.dial(other)
        assert not lane.send(b"to nobody")
        other.start()
        await until(lambda: "writable" in one.events)
        assert lane.send(b"to somebody")
        await until(lambda: other.heard)
        assert other.heard == [(None, b"to somebody")]
        lane.close(0)


async def test_a_slow_reader_stops_the_sender_and_loses_nothing(tmp_path: Path) -> None:
    async with ears(tmp_path, "a", "b") as (one, other):
        one.start()
        other.start()
        loop = asyncio.get_running_loop()
        router: Any = other.transport._router
        loop.remove_reader(router.getsockopt(zmq.FD))
        lane = one.dial(other)
        await until(lambda: lane.send(b"first"))
        sent, body = 1, bytes(100_000)
        while lane.send(body):
            sent += 1
            assert sent < 10 * limits.LINK_PIPE_FRAMES
            for _ in range(50):
                await asyncio.sleep(0)
        one.events.clear()
        loop.add_reader(router.getsockopt(zmq.FD), other.transport._ready)
        other.transport._ready()
        await until(lambda: "writable" in one.events and len(other.heard) == sent)
        lane.close(0)


async def test_what_was_taken_arrives_though_the_lane_is_closed(tmp_path: Path) -> None:
    async with ears(tmp_path, "a", "b") as (one, other):
        one.start()
        other.start()
        lane = one.dial(other)
        await until(lambda: lane.send(b"0"))
        for _ in range(20):
            lane.send(b"x" * 100_000)
        lane.close(5.0)
        lane.close(5.0)
        assert not lane.send(b"closed")
        await until(lambda: len(other.heard) == 21)


async def test_a_peer_that_ends_is_told_soon(tmp_path: Path) -> None:
    async with ears(tmp_path, "a", "b") as (one, other):
        one.start()
        other.start()
        lane = one.dial(other)
        await until(lambda: lane.send(b"0"))
        await until(lambda: other.heard)
        other.transport.close()
        await until(lambda: "broken" in one.events)
        lane.close(0)


async def test_only_keys_that_are_known_get_in_and_are_told_by_name(tmp_path: Path) -> None:
    async with ears(tmp_path, "a", "b", "stranger", curve=True) as (one, other, stranger):
        for ear in (one, other, stranger):
            ear.start()
        mine, theirs = one.transport._key, other.transport._key
        assert mine is not None
        assert theirs is not None
        other.known.add(mine.public)
        lanes = [one.dial(other, theirs.public), stranger.dial(other, theirs.public)]
        await until(lambda: lanes[0].send(b"hello"))
        await until(lambda: other.heard and "broken" in stranger.events)
        assert other.heard == [(mine.public, b"hello")]
        assert not lanes[1].send(b"let me in")
        for lane in lanes:
            lane.close(0)


async def test_a_server_with_another_key_gets_nothing(tmp_path: Path) -> None:
    async with ears(tmp_path, "a", "b", curve=True) as (one, other):
        for ear in (one, other):
            ear.start()
        assert one.transport._key is not None
        other.known.add(one.transport._key.public)
        lane = one.dial(other, new_key().public)
        await until(lambda: "broken" in one.events)
        assert not lane.send(b"secret")
        assert other.heard == []
        lane.close(0)


async def test_a_client_without_curve_gets_nothing_through(tmp_path: Path) -> None:
    async with ears(tmp_path, "a", curve=True) as (one,):
        one.start()
        context = zmq.Context()
        monitor: Any = None
        with context.socket(zmq.DEALER) as dealer:
            dealer.linger = 0
            monitor = dealer.get_monitor_socket()
            dealer.connect(one.transport.endpoint)
            dealer.send(b"\xa1\x62op\x65hello")
            await until(lambda: monitor.poll(0) and b"\x00\x02" in monitor.recv_multipart()[0])
            dealer.disable_monitor()
            monitor.close()
        context.term()
        host, _, port = one.transport.endpoint.removeprefix("tcp://").rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port))) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(100))
            raw.setblocking(False)
            await until(lambda: is_over(raw))
        assert one.heard == []


def is_over(raw: socket.socket) -> bool:
    try:
        return raw.recv(100) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


async def test_more_than_one_part_and_too_many_bytes_reach_nobody(tmp_path: Path) -> None:
    async with ears(tmp_path, "a") as (one,):
        one.start()
        context = zmq.Context()
        with context.socket(zmq.DEALER) as dealer, context.socket(zmq.DEALER) as huge:
            for each in (dealer, huge):
                each.linger = 0
                each.connect(one.transport.endpoint)
            huge.send(bytes(limits.LINK_ZMQ_BYTES_MAX + 1))
            dealer.send_multipart([b"a", b"b", b"c"])
            dealer.send(b"d")
            await until(lambda: len(one.heard) == 2)
        context.term()
        assert one.heard == [(None, b""), (None, b"d")]


async def test_every_option_that_libzmq_gets_wrong_is_set(tmp_path: Path) -> None:
    async with ears(tmp_path, "a", "b") as (one, other):
        one.start()
        other.start()
        lane = one.dial(other)
        router: Any = one.transport._router
        dealer: Any = lane._dealer
        assert router.getsockopt(zmq.MAXMSGSIZE) == limits.LINK_ZMQ_BYTES_MAX
        assert router.getsockopt(zmq.RCVHWM) == limits.LINK_PIPE_FRAMES
        assert dealer.getsockopt(zmq.IMMEDIATE) == 1
        assert dealer.getsockopt(zmq.SNDHWM) == limits.LINK_PIPE_FRAMES
        assert dealer.getsockopt(zmq.RECONNECT_IVL) == 100
        assert dealer.getsockopt(zmq.RECONNECT_IVL_MAX) == 5_000
        assert dealer.getsockopt(zmq.CONNECT_TIMEOUT) == 5_000
        assert dealer.getsockopt(zmq.ROUTING_ID) == b""  # one that is chosen can be taken
        for each in (router, dealer):
            assert each.getsockopt(zmq.LINGER) == 0
            assert each.getsockopt(zmq.HANDSHAKE_IVL) == 5_000
            assert each.getsockopt(zmq.HEARTBEAT_IVL) == 2_000
            assert each.getsockopt(zmq.HEARTBEAT_TIMEOUT) == 6_000
        assert one.transport._context.get(zmq.MAX_SOCKETS) > 3_000
        lane.close(0)


async def test_an_address_that_others_could_reach_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    long = tmp_path / ("x" * 100)
    key = new_key()
    for endpoint, with_key, said in (
        (f"ipc://{tmp_path}/a", None, "0700"),
        ("ipc:///nowhere/at/all", None, "No such"),
        (f"ipc://{long}/a", None, "longer"),
        ("ipc://relative", None, "expected"),
        ("inproc://x", None, "expected"),
        ("tcp://127.0.0.1:0", None, "needs a node key"),
        (f"ipc://{tmp_path}/a", key, "takes no key"),
        ("tcp://256.0.0.1:1", key, "node address"),
    ):
        ear = Ear(endpoint, with_key)
        with pytest.raises(SettingsError, match=said):
            ear.start()
        await ear.transport.gone()


async def test_a_second_node_at_one_address_is_refused(tmp_path: Path) -> None:
    async with ears(tmp_path, "a", "a") as (one, other):
        one.start()
        with pytest.raises(SettingsError, match="another node has it"):
            other.start()
    async with ears(tmp_path, "a") as (again,):
        again.start()  # what the first left behind is no hindrance


# -- meshes over it -------------------------------------------------------------------------------
def mesh_at(
    transport: ZmqTransport, node: str, book: dict[str, PeerAddress], incarnation: int = 1
) -> Mesh:
    mesh = Mesh(ActorSystem(LoopDispatcher()), node, incarnation, transport, lambda: book)
    mesh.codec.allow(64, Note)
    mesh.start()
    return mesh


async def end(*meshes: Mesh) -> None:
    for mesh in meshes:
        await mesh.close()
        await mesh.transport.gone()  # type: ignore[attr-defined]
        await mesh.system.stop()


async def converse(folder: Path, curve: bool) -> None:
    """Run two nodes that learn of each other one after the other, and talk."""
    folder.chmod(0o700)
    book: dict[str, PeerAddress] = {}
    meshes = []
    for node in "ab":
        key = new_key() if curve else None
        where = "tcp://127.0.0.1:0" if curve else f"ipc://{folder}/{node}"
        transport = ZmqTransport(where, key)
        book[node] = PeerAddress(where, key.public if key else None)
        mesh = mesh_at(transport, node, book)
        book[node] = PeerAddress(transport.endpoint, key.public if key else None)
        meshes.append(mesh)
    one, other = meshes
    there, here = other.system.spawn(Scribe, name="desk"), one.system.spawn(Scribe)
    one.refresh()
    await until(lambda: one.nodes() and other.nodes())
    desk = one.named("b", "desk")
    for number in range(3_000):
        desk.tell(number)
    desk.tell(Note("last", here))
    assert await desk.call("there?") == "there?"
    assert heard(there)[:3_000] == list(range(3_000))
    await until(lambda: heard(here))
    assert heard(here) == [Note("re: last")]
    await end(one)
    await until(lambda: not other.nodes())
    assert heard(there)[-1] == "there?"
    await end(other)


@pytest.mark.parametrize("curve", [False, True])
async def test_nodes_talk_over_real_sockets(tmp_path: Path, curve: bool) -> None:
    await converse(tmp_path, curve)


@pytest.mark.parametrize("curve", [False, True])
def test_nodes_talk_over_real_sockets_on_uvloop(tmp_path: Path, curve: bool) -> None:
    uvloop.run(converse(tmp_path, curve))


async def test_a_known_key_with_anothers_name_is_refused_by_the_mesh(tmp_path: Path) -> None:
    keys = {node: new_key() for node in "abc"}
    transport = ZmqTransport("tcp://127.0.0.1:0", keys["a"])
    book = {node: PeerAddress("tcp://127.0.0.1:1", key.public) for node, key in keys.items()}
    mesh = mesh_at(transport, "a", book)
    liar = Ear("tcp://127.0.0.1:0", keys["c"]).start()
    lane = liar.transport.open(
        PeerAddress(transport.endpoint, keys["a"].public), lambda: None, lambda: None
    )
    await until(lambda: lane.send(pack_frame(Head(HELLO, "b", 9, 1, 0), b"a")))
    await until(lambda: mesh.counts().get("refused_key"))
    assert mesh.nodes() == {}
    assert mesh.peers["b"].machine.peer_incarnation == 0
    lane.close(0)
    liar.transport.close()
    await liar.transport.gone()
    await end(mesh)
