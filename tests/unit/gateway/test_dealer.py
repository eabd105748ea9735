"""A peer is a transport: what libzmq has no room for waits, and what is not read is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from actorchat.errors import MalformedFrame
from actorchat.gateway.dealer import ITEM_BYTES, REPLAY_BUDGET, PeerTransport
from tests.unit.gateway.zmq_stage import FakeProtocol, ReadingLoop

LOST: Any = ("lost", type(None))


class FakeRouter:
    """A router whose libzmq has room for so many messages."""

    def __init__(self) -> None:
        self.loop = ReadingLoop()
        self.backlog_bytes_max = 1_000_000
        self.room = 2**62
        self.sent: list[bytes] = []
        self.calls: list[tuple[str, PeerTransport]] = []
        self.is_peer_gone = False

    def send(self, peer_id: bytes, payloads: Sequence[bytes]) -> int:
        assert peer_id == b"\0abcd"
        if self.is_peer_gone:
            raise ConnectionResetError
        taken = payloads[: self.room]
        self.room -= len(taken)
        self.sent += taken
        return len(taken)

    def wait_for_room(self, peer: PeerTransport) -> None:
        self.calls.append(("wait", peer))

    def forget(self, peer: PeerTransport) -> None:
        self.calls.append(("forget", peer))

    def haunt(self, peer: PeerTransport) -> None:
        self.calls.append(("haunt", peer))


class FakeLine:
    peername = ("192.0.2.7", 5222)

    def __init__(self, peer: object) -> None:
        self.peer = peer
        self.is_hung_up = False

    def hang_up(self) -> None:
        self.is_hung_up = True


@pytest.fixture
def router() -> FakeRouter:
    return FakeRouter()


@pytest.fixture
def protocol() -> FakeProtocol:
    return FakeProtocol()


@pytest.fixture
def peer(router: FakeRouter, protocol: FakeProtocol) -> PeerTransport:
    return PeerTransport(router, b"\0abcd", protocol)  # type: ignore[arg-type]


def test_payloads_are_messages_in_order(peer: PeerTransport, router: FakeRouter) -> None:
    peer.writelines([b"a", b"b"])
    peer.write_eof()
    assert router.sent == [b"a", b"b", b""]
    assert peer.can_write_eof() and peer.get_write_buffer_size() == 0


def test_what_finds_no_room_waits_and_nothing_overtakes_it(
    peer: PeerTransport, router: FakeRouter
) -> None:
    router.room = 1
    peer.writelines([b"a", b"bb", b"ccc"])
    router.room = 9
    peer.writelines([b"d"])
    assert router.sent == [b"a"] and peer.get_write_buffer_size() == 6
    router.room = 1
    peer.flush()
    assert router.sent == [b"a", b"bb"]
    router.room = 9
    peer.flush()
    assert router.sent == [b"a", b"bb", b"ccc", b"d"]
    assert router.calls == [("wait", peer)] * 2
    assert peer.get_write_buffer_size() == 0


def test_long_buffer_goes_out_whole_when_there_is_room(
    peer: PeerTransport, router: FakeRouter
) -> None:
    router.room = 0
    payloads = [b"%d" % number for number in range(300)]
    peer.writelines(payloads)
    router.room = 2**62
    peer.flush()
    assert router.sent == payloads


def test_protocol_pauses_above_the_mark_and_goes_on_at_a_quarter(
    peer: PeerTransport, protocol: FakeProtocol, router: FakeRouter
) -> None:
    peer.set_write_buffer_limits(high=8)
    router.room = 0
    peer.writelines([b"x" * 4, b"x" * 4])
    assert protocol.told == []
    peer.writelines([b"x", b"x"])
    peer.writelines([b"x"])
    assert protocol.told == ["pause"]
    router.room = 1
    peer.flush()
    assert protocol.told == ["pause"]
    router.room = 2
    peer.flush()
    assert protocol.told == ["pause", "resume"]


def test_paused_peer_is_heard_later_and_in_order(
    peer: PeerTransport, protocol: FakeProtocol, router: FakeRouter
) -> None:
    peer.pause_reading()
    peer.take(b"a")
    peer.take(b"b")
    peer.resume_reading()
    peer.take(b"c")
    assert protocol.told == []  # not from within the call
    router.loop.settle()
    peer.take(b"d")
    assert protocol.told == [b"a", b"b", b"c", b"d"]


def test_pause_while_kept_messages_are_handed_on_keeps_the_rest(
    peer: PeerTransport, protocol: FakeProtocol, router: FakeRouter
) -> None:
    peer.pause_reading()
    for _ in range(REPLAY_BUDGET + 2):
        peer.take(b"a")
    peer.resume_reading()
    router.loop.turn()
    assert len(protocol.told) == REPLAY_BUDGET  # then the loop has its turn
    peer.pause_reading()
    router.loop.settle()
    assert len(protocol.told) == REPLAY_BUDGET
    peer.resume_reading()
    peer.resume_reading()
    router.loop.settle()
    assert len(protocol.told) == REPLAY_BUDGET + 2


def test_backlog_beyond_its_bound_ends_the_connection(
    peer: PeerTransport, protocol: FakeProtocol, router: FakeRouter
) -> None:
    router.backlog_bytes_max = 2 * (ITEM_BYTES + 10)
    peer.pause_reading()
    peer.take(b"x" * 10)
    peer.take(b"x" * 10)
    assert protocol.told == []
    peer.take(b"")
    peer.resume_reading()
    router.loop.settle()
    assert protocol.told == ["overrun"]  # and none of what was kept


def test_nonsense_ends_the_connection_instead_of_what_was_kept(
    peer: PeerTransport, protocol: FakeProtocol, router: FakeRouter
) -> None:
    peer.pause_reading()
    peer.take(b"a")
    peer.refuse(MalformedFrame("two parts"))
    peer.resume_reading()
    router.loop.settle()
    assert protocol.told == ["bad_frame"]


def test_abort_hangs_up_and_is_told_later_and_once(
    peer: PeerTransport, protocol: FakeProtocol, router: FakeRouter
) -> None:
    line = FakeLine(peer)
    peer.line = line  # type: ignore[assignment]
    assert peer.get_extra_info("peername") == ("192.0.2.7", 5222)
    peer.abort()
    assert peer.is_closing() and line.is_hung_up and protocol.told == []
    peer.abort()
    peer.depart()
    peer.writelines([b"a"])
    peer.refuse(MalformedFrame("late"))
    router.loop.settle()
    assert protocol.told == [LOST] and router.sent == []
    assert router.calls == [("forget", peer), ("haunt", peer)]


def test_abort_spares_who_has_the_line_since(peer: PeerTransport) -> None:
    line = FakeLine(peer=object())
    peer.line = line  # type: ignore[assignment]
    peer.abort()
    assert not line.is_hung_up


@pytest.mark.parametrize("had_room", [True, False])
def test_peer_that_is_gone_when_sent_to_is_lost(
    peer: PeerTransport, protocol: FakeProtocol, router: FakeRouter, had_room: bool
) -> None:
    if not had_room:
        router.room = 0
        peer.writelines([b"a"])
    router.is_peer_gone = True
    if had_room:
        peer.writelines([b"b"])
    else:
        peer.flush()
    router.loop.settle()
    assert protocol.told[-1] == ("lost", ConnectionResetError)
    assert peer.get_write_buffer_size() == 0


def test_departed_peer_takes_nothing_that_was_kept(
    peer: PeerTransport, protocol: FakeProtocol, router: FakeRouter
) -> None:
    peer.pause_reading()
    peer.take(b"a")
    peer.resume_reading()
    peer.depart()
    router.loop.settle()
    assert protocol.told == [LOST]
    assert router.calls == [("forget", peer)]


@pytest.mark.parametrize(
    ("peer_id", "is_chosen"),
    [(b"\0abcd", False), (b"aabcd", True), (b"\0abc", True), (b"\0abcde", True)],
)
def test_id_that_libzmq_would_not_choose_is_known(
    router: FakeRouter, peer_id: bytes, is_chosen: bool
) -> None:
    peer = PeerTransport(router, peer_id, FakeProtocol())  # type: ignore[arg-type]
    assert peer.has_chosen_id == is_chosen


def test_peer_is_heard_when_its_protocol_is(peer: PeerTransport, protocol: FakeProtocol) -> None:
    protocol.heard = 7
    assert peer.heard == 7
    assert peer.get_extra_info("peername", "?") == "?"
