"""Knows how to keep Python's garbage collector from stopping a process of a million actors.

Must not know actors.

A full collection looks at everything that lives: a second and more for a million actors, in which
nothing runs. Actors need none, since they leave no cycles: they go when they end. So what has
survived two looks is taken out of the collector's sight, once and for all, and each object is
looked at twice at most, however many others live.
"""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

# The youngest are looked at when so many more were made than freed: 1 ms at most.
YOUNG_MAX = 10_000
# And all since the last freeze after so many such looks: 8 ms at most.
LOOKS = 5
# A full look of the interpreter's own accord would see the little that is not frozen yet.
_FULL_AFTER = 1_000


class Engine(Protocol):
    """What is used of the module `gc`."""

    callbacks: list[Callable[[str, dict[str, int]], None]]

    def collect(self, generation: int = 2) -> int:
        """Collect now; return how many objects were unreachable."""

    def freeze(self) -> None:
        """Take all that lives out of sight: a splice of lists, whatever their length."""

    def unfreeze(self) -> None:
        """Bring all that is frozen back into sight."""

    def get_threshold(self) -> tuple[int, int, int]:
        """Return when each generation is collected."""

    def set_threshold(self, young: int, middle: int, old: int, /) -> None:
        """Decide when each generation is collected."""


class Collector:
    """Freezes what survives, again and again, while actors come and go. One for each process.

    The price: a cycle of objects that was alive at a freeze and is dropped later stays in memory
    until the next `thaw`. `freezes` since then tells how much that can be at most.

    `pause_s` is the last pause, `pause_max_s` the longest since the start, `found` how many
    unreachable objects there were. Collections happen in any thread, one at a time.
    """

    def __init__(
        self,
        young_max: int = YOUNG_MAX,
        looks: int = LOOKS,
        engine: Engine | Any = gc,
        now_s: Callable[[], float] = time.perf_counter,
    ) -> None:
        if young_max < 1 or looks < 1:
            msg = f"thresholds are at least 1, not {young_max} and {looks}"
            raise ValueError(msg)
        self.freezes = 0
        self.found = 0
        self.pause_s = 0.0
        self.pause_max_s = 0.0
        self._thresholds = (young_max, looks, _FULL_AFTER)
        self._engine = engine
        self._now_s = now_s
        self._began_s: float | None = None
        self._before: tuple[int, int, int] | None = None

    @property
    def is_running(self) -> bool:
        """Say whether it has been started and not stopped."""
        return self._before is not None

    def start(self) -> None:
        """Collect, freeze what lives, and watch from now on; nothing when it runs already.

        Call it when what a program needs for good has been made.
        """
        if self._before is not None:
            return
        self._before = self._engine.get_threshold()
        self._engine.set_threshold(*self._thresholds)
        self._engine.callbacks.append(self._heard)
        self.thaw()

    def stop(self) -> None:
        """Leave the collector as it was before the start; nothing when it does not run."""
        if self._before is None:
            return
        self._engine.callbacks.remove(self._heard)
        self._engine.set_threshold(*self._before)
        self._engine.unfreeze()
        self._before = None
        self._began_s = None

    def thaw(self) -> int:
        """Look at everything, frozen or not; return how many unreachable objects were found.

        This is the pause that is avoided otherwise, a second for a million actors: for an
        operator, a quiet hour, or when few actors are left.
        """
        self._engine.unfreeze()
        found = self._engine.collect()
        self._engine.freeze()  # also when not running: what was frozen before is frozen again
        self.freezes = 0
        return found

    def _heard(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began_s = self._now_s()
            return
        if self._began_s is None:  # it began before this was listening
            return
        if info["generation"] > 0:
            # What lives has been looked at just now, so that no garbage is frozen with it.
            self._engine.freeze()
            self.freezes += 1
        self.pause_s = self._now_s() - self._began_s
        self._began_s = None
        self.pause_max_s = max(self.pause_max_s, self.pause_s)
        self.found += info["collected"]
