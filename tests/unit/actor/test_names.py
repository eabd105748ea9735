"""A name stands for one live actor."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from actorchat.actor import Actor
from actorchat.errors import ActorDead, NameTaken
from tests.unit.actor.cast import Boom, Recorder, World


def test_a_name_is_found_until_it_is_unregistered() -> None:
    world = World()
    ref = world.spawn(Recorder, name="store")
    assert world.system.names.whereis("store") is ref and ref.name == "store"
    world.system.names.unregister("store")
    world.system.names.unregister("store")
    assert world.system.names.whereis("store") is None and ref.name is None


def test_a_name_is_free_again_when_its_actor_ends() -> None:
    world = World()
    world.spawn(Recorder, name="store").tell(Boom())
    world.run()
    assert world.system.names.whereis("store") is None
    assert len(world.system.names) == 0
    world.spawn(Recorder, name="store")


def test_a_name_that_is_taken_is_refused_and_the_second_actor_never_lives() -> None:
    world = World()
    first = world.spawn(Recorder, name="store")
    with pytest.raises(NameTaken, match="'store'"):
        world.spawn(Recorder, name="store")
    assert world.system.counts()["actors"] == 2
    world.system.names.register("store", first)
    with pytest.raises(NameTaken):
        world.system.names.register("other", first)


def test_a_spawn_whose_init_fails_frees_the_name() -> None:
    class Broken(Actor):
        def __init__(self) -> None:
            self.ref.tell("lost")
            raise Boom

    world = World()
    with pytest.raises(Boom):
        world.spawn(Broken, name="store")
    world.run()
    assert world.system.names.whereis("store") is None
    assert world.system.counts()["actors"] == 1
    assert world.balance() == 0


def test_the_dead_can_not_be_registered() -> None:
    world = World()
    ref = world.spawn(Recorder)
    ref.stop()
    world.run()
    with pytest.raises(ActorDead):
        world.system.names.register("ghost", ref)


def test_a_number_is_given_when_asked_for_and_stays() -> None:
    world = World()
    numbers = world.system.numbers
    one, other = world.spawn(Recorder), world.spawn(Recorder)
    assert len(numbers) == 0
    assert [numbers.of(other), numbers.of(one), numbers.of(other)] == [1, 2, 1]
    assert numbers.whose(1) is other and numbers.whose(2) is one
    assert numbers.whose(3) is None


def test_a_number_is_forgotten_with_its_actor_and_not_given_again() -> None:
    world = World()
    numbers = world.system.numbers
    ref: Any = world.spawn(Recorder)
    number = numbers.of(ref)
    ref.kill()
    world.run()
    assert numbers.whose(number) is ref  # while anybody holds it
    del ref
    gc.collect()
    assert numbers.whose(number) is None and len(numbers) == 0
    assert numbers.of(world.spawn(Recorder)) == number + 1
