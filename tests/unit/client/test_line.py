"""When a client connects, pings and gives up."""

from __future__ import annotations

from actorchat.client.event import State
from actorchat.client.line import Duty, Line


def opened(ping_s: float = 10.0) -> Line:
    line = Line(lambda: 1.0)
    line.connect(0.0)
    line.opened()
    line.welcomed(ping_s, 0.0)
    return line


def test_an_idle_line_has_no_duty() -> None:
    line = Line(lambda: 1.0)
    assert line.deadline() is None
    assert line.duty(1e9) is Duty.NONE
    assert not line.is_up


def test_what_is_heard_puts_off_giving_up_but_no_ping() -> None:
    line = opened()
    line.heard(9.0)
    assert line.deadline() == 10.0
    assert line.duty(10.0) is Duty.PING
    assert line.duty(10.0) is Duty.NONE
    line.heard(12.0)
    assert line.duty(36.9) is Duty.ASK
    assert line.deadline() == 37.0
    assert line.duty(37.0) is Duty.GIVE_UP


def test_a_ping_asks_for_an_answer_when_nothing_came_since_the_ping_before() -> None:
    line = opened()
    duties = []
    for beat in range(1, 7):
        duties.append(line.duty(10.0 * beat))
        if duties[-1] is Duty.ASK:
            line.heard(10.0 * beat + 4.9)
    assert duties == [Duty.PING, Duty.ASK] * 3
    line.heard(61.0)
    assert line.duty(70.0) is Duty.PING
    line.heard(79.9)
    assert line.duty(80.0) is Duty.PING  # who hears something each time need never ask
    assert line.duty(90.0) is Duty.ASK
    assert line.deadline() == 100.0  # and the answer has until 104.9


def test_a_late_ping_asks_for_the_next_may_be_too_late() -> None:
    line = opened()
    assert line.duty(15.1) is Duty.ASK
    line = opened()
    assert line.duty(14.9) is Duty.PING
    assert line.duty(24.9) is Duty.ASK


def test_a_lost_line_connects_again_when_its_time_has_come() -> None:
    line = opened()
    line.lost(1.0, 3.0)
    assert line.state is State.WAITING
    assert line.deadline() == 4.0
    assert line.duty(3.9) is Duty.NONE
    assert line.duty(4.0) is Duty.CONNECT


def test_a_paused_line_is_not_given_up() -> None:
    line = opened()
    line.pause()
    assert line.duty(1000.0) is Duty.ASK
    line.resume(1000.0)
    assert line.duty(1024.9) is Duty.ASK
    assert line.duty(1025.0) is Duty.GIVE_UP


def test_no_wait_between_tries_is_longer_than_the_cap() -> None:
    line = Line(lambda: 1.0, reconnect_cap_s=0.5)
    for _ in range(10):
        line.connect(0.0)
        line.lost(0.0, after_s=0.0)
    assert line.deadline() == 0.5
