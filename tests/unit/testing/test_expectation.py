"""What is expected is compared, and a difference is told in full."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from actorchat.actor import Reply
from actorchat.errors import ActorDead
from actorchat.testing.expectation import (
    SHOWN_MAX,
    AllOf,
    Box,
    Count,
    Expectation,
    Fished,
    Next,
    Silence,
    described,
    failure,
    listed,
    matches,
    shown,
)


def filled(*messages: Any) -> Box:
    box = Box(lambda: 1.5)
    for message in messages:
        box.put(message)
    return box


class Callable:
    """A message that could be taken for a function."""

    def __call__(self, message: Any) -> bool:
        raise AssertionError("a message is not to be called")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Callable)

    __hash__ = object.__hash__


@pytest.mark.parametrize(
    ("wanted", "message", "is_match"),
    [
        (3, 3, True),
        (3, 4, False),
        (int, 3, True),
        (int, "3", False),
        (int, int, True),
        (lambda m: m > 2, 3, True),
        (lambda m: m > 2, 1, False),
        (functools.partial(max, 0), 1, True),
        (str.isdigit, "x", False),
        (Callable(), Callable(), True),
        (Callable(), 1, False),
        (None, None, True),
    ],
)
def test_value_type_or_function_decides(wanted: Any, message: Any, is_match: bool) -> None:
    assert matches(wanted, message) is is_match


def test_error_of_a_function_goes_through() -> None:
    with pytest.raises(TypeError):
        matches(lambda m: m > 2, "x")


def test_wants_are_told_in_words() -> None:
    assert described(3) == "3"
    assert described(int) == "an instance of int"
    assert described(len) == "what len accepts"
    assert described(lambda m: m).startswith("what <lambda> accepts (test_expectation.py, line ")


def test_text_of_any_object_is_bounded() -> None:
    class Mute:
        def __repr__(self) -> str:
            raise ValueError

    assert len(shown("x" * 10_000)) < 300
    assert "Mute instance" in shown(Mute())
    text = listed(str(n) for n in range(SHOWN_MAX + 5))
    assert text.endswith("19, and 5 more") and listed([]) == "nothing"


@pytest.mark.parametrize(
    ("expectation", "messages", "verdict", "left"),
    [
        (Next(1), [1, 2], True, [2]),
        (Next(1), [2, 1], False, [1]),
        (Next(1), [], None, []),
        (Fished(2), [1, 2, 3], True, [3]),
        (Fished(2), [1, 3], None, []),
        (Count(2), [1, 2, 3], True, [3]),
        (Count(2), [1], None, []),
        (Count(0), [1], True, [1]),
        (Silence(), [], None, []),
        (Silence(), [1, 2], False, [2]),
        (AllOf([1, 2]), [2, 1, 3], True, [3]),
        (AllOf([1, 2]), [2], None, []),
        (AllOf([1, 2]), [2, 2, 1], False, [1]),
        (AllOf([]), [1], True, [1]),
    ],
)
def test_look_takes_what_it_needs_and_no_more(
    expectation: Expectation, messages: list[Any], verdict: bool | None, left: list[Any]
) -> None:
    box = filled(*messages)
    assert expectation.look(box) is verdict
    assert [arrival.message for arrival in box.waiting] == left


def test_wants_that_overlap_are_told_apart() -> None:
    wanted = AllOf([int, 1, lambda m: m])
    assert wanted.look(filled(1, 2, 3)) is True
    assert wanted.result()[1] == 1 and sorted(wanted.result()) == [1, 2, 3]
    assert AllOf([int, 1]).look(filled(2, 3)) is False


def test_expectation_goes_on_where_it_was_when_more_comes() -> None:
    wanted, box = AllOf(["a", "b"]), filled("b")
    assert wanted.look(box) is None
    box.put("a")
    assert wanted.look(box) is True
    assert wanted.result() == ["a", "b"]


def test_only_silence_is_met_by_time_alone() -> None:
    assert Silence().is_met_late()
    assert not any(late.is_met_late() for late in (Next(1), Fished(1), Count(1), AllOf([1])))


def test_failure_shows_wanted_came_and_left() -> None:
    box = filled("first")
    box.put("second", Reply())
    box.put("third")
    expectation = AllOf(["first", int])
    assert expectation.look(box) is False
    error = failure("probe 'bank'", expectation, 1.0, box, "seed=7")
    assert str(error).splitlines() == [
        "probe 'bank' expected in any order: 'first', an instance of int within 1 s",
        "  came instead: 'first' (at 1.500 s), a call of 'second' (at 1.500 s)",
        "  left in the mailbox: 'third' (at 1.500 s)",
        "  seed=7",
    ]


def test_calls_left_in_a_box_end_with_an_error() -> None:
    box, taken, waiting = filled(), Reply[Any](), Reply[Any]()
    box.put(1, taken)
    box.put(2, waiting)
    box.take()
    box.abandon(ActorDead("gone"))
    assert isinstance(taken.exception(), ActorDead)
    assert isinstance(waiting.exception(), ActorDead)
    assert box.open_calls == []


def test_bell_rings_once_at_the_next_arrival() -> None:
    box = filled(1)
    bell = box.next_arrival()
    assert not bell.done()
    box.put(2)
    box.put(3)
    assert bell.done()
