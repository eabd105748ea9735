"""Children are started in order, restarted by the rules, and stopped in reverse."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.actor import (
    NORMAL,
    SHUTDOWN,
    Actor,
    Child,
    Crash,
    Escalated,
    LocalRef,
    Supervisor,
)
from actorchat.errors import ActorDead
from tests.unit.actor.cast import Boom, Recorder, World


class Worker(Actor):
    """Writes (id_, event) into the shared log; starts slowly."""

    def __init__(self, log: list[Any], id_: str) -> None:
        self.log = log
        self.id_ = id_

    async def on_start(self) -> None:
        self.log.append((self.id_, "starts"))
        await self.sleep(0.1)
        self.log.append((self.id_, "started"))

    def on_receive(self, message: Any) -> None:
        if isinstance(message, Exception):
            raise message
        self.stop(message)

    def on_stop(self, reason: object) -> None:
        self.log.append((self.id_, "stops"))


class Stubborn(Worker):
    """Never comes back from `on_stop`."""

    async def on_stop(self, reason: object) -> None:
        await self.sleep(1e9)


def family(world: World, log: list[Any], strategy: str = "one_for_one", **spec: Any) -> LocalRef:
    intensity = spec.pop("intensity", 3)
    children = [Child(id_, Worker, (log, id_), **spec) for id_ in ("a", "b", "c")]
    ref = world.spawn(Supervisor, strategy, intensity, 5.0, children)
    world.run(until=world.dispatcher.now_s() + 1.0)
    return ref


def child(world: World, supervisor: LocalRef, id_: str) -> LocalRef:
    ref = world.ask(supervisor, "children")[id_]
    assert isinstance(ref, LocalRef)
    return ref


def test_children_start_in_order_each_when_the_one_before_has_started() -> None:
    log: list[Any] = []
    family(World(), log)
    assert log == [(id_, event) for id_ in "abc" for event in ("starts", "started")]


def test_children_stop_in_reverse_order() -> None:
    world, log = World(), []
    ref = family(world, log)
    log.clear()
    ref.stop()
    world.run()
    assert log == [("c", "stops"), ("b", "stops"), ("a", "stops")]
    assert world.system.counts()["actors"] == 1
    assert world.balance() == 0


@pytest.mark.parametrize(
    ("strategy", "stopped", "started"),
    [("one_for_one", "", "b"), ("rest_for_one", "c", "bc"), ("one_for_all", "ca", "abc")],
)
def test_the_strategy_says_who_is_restarted_with_a_crashed_child(
    strategy: str, stopped: str, started: str
) -> None:
    world, log = World(), []
    ref = family(world, log, strategy)
    before = world.ask(ref, "children")
    log.clear()
    before["b"].tell(Boom())
    world.run()
    assert log == [
        ("b", "stops"),
        *[(id_, "stops") for id_ in stopped],
        *[(id_, event) for id_ in started for event in ("starts", "started")],
    ]
    after = world.ask(ref, "children")
    assert {id_ for id_ in "abc" if after[id_] is not before[id_]} == set(started)
    assert all(after[id_].is_alive() for id_ in "abc")
    assert world.balance() == 0


@pytest.mark.parametrize(
    ("restart", "reason", "is_restarted"),
    [
        ("permanent", NORMAL, True),
        ("permanent", Boom(), True),
        ("transient", NORMAL, False),
        ("transient", SHUTDOWN, False),
        ("transient", "odd", True),
        ("transient", Boom(), True),
        ("temporary", NORMAL, False),
        ("temporary", Boom(), False),
    ],
)
def test_the_kind_of_child_says_whether_it_is_restarted(
    restart: str, reason: object, is_restarted: bool
) -> None:
    world, log = World(), []
    ref = family(world, log, restart=restart)
    old = child(world, ref, "b")
    old.tell(reason)
    world.run()
    new = world.ask(ref, "children")["b"]
    assert (new is not None) == is_restarted
    assert new is not old


def test_temporary_children_stopped_for_the_others_sake_stay_away() -> None:
    world, log = World(), []
    specs = [
        Child("a", Worker, (log, "a"), restart="temporary"),
        Child("b", Worker, (log, "b")),
    ]
    ref = world.spawn(Supervisor, "one_for_all", 3, 5.0, specs)
    world.run()
    child(world, ref, "b").tell(Boom())
    world.run()
    children = world.ask(ref, "children")
    assert children["a"] is None and children["b"].is_alive()


def test_too_many_restarts_end_the_supervisor_and_the_system_is_told() -> None:
    world, log = World(), []
    ended: list[tuple[LocalRef, object]] = []
    world.system.on_terminated(lambda ref, reason: ended.append((ref, reason)))
    ref = family(world, log, intensity=2)
    for _ in range(3):
        child(world, ref, "b").tell(Boom("again"))
        world.run()
    assert not ref.is_alive()
    ((who, reason),) = ended
    assert who is ref and isinstance(reason, Escalated) and reason.child == "b"
    assert isinstance(reason.cause, Crash)
    assert world.system.counts()["actors"] == 1


def test_restarts_that_are_far_apart_are_not_too_many() -> None:
    world, log = World(), []
    ref = family(world, log, intensity=1)
    for _ in range(5):
        child(world, ref, "b").tell(Boom())
        world.run(until=world.dispatcher.now_s() + 5.1)
    assert ref.is_alive() and world.system.counts()["restarts"] == 5


def test_a_child_that_fails_to_start_ends_the_supervisor_and_those_before_it() -> None:
    class Unborn(Worker):
        async def on_start(self) -> None:
            raise Boom("no")

    world, log = World(), []
    specs = [Child("a", Worker, (log, "a")), Child("b", Unborn, (log, "b"))]
    ref = world.spawn(Supervisor, "one_for_one", 3, 5.0, specs)
    begun = ref.started()
    world.run()
    with pytest.raises(ActorDead) as caught:
        begun.result()
    assert isinstance(caught.value.reason, Escalated)
    assert log == [("a", "starts"), ("a", "started"), ("a", "stops")]


def test_a_restart_that_fails_is_tried_again_with_all_that_belong_to_it() -> None:
    class Shaky(Worker):
        """Fails to start at the second and the third time."""

        def __init__(self, log: list[Any], id_: str, tries: list[int]) -> None:
            super().__init__(log, id_)
            tries[0] += 1
            if tries[0] in (2, 3):
                raise Boom

    world, log, tries = World(), [], [0]
    specs = [
        Child("a", Worker, (log, "a")),
        Child("b", Shaky, (log, "b", tries)),
        Child("c", Worker, (log, "c")),
    ]
    ref = world.spawn(Supervisor, "one_for_all", 5, 5.0, specs)
    world.run()
    child(world, ref, "a").tell(Boom())
    world.run()
    assert tries == [4]
    assert all(child(world, ref, id_).is_alive() for id_ in "abc")


def test_a_child_that_will_not_stop_is_killed_after_its_time() -> None:
    world, log = World(), []
    ref = world.spawn(
        Supervisor, "one_for_one", 3, 5.0, [Child("a", Stubborn, (log, "a"), shutdown_s=2.0)]
    )
    world.run(until=1.0)
    stubborn = child(world, ref, "a")
    ref.stop()
    world.run(until=2.9)
    assert ref.ended().done() is False
    world.run(until=3.1)
    assert stubborn.ended().result() == "killed" and ref.ended().done()


def test_a_supervisor_that_gives_up_is_restarted_by_its_own_supervisor() -> None:
    world, log = World(), []
    inner = Child(
        "inner",
        Supervisor,
        ("one_for_one", 0, 5.0, [Child("w", Worker, (log, "w"), name="w")]),
    )
    world.spawn(Supervisor, "one_for_one", 3, 5.0, [inner])
    world.run()
    first = world.system.names.whereis("w")
    assert first is not None
    first.tell(Boom())
    world.run()
    second = world.system.names.whereis("w")
    assert second is not None and second is not first and second.is_alive()


def test_a_killed_supervisor_takes_its_children_with_it() -> None:
    world, log = World(), []
    ref = family(world, log)
    children = world.ask(ref, "children").values()
    ref.kill()
    world.run()
    assert not any(child_ref.is_alive() for child_ref in children)
    assert world.balance() == 0


def test_a_supervisor_with_fixed_children_takes_in_no_others() -> None:
    world = World()
    ref = family(world, [])
    with pytest.raises(TypeError, match="fixed children"):
        world.spawn(Recorder, supervisor=ref)
    with pytest.raises(TypeError, match="no supervisor"):
        world.spawn(Recorder, supervisor=child(world, ref, "a"))


def test_senseless_specifications_are_refused() -> None:
    world = World()
    twins = [Child("a", Recorder), Child("a", Recorder)]
    with pytest.raises(ValueError, match="same id"):
        world.spawn(Supervisor, "one_for_one", 3, 5.0, twins)
    with pytest.raises(ValueError, match="strategy"):
        world.spawn(Supervisor, "all_for_one")


def test_restarts_are_counted_for_each_child_also_for_the_sake_of_another() -> None:
    world = World()
    specs = [Child(name, Recorder, name=name) for name in "abc"]
    top = world.spawn(Supervisor, "rest_for_one", children=specs)
    world.run()
    for name in ("b", "c"):
        world.system.names.whereis(name).tell(Boom())
        world.run()
    counts = [top._actor.restarts_of(world.system.names.whereis(name)) for name in "abc"]
    assert counts == [0, 1, 2]
    assert top._actor.restarts_of(top) is None
