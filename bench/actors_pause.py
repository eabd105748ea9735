"""Knows how long Python's garbage collector stops a process of many actors.

Must not know other costs.

Actors start after the collector was set up, as sessions do; then others come and go in a burst,
each handling messages. Longest pauses are told, whichever generation they are of, and that of one
full collection at the end, which comes sooner or later wherever the thresholds are.
"""

from __future__ import annotations

import gc
import time
from collections import deque

import uvloop

from actorchat.actor import LocalRef
from actorchat.actor.collector import Collector
from bench.actors_cost import must, tune_collector
from bench.actors_ours import House, Session
from bench.actors_plan import Size

_WAVE = 10_000


class Pauses:
    """Listens to the collector."""

    def __init__(self) -> None:
        self.longest_ms = [0.0, 0.0, 0.0]
        self._began_s = 0.0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        """Take the time from start to stop of one collection."""
        if phase == "start":
            self._began_s = time.perf_counter()
            return
        took_ms = (time.perf_counter() - self._began_s) * 1e3
        generation = info["generation"]
        self.longest_ms[generation] = max(self.longest_ms[generation], took_ms)


class Talker(Session):
    """Keeps a little of what it is told, as a session does."""

    __slots__ = ()

    def on_receive(self, message: object) -> object:
        self.count += 1
        self.peer = {"last": message, "seen": [self.count]}
        return message


def set_up(how: str) -> Collector | None:
    """Set the collector up by the ending of the JSON's names."""
    if how == "_tuned":
        tune_collector()
    elif how == "_collector":
        collector = Collector()
        collector.start()
        return collector
    return None


async def burst(size: Size, house: House) -> int:
    """Fill the house, then let `count` sessions come, talk and go."""
    # One deque and small lists: a new list of all of them would itself be a long look.
    refs: deque[LocalRef] = deque()
    while len(refs) < size.live:
        refs += await house.populate(Talker, min(_WAVE, size.live - len(refs)))
    left = size.count
    while left > 0:
        wave = min(_WAVE, left, len(refs))
        left -= wave
        going = [refs.popleft() for _ in range(wave)]
        await talk(going)
        await house.stop(going)
        coming = await house.populate(Talker, wave)
        await talk(coming)
        refs += coming
    house.check(len(refs))
    return len(refs)


async def talk(refs: list[LocalRef]) -> None:
    """Tell each something it keeps; wait until all have handled it."""
    for ref in refs:
        ref.tell((1, "a message"))
    await refs[-1].call(0)


async def _take(how: str, size: Size) -> dict[str, float]:
    collector = set_up(how)
    pauses = Pauses()
    gc.callbacks.append(pauses)  # behind the collector's own, whose freezing counts
    house = await House().open()
    live = await burst(size, house)
    in_burst = list(pauses.longest_ms)
    gc.collect()
    must(live == size.live, f"all are alive: {live}")
    figures = {
        "gc_pause_ms_1m": max(pauses.longest_ms),
        "gc_burst_pause_ms_1m": max(in_burst),
        "gc_full_ms_1m": pauses.longest_ms[2],
    }
    if collector is not None:
        began_s = time.perf_counter()
        collector.thaw()
        figures["gc_thaw_ms_1m"] = (time.perf_counter() - began_s) * 1e3
    return {f"{name}{how}": value for name, value in figures.items()}


def take(how: str, size: Size) -> dict[str, float]:
    """Return the pauses in milliseconds by their names in the JSON."""
    return uvloop.run(_take(how, size))
