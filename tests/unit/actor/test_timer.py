"""Timers are never early, can be taken back, and die with their actor."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from actorchat.actor import Reply
from actorchat.actor.pinned import ScheduledCall
from actorchat.actor.timer import Timer, Wheel
from tests.unit.actor.cast import Clocked, World

TICK_S = 0.01


class Host:
    """A dispatcher's clock and `call_later`, driven by hand."""

    def __init__(self) -> None:
        self.time_s = 0.0
        self.calls: list[tuple[float, int, ScheduledCall]] = []
        self.posted: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self.thread_id: int | None = threading.get_ident()
        self.count = 0

    def now_s(self) -> float:
        return self.time_s

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        self.posted.append((fn, args))

    def call_later(self, delay_s: float, fn: Callable[..., object], *args: Any) -> ScheduledCall:
        self.count += 1
        call = ScheduledCall(fn, args)
        heapq.heappush(self.calls, (self.time_s + delay_s, self.count, call))
        return call

    def advance(self, until_s: float) -> None:
        while self.calls and self.calls[0][0] <= until_s:
            self.time_s, _, call = heapq.heappop(self.calls)
            if not call.is_cancelled:
                call.fn(*call.args)
        self.time_s = until_s

    def pending(self) -> int:
        return sum(not call.is_cancelled for _, _, call in self.calls)


class Probe(Timer):
    __slots__ = ("fired", "host")

    def __init__(self, host: Host, fired: list[float]) -> None:
        super().__init__()
        self.host = host
        self.fired = fired

    def fire(self) -> None:
        self.fired.append(self.host.time_s)


def test_a_timer_fires_once_not_before_its_time_and_at_most_two_ticks_late() -> None:
    host, fired = Host(), []
    wheel = Wheel(host, TICK_S)
    for delay_s in (0.0, 0.004, 0.01, 0.1, 0.123, 5.0, 25.0, 100.0):
        fired.clear()
        start_s = host.time_s
        wheel.add(Probe(host, fired), delay_s)
        host.advance(start_s + delay_s + 30.0)
        assert len(fired) == 1
        assert delay_s - 1e-6 <= fired[0] - start_s <= delay_s + 2 * TICK_S + 1e-6
    assert len(wheel) == 0


def test_an_empty_wheel_has_nothing_scheduled_and_a_full_one_only_one_callback() -> None:
    host, fired = Host(), []
    wheel = Wheel(host, TICK_S)
    assert host.pending() == 0
    for delay_s in (3.0, 2.0, 1.0, 50.0):
        wheel.add(Probe(host, fired), delay_s)
    assert host.pending() == 1
    host.advance(60.0)
    assert len(fired) == 4 and host.pending() == 0


def test_a_discarded_timer_never_fires() -> None:
    host, fired = Host(), []
    wheel = Wheel(host, TICK_S)
    timer = Probe(host, fired)
    wheel.add(timer, 1.0)
    wheel.discard(timer)
    wheel.discard(timer)
    assert len(wheel) == 0
    host.advance(5.0)
    assert fired == []


def test_a_timer_discarded_from_another_thread_never_fires_and_is_swept() -> None:
    host, fired = Host(), []
    wheel = Wheel(host, TICK_S)
    timer = Probe(host, fired)
    wheel.add(timer, 1.0)
    host.thread_id = None
    wheel.discard(timer)
    host.thread_id = threading.get_ident()
    host.advance(5.0)
    assert fired == [] and len(wheel) == 0


def test_a_timer_added_from_another_thread_is_handed_over() -> None:
    host, fired = Host(), []
    wheel = Wheel(host, TICK_S)
    host.thread_id = None
    wheel.add(Probe(host, fired), 1.0)
    assert len(wheel) == 0
    host.thread_id = threading.get_ident()
    for fn, args in host.posted:
        fn(*args)
    host.advance(2.0)
    assert len(fired) == 1


def test_a_wheel_that_was_asleep_for_rounds_fires_all_that_was_due() -> None:
    host, fired = Host(), []
    wheel = Wheel(host, TICK_S)
    for delay_s in (0.5, 7.0, 15.0, 31.0):
        wheel.add(Probe(host, fired), delay_s)
    host.time_s = 100.0  # the machine was suspended
    host.advance(100.1)
    assert len(fired) == 4


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 40), st.floats(0, 3), st.booleans()), max_size=40))
def test_a_wheel_agrees_with_a_sorted_list(plan: list[tuple[float, float, bool]]) -> None:
    host = Host()
    wheel = Wheel(host, TICK_S)
    probes: list[tuple[float, Probe, list[float], bool]] = []
    for delay_s, pause_s, is_kept in plan:
        fired: list[float] = []
        probe = Probe(host, fired)
        wheel.add(probe, delay_s)
        probes.append((host.time_s + delay_s, probe, fired, is_kept))
        if not is_kept:
            wheel.discard(probe)
        host.advance(host.time_s + pause_s)
    host.advance(host.time_s + 50.0)
    for due_s, _, fired, is_kept in probes:
        assert len(fired) == (1 if is_kept else 0)
        assert all(due_s - 1e-6 <= at_s <= due_s + 2 * TICK_S + 1e-6 for at_s in fired)
    assert len(wheel) == 0 and host.pending() == 0


def test_a_message_comes_after_its_delay() -> None:
    world, log = World(), []
    ref = world.spawn(Clocked, log)
    ref.tell(("set", 2.0, "two", None))
    ref.tell(("set", 1.0, "one", None))
    world.run()
    assert log == ["start", (1.0, "one"), (2.0, "two")]
    assert world.system.info(ref).timers == 0


def test_setting_a_key_anew_replaces_the_old_timer() -> None:
    world, log = World(), []
    ref = world.spawn(Clocked, log)
    ref.tell(("set", 1.0, "old", "k"))
    ref.tell(("set", 2.0, "new", "k"))
    world.run()
    assert log == ["start", (2.0, "new")]


def test_a_cancelled_timer_is_not_handled_even_if_it_lies_in_the_mailbox() -> None:
    world, log = World(), []
    ref = world.spawn(Clocked, log)
    world.ask(ref, ("set", 1.0, "late", "k"))
    pause: Reply[str] = Reply()
    ref.tell(pause)
    world.run(until=0.5)
    cancel = ref.call(("cancel", "k"))
    world.run(until=1.5)
    assert world.system.info(ref).queued == 2  # the timer's message lies behind the cancel
    pause.settle("go on")
    world.run()
    assert cancel.result() is True
    assert log == ["start", "waits", (1.5, "go on")]
    assert world.ask(ref, ("cancel", "k")) is False
    assert world.balance() == 0


def test_a_handle_cancels_a_timer_without_a_key() -> None:
    world, log = World(), []
    ref = world.spawn(Clocked, log)
    handle = world.ask(ref, ("set", 1.0, "x", None))
    assert world.ask(ref, ("cancel", handle)) is True
    world.run()
    assert log == ["start"]


def test_timers_die_with_their_actor() -> None:
    world, log = World(), []
    ref = world.spawn(Clocked, log)
    world.ask(ref, ("set", 1.0, "x", "k"))
    ref.stop()
    world.run()
    assert log == ["start", ("stop", "normal")]
    assert world.dispatcher.now_s() == 0.0  # nothing was left to wait for
    assert world.system.dead_letters.total == 0
