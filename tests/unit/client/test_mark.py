"""Read marks that may not have come."""

from __future__ import annotations

from actorchat.client.mark import ReadMarks


def test_a_mark_never_goes_back() -> None:
    marks = ReadMarks()
    assert marks.advance("bob", 3)
    assert not marks.advance("bob", 3)
    assert not marks.advance("bob", 2)
    marks.pinged()
    assert not marks.advance("bob", 2)
    assert marks.advance("bob", 4)


def test_a_pong_settles_what_was_marked_before_its_ping() -> None:
    marks = ReadMarks()
    marks.advance("bob", 3)
    marks.advance("eve", 1)
    marks.pinged()
    marks.advance("bob", 5)
    assert marks.again() == [("bob", 5), ("eve", 1)]
    marks.pinged()
    marks.advance("eve", 2)
    marks.ponged()
    assert marks.again() == [("eve", 2)]


def test_marks_are_unsure_until_the_pong_of_a_ping_behind_them() -> None:
    marks = ReadMarks()
    assert not marks.is_unsure
    marks.advance("bob", 3)
    assert marks.is_unsure
    marks.pinged()
    assert marks.is_unsure
    marks.ponged()
    assert not marks.is_unsure
