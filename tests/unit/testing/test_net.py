"""Bytes on simulated wires: late, in pieces, in order, or lost."""

from __future__ import annotations

import random

import pytest

from actorchat.actor import SeededDispatcher
from actorchat.testing.journal import Journal
from actorchat.testing.net import FarSide, NearSide, Net, Weather, Wire

TEXT = bytes(range(200))
SEEDS = range(20)


class End(NearSide, FarSide):
    """Keeps all that comes to one end of a wire."""

    def __init__(self) -> None:
        self.wire: Wire | None = None
        self.chunks: list[bytes] = []
        self.reasons: list[str] = []

    def opened(self, wire: Wire) -> None:
        self.wire = wire

    def received(self, chunk: bytes) -> None:
        assert not self.reasons, "bytes after the end"
        self.chunks.append(chunk)

    def ended(self, reason: str) -> None:
        self.reasons.append(reason)

    @property
    def text(self) -> bytes:
        return b"".join(self.chunks)


class Line:
    """A net with one wire that is up."""

    def __init__(self, seed: int = 1, partial: float = 0.0, is_listening: bool = True) -> None:
        self.dispatcher = SeededDispatcher(seed)
        self.near, self.far = End(), End()
        self.net = Net(
            self.dispatcher,
            random.Random(seed),
            Journal(self.dispatcher.clock),
            Weather(partial=partial),
            lambda: (lambda: self.far) if is_listening else None,
        )
        self.net.dial(self.near)
        self.dispatcher.run()

    @property
    def wire(self) -> Wire:
        assert self.near.wire is not None
        return self.near.wire


def test_dial_opens_one_wire_for_both_ends() -> None:
    line = Line()
    assert line.near.wire is line.far.wire is not None
    assert list(line.net.wires) == [line.wire]
    assert line.wire.is_up


def test_dial_is_refused_where_nobody_listens() -> None:
    line = Line(is_listening=False)
    assert line.near.wire is None
    assert line.near.reasons == ["refused"]
    assert not line.net.wires


def test_bytes_arrive_in_order_and_in_pieces() -> None:
    line = Line(partial=1.0)
    for at in range(0, len(TEXT), 10):
        line.wire.up.write(TEXT[at : at + 10])
    line.wire.down.write(b"back")
    assert line.far.chunks == []
    line.dispatcher.run()
    assert line.far.text == TEXT
    assert len(line.far.chunks) > 1
    assert line.near.text == b"back"


def test_bytes_arrive_whole_where_no_read_is_partial() -> None:
    line = Line(partial=0.0)
    line.wire.up.write(TEXT)
    line.dispatcher.run()
    assert line.far.chunks == [TEXT]


def test_cut_loses_what_is_under_way_and_tells_both_ends_once() -> None:
    lost = 0
    for seed in SEEDS:
        line = Line(seed)
        line.wire.up.write(b"before")
        line.dispatcher.run()
        line.wire.up.write(TEXT)
        line.wire.cut()
        line.wire.up.write(b"after")
        line.wire.cut()
        line.dispatcher.run()
        assert (b"before" + TEXT).startswith(line.far.text)
        assert line.far.text.startswith(b"before")
        lost += len(line.far.text) < len(b"before" + TEXT)
        assert line.near.reasons == line.far.reasons == ["reset"]
        assert not line.wire.is_up
        assert not line.net.wires
    assert lost


def test_far_end_that_dies_never_learns_of_it() -> None:
    line = Line()
    line.wire.up.write(TEXT)
    line.wire.die()
    line.dispatcher.run()
    assert line.near.reasons == ["reset"]
    assert line.far.reasons == []
    assert line.far.chunks == []


@pytest.mark.parametrize("partial", [0.0, 1.0])
def test_finished_end_is_told_after_the_last_byte(partial: float) -> None:
    line = Line(partial=partial)
    line.wire.up.write(TEXT)
    line.wire.finish_near()
    line.wire.up.write(b"after")
    line.dispatcher.run()
    assert line.far.text == TEXT
    assert line.far.reasons == ["eof"]
    assert line.near.reasons == []


def test_far_end_that_finishes_takes_nothing_more() -> None:
    line = Line()
    line.wire.up.write(b"too late")
    line.wire.down.write(TEXT)
    line.wire.finish_far()
    line.dispatcher.run()
    assert line.near.text == TEXT
    assert line.near.reasons == ["eof"]
    assert line.far.chunks == []


def test_hung_up_end_gets_nothing_and_the_other_learns_of_it() -> None:
    line = Line()
    line.wire.down.write(TEXT)
    line.wire.hang_up()
    line.dispatcher.run()
    assert line.near.chunks == []
    assert line.far.reasons == ["eof"]


def test_paused_stream_keeps_its_bytes_until_somebody_reads() -> None:
    line = Line()
    line.wire.down.pause()
    line.wire.down.write(TEXT)
    line.dispatcher.run()
    assert line.near.chunks == []
    assert line.wire.down.unsent_bytes == len(TEXT)
    line.wire.down.resume()
    line.dispatcher.run()
    assert line.near.text == TEXT
    assert line.wire.down.unsent_bytes == 0
