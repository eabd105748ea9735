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
    assert line.duty(36.9) is Duty.PING
    assert line.deadline() == 37.0
    assert line.duty(37.0) is Duty.GIVE_UP


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
    assert line.duty(1000.0) is Duty.PING
    line.resume(1000.0)
    assert line.duty(1024.9) is Duty.PING
    assert line.duty(1025.0) is Duty.GIVE_UP


def test_no_wait_between_tries_is_longer_than_the_cap() -> None:
    line = Line(lambda: 1.0, reconnect_cap_s=0.5)
    for _ in range(10):
        line.connect(0.0)
        line.lost(0.0, after_s=0.0)
    assert line.deadline() == 0.5
