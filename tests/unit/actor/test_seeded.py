"""The seed decides the order; time is virtual."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.actor import Actor, ActorSystem, SeededDispatcher
from tests.unit.actor.cast import Clocked, Recorder, World


class Chatter(Actor):
    """Passes a counter on to a randomly chosen peer, after a random time now and then."""

    def __init__(self, peers: list[Any], log: list[Any], id_: int) -> None:
        self.peers = peers
        self.log = log
        self.id_ = id_

    def on_receive(self, message: int) -> None:
        self.log.append((self.id_, message, round(self.now_s(), 6)))
        if message == 0:
            return
        if self.rng.random() < 0.2:
            self.send_after(self.rng.random(), message - 1)
        else:
            self.rng.choice(self.peers).tell(message - 1)


def play(seed: int, haste: float = 0.0) -> tuple[int, list[Any], float]:
    world = World(seed, haste)
    peers: list[Any] = []
    log: list[Any] = []
    peers.extend(world.spawn(Chatter, peers, log, id_) for id_ in range(5))
    for peer in peers:
        peer.tell(30)
    world.run()
    assert world.balance() == 0
    return world.dispatcher.trace, log, world.dispatcher.now_s()


@pytest.mark.parametrize("haste", [0.0, 0.2])
def test_the_same_seed_gives_the_same_run(haste: float) -> None:
    assert play(7, haste) == play(7, haste)


def test_other_seeds_give_other_schedules() -> None:
    assert len({play(seed)[0] for seed in range(20)}) == 20


def test_time_stands_still_while_somebody_is_ready_and_leaps_to_the_next_timer() -> None:
    world, log = World(), []
    ref = world.spawn(Clocked, log)
    ref.tell(("set", 3600.0, "later", None))
    ref.tell("now")
    world.run()
    assert log == ["start", (0.0, "now"), (3600.0, "later")]
    assert world.dispatcher.clock.monotonic_s() == 3600.0
    assert world.dispatcher.clock.wall_ms() == 1_700_003_600_000


def test_run_until_a_time_stops_there() -> None:
    world, log = World(), []
    ref = world.spawn(Clocked, log)
    ref.tell(("set", 2.0, "later", None))
    world.run(until=1.5)
    assert log == ["start"] and world.dispatcher.now_s() == 1.5
    world.run(until=2.0)
    assert log == ["start", (2.0, "later")]


def test_run_until_a_condition_stops_as_soon_as_it_holds() -> None:
    world, log = World(), []
    ref = world.spawn(Recorder, log)
    for number in range(10):
        ref.tell(number)
    world.run(until=lambda: 3 in log)
    assert log[-1] == 3


def test_a_run_that_never_ends_is_an_error() -> None:
    class Hog(Actor):
        def on_receive(self, message: Any) -> None:
            self.ref.tell(message)

    world = World()
    world.spawn(Hog).tell(1)
    with pytest.raises(RuntimeError, match="still busy after 100 steps"):
        world.dispatcher.run(steps_max=100)


def test_haste_lets_timers_overtake_work() -> None:
    class Busy(Actor):
        def on_start(self) -> None:
            self.send_after(1.0, "timer")
            self.ref.tell(0)

        def on_receive(self, message: Any) -> None:
            if message == "timer":
                early.append(True)
            elif message < 50:
                self.ref.tell(message + 1)
                if early:
                    overtaken.append(message)

    early: list[bool] = []
    overtaken: list[int] = []
    world = World(1, haste=0.2)
    world.spawn(Busy)
    world.run()
    assert overtaken


def test_several_systems_share_one_dispatcher() -> None:
    dispatcher = SeededDispatcher(3)
    one, two = ActorSystem(dispatcher), ActorSystem(dispatcher)
    log: list[Any] = []
    two.spawn(Recorder, log).tell("x")
    dispatcher.run()
    assert log == ["start", "x"]
    assert (one.counts()["told"], two.counts()["told"]) == (0, 1)
