"""A Down comes once, after the last message, or at once from the dead."""

from __future__ import annotations

from typing import Any

from actorchat.actor import NOPROC, NORMAL, Actor, Crash, Down, Reply
from tests.unit.actor.cast import Boom, Recorder, Watcher, World


def downs(log: list[Any]) -> list[Down]:
    return [message for message in log if isinstance(message, Down)]


def test_down_says_who_ended_and_why() -> None:
    world, log = World(), []
    watcher, target = world.spawn(Watcher, log), world.spawn(Recorder)
    mref = world.ask(watcher, target)
    target.stop("bye")
    world.run()
    assert downs(log) == [Down(mref, target, "bye")]


def test_down_after_a_crash_carries_the_crash() -> None:
    world, log = World(), []
    watcher, target = world.spawn(Watcher, log), world.spawn(Recorder)
    world.ask(watcher, target)
    target.tell(Boom("x"))
    world.run()
    (down,) = downs(log)
    assert isinstance(down.reason, Crash) and "Boom: x" in down.reason.traceback


def test_monitoring_the_dead_answers_noproc_at_once() -> None:
    world, log = World(), []
    watcher, target = world.spawn(Watcher, log), world.spawn(Recorder)
    world.ask(target, "stop")
    world.run()
    mref = world.ask(watcher, target)
    world.run()
    assert downs(log) == [Down(mref, target, NOPROC)]


def test_each_monitor_has_its_own_down() -> None:
    world, log = World(), []
    watcher, target = world.spawn(Watcher, log), world.spawn(Recorder)
    mrefs = [world.ask(watcher, target) for _ in range(3)]
    target.stop()
    world.run()
    assert [down.mref for down in downs(log)] == mrefs


def test_down_comes_after_the_last_words_of_the_dead() -> None:
    class Talker(Actor):
        def __init__(self, listener: Any) -> None:
            self.listener = listener

        def on_receive(self, message: Any) -> None:
            self.listener.tell(message)

        async def on_stop(self, reason: object) -> None:
            self.listener.tell("farewell")
            await self.sleep(1.0)
            self.listener.tell("last")

    for seed in range(20):
        world, log = World(seed), []
        watcher = world.spawn(Watcher, log)
        talker = world.spawn(Talker, watcher)
        world.ask(watcher, talker)
        for number in range(5):
            talker.tell(f"m{number}")
        talker.stop()
        world.run()
        assert log[1:-1] == ["m0", "m1", "m2", "m3", "m4", "farewell", "last"]
        assert downs(log) == log[-1:]


def test_a_monitor_taken_back_has_no_down_even_if_it_waits_already() -> None:
    world, log = World(), []
    watcher, target = world.spawn(Watcher, log), world.spawn(Recorder)
    mref = world.ask(watcher, target)
    pause: Reply[str] = Reply()
    watcher.tell(pause)
    world.run()
    taken_back = watcher.call(mref)
    target.stop()
    world.run(until=0.0)
    assert world.system.info(watcher).queued == 2  # the Down lies behind what takes it back
    pause.settle("go on")
    world.run()
    assert taken_back.result() is True and downs(log) == []
    assert world.ask(watcher, mref) is False
    assert world.balance() == 0


def test_a_watcher_that_ends_leaves_nothing_with_its_target() -> None:
    world = World()
    watcher, target = world.spawn(Watcher), world.spawn(Recorder)
    world.ask(watcher, target)
    assert world.system.info(target).watchers == 1
    watcher.stop()
    world.run()
    assert world.system.info(target).watchers == 0
    target.stop()
    world.run()
    assert world.system.dead_letters.total == 0


def test_a_down_that_somebody_passes_on_is_an_ordinary_message() -> None:
    world, log = World(), []
    other = world.spawn(Recorder, log)
    down = Down(1, other, NORMAL)
    other.tell(down)
    world.run()
    assert log == ["start", down]


def test_a_monitor_taken_back_leaves_nothing_with_its_target() -> None:
    world = World()
    watcher, target = world.spawn(Watcher), world.spawn(Recorder)
    mref = world.ask(watcher, target)
    world.ask(watcher, mref)
    assert world.system.info(target).watchers == 0
    assert world.system.info(watcher).monitors == 0
