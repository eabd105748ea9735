"""An actor that takes what is usual by itself: the same promises, whatever comes in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from actorchat.actor import NOTHING, Actor
from actorchat.errors import ActorDead
from tests.unit.actor.cast import Boom, World


class Taker(Actor):
    """Takes numbers, in one loop; texts come one by one."""

    def __init__(self, seen: list[Any]) -> None:
        self.seen = seen

    def on_receive(self, message: Any) -> Any:
        self.seen.append(("received", message))
        if message == "boom":
            raise Boom
        if message == "wait":
            return self._wait()
        return message

    async def _wait(self) -> None:
        await self.sleep(1.0)
        self.seen.append("waited")

    def take(self, messages: Iterator[Any]) -> Any:
        for message in messages:
            if type(message) is not int:
                return message
            self.seen.append(message)
            if message < 0:
                raise Boom
            if message == 0:
                self.stop("enough")
                return NOTHING
        return NOTHING

    def failed(self, error: BaseException, reply: Any, message: Any) -> None:
        self.seen.append(("failed", message))
        super().failed(error, reply, message)

    def discarded(self, message: Any) -> None:
        self.seen.append(("discarded", message))


@pytest.fixture
def world() -> World:
    return World()


def seen_of(world: World, *messages: Any) -> list[Any]:
    """Return what one visit makes of `messages`."""
    seen: list[Any] = []
    ref = world.spawn(Taker, seen)
    world.run()
    for message in messages:
        ref.tell(message)
    world.run()
    return seen


def test_what_is_not_taken_is_received_in_its_place(world: World) -> None:
    assert seen_of(world, 1, 2, "text", 3, "more") == [
        *(1, 2, ("received", "text"), 3),
        ("received", "more"),
    ]


def test_crash_while_taking_names_its_message_and_discards_those_behind(world: World) -> None:
    assert seen_of(world, 1, -1, 2, "text") == [
        *(1, -1, ("failed", -1)),
        *(("discarded", 2), ("discarded", "text")),
    ]
    assert len(world.crashes) == 1


def test_crash_behind_what_was_taken_is_that_of_its_own_message(world: World) -> None:
    assert seen_of(world, 1, "boom", 2) == [
        *(1, ("received", "boom"), ("failed", "boom")),
        ("discarded", 2),
    ]


def test_stop_while_taking_leaves_the_rest(world: World) -> None:
    assert seen_of(world, 1, 0, 2) == [1, 0, ("discarded", 2)]


def test_handler_that_waits_shuts_the_mailbox_for_what_could_be_taken(world: World) -> None:
    assert seen_of(world, 1, "wait", 2, 3) == [1, ("received", "wait"), "waited", 2, 3]


def test_call_between_what_is_taken_is_answered(world: World) -> None:
    seen: list[Any] = []
    ref = world.spawn(Taker, seen)
    ref.tell(1)
    reply = ref.call("question")
    ref.tell(2)
    world.run()
    assert reply.result() == "question"
    assert seen == [1, ("received", "question"), 2]


def test_call_of_who_crashes_before_it_fails(world: World) -> None:
    ref = world.spawn(Taker, [])
    ref.tell(1)
    ref.tell(-1)
    reply = ref.call("question")
    world.run()
    with pytest.raises(ActorDead):
        reply.result()


def test_all_that_was_taken_is_counted(world: World) -> None:
    seen_of(world, 1, 2, "text", 0, 3)
    assert world.balance() == 0
