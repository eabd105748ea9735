"""The runtime's tests notice every bug that is planted in it, and pass without any."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance import actor_mutants
from tests.conformance.actor_bugs import BUGS
from tests.conformance.actor_mutants import AT_ONCE, Running
from tests.conformance.planting import Stale, edit

NAMES = list(BUGS)
Ahead = dict[str, Running]


@pytest.fixture(scope="module")
def ahead() -> Iterator[Ahead]:
    """Hold the runs that were begun before their turn, so that two cores are busy."""
    running: Ahead = {}
    yield running
    for left in running.values():
        left.stop()


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", NAMES)
def test_planted_bug_is_noticed(name: str, ahead: Ahead) -> None:
    first = NAMES.index(name)
    for near in NAMES[first : first + AT_ONCE]:
        if near not in ahead:
            ahead[near] = Running(near, actor_mutants.likely(near))
    outcome = ahead.pop(name).outcome()
    assert outcome.killer is not None, f"{name} survived"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_without_a_bug_the_same_tests_pass() -> None:
    tests = dict.fromkeys(test for name in NAMES for test in actor_mutants.likely(name))
    outcome = Running("", list(tests)).outcome()
    assert outcome.killer is None


def test_a_run_that_tests_nothing_is_no_survivor() -> None:
    with pytest.raises(RuntimeError, match="ended with 4"):
        Running("", ["tests/unit/actor/test_nothing_of_the_kind.py"]).outcome()


def test_a_bug_whose_place_has_gone_is_an_error() -> None:
    with pytest.raises(Stale, match=r"0 functions LocalRef\.tell"):
        edit("LocalRef.tell", "no such text", "")
    with pytest.raises(Stale, match=r"[2-9] functions __repr__"):
        edit("__repr__", "return f", "")
