"""What can be seen of an actor from outside."""

from __future__ import annotations

from actorchat.actor import DynamicSupervisor, Info, Reply, Tree
from tests.unit.actor.cast import Clocked, Recorder, Waiter, Watcher, World


def test_every_state_has_a_name() -> None:
    world = World()
    ref = world.spawn(Waiter)
    assert Info.of(ref).state == "starting"
    world.run()
    assert Info.of(ref).state == "idle"
    pause: Reply[str] = Reply()
    ref.tell(pause)
    assert Info.of(ref).state == "ready"
    world.run()
    assert (Info.of(ref).state, Info.of(ref).message_type) == ("waiting", "Reply")
    pause.settle("stop")
    world.run()
    assert (Info.of(ref).state, Info.of(ref).reason) == ("dead", "normal")


def test_bonds_and_children_are_counted() -> None:
    world = World()
    pool = world.spawn(DynamicSupervisor)
    watcher, clocked = pool.spawn(Watcher), pool.spawn(Clocked)
    world.ask(watcher, clocked)
    world.ask(clocked, ("set", 9.0, "x", "k"))
    assert (Info.of(watcher).monitors, Info.of(clocked).watchers) == (1, 1)
    assert (Info.of(clocked).timers, Info.of(pool).children) == (1, 2)


def test_a_tree_is_drawn_with_children_below_their_supervisor() -> None:
    world = World()
    pool = world.spawn(DynamicSupervisor, name="pool")
    pool.spawn(Recorder)
    assert str(Tree.of(pool)) == "DynamicSupervisor 'pool'\n  Recorder"
