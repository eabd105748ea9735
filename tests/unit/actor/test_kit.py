"""What few actors have."""

from __future__ import annotations

import weakref
from typing import Any

from actorchat.actor import Actor, kit
from tests.unit.actor.cast import Recorder, World


def test_an_ordinary_actor_has_no_kit() -> None:
    world = World()
    ref = world.spawn(Recorder)
    world.ask(ref, 1)
    assert kit.look(ref) is None and kit.queued(ref) == 0


def test_the_end_leaves_nothing_of_it() -> None:
    class Fickle(Actor):
        def on_receive(self, message: Any) -> None:
            self.become(self.other)
            self.defer()

        def other(self, message: Any) -> None:
            self.stash()

    world = World()
    ref = world.spawn(Fickle)
    replies = [ref.call(1), ref.call(2)]
    world.run(until=0.0)
    actor = weakref.ref(ref._actor)
    ref.stop()
    world.run(until=0.0)
    assert all(reply.done() for reply in replies)
    assert kit.look(ref) is None
    assert actor() is None  # no cycle of references holds it: nobody has collected garbage
