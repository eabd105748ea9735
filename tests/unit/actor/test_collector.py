"""What survives is frozen, garbage is not, and the collector is left as it was found."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actorchat.actor.collector import Collector


class FakeEngine:
    """A collector driven by hand; writes down what is asked of it."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[str, dict[str, int]], None]] = []
        self.thresholds = (700, 10, 10)
        self.asked: list[str] = []
        self.garbage = 0

    def get_threshold(self) -> tuple[int, int, int]:
        return self.thresholds

    def set_threshold(self, young: int, middle: int, old: int, /) -> None:
        self.thresholds = (young, middle, old)

    def freeze(self) -> None:
        self.asked.append("freeze")

    def unfreeze(self) -> None:
        self.asked.append("unfreeze")

    def collect(self, generation: int = 2) -> int:
        self.asked.append("collect")
        self.tell("start", generation)
        self.tell("stop", generation, self.garbage)
        return self.garbage

    def tell(self, phase: str, generation: int, collected: int = 0) -> None:
        info = {"generation": generation, "collected": collected, "uncollectable": 0}
        for callback in list(self.callbacks):
            callback(phase, info)


class Cycle:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.me: Any = self


class Clock:
    def __init__(self) -> None:
        self.time_s = 0.0

    def __call__(self) -> float:
        return self.time_s


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def real() -> Iterator[Collector]:
    """Run a collector of this very process, and leave nothing of it behind."""
    collector = Collector()
    collector.start()
    yield collector
    collector.stop()


def test_start_collects_before_it_freezes(engine: FakeEngine) -> None:
    collector = Collector(engine=engine)
    assert not collector.is_running
    collector.start()
    assert collector.is_running
    assert engine.asked[0] == "unfreeze"
    assert engine.asked.index("collect") < engine.asked.index("freeze")
    assert engine.thresholds[0] > 700


def test_survivors_of_the_middle_generation_are_frozen(engine: FakeEngine) -> None:
    collector = Collector(engine=engine)
    collector.start()
    engine.asked.clear()
    engine.tell("start", 0)
    engine.tell("stop", 0)
    assert engine.asked == []
    engine.tell("start", 1)
    assert engine.asked == []  # not before all has been looked at
    engine.tell("stop", 1)
    assert engine.asked == ["freeze"]
    assert collector.freezes == 1


def test_thaw_looks_at_all_and_counts_freezes_anew(engine: FakeEngine) -> None:
    collector = Collector(engine=engine)
    collector.start()
    engine.tell("start", 1)
    engine.tell("stop", 1)
    engine.asked.clear()
    engine.garbage = 7
    assert collector.thaw() == 7
    assert engine.asked[:2] == ["unfreeze", "collect"]
    assert engine.asked[-1] == "freeze"
    assert collector.freezes == 0
    assert collector.found == 7


def test_pauses_are_measured_and_the_longest_is_kept(engine: FakeEngine) -> None:
    clock = Clock()
    collector = Collector(engine=engine, now_s=clock)
    collector.start()
    for took_s in (0.25, 1.0, 0.5):
        engine.tell("start", 0)
        clock.time_s += took_s
        engine.tell("stop", 0, 2)
    assert collector.pause_s == 0.5
    assert collector.pause_max_s == 1.0
    assert collector.found == 6


def test_stop_leaves_everything_as_it_was(engine: FakeEngine) -> None:
    def other(_phase: str, _info: dict[str, int]) -> None:
        pass

    engine.callbacks.append(other)
    collector = Collector(engine=engine)
    collector.start()
    collector.stop()
    collector.stop()
    assert engine.callbacks == [other]
    assert engine.thresholds == (700, 10, 10)
    assert engine.asked[-1] == "unfreeze"
    assert not collector.is_running


def test_second_start_changes_nothing(engine: FakeEngine) -> None:
    collector = Collector(engine=engine)
    collector.start()
    engine.asked.clear()
    collector.start()
    assert engine.asked == []
    assert len(engine.callbacks) == 1
    collector.stop()
    assert engine.thresholds == (700, 10, 10)


def test_collection_that_began_before_the_start_is_not_measured(engine: FakeEngine) -> None:
    collector = Collector(engine=engine)
    collector.start()
    engine.asked.clear()
    engine.tell("stop", 1, 5)
    assert engine.asked == []
    assert collector.found == 0


@pytest.mark.parametrize(("young", "looks"), [(0, 1), (1, 0)])
def test_threshold_under_one_is_refused(young: int, looks: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Collector(young, looks)


def test_cycle_dropped_before_a_freeze_is_collected(real: Collector) -> None:
    watched = weakref.ref(Cycle())
    gc.collect(1)
    assert watched() is None
    assert real.freezes == 1


def test_cycle_dropped_after_a_freeze_waits_for_a_thaw(real: Collector) -> None:
    cycle = Cycle()
    watched = weakref.ref(cycle)
    gc.collect(1)
    del cycle
    gc.collect()
    assert watched() is not None
    real.thaw()
    assert watched() is None


def test_what_survived_is_out_of_sight(real: Collector) -> None:
    kept = [Cycle() for _ in range(10)]
    assert any(found is kept[0] for found in gc.get_objects())
    gc.collect(1)
    assert not any(found is kept[0] for found in gc.get_objects())
    assert real.freezes == 1
