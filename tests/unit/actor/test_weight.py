"""An actor weighs what it alone holds, in a walk of bounded length."""

from __future__ import annotations

from typing import Any

from actorchat.actor import Actor, Reply
from actorchat.actor.weight import SAMPLE_MESSAGES_MAX, WALK_OBJECTS_MAX, weight_bytes
from tests.unit.actor.cast import Recorder, Waiter, World

KIB = 1024


class Holder(Actor):
    """Holds what it is told to hold."""

    def __init__(self, held: Any = None) -> None:
        self.held = held

    def on_receive(self, message: Any) -> None:
        self.held = message


class Box:
    """Neither a container nor a text."""

    __slots__ = ("inside",)

    def __init__(self, inside: object) -> None:
        self.inside = inside


def test_what_only_the_actor_holds_counts_however_deep() -> None:
    world = World()
    light = weight_bytes(world.spawn(Holder))
    for wrap in (lambda it: it, lambda it: [it], lambda it: {"k": (it,)}, Box):
        ref = world.spawn(Holder)
        ref._actor.held = wrap(bytearray(KIB))
        assert KIB <= weight_bytes(ref) - light < 2 * KIB


def test_what_others_hold_too_does_not_count() -> None:
    world = World()
    shared = [bytearray(KIB)]
    light, heavy = world.spawn(Holder), world.spawn(Holder, shared)
    assert weight_bytes(heavy) == weight_bytes(light)


def test_a_mailbox_counts_by_its_first_messages() -> None:
    world = World()
    ref = world.spawn(Holder)
    light = weight_bytes(ref)
    for _ in range(10 * SAMPLE_MESSAGES_MAX):
        ref.tell(bytearray(KIB))
    weight = weight_bytes(ref) - light
    assert 10 * SAMPLE_MESSAGES_MAX * KIB <= weight < 11 * SAMPLE_MESSAGES_MAX * KIB


def test_a_suspended_handler_counts_with_what_its_frame_holds() -> None:
    class Sleeper(Waiter):
        async def on_receive(self, message: Any) -> Any:
            scratch = bytearray(KIB)
            await message
            return len(scratch)

    world = World()
    ref = world.spawn(Sleeper)
    world.run()
    light = weight_bytes(ref)
    ref.tell(Reply())
    world.run()
    assert weight_bytes(ref) - light >= KIB


def test_the_walk_is_bounded_and_a_long_container_counts_without_its_items() -> None:
    world = World()
    ref = world.spawn(Holder)
    light = weight_bytes(ref)
    ref._actor.held = [bytearray(KIB) for _ in range(2 * WALK_OBJECTS_MAX)]
    assert 8 * 2 * WALK_OBJECTS_MAX <= weight_bytes(ref) - light < 16 * KIB
    ref._actor.held = [[bytearray(KIB)] for _ in range(WALK_OBJECTS_MAX - 8)]
    assert weight_bytes(ref) - light < WALK_OBJECTS_MAX * KIB  # some of them were not reached


def test_to_weigh_changes_nothing() -> None:
    world = World()
    ref = world.spawn(Recorder)
    world.run()
    assert weight_bytes(ref) == weight_bytes(ref)


def test_the_dead_weigh_what_their_ref_does() -> None:
    world = World()
    ref = world.spawn(Holder, bytearray(KIB))
    ref.stop()
    world.run()
    assert 0 < weight_bytes(ref) < KIB
