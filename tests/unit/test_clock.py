from __future__ import annotations

import time

from actorchat.clock import Clock, SystemClock


def test_monotonic_time_never_goes_back() -> None:
    clock: Clock = SystemClock()
    readings = [clock.monotonic_s() for _ in range(1_000)]
    assert readings == sorted(readings)
    assert abs(clock.monotonic_s() - time.monotonic()) < 1.0


def test_wall_time_is_whole_milliseconds_since_1970() -> None:
    now_ms = SystemClock().wall_ms()
    assert isinstance(now_ms, int)
    assert abs(now_ms / 1_000 - time.time()) < 1.0
