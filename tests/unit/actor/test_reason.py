"""Why actors end, in a form that can be kept."""

from __future__ import annotations

from actorchat import limits
from actorchat.actor import NORMAL, SHUTDOWN, Crash, Escalated
from actorchat.actor.reason import is_abnormal
from tests.unit.actor.cast import Boom


def caught() -> BaseException:
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise Boom("second") from error
    except Boom as error:
        return error


def test_a_crash_keeps_the_traceback_as_text_and_lets_the_frames_go() -> None:
    error = caught()
    crash = Crash.of(error)
    assert "in caught" in crash.traceback and "KeyError" in crash.traceback
    assert error.__traceback__ is None
    assert error.__cause__ is not None and error.__cause__.__traceback__ is None
    assert str(crash) == "Boom: second"


def test_a_huge_traceback_is_cut_at_its_outer_end() -> None:
    crash = Crash.of(Boom("x" * 3 * limits.TRACEBACK_CHARS_MAX + "the end"))
    assert len(crash.traceback) == limits.TRACEBACK_CHARS_MAX
    assert crash.traceback.rstrip().endswith("the end")


def test_only_normal_and_shutdown_are_normal() -> None:
    assert not is_abnormal(NORMAL) and not is_abnormal(SHUTDOWN)
    assert is_abnormal("other") and is_abnormal(Crash.of(Boom()))
    assert is_abnormal(Escalated("child", "why"))
    assert str(Escalated("store", "why")) == "child 'store' gave up: why"
