"""Calls that would wait for themselves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actorchat.actor import (
    Actor,
    ActorSystem,
    DynamicSupervisor,
    LocalRef,
    LoopDispatcher,
    ReplyTo,
    interleave,
)
from actorchat.actor.cycle import traced
from actorchat.errors import CallCycle, CallTimeout, MailboxFull
from tests.unit.actor.cast import Narrow, World


class Link(Actor):
    """Passes a list of refs on: calls the first with the others, and returns what it says."""

    async def on_receive(self, message: Any) -> Any:
        if not message:
            return "end"
        head, *others = message
        return await head.call(others, timeout_s=30.0)


class Catcher(Link):
    """Says which cycle it was in."""

    async def on_receive(self, message: Any) -> Any:
        try:
            return await super().on_receive(message)
        except CallCycle as cycle:
            return cycle.chain


def debug_world(seed: int = 0) -> World:
    world = World(seed)
    world.system.debug = True
    return world


def test_a_call_to_oneself_fails_at_once_and_says_so() -> None:
    world = debug_world()
    ref = world.spawn(Catcher, name="me")
    assert world.ask(ref, [ref]) == ("Catcher 'me'", "Catcher 'me'")
    assert world.dispatcher.now_s() == 0.0
    assert ref.is_alive() and world.balance() == 0


def test_a_chain_is_named_from_the_one_who_closes_it() -> None:
    world = debug_world()
    a, b = world.spawn(Link, name="a"), world.spawn(Link, name="b")
    c = world.spawn(Catcher, name="c")
    assert world.ask(a, [b, c, a]) == ("Catcher 'c'", "Link 'a'", "Link 'b'", "Catcher 'c'")
    assert world.dispatcher.now_s() == 0.0


def test_two_calls_that_cross_are_a_cycle_although_neither_caused_the_other() -> None:
    cycles = 0
    for seed in range(10):  # where one is done before the other begins there is none
        world = debug_world(seed)
        a, b = world.spawn(Catcher, name="a"), world.spawn(Catcher, name="b")
        replies = [a.call([b]), b.call([a])]
        world.run()
        results = [reply.result() for reply in replies]
        assert "end" in results and world.dispatcher.now_s() == 0.0
        cycles += results != ["end", "end"]
    assert cycles


def test_a_long_chain_without_a_cycle_is_left_alone() -> None:
    world = debug_world()
    refs = [world.spawn(Link) for _ in range(20)]
    assert world.ask(refs[0], refs[1:]) == "end"
    assert world.system.waits == {}


def test_a_busy_actor_that_waits_for_another_is_no_cycle() -> None:
    world = debug_world()
    a, b, c = (world.spawn(Link) for _ in range(3))
    replies = [a.call([c]), b.call([c]), c.call([]), a.call([b, c])]
    world.run()
    assert {reply.result() for reply in replies} == {"end"}


def test_an_answer_that_was_put_off_is_no_cycle() -> None:
    class Clerk(Actor):
        async def on_receive(self, message: Any) -> Any:
            deputy.tell(self.defer())
            return await asker.call("are you there?")  # it is when the deputy has answered

    class Deputy(Actor):
        def on_receive(self, message: ReplyTo) -> None:
            self.send_after(1.0, message) if self.now_s() < 1.0 else message.reply("answered")

    class Asker(Actor):
        async def on_receive(self, message: Any) -> Any:
            return await clerk.call("question") if message == "go" else "yes"

    world = debug_world()
    clerk, deputy, asker = world.spawn(Clerk), world.spawn(Deputy), world.spawn(Asker)
    assert world.ask(asker, "go") == "answered"
    world.run()
    assert world.crashes == []


def test_a_call_that_interleaves_is_no_cycle() -> None:
    @interleave(str)
    class Open(Link):
        async def on_receive(self, message: Any) -> Any:
            return "pong" if isinstance(message, str) else await super().on_receive(message)

    class Back(Actor):
        async def on_receive(self, message: Any) -> Any:
            return await a.call("ping")

    world = debug_world()
    a, b = world.spawn(Open), world.spawn(Back)
    assert world.ask(a, [b]) == "pong"


def test_an_interleaved_handler_can_be_part_of_a_cycle() -> None:
    @interleave(tuple)
    class Open(Catcher):
        pass

    world = debug_world()
    a, b = world.spawn(Open, name="a"), world.spawn(Link, name="b")
    # a's handler of the tuple waits for b, and that for a's handler of a list, which does not
    # have to wait for the first one, but waits for b.
    reply = a.call((b, a, b))
    world.run()
    assert reply.result() == ("Open 'a'", "Link 'b'", "Open 'a'")
    assert world.dispatcher.now_s() == 0.0


def test_a_cycle_through_an_interleaved_handler_is_found() -> None:
    @interleave(tuple)
    class Open(Catcher):
        pass

    class Back(Link):
        async def on_receive(self, message: Any) -> Any:
            return await a.call((b,)) if message == "go" else await super().on_receive(message)

    world = debug_world()
    a, b = world.spawn(Open, name="a"), world.spawn(Back, name="b")
    assert world.ask(b, "go") == ("Open 'a'", "Back 'b'", "Open 'a'")
    assert world.dispatcher.now_s() == 0.0


def test_without_debug_a_call_to_oneself_ends_with_a_timeout() -> None:
    world = World()
    ref = world.spawn(Link)
    reply = ref.call([ref], timeout_s=60.0)
    world.run()
    assert isinstance(reply.exception().reason.error, CallTimeout)  # type: ignore[union-attr]
    assert world.dispatcher.now_s() == 30.0


def test_a_task_can_await_a_call_in_debug_too() -> None:
    async def main() -> None:
        system = ActorSystem(LoopDispatcher(), debug=True)
        one, two = system.spawn(Link), system.spawn(Link)
        assert await one.call([two]) == "end"
        assert await asyncio.gather(one.call([]), two.call([])) == ["end", "end"]
        await system.stop()

    asyncio.run(main())


def test_a_cycle_over_two_threads_ends_at_once() -> None:
    async def main() -> None:
        system = ActorSystem(LoopDispatcher(), debug=True)
        there = system.spawn(Catcher, name="there", dispatcher=system.pinned("there"))
        here = system.spawn(Link, name="here")
        chain = ("Catcher 'there'", "Link 'here'", "Catcher 'there'")
        assert await here.call([there, here]) == chain
        await system.stop()

    asyncio.run(main())


def test_refs_of_every_class_are_looked_at_and_their_classes_made_once() -> None:
    world = debug_world()
    pool = world.spawn(DynamicSupervisor)
    ref = pool.spawn(Catcher)
    assert world.ask(ref, [ref]) == ("Catcher", "Catcher")
    assert type(ref) is type(world.spawn(Link)) is traced(LocalRef)
    assert type(World().spawn(Link)) is LocalRef


def test_a_full_mailbox_in_debug_is_said_at_once() -> None:
    world = debug_world()
    ref = world.spawn(Narrow)
    ref.tell(1)
    ref.tell(2)
    with pytest.raises(MailboxFull):
        ref.call(3).result()
