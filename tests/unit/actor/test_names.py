"""A name stands for one live actor."""

from __future__ import annotations

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
