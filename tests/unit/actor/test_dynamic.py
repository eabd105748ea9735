"""Many children that come and go."""

from __future__ import annotations

import pytest

from actorchat.actor import DynamicSupervisor, Escalated
from actorchat.errors import ActorDead, Overloaded
from tests.unit.actor.cast import Boom, Recorder, World
from tests.unit.actor.test_supervisor import Stubborn


def test_children_are_temporary_and_their_end_leaves_nothing() -> None:
    world = World()
    sessions = world.spawn(DynamicSupervisor)
    refs = [sessions.spawn(Recorder) for _ in range(10)]
    world.run()
    assert world.system.info(sessions).children == 10
    for ref in refs[:5]:
        ref.tell(Boom())
    for ref in refs[5:]:
        ref.stop()
    world.run()
    assert world.system.info(sessions).children == 0
    assert sessions.is_alive() and world.system.counts()["restarts"] == 0


def test_permanent_children_are_restarted_with_their_arguments() -> None:
    world, log = World(), []
    pool = world.spawn(DynamicSupervisor, "permanent")
    ref = pool.spawn(Recorder, log, name="one")
    world.run()
    ref.tell(Boom())
    world.run()
    assert log.count("start") == 2
    assert world.system.info(pool).children == 1


def test_transient_children_are_restarted_only_after_a_crash() -> None:
    world, log = World(), []
    pool = world.spawn(DynamicSupervisor, "transient")
    pool.spawn(Recorder, log).stop()
    pool.spawn(Recorder, log).tell(Boom())
    world.run()
    assert log.count("start") == 3
    assert world.system.info(pool).children == 1


def test_too_many_restarts_end_it() -> None:
    world, log = World(), []
    ended: list[object] = []
    world.system.on_terminated(lambda _ref, reason: ended.append(reason))
    pool = world.spawn(DynamicSupervisor, "permanent", 2)
    ref = pool.spawn(Recorder, log, name="x")
    for _ in range(3):
        ref.tell(Boom())
        world.run()
        ref = world.system.names.whereis("x") or ref
    assert not pool.is_alive() and isinstance(ended[0], Escalated)


def test_a_full_supervisor_refuses() -> None:
    world = World()
    pool = world.spawn(DynamicSupervisor, children_max=1)
    pool.spawn(Recorder)
    with pytest.raises(Overloaded):
        pool.spawn(Recorder)


def test_an_ending_supervisor_refuses_and_stops_all_children() -> None:
    world, log = World(), []
    pool = world.spawn(DynamicSupervisor)
    for _ in range(3):
        pool.spawn(Recorder, log)
    world.run()
    pool.stop()
    world.run()
    assert log.count(("stop", "shutdown")) == 3
    with pytest.raises(ActorDead):
        pool.spawn(Recorder)
    assert world.system.counts()["actors"] == 1


def test_children_that_will_not_stop_are_killed_together() -> None:
    world = World()
    pool = world.spawn(DynamicSupervisor, shutdown_s=2.0)
    for _ in range(3):
        pool.spawn(Stubborn, [], "s")
    world.run(until=1.0)
    pool.stop()
    world.run(until=3.5)
    assert pool.ended().done() and world.system.counts()["actors"] == 1


def test_a_restart_whose_init_fails_ends_it() -> None:
    class Once(Recorder):
        def __init__(self, tries: list[int]) -> None:
            super().__init__()
            tries.append(1)
            if len(tries) > 1:
                raise Boom

    world = World()
    pool = world.spawn(DynamicSupervisor, "permanent")
    pool.spawn(Once, []).stop()
    world.run()
    assert isinstance(pool.ended().result(), Escalated)
