"""A polled transport: what is kept, what comes again, what is taken once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actorchat.gateway.polled import Answer, Poll, PolledTransport, StalePoll

LONG_S = 1000.0


class FakeProtocol:
    """Takes down what a transport tells it."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.heard = b""

    def connection_made(self, transport: PolledTransport) -> None:
        transport.set_write_buffer_limits(high=100)

    def data_received(self, data: bytes) -> None:
        self.heard += data

    def eof_received(self) -> None:
        self.told.append("eof")

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, error: Exception | None) -> None:
        self.told.append("lost")


class Rig:
    """A transport, its protocol, and how often it was lost."""

    def __init__(self) -> None:
        self.protocol = FakeProtocol()
        self.lost = 0
        loop = asyncio.get_running_loop()
        self.transport = PolledTransport(loop, self.protocol, ("192.0.2.7", 1), self._lose)

    def _lose(self) -> None:
        self.lost += 1

    def poll(
        self, number: int, ack: int = 0, body: bytes = b"", wait_s: float = LONG_S
    ) -> asyncio.Future[Answer]:
        return self.transport.poll(Poll(number, ack, body, wait_s))


async def test_poll_gets_what_is_queued_at_once() -> None:
    rig = Rig()
    rig.transport.writelines([b"a", b"bc"])
    assert rig.poll(1).result() == Answer(2, 1, (b"a", b"bc"))
    assert rig.transport.get_write_buffer_size() == 3  # not acked yet
    waiting = rig.poll(2, ack=2)
    assert rig.transport.get_write_buffer_size() == 0
    assert not waiting.done()
    rig.transport.abort()


async def test_poll_waits_for_the_next_frame_or_its_time() -> None:
    rig = Rig()
    waiting = rig.poll(1)
    rig.transport.writelines([b"a"])
    assert waiting.result() == Answer(1, 1, (b"a",))
    assert await rig.poll(2, ack=1, wait_s=0.0) == Answer(1, 2)


async def test_answer_that_got_lost_comes_again_with_what_came_since() -> None:
    rig = Rig()
    rig.transport.writelines([b"a"])
    rig.poll(1)
    rig.transport.writelines([b"b"])
    assert rig.poll(2).result() == Answer(2, 2, (b"a", b"b"))
    assert rig.poll(3, ack=1).result() == Answer(2, 3, (b"b",))


async def test_second_poll_ends_the_first_with_what_there_is() -> None:
    rig = Rig()
    first = rig.poll(1)
    second = rig.poll(2)
    assert first.result() == Answer(0, 1)
    assert not second.done()
    rig.transport.abort()


async def test_repeated_poll_brings_its_bytes_once() -> None:
    rig = Rig()
    first = rig.poll(1, body=b"x")
    again = rig.poll(1, body=b"x")
    assert first.done() and not again.done()
    assert rig.protocol.heard == b"x"
    rig.transport.abort()


async def test_polls_that_cross_each_other_are_taken_in_order() -> None:
    rig = Rig()
    later = rig.poll(2, body=b"y")
    assert rig.protocol.heard == b""
    earlier = rig.poll(1, body=b"x")
    assert earlier.result() == Answer(0, 1)
    assert rig.protocol.heard == b"xy"
    assert not later.done()
    rig.transport.writelines([b"a"])
    assert later.result() == Answer(1, 2, (b"a",))


@pytest.mark.parametrize(
    ("number", "ack", "why"),
    [
        (3, 3, "frame 3 is acked, 2 is the last"),
        (5, 2, "poll 5, 3 was expected"),
        (2, 0, "poll 2 is over, and frame 1 is gone"),
    ],
)
async def test_numbers_that_do_not_fit_are_refused_and_change_nothing(
    number: int, ack: int, why: str
) -> None:
    rig = Rig()
    rig.transport.writelines([b"a", b"b"])
    rig.poll(1)
    rig.poll(2, ack=1)
    with pytest.raises(StalePoll, match=why):
        rig.poll(number, ack, b"x")
    assert rig.protocol.heard == b""
    assert rig.poll(3, ack=1).result() == Answer(2, 3, (b"b",))


async def test_bytes_are_not_taken_while_reading_pauses() -> None:
    rig = Rig()
    rig.transport.pause_reading()
    assert not rig.transport.is_reading()
    waiting = rig.poll(1, body=b"x")
    rig.transport.writelines([b"a"])
    assert waiting.result() == Answer(1, 0, (b"a",))  # it must come again
    again = rig.poll(1, ack=1, body=b"x")
    rig.transport.resume_reading()
    assert rig.protocol.heard == b""  # not from within the protocol's own call
    await asyncio.sleep(0)
    assert rig.protocol.heard == b"x"
    assert not again.done()
    rig.transport.abort()


async def test_protocol_is_paused_until_enough_is_acked() -> None:
    rig = Rig()
    rig.transport.writelines([b"x" * 60])
    rig.transport.writelines([b"x" * 60])
    assert rig.protocol.told == ["pause"]
    rig.poll(1)
    rig.poll(2, ack=1)
    assert rig.protocol.told == ["pause"]
    rig.poll(3, ack=2)
    assert rig.protocol.told == ["pause", "resume"]
    rig.transport.abort()


async def test_closed_transport_can_be_fetched_empty() -> None:
    rig = Rig()
    rig.transport.writelines([b"a"])
    rig.transport.close()
    assert rig.transport.is_closing() and not rig.transport.can_write_eof()
    assert rig.poll(1).result() == Answer(1, 1, (b"a",))
    await asyncio.sleep(0)
    assert rig.lost == 0
    assert rig.poll(2, ack=1).result() == Answer(1, 2, is_over=True)
    await asyncio.sleep(0)
    assert (rig.lost, rig.protocol.told) == (1, ["lost"])


async def test_close_without_frames_ends_who_waits() -> None:
    rig = Rig()
    waiting = rig.poll(1)
    rig.transport.close()
    assert waiting.result().is_over
    await asyncio.sleep(0)
    assert rig.lost == 1


async def test_peer_that_leaves_is_told_of_once() -> None:
    rig = Rig()
    rig.transport.writelines([b"a"])
    rig.transport.leave()
    rig.transport.abort()
    await asyncio.sleep(0)
    assert rig.protocol.told == ["eof", "lost"]
    assert rig.poll(1).result().is_over
    await asyncio.sleep(0)
    assert rig.lost == 1


@pytest.mark.parametrize("ack", [0, 1, 2])
async def test_poll_that_comes_after_the_end_is_told_of_it_whatever_it_acks(ack: int) -> None:
    rig = Rig()
    rig.transport.writelines([b"a", b"b"])
    assert rig.poll(1).result().seq == 2
    rig.transport.leave()
    assert rig.poll(2, ack=ack).result() == Answer(2, 2, is_over=True)


async def test_withdrawn_frames_are_nobody_elses() -> None:
    rig = Rig()
    rig.transport.writelines([b"a", b"b"])
    assert rig.transport.withdraw() == (b"a", b"b")
    assert rig.transport.get_write_buffer_size() == 0
    assert rig.transport.get_extra_info("peername") == ("192.0.2.7", 1)
    assert rig.transport.get_extra_info("socket") is None


async def test_answer_that_nobody_awaits_any_more_loses_nothing() -> None:
    rig = Rig()
    rig.poll(1).cancel()
    rig.transport.writelines([b"a"])
    assert rig.poll(2).result() == Answer(1, 2, (b"a",))
