"""A ROUTER is read to the end, sends without dropping, and tells whose a message is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq

from actorchat.gateway import router as module
from actorchat.gateway.dealer import PeerTransport
from actorchat.gateway.router import GHOSTS_MAX, READ_BUDGET, RETRY_S, Router
from tests.unit.gateway.zmq_stage import FakeProtocol, ReadingLoop

LOST = ("lost", type(None))


class FakeLine:
    def __init__(self, peer: PeerTransport) -> None:
        self.peer = peer
        self.is_hung_up = False

    def hang_up(self) -> None:
        self.is_hung_up = True


class FakeLines:
    """Gives everybody a line, unless they have left already."""

    descriptor = -7

    def __init__(self) -> None:
        self.has_left = False
        self.takes = 0

    def bind(self, descriptor: int, peer: PeerTransport) -> FakeLine | None:
        assert descriptor == -1  # inproc has none
        return None if self.has_left else FakeLine(peer)

    def take(self) -> None:
        self.takes += 1


class Setting:
    """A router on a loop that the test turns, and dealers within the process: no time passes."""

    def __init__(self) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.loop = ReadingLoop()
        self.lines = FakeLines()
        self.protocols: list[FakeProtocol] = []
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.sndhwm = 1
        self.socket.router_mandatory = 1
        self.router = Router(self.loop, self.socket, self._make, 10**6)  # type: ignore[arg-type]
        self.socket.bind("inproc://door")
        self.router.attach(self.lines)  # type: ignore[arg-type]
        self.dealers: list[zmq.Socket[bytes]] = []
        self.reads = 0
        read = self.router._read

        def counted() -> bool:
            self.reads += 1
            return read()

        self.router._read = counted  # type: ignore[method-assign]

    def _make(self) -> FakeProtocol:
        self.protocols.append(FakeProtocol())
        return self.protocols[-1]

    def dealer(self, routing_id: bytes = b"") -> zmq.Socket[bytes]:
        dealer = self.context.socket(zmq.DEALER)
        dealer.linger = 0
        dealer.rcvhwm = 1
        if routing_id:
            dealer.routing_id = routing_id
        dealer.connect("inproc://door")
        self.dealers.append(dealer)
        return dealer

    def sign_in(self) -> tuple[zmq.Socket[bytes], FakeProtocol, PeerTransport]:
        dealer = self.dealer()
        dealer.send(b"hello")
        self.go()
        protocol = self.protocols[-1]
        assert protocol.told.pop() == b"hello"
        return dealer, protocol, protocol.transport

    def go(self) -> None:
        self.loop.read()
        self.loop.settle()

    def close(self) -> None:
        self.router.close()
        for each in (self.socket, *self.dealers):
            each.close()
        self.context.term()


@pytest.fixture
def setting() -> Iterator[Setting]:
    setting = Setting()
    yield setting
    setting.close()


def test_peers_are_told_apart_and_answered_each(setting: Setting) -> None:
    ann, anns, to_ann = setting.sign_in()
    bob, bobs, to_bob = setting.sign_in()
    ann.send(b"a")
    ann.send(b"b")
    bob.send(b"c")
    setting.go()
    assert (anns.told, bobs.told) == ([b"a", b"b"], [b"c"])
    to_bob.writelines([b"to bob"])
    to_ann.writelines([b"to ann"])
    assert (ann.recv(zmq.NOBLOCK), bob.recv(zmq.NOBLOCK)) == (b"to ann", b"to bob")
    assert len(setting.router) == 2


def test_only_the_first_empty_message_is_a_knock(setting: Setting) -> None:
    dealer = setting.dealer()
    dealer.send(b"")
    setting.go()
    (protocol,) = setting.protocols
    assert protocol.told == []
    dealer.send(b"")
    setting.go()
    assert protocol.told == [b""]


def test_more_than_a_turn_takes_are_read_in_the_next(setting: Setting) -> None:
    for _ in range(READ_BUDGET + 4):
        setting.dealer().send(b"x")
    setting.loop.read()
    assert len(setting.protocols) == READ_BUDGET
    setting.loop.settle()  # and nobody had to tell the router again
    assert len(setting.protocols) == READ_BUDGET + 4


def test_after_a_send_the_socket_is_read_once_more(setting: Setting) -> None:
    dealer, protocol, transport = setting.sign_in()
    dealer.send(b"a")  # its sign may be taken up by the send
    before = setting.reads
    transport.writelines([b"1"])
    transport.writelines([b"2"])
    setting.loop.settle()  # without a word of the descriptor
    assert protocol.told == [b"a"]
    assert setting.reads == before + 1


@pytest.mark.parametrize("parts", [[b"a", b"b"], [b"", b"b"], [b"a", b""], [b"x"] * 1000])
def test_several_parts_are_refused_and_the_others_are_heard(
    setting: Setting, parts: list[bytes]
) -> None:
    ann, anns, _ = setting.sign_in()
    bob, bobs, to_bob = setting.sign_in()
    ann.send_multipart(parts)
    ann.send_multipart([b"a", to_bob.peer_id, b"from bob"])
    bob.send(b"b")
    setting.go()
    assert (anns.told, bobs.told) == (["bad_frame"] * 2, [b"b"])


def test_id_of_ones_own_is_refused_at_once(setting: Setting) -> None:
    setting.dealer(b"ann").send(b"hello")
    setting.go()
    (protocol,) = setting.protocols
    assert protocol.told == ["bad_request", b"hello"]  # the connection knows that it is over


def test_nothing_is_dropped_when_the_pipe_is_full(setting: Setting) -> None:
    dealer, _, transport = setting.sign_in()
    payloads = [b"%d" % number for number in range(20)]
    transport.writelines(payloads)
    assert transport.get_write_buffer_size() > 0
    got = []
    for _ in range(100):
        try:
            got.append(dealer.recv(zmq.NOBLOCK))
        except zmq.Again:
            setting.loop.wake()
            setting.loop.settle()
    assert got == payloads
    assert transport.get_write_buffer_size() == 0
    assert setting.loop.later == []  # nobody waits, so the clock is left alone


def test_full_pipe_is_tried_by_the_clock_and_not_in_a_circle(setting: Setting) -> None:
    _, _, transport = setting.sign_in()
    transport.writelines([b"x"] * 20)
    setting.loop.settle()
    before = setting.reads
    ((delay_s, _),) = setting.loop.later
    assert delay_s == RETRY_S
    setting.loop.wake()
    setting.loop.settle()
    assert setting.reads == before + 1
    assert len(setting.loop.later) == 1


def test_those_who_wait_take_turns(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRIES_A_TICK", 2)
    monkeypatch.setattr(module, "RETRIES_A_PASS", 0)
    waiting = [setting.sign_in() for _ in range(3)]
    for _, _, transport in waiting:
        transport.writelines([b"x"] * 3)
    setting.loop.settle()
    for dealer, _, _ in waiting:
        while dealer.poll(0):
            dealer.recv()
    setting.go()
    setting.loop.wake()
    unsent = [transport.get_write_buffer_size() for _, _, transport in waiting]
    assert unsent[0] == unsent[1] == 0 < unsent[2]
    setting.go()
    setting.loop.wake()
    assert waiting[2][2].get_write_buffer_size() == 0


def test_peer_that_left_is_found_by_the_next_message_to_it(setting: Setting) -> None:
    protocol = FakeProtocol()
    transport = PeerTransport(setting.router, b"\0left", protocol)
    transport.writelines([b"a"])
    setting.loop.settle()
    assert protocol.told == [("lost", ConnectionResetError)]


def test_peer_departs_after_its_last_message(setting: Setting) -> None:
    dealer, protocol, transport = setting.sign_in()
    dealer.send(b"last")
    setting.router.line_gone(transport)
    setting.loop.settle()
    assert protocol.told == [b"last", LOST]


def test_peer_whose_line_is_gone_already_still_is_heard(setting: Setting) -> None:
    setting.lines.has_left = True
    setting.dealer().send(b"hello")
    setting.go()
    (protocol,) = setting.protocols
    assert protocol.told == [b"hello", LOST]


def test_peer_that_was_cut_is_not_heard_any_more(setting: Setting) -> None:
    dealer, protocol, transport = setting.sign_in()
    dealer.send(b"late")
    transport.abort()
    dealer.send_multipart([b"later", b"still"])
    setting.go()
    assert protocol.told == [LOST]
    assert len(setting.protocols) == 1
    line = transport.line
    assert isinstance(line, FakeLine) and line.is_hung_up


def test_who_was_cut_is_remembered_only_so_long(setting: Setting) -> None:
    for number in range(GHOSTS_MAX + 5):
        ghost = PeerTransport(setting.router, b"\0%04d" % number, FakeProtocol())
        setting.router.haunt(ghost)
    assert len(setting.router._ghosts) == GHOSTS_MAX
    assert b"\0%04d" % 0 not in setting.router._ghosts


def test_closed_router_does_nothing_more(setting: Setting) -> None:
    dealer, protocol, transport = setting.sign_in()
    transport.writelines([b"x"] * 20)
    dealer.send(b"late")
    setting.router.close()
    assert (setting.loop.readers, setting.loop.later) == ({}, [])
    setting.loop.settle()
    assert b"late" not in protocol.told


def test_news_of_lines_are_taken_when_there_are_some(setting: Setting) -> None:
    setting.loop.readers[setting.lines.descriptor]()
    assert setting.lines.takes == 1
