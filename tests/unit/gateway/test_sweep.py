"""Knows how deadlines come due. Must not know connections."""

from __future__ import annotations

import pytest

from actorchat.gateway import sweep as module
from actorchat.gateway.sweep import Sweep
from tests.unit.gateway.stage import FakeLoop


class Watched:
    def __init__(self, sweep: Sweep, again_in: int = 0) -> None:
        self.due = 0
        self.seen: list[int] = []
        self._sweep = sweep
        self._again_in = again_in

    def on_due(self) -> None:
        self.seen.append(self._sweep.now)
        if self._again_in:
            self._sweep.watch(self, self._sweep.now + self._again_in)


def pass_ticks(sweep: Sweep, count: int) -> None:
    for _ in range(count):
        sweep.tick()
        while sweep.work():
            pass


def test_deadline_is_looked_at_in_its_tick_and_once() -> None:
    sweep = Sweep(1.0)
    watched = Watched(sweep)
    sweep.watch(watched, 3)
    pass_ticks(sweep, 2)
    assert watched.seen == []
    pass_ticks(sweep, 5)
    assert watched.seen == [3]
    assert len(sweep) == 0


def test_deadline_can_be_asked_for_again_when_it_comes() -> None:
    sweep = Sweep(1.0)
    watched = Watched(sweep, again_in=4)
    sweep.watch(watched, 1)
    pass_ticks(sweep, 10)
    assert watched.seen == [1, 5, 9]


def test_later_deadline_takes_the_place_of_the_first() -> None:
    sweep = Sweep(1.0)
    watched = Watched(sweep)
    sweep.watch(watched, 2)
    sweep.watch(watched, 5)
    sweep.watch(watched, 5)
    assert len(sweep) == 1
    pass_ticks(sweep, 6)
    assert watched.seen == [5]


def test_deadline_in_the_past_comes_in_the_next_tick() -> None:
    sweep = Sweep(1.0)
    pass_ticks(sweep, 10)
    watched = Watched(sweep)
    sweep.watch(watched, 4)
    pass_ticks(sweep, 1)
    assert watched.seen == [11]


def test_deadline_that_is_asked_for_again_at_once_comes_in_the_next_tick() -> None:
    class Eager(Watched):
        def on_due(self) -> None:
            super().on_due()
            self._sweep.watch(self, self._sweep.now)

    sweep = Sweep(1.0)
    watched = Eager(sweep)
    sweep.watch(watched, 1)
    pass_ticks(sweep, 3)
    assert watched.seen == [1, 2, 3]


def test_forgotten_deadline_never_comes() -> None:
    sweep = Sweep(1.0)
    watched, never = Watched(sweep), Watched(sweep)
    sweep.watch(watched, 2)
    sweep.forget(watched)
    sweep.forget(never)
    assert len(sweep) == 0
    pass_ticks(sweep, 3)
    assert watched.seen == []


@pytest.mark.parametrize("do", ["forget", "watch"])
def test_change_of_mind_while_overdue_is_heeded(do: str) -> None:
    sweep = Sweep(1.0)
    watched = Watched(sweep)
    sweep.watch(watched, 1)
    sweep.tick()
    if do == "forget":
        sweep.forget(watched)
    else:
        sweep.watch(watched, 4)
    sweep.work()
    assert watched.seen == []
    pass_ticks(sweep, 4)
    assert watched.seen == ([] if do == "forget" else [4])


def test_ticks_last_at_least_as_long_as_asked_for() -> None:
    sweep = Sweep(0.5)
    assert sweep.ticks(1.0) == 3  # the first of them may be nearly over
    assert sweep.ticks(0.1) == 2


def test_many_at_once_are_looked_at_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 10)
    loop, sweep = FakeLoop(), Sweep(1.0)
    watched = [Watched(sweep) for _ in range(25)]
    for one in watched:
        sweep.watch(one, 1)
    sweep.start(loop)  # type: ignore[arg-type]
    loop.wake()
    seen = [sum(bool(one.seen) for one in watched)]
    while loop.soon:
        loop.turn()
        seen.append(sum(bool(one.seen) for one in watched))
    assert seen == [10, 20, 25]


def test_tick_during_a_long_batch_does_not_start_a_second_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BATCH", 10)
    loop, sweep = FakeLoop(), Sweep(1.0)
    for due in (1, 2):
        for _ in range(15):
            sweep.watch(Watched(sweep), due)
    sweep.start(loop)  # type: ignore[arg-type]
    loop.wake()
    loop.wake()
    assert len(loop.soon) == 1
    while loop.soon:
        loop.turn()
    assert len(sweep) == 0


def test_only_connections_that_are_due_are_touched() -> None:
    sweep = Sweep(1.0)
    crowd = [Watched(sweep, again_in=75) for _ in range(750)]
    for position, one in enumerate(crowd):
        sweep.watch(one, 1 + position % 75)
    pass_ticks(sweep, 75)
    assert all(len(one.seen) == 1 for one in crowd)


def test_stopped_sweep_ticks_no_more() -> None:
    loop, sweep = FakeLoop(), Sweep(2.0)
    sweep.start(loop)  # type: ignore[arg-type]
    assert loop.later[0][0] == 2.0
    loop.wake()
    assert sweep.now == 1
    sweep.stop()
    sweep.stop()
    loop.wake()
    assert sweep.now == 1
    sweep._work_on()  # one that was under way when it stopped
    assert loop.soon == []
