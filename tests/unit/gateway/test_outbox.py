"""Knows how bytes wait for a peer. Must not know sockets."""

from __future__ import annotations

import pytest

from actorchat.gateway.base import Counters
from actorchat.gateway.outbox import Outbox
from tests.unit.gateway.stage import FakeLoop, FakeTransport

FRAME = b"x" * 100


class Writer:
    """An outbox on a fake transport; stands where the protocol would."""

    def __init__(self, bytes_max: int = 4000, beside: Writer | None = None) -> None:
        self.loop = FakeLoop() if beside is None else beside.loop
        self.due: list[Outbox] = [] if beside is None else beside.due
        self.transport = FakeTransport(self)
        self.counters = Counters()
        self.outbox = Outbox(
            self.loop,  # type: ignore[arg-type]
            self.transport,  # type: ignore[arg-type]
            self.counters,
            bytes_max,
            self.due,
        )

    def pause_writing(self) -> None:
        self.outbox.hold()

    def resume_writing(self) -> None:
        self.outbox.release()


def test_frames_of_one_turn_are_one_write() -> None:
    writer = Writer()
    for frame in (b"a", b"b", b"c"):
        assert writer.outbox.put(frame)
    assert writer.transport.writes == []
    assert len(writer.loop.soon) == 1
    writer.loop.turn()
    assert writer.transport.writes == [[b"a", b"b", b"c"]]
    assert (writer.counters.frames_out, writer.counters.bytes_out) == (3, 3)


def test_one_callback_flushes_all_of_a_turn_and_one_that_fails_harms_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = Writer()
    broken, last = Writer(beside=first), Writer(beside=first)
    broken.transport.writelines = lambda _frames: 1 / 0  # type: ignore[method-assign]
    for writer in (first, broken, last, first):
        writer.outbox.put(b"a")
    assert len(first.loop.soon) == 1
    first.loop.turn()
    assert first.transport.writes == [[b"a", b"a"]] and last.transport.writes == [[b"a"]]
    assert "outbox failed" in caplog.text
    last.outbox.put(b"b")
    first.loop.turn()
    assert last.transport.writes == [[b"a"], [b"b"]]


def test_what_comes_alone_is_written_at_once_and_never_out_of_turn() -> None:
    writer = Writer()
    assert writer.outbox.put_now(b"a")
    assert writer.transport.writes == [[b"a"]] and writer.loop.soon == []
    writer.outbox.put(b"b")
    assert writer.outbox.put_now(b"c")
    writer.loop.turn()
    assert writer.transport.writes == [[b"a"], [b"b", b"c"]]
    assert (writer.counters.frames_out, writer.counters.bytes_out) == (3, 3)
    writer.outbox.close()
    assert writer.outbox.put_now(b"d")
    assert len(writer.transport.writes) == 2


def test_each_turn_asks_for_its_own_flush() -> None:
    writer = Writer()
    writer.outbox.put(b"a")
    writer.loop.turn()
    writer.outbox.put(b"b")
    writer.loop.turn()
    assert writer.transport.writes == [[b"a"], [b"b"]]


def test_burst_is_offered_to_the_kernel_before_it_is_held_against_the_peer() -> None:
    writer = Writer(bytes_max=4000)
    assert all(writer.outbox.put(FRAME) for _ in range(1000))
    assert writer.outbox.unsent_bytes <= 1000


def test_transport_that_has_enough_is_given_no_more() -> None:
    writer = Writer(bytes_max=4000)
    writer.transport.room = 0
    for _ in range(11):
        writer.outbox.put(FRAME)
    assert writer.transport.buffered_bytes == 1100  # above the water mark of 1,000
    for _ in range(5):
        writer.outbox.put(FRAME)
    writer.loop.turn()
    assert writer.transport.buffered_bytes == 1100
    assert writer.outbox.unsent_bytes == 1600
    writer.transport.take(2**30)
    assert writer.outbox.unsent_bytes == 0
    assert len(b"".join(map(b"".join, writer.transport.writes))) == 1600


def test_unsent_bytes_stay_within_the_bound_and_one_frame() -> None:
    writer = Writer(bytes_max=4000)
    writer.transport.room = 0
    most, puts = 0, 1
    while writer.outbox.put(FRAME):
        most = max(most, writer.outbox.unsent_bytes)
        puts += 1
        if puts % 3 == 0:
            writer.loop.turn()
    assert most == 4000
    assert puts == 41


def test_overflow_drops_whole_frames_and_leaves_room_for_a_last_word() -> None:
    writer = Writer(bytes_max=4000)
    writer.transport.room = 0
    while writer.outbox.put(FRAME):
        pass
    assert writer.outbox.unsent_bytes == writer.transport.buffered_bytes == 1100
    writer.outbox.put(b"bye")
    writer.outbox.close()
    assert writer.transport.writes[-1] == [b"bye"]


def test_close_hands_all_over_even_when_the_transport_has_enough() -> None:
    writer = Writer(bytes_max=4000)
    writer.transport.room = 0
    for _ in range(15):
        writer.outbox.put(FRAME)
    writer.outbox.close()
    assert writer.transport.buffered_bytes == 1500
    assert writer.outbox.put(FRAME)
    writer.loop.turn()
    assert writer.transport.buffered_bytes == 1500


def test_close_after_close_writes_nothing() -> None:
    writer = Writer()
    writer.outbox.put(b"a")
    writer.outbox.close()
    writer.outbox.close()
    assert writer.transport.writes == [[b"a"]]


def test_drop_forgets_all() -> None:
    writer = Writer()
    writer.outbox.put(b"a")
    writer.outbox.drop()
    writer.loop.turn()
    assert writer.transport.writes == []
    assert writer.outbox.unsent_bytes == 0


def test_transport_that_the_loop_has_closed_is_left_alone() -> None:
    writer = Writer()
    writer.outbox.put(b"a")
    writer.transport.close()
    writer.loop.turn()
    assert writer.transport.writes == []
