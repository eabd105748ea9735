"""Answers that come after the handler has returned."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.actor import Actor, LocalRef, ReplyTo
from actorchat.errors import ActorDead, CallTimeout, NoMessage
from tests.unit.actor.cast import Boom, Recorder, World


class Clerk(Actor):
    """Puts every answer off, and hands over or gives it when told to."""

    def __init__(self) -> None:
        self.waiting: list[ReplyTo] = []

    def on_receive(self, message: Any) -> Any:
        if message == "answer":
            return [reply_to.reply(number) for number, reply_to in enumerate(self.waiting)]
        if message == "fail":
            return [reply_to.fail(Boom("no")) for reply_to in self.waiting]
        if isinstance(message, LocalRef):
            message.tell(self.waiting.pop())
            return None
        self.waiting.append(self.defer())
        return "not used"


class SlowClerk(Clerk):
    async def on_receive(self, message: Any) -> Any:
        result = super().on_receive(message)
        await self.sleep(0.1)
        return result


CLERKS = pytest.mark.parametrize("clerk", [Clerk, SlowClerk])


@CLERKS
def test_the_answer_comes_from_a_later_handler(clerk: type[Clerk]) -> None:
    world = World()
    ref = world.spawn(clerk)
    replies = [ref.call("a"), ref.call("b")]
    world.run(until=0.5)
    assert not any(reply.done() for reply in replies)
    assert world.ask(ref, "answer") == [True, True]
    assert [reply.result() for reply in replies] == [0, 1]
    assert world.ask(ref, "answer") == [False, False]
    assert world.balance() == 0


@CLERKS
def test_an_error_is_raised_where_the_call_is_awaited(clerk: type[Clerk]) -> None:
    world = World()
    ref = world.spawn(clerk)
    reply = ref.call("a")
    assert world.ask(ref, "fail") == [True]
    with pytest.raises(Boom):
        reply.result()
    assert ref.is_alive()


@CLERKS
def test_another_actor_can_answer(clerk: type[Clerk]) -> None:
    class Deputy(Actor):
        def on_receive(self, message: ReplyTo) -> None:
            message.reply("from the deputy")

    world = World()
    ref, deputy = world.spawn(clerk), world.spawn(Deputy)
    reply = ref.call("a")
    ref.tell(deputy)
    world.run(until=1.0)
    assert reply.result() == "from the deputy"


@CLERKS
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_the_end_of_the_actor_ends_the_call(clerk: type[Clerk], end: str) -> None:
    world = World()
    ref = world.spawn(clerk)
    reply = ref.call("a")
    world.run(until=0.5)
    kept = ref._actor.waiting[0]
    getattr(ref, end)()
    world.run(until=0.5)
    with pytest.raises(ActorDead):
        reply.result()
    assert not kept.is_waiting() and kept.reply("late") is False


def test_an_answer_after_the_deadline_is_dropped_and_nothing_is_kept() -> None:
    world = World()
    ref = world.spawn(Clerk)
    reply = ref.call("a", timeout_s=1.0)
    world.run()
    with pytest.raises(CallTimeout):
        reply.result()
    assert ref._bonds.kit.owed == set()
    assert world.ask(ref, "answer") == [False]


def test_an_answer_given_before_the_handler_returns_counts() -> None:
    class Hasty(Actor):
        async def on_receive(self, message: Any) -> str:
            reply_to = self.defer()
            assert self.defer() is reply_to
            assert reply_to.is_waiting()
            reply_to.reply("at once")
            if message == "pause":
                await self.sleep(1.0)
            return "not used"

    world = World()
    ref = world.spawn(Hasty)
    assert world.ask(ref, "x") == "at once"
    reply = ref.call("pause")
    world.run(until=0.1)
    assert reply.result() == "at once"


def test_nobody_waits_for_the_answer_to_a_tell() -> None:
    world = World()
    ref = world.spawn(Clerk)
    ref.tell("a")
    world.run()
    assert world.ask(ref, "answer") == [False]


def test_a_crash_after_a_defer_is_told_to_the_caller() -> None:
    class Unlucky(Actor):
        def on_receive(self, message: Any) -> None:
            self.defer()
            raise Boom

    world = World()
    reply = world.spawn(Unlucky).call("a")
    world.run(until=0.0)
    assert isinstance(reply.exception(), ActorDead)


def test_without_a_message_or_with_one_that_is_aside_it_is_a_typed_error() -> None:
    class Confused(Recorder):
        def on_start(self) -> None:
            with pytest.raises(NoMessage):
                self.defer()

        async def on_receive(self, message: Any) -> None:
            if message == "stash":
                self.stash()
            else:
                self.defer()
                with pytest.raises(NoMessage):
                    self.stash()
                await self.sleep(0.1)
            with pytest.raises(NoMessage):
                self.stash()
            if message == "stash":
                with pytest.raises(NoMessage):
                    self.defer()

    world = World()
    ref = world.spawn(Confused)
    ref.call("defer")
    ref.tell("stash")
    world.run()
    assert world.crashes == [] and ref.is_alive()


def test_a_call_fails_only_with_an_exception() -> None:
    with pytest.raises(TypeError):
        ReplyTo().fail("no")  # type: ignore[arg-type]
