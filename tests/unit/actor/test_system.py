"""The system's books, hooks, and end."""

from __future__ import annotations

import logging

import pytest

from actorchat.actor import (
    ActorSystem,
    DynamicSupervisor,
    Info,
    LoopDispatcher,
    Reply,
    SeededDispatcher,
)
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


def test_top_ranks_by_what_waits_what_was_done_and_what_is_held() -> None:
    world = World()
    waiting, worker, holder = (world.spawn(Recorder) for _ in range(3))
    for number in range(50):
        worker.tell(number)
    world.run()
    holder._actor.log = [bytearray(100_000)]
    for number in range(3):
        waiting.tell(number)
    for by, first in (("queue", waiting), ("reductions", worker), ("memory", holder)):
        found = world.system.top(2, by)
        assert found[0] == world.system.info(first), by
        assert len(found) == 2
    assert world.system.top(0) == world.system.top(-1) == []
    assert len(world.system.top(99)) == 4


def test_top_knows_no_other_ranking() -> None:
    with pytest.raises(ValueError, match="expected one of queue, reductions, memory, not 'age'"):
        World().system.top(1, by="age")


def test_top_describes_the_foremost_only(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    for _ in range(200):
        world.spawn(Recorder)
    described: list[object] = []
    of = Info.of
    monkeypatch.setattr(Info, "of", lambda ref: described.append(ref) or of(ref))
    for by in ("queue", "reductions", "memory"):
        described.clear()
        world.system.top(3, by)
        assert len(described) == 3
    assert len(world.system.numbers) == 3  # and nobody else was given a number


def test_suspended_are_those_whose_handlers_wait_the_oldest_first() -> None:
    world = World()
    world.spawn(Recorder)
    refs = [world.spawn(Waiter) for _ in range(3)]
    pause: Reply[None] = Reply()
    for place in (2, 0, 1):
        refs[place].tell(pause)
        world.run(until=world.dispatcher.now_s() + 1.0)
    found = world.system.suspended(2)
    assert [info.id for info in found] == [world.system.info(refs[place]).id for place in (2, 0)]
    assert [info.age_s for info in found] == [3.0, 2.0]
    pause.settle(None)
    world.run()
    assert world.system.suspended() == []


def test_an_actor_is_found_by_its_name_or_its_number() -> None:
    world = World()
    named, other = world.spawn(Recorder, name="desk"), world.spawn(Recorder, name="7")
    system = world.system
    assert system.find("desk") is named
    assert system.find(str(system.info(named).id)) is named
    assert system.find(str(system.info(other).id)) is other
    assert system.find("7") is None  # digits are a number
    for who in ("", "nobody", "0", "99", "-1", "٣", "9" * 5_000):
        assert system.find(who) is None


def test_a_tree_takes_bounds() -> None:
    world = World()
    for _ in range(5):
        world.spawn(Recorder)
    assert world.system.tree(width=2).more == 3
    assert len(list(world.system.tree(size=4).rows())) == 4
    assert len(list(world.system.tree().rows())) == 6
