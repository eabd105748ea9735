"""The system's books, hooks, and end."""

from __future__ import annotations

import logging

import pytest

from actorchat.actor import ActorSystem, DynamicSupervisor, LoopDispatcher, Reply, SeededDispatcher
from actorchat.errors import ActorDead
from tests.unit.actor.cast import Boom, Recorder, Waiter, World


def test_counts_balance_at_any_time_even_inside_a_handler() -> None:
    class Auditor(Recorder):
        def on_receive(self, message: object) -> int:
            counts = self.system.counts()
            return counts["told"] - counts["handled"] - counts["dead"] - counts["queued"]

    world = World()
    auditor = world.spawn(Auditor)
    other = world.spawn(Recorder)
    for number in range(10):
        other.tell(number)
        auditor.tell(number)
    assert world.ask(auditor, "?") == 0
    world.run()
    assert world.system.counts()["handled"] == 21


def test_on_crash_is_told_of_every_crash_with_a_traceback() -> None:
    world = World()
    texts: list[str] = []
    world.system.on_crash(lambda _ref, _crash, text: texts.append(text))
    ref = world.spawn(Recorder)
    ref.tell(Boom("seen"))
    world.run()
    assert world.crashes[0][0] is ref
    assert "Boom: seen" in texts[0] and "on_receive" in texts[0]
    assert world.system.counts()["crashes"] == 1


def test_a_crash_is_logged_when_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    dispatcher = SeededDispatcher(0)
    ActorSystem(dispatcher).spawn(Recorder).tell(Boom())
    dispatcher.run()
    assert [r.levelno for r in caplog.records] == [logging.ERROR]


def test_a_listener_that_fails_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.system.on_crash(lambda *_: 1 / 0)
    watcher = world.spawn(Recorder)
    watcher.tell(Boom())
    world.run()
    assert "crash listener failed" in caplog.text
    assert not watcher.is_alive()


def test_the_youngest_is_stopped_first_and_then_nothing_can_be_spawned() -> None:
    world, log = World(), []

    class Named(Recorder):
        def __init__(self, id_: str) -> None:
            super().__init__()
            self.id_ = id_

        def on_stop(self, reason: object) -> None:
            log.append((self.id_, reason))

    for id_ in "abc":
        world.spawn(Named, id_)
    ended = world.system.shutdown()
    world.run()
    assert ended.result() == "shutdown"
    assert log == [("c", "shutdown"), ("b", "shutdown"), ("a", "shutdown")]
    assert world.system.counts()["actors"] == 0 and world.balance() == 0
    with pytest.raises(ActorDead):
        world.spawn(Recorder)


async def test_stop_on_a_loop() -> None:
    system = ActorSystem(LoopDispatcher())
    ref = system.spawn(Recorder)
    await system.stop()
    assert not ref.is_alive()


def test_tree_info_and_top_describe_what_runs() -> None:
    world = World()
    pool = world.spawn(DynamicSupervisor, name="pool")
    busy = pool.spawn(Waiter, name="busy")
    busy.tell(Reply())
    world.run()
    for number in range(3):
        busy.tell(number)
    assert str(world.system.tree()).splitlines() == [
        "Root",
        "  DynamicSupervisor 'pool'",
        "    Waiter 'busy'",
    ]
    info = world.system.info(busy)
    assert (info.name, info.state, info.queued) == ("busy", "waiting", 3)
    assert (info.handled, info.message_type) == (1, "Reply")
    assert world.system.top(1) == [info]
    busy.kill()
    world.run()
    assert world.system.info(busy).state == "dead"
    assert world.system.info(busy).reason == "killed"
    assert world.system.info(pool).state == "idle"
    new = world.spawn(Recorder)
    assert world.system.info(new).state == "starting"
