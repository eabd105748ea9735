"""Knows how to ask for the time. Must not know timers or actors."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The two times: one that never jumps, and the one that people read."""

    def monotonic_s(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""
        ...

    def wall_ms(self) -> int:
        """Return milliseconds since 1970 UTC; may jump."""
        ...


class SystemClock:
    """The machine's clocks."""

    def monotonic_s(self) -> float:
        """Return `time.monotonic`."""
        return time.monotonic()

    def wall_ms(self) -> int:
        """Return `time.time` in whole milliseconds."""
        return time.time_ns() // 1_000_000
