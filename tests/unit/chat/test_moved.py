"""A big group tells its head at once, then what came meanwhile, to those whom it is for."""

from __future__ import annotations

import pytest

from actorchat.chat import moved
from actorchat.chat.moved import Announcer, Changed, News, spans_of
from actorchat.chat.roster import Member

ALL = ("ann", "bob")


def test_first_news_goes_out_at_once_and_the_next_together() -> None:
    announcer = Announcer(told=4)
    assert announcer.posted(5, ALL, b"five")
    assert not announcer.posted(6, ALL, b"six")
    assert announcer.due() == News(5, 6, 4, ALL, (b"five", b"six"))
    assert not announcer.posted(7, ALL, b"seven")  # a MovedDue is under way
    assert announcer.due() == News(7, 7, 6, ALL, (b"seven",))
    assert announcer.due() is None
    assert announcer.posted(8, ALL, b"eight")


def test_what_was_told_before_is_no_news() -> None:
    announcer = Announcer(told=4)
    assert not announcer.posted(4, ALL, b"four")
    assert announcer.take() is None
    assert announcer.changed(Changed(4, b"four", 0, ALL, {})) == []


def test_due_that_could_not_be_sent_is_asked_for_again() -> None:
    announcer = Announcer()
    assert announcer.posted(1, ALL, b"one")
    announcer.not_sent()
    assert announcer.posted(2, ALL, b"two")
    assert announcer.take() == News(1, 2, 0, ALL, (b"one", b"two"))


def test_change_is_told_at_once_with_what_is_before_it() -> None:
    announcer = Announcer(told=1)
    announcer.posted(2, ALL, b"two")
    change = Changed(3, b"three", 0, ALL, {0: ["cid"], 1: ["dan"]})
    assert announcer.changed(change) == [
        News(2, 3, 1, ALL, (b"two", b"three")),
        News(3, 3, 0, ("cid",), (b"three",)),
        News(3, 3, 1, ("dan",), (b"three",)),
    ]
    assert announcer.due() is None
    assert announcer.told == 3


def test_change_with_which_a_group_becomes_big_says_nothing_of_what_was_told() -> None:
    announcer = Announcer(told=1)
    change = Changed(9, b"nine", 8, ALL, {0: ["cid"]})
    assert announcer.changed(change)[0] == News(9, 9, 8, ALL, (b"nine",))


def test_change_after_which_nobody_was_there_before_is_told_to_who_came() -> None:
    change = Changed(1, b"one", 0, (), {0: ["ann"]})
    assert Announcer().changed(change) == [News(1, 1, 0, ("ann",), (b"one",))]


@pytest.mark.parametrize("bound", ["GROUP_MOVED_RECORDS_MAX", "GROUP_MOVED_BYTES_MAX"])
def test_more_than_a_message_may_carry_is_left_to_the_log(
    monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(moved, bound, 1)
    announcer = Announcer()
    announcer.posted(1, ALL, b"1")
    announcer.posted(2, ALL, b"2")
    assert announcer.due() == News(1, 2, 0, ALL, ())
    announcer.posted(3, ALL, b"3")
    assert announcer.due() == News(3, 3, 2, ALL, (b"3",))


def test_spans_are_those_of_which_one_was_a_member() -> None:
    row = Member("member", 9, ((2, 4), (6, 7)))
    assert spans_of(row, 0, 12) == [(2, 4), (6, 7), (9, 12)]
    assert spans_of(row, 3, 12) == [(4, 4), (6, 7), (9, 12)]
    assert spans_of(row, 10, 12) == [(11, 12)]
    assert spans_of(Member("member", 0, ((2, 4),)), 0, 12) == [(2, 4)]
    assert spans_of(Member("member", 9), 12, 12) == []
