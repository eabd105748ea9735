"""A simulated disk: what a power cut, a lack of space and a slow sync do to what was written."""

from __future__ import annotations

import random

import pytest

from actorchat.actor import SeededDispatcher
from actorchat.errors import StoreFull, StoreIO
from actorchat.testing.disk import Disk, SimSyncer
from actorchat.testing.journal import Journal

SEEDS = range(20)
SYNC_S = 0.5


class Machine:
    """A disk on virtual time, and the answers of its syncs."""

    def __init__(self, seed: int = 1) -> None:
        self.dispatcher = SeededDispatcher(seed)
        self.journal = Journal(self.dispatcher.clock)
        self.disk = Disk(self.dispatcher, random.Random(seed), self.journal, SYNC_S)
        self.syncer = SimSyncer(self.disk)
        self.answers: list[Exception | None] = []

    def write(self, *contents: bytes) -> None:
        engine = self.disk.engine
        for content in contents:
            batch = engine.batch()
            batch.put(content, content, engine.family("state"))
            engine.write(batch)

    def read(self) -> list[bytes]:
        engine = self.disk.engine
        return [key for key, _ in engine.scan(engine.family("state"), b"a", b"zz")]

    def sync(self) -> None:
        self.syncer.start(self.answers.append)
        self.dispatcher.run()


def test_power_cut_loses_only_the_end_of_what_was_not_synced() -> None:
    losses = set()
    for seed in SEEDS:
        machine = Machine(seed)
        machine.write(b"a", b"b")
        machine.sync()
        machine.write(b"c", b"d")
        machine.disk.lose_power()
        lost = machine.journal.counts["writes_lost"]
        assert machine.read() == [b"a", b"b", b"c", b"d"][: 4 - lost]
        losses.add(lost)
    assert losses == {0, 1, 2}


def test_sync_covers_only_what_was_written_before_it_began() -> None:
    machine = Machine()
    machine.write(b"a")
    machine.syncer.start(machine.answers.append)
    machine.write(b"b")
    assert len(machine.disk.engine.unsynced()) == 2
    machine.dispatcher.run()
    assert machine.answers == [None]
    assert machine.disk.engine.unsynced() == [[b"b"]]


def test_sync_of_a_slow_disk_takes_longer() -> None:
    times = []
    for slowness in (1.0, 10.0):
        machine = Machine()
        machine.disk.slowness = slowness
        machine.sync()
        times.append(machine.dispatcher.now_s())
    assert 0.0 < times[0] <= SYNC_S
    assert times[1] == pytest.approx(times[0] * 10)


def test_next_sync_is_told_of_once() -> None:
    machine = Machine()
    delays: list[float] = []
    machine.disk.on_sync = delays.append
    machine.sync()
    assert delays == [machine.dispatcher.now_s()]
    machine.sync()
    assert len(delays) == 1


def test_syncer_of_a_dead_node_never_calls_back() -> None:
    machine = Machine()
    machine.write(b"a")
    machine.syncer.start(machine.answers.append)
    machine.syncer.close()
    machine.dispatcher.run()
    assert machine.answers == []
    assert machine.disk.engine.unsynced() == [[b"a"]]


def test_full_disk_refuses_until_there_is_space() -> None:
    machine = Machine()
    machine.disk.fill()
    with pytest.raises(StoreFull):
        machine.write(*(bytes([at]) for at in range(97, 103)))
    with pytest.raises(StoreFull):
        machine.write(b"y")
    machine.disk.free()
    machine.write(b"z")
    assert b"y" not in machine.read()
    assert b"z" in machine.read()


def test_disk_knows_how_long_ago_it_was_full() -> None:
    machine = Machine()
    assert not machine.disk.was_full_within(1e9)
    machine.disk.fill()
    assert machine.disk.was_full_within(0.0)
    machine.disk.free()
    machine.dispatcher.run(2.0)
    assert machine.disk.was_full_within(3.0)
    assert not machine.disk.was_full_within(1.0)


def test_power_cut_ends_all_other_faults() -> None:
    machine = Machine()
    machine.disk.fill()
    machine.disk.slowness = 9.0
    machine.disk.lose_power()
    assert (machine.disk.is_full, machine.disk.slowness) == (False, 1.0)
    machine.write(*(bytes([at]) for at in range(97, 103)))
    assert len(machine.read()) == 6


def test_broken_sync_answers_with_its_error() -> None:
    machine = Machine()
    machine.disk.break_sync()
    machine.write(b"a")
    for _ in range(3):
        machine.sync()
    failed = [answer for answer in machine.answers if answer is not None]
    assert failed
    assert all(isinstance(answer, StoreIO) for answer in failed)
