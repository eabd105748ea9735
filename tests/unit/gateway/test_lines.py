"""Connections below a ROUTER are known by what its monitor tells, and are cut one by one."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from actorchat.gateway.lines import LOOK_EVERY_TICKS, LineRules, Lines
from actorchat.gateway.room import Room
from actorchat.gateway.sweep import Sweep


class FakeRouter:
    """A router whose monitor tells what the test says."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._context = context
        self.monitor_socket: zmq.Socket[bytes]

    def monitor(self, address: str, events: int) -> None:
        assert events == zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
        self.monitor_socket = self._context.socket(zmq.PAIR)
        self.monitor_socket.bind(address)

    def disable_monitor(self) -> None:
        self.monitor_socket.close()


class FakePeer:
    heard = -1  # in no tick yet


class Site:
    """Lines over real TCP connections, whose monitor and time are the test's."""

    def __init__(self, room: Room) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.router = FakeRouter(self.context)
        self.sweep = Sweep(1.0)
        self.room = room
        self.gone: list[FakePeer] = []
        self.silent = self.floods = 0
        self.lines: Lines[FakePeer] = Lines(
            self.context,
            self.router,  # type: ignore[arg-type]
            self.sweep,
            LineRules(10, 1000, 3, room, 0),
            on_gone=self.gone.append,
            on_silent=self._count_silent,
            on_flood=self._count_flood,
        )
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.lines.port = self.listener.getsockname()[1]
        self.sockets: list[socket.socket] = [self.listener]

    def _count_silent(self) -> None:
        self.silent += 1

    def _count_flood(self) -> None:
        self.floods += 1

    def tell(self, event: int, descriptor: int) -> None:
        frames = [struct.pack("=Hi", event, descriptor), b"tcp://127.0.0.1:7702"]
        self.router.monitor_socket.send_multipart(frames)

    def connect(self) -> tuple[socket.socket, socket.socket]:
        """Return the two ends of a connection that the monitor has told of."""
        far = socket.create_connection(("127.0.0.1", self.lines.port))
        near, _ = self.listener.accept()
        far.settimeout(5)
        self.sockets += [far, near]
        self.tell(zmq.EVENT_ACCEPTED, near.fileno())
        self.lines.take()
        return far, near

    def pass_ticks(self, count: int) -> None:
        for _ in range(count):
            self.sweep.tick()
            self.sweep.work()

    def close(self) -> None:
        self.lines.close()
        for each in self.sockets:
            each.close()
        self.context.term()
        assert len(self.sweep) == 0
        assert self.room.taken == 0


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site(Room())
    yield site
    site.close()


def is_cut(far: socket.socket) -> bool:
    far.setblocking(False)
    try:
        return far.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_line_comes_is_bound_and_goes(site: Site) -> None:
    far, near = site.connect()
    assert (len(site.lines), site.room.taken) == (1, 1)
    peer = FakePeer()
    line = site.lines.bind(near.fileno(), peer)
    assert line is not None and line.peername == far.getsockname()
    assert site.room.taken == 0  # the peer's connection takes the place
    site.tell(zmq.EVENT_DISCONNECTED, near.fileno())
    site.lines.take()
    assert (site.gone, len(site.lines)) == ([peer], 0)
    site.tell(zmq.EVENT_DISCONNECTED, near.fileno())  # of one that is not known
    site.lines.take()
    assert site.gone == [peer]


def test_line_that_went_before_it_was_bound_is_none(site: Site) -> None:
    _, near = site.connect()
    site.tell(zmq.EVENT_DISCONNECTED, near.fileno())
    assert site.lines.bind(near.fileno(), FakePeer()) is None
    assert site.lines.bind(-1, FakePeer()) is None


def test_number_that_is_given_again_is_another_line(site: Site) -> None:
    _, near = site.connect()
    first, second = FakePeer(), FakePeer()
    before = site.lines.bind(near.fileno(), first)
    site.tell(zmq.EVENT_ACCEPTED, near.fileno())  # the end of the first was not told
    after = site.lines.bind(near.fileno(), second)
    assert site.gone == [first] and before is not after
    third = FakePeer()
    assert site.lines.bind(near.fileno(), third) is after
    assert site.gone == [first, second]


def test_hanging_up_cuts_one_and_only_while_it_is_the_same(site: Site) -> None:
    far, near = site.connect()
    other, _ = site.connect()
    line = site.lines.bind(near.fileno(), FakePeer())
    assert line is not None
    line.hang_up()
    assert is_cut(far) and not is_cut(other)
    line.hang_up()  # harmless


def test_number_that_stands_for_something_else_is_left_alone(site: Site, tmp_path: Path) -> None:
    _, near = site.connect()
    line = site.lines.bind(near.fileno(), FakePeer())
    assert line is not None
    stranger, its_end = socket.socketpair()
    site.sockets += [stranger, its_end]
    os.dup2(stranger.fileno(), near.fileno())
    line.hang_up()
    assert not is_cut(its_end)
    with (tmp_path / "file").open("wb") as file:
        os.dup2(file.fileno(), near.fileno())
        line.hang_up()
        file.write(b"still open")
    os.close(near.detach())
    line.hang_up()  # and for nothing at all


def test_line_that_says_nothing_is_cut_in_time(site: Site) -> None:
    far, _ = site.connect()
    site.pass_ticks(9)
    assert not is_cut(far) and site.silent == 0
    site.pass_ticks(1)
    assert is_cut(far) and site.silent == 1


def test_line_that_was_bound_may_be_silent(site: Site) -> None:
    far, near = site.connect()
    site.lines.bind(near.fileno(), FakePeer())
    site.pass_ticks(100)
    assert not is_cut(far) and (site.silent, site.floods) == (0, 0)


@pytest.mark.parametrize("is_bound", [True, False])
def test_line_that_sends_much_and_says_nothing_is_cut(site: Site, is_bound: bool) -> None:
    far, near = site.connect()
    site.pass_ticks(1)
    if is_bound:
        site.lines.bind(near.fileno(), FakePeer())
    far.sendall(bytes(1000))
    site.pass_ticks(LOOK_EVERY_TICKS)
    assert not is_cut(far)
    far.sendall(bytes(1000))
    site.pass_ticks(LOOK_EVERY_TICKS)
    assert is_cut(far)
    assert (site.silent, site.floods) == (0, 1)


def test_line_that_sends_much_and_is_heard_is_not_cut(site: Site) -> None:
    far, near = site.connect()
    peer = FakePeer()
    site.lines.bind(near.fileno(), peer)
    for _ in range(5):
        far.sendall(bytes(900))
        peer.heard = site.sweep.now
        site.pass_ticks(LOOK_EVERY_TICKS)
    assert not is_cut(far) and site.floods == 0


def test_one_line_too_many_is_cut_at_once(site: Site) -> None:
    kept = [site.connect()[0] for _ in range(3)]
    far, _ = site.connect()
    assert is_cut(far) and not any(map(is_cut, kept))


def test_node_without_places_cuts_at_once() -> None:
    site = Site(Room(places=1))
    first, second = site.connect()[0], site.connect()[0]
    assert not is_cut(first) and is_cut(second)
    site.close()


def test_who_comes_after_the_shut_is_cut(site: Site) -> None:
    before, _ = site.connect()
    site.lines.shut()
    after, _ = site.connect()
    assert is_cut(after) and not is_cut(before)


def test_what_left_before_the_news_is_no_line(site: Site) -> None:
    site.tell(zmq.EVENT_ACCEPTED, 10_000)
    site.lines.take()
    assert len(site.lines) == 0
