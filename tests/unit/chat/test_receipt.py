from __future__ import annotations

import pytest

from actorchat.chat.receipt import Marks


@pytest.mark.parametrize(
    ("before", "reached", "after"),
    [
        ((0, 0), (3, 0), (3, 0)),
        ((0, 0), (0, 3), (3, 3)),  # read implies delivered
        ((0, 0), (2, 3), (3, 3)),
        ((5, 1), (3, 4), (5, 4)),
        ((5, 5), (4, 6), (6, 6)),
        ((0, 0), (99, 0), (10, 0)),  # cut at the head
        ((0, 0), (0, 99), (10, 10)),
        ((9, 9), (99, 99), (10, 10)),
    ],
)
def test_marks_move_up_to_the_head(before, reached, after) -> None:
    marks = Marks(*before)
    assert marks.advance(*reached, head=10)
    assert (marks.delivered, marks.read) == after


@pytest.mark.parametrize("reached", [(0, 0), (5, 3), (4, 2), (5, 0), (0, 3), (-1, -1)])
def test_marks_never_go_back(reached) -> None:
    marks = Marks(5, 3)
    assert not marks.advance(*reached, head=10)
    assert (marks.delivered, marks.read) == (5, 3)


def test_marks_stay_where_the_head_is_lower() -> None:
    marks = Marks(5, 3)
    assert not marks.advance(9, 9, head=2)
    assert (marks.delivered, marks.read) == (5, 3)


def test_marks_of_lost_messages_are_cut_off() -> None:
    marks = Marks(8, 6)
    marks.cut(7)
    assert (marks.delivered, marks.read) == (7, 6)
    marks.cut(3)
    assert (marks.delivered, marks.read) == (3, 3)
