"""What a group's fan-out owes, and when it is told that it owes nothing."""

from __future__ import annotations

from actorchat.chat.fan_out import FanOut
from actorchat.chat.roster import Member

ROWS = {
    "ann": Member("owner", 1),
    "bob": Member("member", 3),
    "cid": Member("member", 0, ((1, 2),)),
}


def test_first_that_is_owed_puts_the_marker() -> None:
    fan_out = FanOut()
    assert fan_out.owe(4)
    assert not fan_out.owe(5)
    assert fan_out.owed == 4


def test_each_home_is_asked_for_the_last_that_is_for_it() -> None:
    fan_out = FanOut(1)
    assert fan_out.ask(ROWS, 5) == {"ann": 5, "bob": 5, "cid": 2}


def test_nothing_is_asked_where_nothing_is_owed() -> None:
    assert FanOut().ask(ROWS, 5) == {}


def test_round_ends_when_all_have_all_and_asks_only_who_has_not_answered() -> None:
    fan_out = FanOut(1)
    fan_out.ask(ROWS, 5)
    assert fan_out.confirmed("ann", 4) is None
    assert fan_out.confirmed("ann", 5) is None
    assert fan_out.confirmed("ann", 5) is None
    assert fan_out.ask(ROWS, 9) == {"bob": 5, "cid": 2}
    assert fan_out.confirmed("cid", 2) is None
    assert fan_out.confirmed("bob", 6) == 5


def test_marker_moves_behind_what_arrived() -> None:
    fan_out = FanOut(1)
    fan_out.settle(5, 7)
    assert fan_out.owed == 6
    fan_out.settle(4, 7)
    assert fan_out.owed == 6
    fan_out.settle(7, 7)
    assert fan_out.owed is None
    fan_out.settle(7, 7)
    assert fan_out.owed is None


def test_gap_is_filled_once_until_the_next_round() -> None:
    fan_out = FanOut(1)
    assert fan_out.wants_redrive("bob", 3)
    assert not fan_out.wants_redrive("bob", 3)
    assert fan_out.wants_redrive("bob", 4)
    fan_out.ask(ROWS, 5)
    assert fan_out.wants_redrive("bob", 4)
