"""Many children that come and go."""

from __future__ import annotations

from typing import Any

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


def test_restarts_are_counted_for_each_child_and_leave_nothing() -> None:
    world = World()
    pool = world.spawn(DynamicSupervisor, "transient", 10)
    calm, wild = pool.spawn(Recorder, name="calm"), pool.spawn(Recorder, name="wild")
    world.run()
    for _ in range(2):
        world.system.names.whereis("wild").tell(Boom())
        world.run()
    again = world.system.names.whereis("wild")
    of = pool._actor.restarts_of
    assert (of(calm), of(wild), of(again)) == (0, 0, 2)
    assert len(pool._actor._restarted) == 1
    again.stop()
    world.run()
    assert pool._actor._restarted == {}


def test_a_temporary_child_has_no_restarts_to_count() -> None:
    world = World()
    pool = world.spawn(DynamicSupervisor)
    assert pool._actor.restarts_of(pool.spawn(Recorder)) is None


def test_a_child_that_ends_while_it_is_restarted_is_not_remembered() -> None:
    world = World()
    pool = world.spawn(DynamicSupervisor, "transient")
    child = pool.spawn(Recorder)
    world.run()
    spawn = pool._actor.spawn

    def spawn_and_lose(*args: Any, **kwargs: Any) -> Any:
        ref = spawn(*args, **kwargs)
        pool._actor.child_ended(ref, "normal")  # as from a thread of its own
        return ref

    pool._actor.spawn = spawn_and_lose
    child.tell(Boom())
    world.run()
    assert pool._actor._restarted == {} and pool._actor.children == {}
