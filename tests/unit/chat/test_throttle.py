from __future__ import annotations

import pytest

from actorchat.chat.throttle import Throttle


def failed(throttle: Throttle, key: str, times: int, now_wall_ms: int = 0) -> None:
    for _ in range(times):
        throttle.failed(key, now_wall_ms)


def test_key_that_never_failed_may_try() -> None:
    assert Throttle(10, 4).wait_ms("ann", 0) == 0


def test_burst_is_a_minute_of_failures() -> None:
    throttle = Throttle(10, 4)
    failed(throttle, "ann", 9)
    assert throttle.wait_ms("ann", 0) == 0
    failed(throttle, "ann", 1)
    assert throttle.wait_ms("ann", 0) == 6_000


def test_other_keys_are_not_held_up() -> None:
    throttle = Throttle(1, 4)
    failed(throttle, "ann", 1)
    assert throttle.wait_ms("ann", 0) > 0
    assert throttle.wait_ms("bob", 0) == 0


def test_wait_grows_with_failures_beyond_the_burst() -> None:
    throttle = Throttle(10, 4)
    failed(throttle, "ann", 12)
    assert throttle.wait_ms("ann", 0) == 18_000


def test_wait_is_over_when_it_said() -> None:
    throttle = Throttle(7, 4)
    failed(throttle, "ann", 7)
    wait_ms = throttle.wait_ms("ann", 0)
    assert throttle.wait_ms("ann", wait_ms) == 0
    assert throttle.wait_ms("ann", wait_ms - 1) == 1


def test_bucket_never_holds_more_than_the_burst() -> None:
    throttle = Throttle(2, 4)
    failed(throttle, "ann", 1)
    failed(throttle, "ann", 2, now_wall_ms=3_600_000)
    assert throttle.wait_ms("ann", 3_600_000) > 0


def test_clock_that_goes_back_gives_nothing() -> None:
    throttle = Throttle(1, 4)
    failed(throttle, "ann", 1, now_wall_ms=100_000)
    assert throttle.wait_ms("ann", 0) == throttle.wait_ms("ann", 100_000) == 60_000


def test_success_forgets_the_failures() -> None:
    throttle = Throttle(1, 4)
    failed(throttle, "ann", 3)
    throttle.succeeded("ann")
    throttle.succeeded("bob")
    assert throttle.wait_ms("ann", 0) == 0
    assert len(throttle) == 0


@pytest.mark.parametrize(("again", "forgotten"), [("ann", "bob"), ("bob", "ann")])
def test_key_unused_for_longest_is_forgotten(again: str, forgotten: str) -> None:
    throttle = Throttle(1, 2)
    for key in ("ann", "bob", again, "eve"):
        throttle.failed(key, 0)
    assert len(throttle) == 2
    assert throttle.wait_ms(forgotten, 0) == 0
    assert throttle.wait_ms(again, 0) > 0
    assert throttle.wait_ms("eve", 0) > 0


def test_what_did_not_fail_is_given_back() -> None:
    throttle = Throttle(2, 5)
    throttle.failed("ann", 0)
    throttle.failed("ann", 0)
    assert throttle.wait_ms("ann", 0)
    throttle.give_back("ann")
    assert not throttle.wait_ms("ann", 0)
    throttle.give_back("bob")
    assert len(throttle) == 1


def test_giving_back_never_gives_more_than_the_burst() -> None:
    throttle = Throttle(2, 5)
    throttle.failed("ann", 0)
    for _ in range(5):
        throttle.give_back("ann")
    throttle.failed("ann", 0)
    throttle.failed("ann", 0)
    assert throttle.wait_ms("ann", 0)
