from __future__ import annotations

from actorchat.chat.landing import Landing
from tests.unit.chat.cast import AWAY, PAIR


def test_landed_updates_are_told_by_conversation() -> None:
    landing = Landing(0, told=0)
    landing.fly(1, PAIR, 11)
    landing.fly(2, AWAY, 5)
    landing.fly(3, PAIR, 12)
    landing.fly(4, PAIR, 13)
    assert landing.land(3)
    assert landing.landed == 3
    assert landing.end_round() == {PAIR: 12, AWAY: 5}


def test_what_still_flies_is_told_when_it_lands() -> None:
    landing = Landing(0, told=0)
    landing.fly(1, PAIR, 11)
    landing.fly(2, PAIR, 12)
    landing.land(1)
    assert landing.end_round() == {PAIR: 11}
    assert landing.land(2)
    assert landing.end_round() == {PAIR: 12}


def test_acks_of_one_round_are_told_together() -> None:
    landing = Landing(0, told=0)
    landing.fly(1, PAIR, 11)
    landing.fly(2, AWAY, 5)
    assert landing.land(1)
    assert not landing.land(2)
    assert landing.end_round() == {PAIR: 11, AWAY: 5}


def test_what_has_landed_flies_no_more() -> None:
    landing = Landing(2, told=0)
    landing.fly(2, PAIR, 11)
    landing.land(3)
    assert landing.end_round() == {}


def test_second_device_adds_nothing_to_what_flies() -> None:
    landing = Landing(0, told=0)
    landing.fly(2, PAIR, 12)
    landing.fly(1, PAIR, 11)
    landing.fly(2, PAIR, 12)
    landing.fly(3, AWAY, 1)
    landing.land(2)
    assert landing.end_round() == {PAIR: 12}
    landing.land(3)
    assert landing.end_round() == {AWAY: 1}


def test_later_ack_of_less_does_not_go_back() -> None:
    landing = Landing(0, told=0)
    landing.land(5)
    landing.land(3)
    assert landing.landed == 5


def test_round_begins_once_and_ends() -> None:
    landing = Landing(0, told=3)
    assert not landing.is_under_way
    assert landing.begin_round()
    assert landing.is_under_way
    assert not landing.begin_round()
    assert landing.end_round() == {}
    assert not landing.is_under_way
    assert landing.end_round() == {}
    assert landing.told == 3
