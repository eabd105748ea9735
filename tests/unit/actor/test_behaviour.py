"""What an actor may do in its own turn."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.actor import NORMAL, Actor, Reply
from actorchat.errors import ActorDead
from tests.unit.actor.cast import Boom, Recorder, Waiter, World


def test_ref_and_system_are_there_in_init() -> None:
    class Eager(Actor):
        def __init__(self) -> None:
            self.seen = (self.ref, self.system)
            self.ref.tell("first")

        def on_receive(self, message: Any) -> Any:
            return self.seen

    world = World()
    ref = world.spawn(Eager)
    assert world.ask(ref, "?") == (ref, world.system)


def test_on_start_runs_in_the_actors_own_turn_and_not_in_its_spawners() -> None:
    world, log = World(), []
    world.spawn(Recorder, log)
    assert log == []
    world.run()
    assert log == ["start"]


def test_the_mailbox_is_shut_while_a_handler_awaits() -> None:
    world, log = World(), []
    reply: Reply[str] = Reply()
    ref = world.spawn(Waiter, log)
    ref.tell(reply)
    ref.tell("next")
    world.run()
    assert log == ["start", "waits"]
    reply.settle("answer")
    world.run()
    assert log == ["start", "waits", "answer", "next"]


def test_an_actor_can_call_another_from_a_coroutine_handler() -> None:
    class Asker(Actor):
        async def on_receive(self, message: Any) -> Any:
            target, question = message
            return await target.call(question)

    world = World()
    target, asker = world.spawn(Recorder), world.spawn(Asker)
    assert world.ask(asker, (target, "q")) == "q"
    world.ask(target, "stop")
    with pytest.raises(ActorDead):
        world.ask(asker, (target, "q"))


def test_stop_takes_effect_when_the_handler_returns_and_what_waits_is_discarded() -> None:
    world, log = World(), []
    ref = world.spawn(Recorder, log)
    ref.tell("stop")
    ref.tell("left")
    world.run()
    assert log == ["start", "stop", ("discarded", "left"), ("stop", NORMAL)]


def test_discarded_can_answer_the_senders_of_what_is_left() -> None:
    class Polite(Actor):
        def on_receive(self, message: Any) -> None:
            self.stop()

        def discarded(self, message: Any) -> None:
            message.tell("unavailable")

    world, log = World(), []
    sender, ref = world.spawn(Recorder, log), world.spawn(Polite)
    ref.tell("first")
    ref.tell(sender)
    world.run()
    assert log == ["start", "unavailable"]
    assert world.system.dead_letters.counts == {"left": 1}


def test_an_error_in_discarded_does_not_stop_the_others_from_being_seen() -> None:
    class Clumsy(Recorder):
        def discarded(self, message: Any) -> None:
            if message == 1:
                raise Boom
            super().discarded(message)

    world, log = World(), []
    ref = world.spawn(Clumsy, log)
    for message in ("stop", 1, 2):
        ref.tell(message)
    world.run()
    assert ("discarded", 2) in log
    assert len(world.crashes) == 1
    assert world.balance() == 0


def test_an_error_in_on_start_ends_the_actor_without_on_stop() -> None:
    class Unborn(Recorder):
        def on_start(self) -> None:
            raise Boom

    world, log = World(), []
    ref = world.spawn(Unborn, log)
    ref.tell(1)
    world.run()
    assert log == [("discarded", 1)]
    assert not ref.is_alive() and len(world.crashes) == 1


def test_on_stop_is_called_after_a_crash_too() -> None:
    world, log = World(), []
    world.spawn(Recorder, log).tell(Boom("x"))
    world.run()
    (word, reason) = log[-1]
    assert word == "stop" and str(reason) == "Boom: x"


def test_an_actor_that_crashes_in_on_stop_is_dead_all_the_same() -> None:
    class Sore(Recorder):
        def on_stop(self, reason: object) -> None:
            raise Boom

    world = World()
    ref = world.spawn(Sore)
    ended = ref.ended()
    ref.stop()
    world.run()
    assert ended.done() and world.system.counts()["actors"] == 1


def test_on_start_and_on_stop_may_be_coroutines() -> None:
    class Slow(Recorder):
        async def on_start(self) -> None:
            await self.sleep(1.0)
            self.log.append(self.now_s())

        async def on_stop(self, reason: object) -> None:
            await self.sleep(1.0)
            self.log.append(self.now_s())

    world, log = World(), []
    ref = world.spawn(Slow, log)
    ref.tell("a")
    ref.stop()
    world.run(until=1.5)
    ref.tell("while it ends")
    assert not ref.is_alive() and not ref.ended().done()
    world.run()
    assert log == [1.0, "a", 2.0, ("discarded", "while it ends")]
    assert ref.ended().done() and world.balance() == 0


def test_awaiting_something_foreign_is_a_crash_that_says_what() -> None:
    class Foreign:
        def __await__(self) -> Any:
            yield "what?"

    class Lost(Actor):
        async def on_receive(self, message: Any) -> None:
            await Foreign()

    world = World()
    world.spawn(Lost).tell(1)
    world.run()
    assert "can't await 'what?'" in str(world.crashes[0][1])


def test_an_actor_without_on_receive_warns_and_lives(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    ref = world.spawn(Actor)
    ref.tell("hello?")
    world.run()
    assert ref.is_alive()
    assert "Unexpected message" in caplog.text


def test_slots_of_a_subclass_are_kept() -> None:
    class Slotted(Actor):
        __slots__ = ("count",)

        def __init__(self) -> None:
            self.count = 0

        def on_receive(self, message: Any) -> Any:
            self.count += 1
            return self.count

    world = World()
    ref = world.spawn(Slotted)
    world.ask(ref, "x")
    assert world.ask(ref, "x") == 2
