"""When a child is restarted, and how often is too often."""

from __future__ import annotations

import pytest

from actorchat.actor import (
    NORMAL,
    SHUTDOWN,
    Actor,
    ActorSystem,
    DynamicSupervisor,
    SeededDispatcher,
)
from actorchat.actor.child import Intensity, needs_restart


def test_only_so_many_restarts_are_allowed_in_any_one_period() -> None:
    intensity = Intensity(2, 5.0)
    assert [intensity.allows(at_s) for at_s in (0.0, 1.0, 4.9)] == [True, True, False]


def test_restarts_are_forgotten_after_the_period() -> None:
    intensity = Intensity(1, 5.0)
    assert all(intensity.allows(at_s) for at_s in (0.0, 5.0, 10.0, 15.0))


def test_no_restarts_at_all_can_be_asked_for() -> None:
    assert not Intensity(0, 5.0).allows(0.0)


def test_who_is_restarted() -> None:
    kinds = ("permanent", "transient", "temporary")
    assert [needs_restart(kind, NORMAL) for kind in kinds] == [True, False, False]
    assert [needs_restart(kind, SHUTDOWN) for kind in kinds] == [True, False, False]
    assert [needs_restart(kind, "crash") for kind in kinds] == [True, True, False]


class Sleeper(Actor):
    async def on_receive(self, message: float) -> None:
        await self.sleep(message)


@pytest.mark.parametrize("seed", range(40))
def test_a_supervisor_outlives_its_children_however_slow_the_machine(seed: int) -> None:
    dispatcher = SeededDispatcher(seed, haste=0.95)  # a second goes by between most steps
    system = ActorSystem(dispatcher)
    pool = system.spawn(DynamicSupervisor, shutdown_s=0.0)
    children = [system.spawn(Sleeper, supervisor=pool) for _ in range(5)]
    for child in children:
        child.tell(100.0)
    dispatcher.run(until=50.0)
    left: list[bool] = []
    pool.ended().on_settled(lambda _ended: left.extend(each.is_alive() for each in children))
    pool.stop()
    dispatcher.run()
    assert left == [False] * 5
