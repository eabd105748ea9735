"""The order of events at an actor's end."""

from __future__ import annotations

from typing import Any

from actorchat.actor import Actor, Child, Down, LocalRef, Supervisor
from actorchat.actor.lifecycle import START, Suspended
from tests.unit.actor.cast import Boom, Recorder, Watcher, World


def test_at_the_end_mailbox_then_on_stop_then_name_then_down() -> None:
    class Dying(Recorder):
        def on_stop(self, reason: object) -> None:
            self.log.append(("named", self.system.names.whereis("dying") is self.ref))

    class Heir(Watcher):
        async def on_receive(self, message: Any) -> Any:
            if isinstance(message, Down):
                self.log.append(("free", self.system.names.whereis("dying") is None))
            return await super().on_receive(message)

    world, log = World(), []
    dying = world.spawn(Dying, log, name="dying")
    world.ask(world.spawn(Heir, log), dying)
    dying.stop()
    dying.tell("left")
    world.run()
    assert log[2:5] == [("discarded", "left"), ("named", True), ("free", True)]


def test_a_restarted_child_finds_its_name_free() -> None:
    world = World()
    world.spawn(Supervisor, children=[Child("a", Recorder, name="a")])
    world.run()
    for _ in range(2):
        ref = world.system.names.whereis("a")
        assert isinstance(ref, LocalRef)
        ref.tell(Boom())
        world.run()
    assert world.system.names.whereis("a") is not None


def test_a_late_wake_up_of_an_earlier_wait_changes_nothing() -> None:
    old = Suspended(None, None, None, None, 1)
    new = Suspended(None, None, None, None, 1)
    old.resume()
    assert old.is_ready and not new.is_ready


def test_the_start_that_all_new_actors_share_is_never_changed() -> None:
    world = World()
    for _ in range(3):
        world.spawn(Recorder)
    world.run()
    assert START.is_start and START.ref is None and not START.is_ready


def test_nothing_refers_to_a_dead_actor_any_more() -> None:
    class Quiet(Actor):
        def on_receive(self, message: Any) -> None:
            self.send_after(100.0, "never")

    world = World()
    ref = world.spawn(Quiet, name="quiet")
    world.ask(ref, "x")
    ref.stop()
    world.run()
    assert ref._actor is None and ref._task is None and ref._queue == []
    assert ref._bonds is not None and ref._bonds.timers == {}
