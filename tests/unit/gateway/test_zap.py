"""Only keys of the list come in, over CURVE alone; whoever else is refused and counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import zmq
from zmq.utils import z85

from actorchat.gateway.zap import ADDRESS, ANSWERS_A_TURN, DOMAIN, ZapHandler
from tests.unit.gateway.zmq_stage import ReadingLoop

KEY, OTHER = b"k" * 32, b"o" * 32
GOOD = [b"1.0", b"7", DOMAIN, b"192.0.2.7", b"", b"CURVE", KEY]


@dataclass
class Guard:
    context: zmq.Context[zmq.Socket[bytes]]
    loop: ReadingLoop
    handler: ZapHandler
    denied: list[None] = field(default_factory=list)


@pytest.fixture
def guard() -> Iterator[Guard]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    loop = ReadingLoop()
    denied: list[None] = []
    handler = ZapHandler(
        loop,  # type: ignore[arg-type]
        context,
        frozenset({KEY}),
        lambda: denied.append(None),
    )
    yield Guard(context, loop, handler, denied)
    handler.close()
    context.term()


def test_listed_key_is_granted_and_named(guard: Guard) -> None:
    assert guard.handler.judge(GOOD) == [b"1.0", b"7", b"200", b"", z85.encode(KEY), b""]
    assert guard.denied == []


@pytest.mark.parametrize(
    ("place", "value", "status"),
    [
        (0, b"2.0", b"500"),
        (2, b"global", b"400"),
        (2, b"", b"400"),
        (5, b"NULL", b"400"),
        (5, b"PLAIN", b"400"),
        (6, OTHER, b"400"),
        (6, b"", b"400"),
        (6, z85.encode(KEY), b"400"),
    ],
)
def test_whoever_else_is_refused(guard: Guard, place: int, value: bytes, status: bytes) -> None:
    request = [*GOOD[:place], value, *GOOD[place + 1 :]]
    answer = guard.handler.judge(request)
    assert (answer[1], answer[2], answer[4]) == (b"7", status, b"")
    assert len(guard.denied) == 1


@pytest.mark.parametrize("request_frames", [[], [b"1.0"], GOOD[:6], [*GOOD, b"more"]])
def test_what_is_no_request_is_refused(guard: Guard, request_frames: list[bytes]) -> None:
    assert guard.handler.judge(request_frames)[2] == b"500"
    assert len(guard.denied) == 1


def test_more_requests_than_a_turn_takes_are_answered_in_the_next(guard: Guard) -> None:
    askers = [guard.context.socket(zmq.REQ) for _ in range(ANSWERS_A_TURN + 1)]
    for asker in askers:
        asker.linger = 0
        asker.connect(ADDRESS)
        asker.send_multipart(GOOD)
    guard.loop.read()
    assert sum(bool(asker.poll(0)) for asker in askers) == ANSWERS_A_TURN
    guard.loop.settle()
    assert all(asker.recv_multipart(zmq.NOBLOCK)[2] == b"200" for asker in askers)
    for asker in askers:
        asker.close()


def test_closed_handler_listens_to_nobody(guard: Guard) -> None:
    guard.handler.close()
    guard.handler.close()
    assert guard.loop.readers == {}


def test_context_has_one_handler(guard: Guard) -> None:
    with pytest.raises(zmq.ZMQError):
        ZapHandler(guard.loop, guard.context, frozenset(), lambda: None)  # type: ignore[arg-type]
