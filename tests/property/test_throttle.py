"""Whoever guesses, and however fast: no more failures than the bucket has, no longer waits."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from actorchat.chat.throttle import Throttle

KEYS = ("ann", "bob", "eve")
pauses_ms = st.one_of(st.just(0), st.integers(0, 20_000), st.integers(0, 200_000))
tries = st.lists(st.tuples(st.sampled_from(KEYS), pauses_ms), min_size=1, max_size=80)


@given(st.integers(1, 60), tries)
def test_failures_are_bounded_by_burst_and_rate(per_minute: int, guesses) -> None:
    throttle = Throttle(per_minute, len(KEYS))
    failed_at: dict[str, list[int]] = {key: [] for key in KEYS}
    now_wall_ms = 0
    for key, pause_ms in guesses:
        now_wall_ms += pause_ms
        if throttle.wait_ms(key, now_wall_ms) == 0:
            throttle.failed(key, now_wall_ms)
            failed_at[key].append(now_wall_ms)
    for times in failed_at.values():
        for first, since in enumerate(times):
            for last in range(first, len(times)):
                granted = per_minute + (times[last] - since) * per_minute / 60_000
                assert last - first + 1 <= granted + 1e-6


@given(st.integers(1, 60), st.integers(0, 200), tries)
@example(2, 0, [("ann", 0)] * 5 + [("ann", 19_366), ("ann", 1)])
def test_wait_is_never_longer_than_said(per_minute: int, failures: int, guesses) -> None:
    throttle = Throttle(per_minute, len(KEYS))
    for _ in range(failures):
        throttle.failed("ann", 0)
    now_wall_ms = 0
    for key, pause_ms in guesses:
        now_wall_ms += pause_ms
        wait_ms = throttle.wait_ms(key, now_wall_ms)
        assert throttle.wait_ms(key, now_wall_ms + wait_ms) == 0
        assert wait_ms == 0 or throttle.wait_ms(key, now_wall_ms + wait_ms - 1) == 1
        throttle.failed(key, now_wall_ms)


@given(st.integers(1, 3), st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans())))
def test_table_never_outgrows_its_bound(keys_max: int, outcomes) -> None:
    throttle = Throttle(1, keys_max)
    for key, succeeds in outcomes:
        if succeeds:
            throttle.succeeded(key)
            assert throttle.wait_ms(key, 0) == 0
        else:
            throttle.failed(key, 0)
            assert throttle.wait_ms(key, 0) > 0
        assert len(throttle) <= keys_max
