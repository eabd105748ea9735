"""Messages that are put aside and come back."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.actor import Actor, ActorSystem, Down, LoopDispatcher, Mailbox, Reply
from actorchat.errors import ActorDead, NoMessage, StashFull
from tests.unit.actor.cast import Boom, Recorder, World


class Door(Recorder):
    """Puts all aside until it is opened; "shut" shuts it again."""

    stash_max = 3
    is_open = False

    def on_receive(self, message: Any) -> Any:
        if message == "open":
            self.is_open = True
            self.unstash_all()
        elif message == "shut":
            self.is_open = False
        elif not self.is_open:
            self.stash()
            return None
        return super().on_receive(message)


class SlowDoor(Door):
    """The same as a coroutine; pauses before and after it decides."""

    async def on_receive(self, message: Any) -> Any:
        await self.sleep(0.1)
        result = super().on_receive(message)
        await self.sleep(0.1)
        return result


DOORS = pytest.mark.parametrize("door", [Door, SlowDoor])


@DOORS
def test_what_was_put_aside_comes_back_in_order_before_what_waits(door: type[Door]) -> None:
    world, log = World(), []
    ref = world.spawn(door, log)
    for message in (1, 2, 3, "open", 4, 5):
        ref.tell(message)
    world.run()
    assert log == ["start", "open", 1, 2, 3, 4, 5]
    assert world.balance() == 0


async def test_what_comes_back_goes_before_the_rest_of_a_visit() -> None:
    system, log = ActorSystem(LoopDispatcher()), []
    ref = system.spawn(Door, log)
    for message in (1, 2, "shut", 3, "open", 4, "shut", 5, "open", 6):
        ref.tell(message)
    ref.stop()
    await ref.ended()
    assert log[:-1] == ["start", "shut", "open", 1, 2, 3, 4, "shut", "open", 5, 6]
    await system.stop()


@DOORS
def test_a_call_that_was_put_aside_is_answered_later(door: type[Door]) -> None:
    world = World()
    ref = world.spawn(door)
    reply = ref.call("question")
    world.run(until=1.0)
    assert not reply.done()
    ref.tell("open")
    world.run(until=2.0)
    assert reply.result() == "question"


@DOORS
def test_the_books_count_what_is_put_aside_as_queued(door: type[Door]) -> None:
    world = World()
    ref = world.spawn(door)
    ref.tell(1)
    ref.tell(2)
    world.run()
    info = world.system.info(ref)
    assert (info.queued, info.stashed, info.handled) == (2, 2, 0)
    assert world.system.counts()["queued"] == 2 and world.balance() == 0
    assert world.system.top(1)[0].label == door.__name__
    ref.tell("open")
    world.run()
    info = world.system.info(ref)
    assert (info.queued, info.stashed, info.handled) == (0, 0, 3)
    assert world.balance() == 0


def test_the_books_balance_inside_a_handler_that_puts_aside() -> None:
    class Auditor(Door):
        def on_receive(self, message: Any) -> Any:
            result = super().on_receive(message)
            sums.append(world.balance())
            return result

    world, sums = World(), []
    ref = world.spawn(Auditor)
    for message in (1, 2, "open", 3):
        ref.tell(message)
    world.run()
    assert sums == [0] * 6


@DOORS
def test_one_too_many_is_a_typed_error(door: type[Door]) -> None:
    world = World()
    ref = world.spawn(door)
    for number in range(4):
        ref.tell(number)
    world.run()
    assert isinstance(world.crashes[0][1].error, StashFull)
    assert world.balance() == 0


@DOORS
def test_at_the_end_what_is_aside_is_discarded_before_the_mailbox(door: type[Door]) -> None:
    world, log = World(), []
    ref = world.spawn(door, log)
    ref.tell(1)
    reply = ref.call(2)
    ref.stop()
    ref.tell(3)
    world.run()
    assert log[1:4] == [("discarded", 1), ("discarded", 2), ("discarded", 3)]
    with pytest.raises(ActorDead):
        reply.result()
    assert world.system.dead_letters.counts["left"] == 3
    assert world.balance() == 0 and world.system.counts()["queued"] == 0


def test_at_a_kill_what_is_aside_is_discarded_too() -> None:
    world, log = World(), []
    ref = world.spawn(Door, log)
    reply = ref.call(1)
    world.run(until=0.0)
    ref.kill()
    world.run(until=0.0)
    assert log == ["start", ("discarded", 1)]
    assert isinstance(reply.exception(), ActorDead)


def test_a_handler_that_fails_after_it_put_its_message_aside_discards_it() -> None:
    class Late(Recorder):
        def on_receive(self, message: Any) -> None:
            self.stash()
            raise Boom

    world, log = World(), []
    ref = world.spawn(Late, log)
    ref.tell(1)
    world.run()
    assert ("discarded", 1) in log and len(world.crashes) == 1
    assert world.balance() == 0


def test_a_message_put_aside_by_one_that_stops_is_discarded() -> None:
    class Leaving(Recorder):
        def on_receive(self, message: Any) -> None:
            self.stash()
            self.stop("left")

    world, log = World(), []
    ref = world.spawn(Leaving, log)
    ref.tell(1)
    ref.tell(2)
    world.run()
    assert log == ["start", ("discarded", 1), ("discarded", 2), ("stop", "left")]


def test_to_let_go_after_putting_aside_takes_the_message_too_and_before_it_does_not() -> None:
    class Juggler(Recorder):
        count = 0

        def on_receive(self, message: Any) -> Any:
            self.log.append(message)
            self.count += 1
            if message == "back" and self.count < 4:
                self.stash()
                self.unstash_all()
            elif message == "aside":
                self.unstash_all()
                self.stash()

    world, log = World(), []
    ref = world.spawn(Juggler, log)
    ref.tell("aside")
    ref.tell("back")
    ref.tell("last")
    world.run()
    # "back" takes itself and "aside" along, the older first; "aside" stays when it is alone.
    assert log == ["start", "aside", "back", "aside", "back", "last"]
    assert world.system.info(ref).stashed == 1 and world.balance() == 0


def test_timers_and_downs_can_be_put_aside() -> None:
    class Patient(Door):
        stash_max = 10

        def on_receive(self, message: Any) -> Any:
            if message == "begin":
                self.send_after(0.5, "tick", key="t")
                self.monitor(other)
                return None
            return super().on_receive(message)

    world, log = World(), []
    other = world.spawn(Recorder)
    ref = world.spawn(Patient, log)
    ref.tell("begin")
    other.stop()
    world.run()
    assert world.system.info(ref).stashed == 2
    ref.tell("open")
    world.run()
    assert log[:2] == ["start", "open"] and isinstance(log[2], Down) and log[3] == "tick"
    assert world.balance() == 0


def test_putting_aside_without_a_message_or_twice_is_a_typed_error() -> None:
    class Confused(Recorder):
        def attempt(self) -> None:
            try:
                self.stash()
            except NoMessage:
                self.log.append("refused")

        def on_start(self) -> None:
            self.attempt()

        async def on_receive(self, message: Any) -> None:
            self.stash()
            self.attempt()
            await self.sleep(1.0)
            self.attempt()
            self.stop()

        def discarded(self, message: Any) -> None:
            self.attempt()
            self.log.append(message)

        async def on_stop(self, reason: object) -> None:
            self.attempt()
            await self.sleep(1.0)

    world, log = World(), []
    ref = world.spawn(Confused, log)
    ref.tell(1)
    world.run(until=1.5)
    ref.tell(2)
    world.run()
    assert log == ["refused"] * 4 + [1, "refused"] + ["refused", 2]
    assert world.balance() == 0 and world.crashes == []


def test_a_wish_from_outside_of_a_turn_does_no_harm() -> None:
    world, log = World(), []
    ref = world.spawn(Recorder, log)
    world.run()
    actor: Any = ref._actor
    actor.stash()
    ref.tell("next")
    world.run()
    assert log == ["start", "next"]
    assert world.balance() == 0


def test_letting_go_of_nothing_changes_nothing() -> None:
    class Eager(Recorder):
        def on_start(self) -> None:
            self.unstash_all()

        def on_receive(self, message: Any) -> Any:
            self.unstash_all()
            return super().on_receive(message)

    world, log = World(), []
    ref = world.spawn(Eager, log)
    assert world.ask(ref, 1) == 1
    assert log == [1]


def test_a_full_mailbox_takes_what_comes_back_and_then_no_more() -> None:
    class Narrow(Door):
        mailbox = Mailbox(limit=2)

    world, log = World(), []
    ref = world.spawn(Narrow, log)
    for number in range(3):
        ref.tell(number)
        world.run()
    ref.tell("open")
    world.dispatcher.run(lambda: "open" in log)
    assert ref.call("one more").exception() is not None
    world.run()
    assert log == ["start", "open", 0, 1, 2]
    assert world.balance() == 0


def test_a_call_is_answered_by_a_handler_that_only_lets_others_go() -> None:
    world, reply = World(), Reply()

    class Opener(Door):
        async def on_receive(self, message: Any) -> Any:
            if message != "open":
                return super().on_receive(message)
            self.is_open = True
            self.unstash_all()
            await reply
            return "opened"

    log: list[Any] = []
    ref = world.spawn(Opener, log)
    ref.tell(1)
    answer = ref.call("open")
    ref.tell(2)
    world.run(until=0.0)
    assert log == ["start"]
    reply.settle(None)
    world.run()
    assert answer.result() == "opened" and log == ["start", 1, 2]


def test_handlers_change_with_become_and_come_back_with_unbecome() -> None:
    class Moody(Recorder):
        def on_receive(self, message: Any) -> Any:
            if message == "angry":
                self.become(self.angry)
            return f"calm {message}"

        def angry(self, message: Any) -> Any:
            match message:
                case "furious":
                    self.become(self.furious, discard_old=False)
                case "calm":
                    self.unbecome()
            return f"angry {message}"

        async def furious(self, message: Any) -> Any:
            await self.sleep(0.1)
            self.unbecome()
            return f"furious {message}"

    world = World()
    ref = world.spawn(Moody)
    said = [world.ask(ref, m) for m in ("a", "angry", "b", "furious", "c", "d", "calm", "e")]
    assert said == [
        "calm a", "calm angry", "angry b", "angry furious", "furious c", "angry d", "angry calm",
        "calm e",
    ]  # fmt: skip


def test_a_new_handler_is_there_for_the_very_next_message_of_a_visit() -> None:
    class Once(Actor):
        __slots__ = ("seen",)  # slots of a class do not keep its actors from changing

        def __init__(self) -> None:
            self.seen: list[Any] = []

        def on_receive(self, message: Any) -> Any:
            self.seen.append(message)
            self.become(lambda later: self.seen.append(("new", later)))

    world = World()
    ref = world.spawn(Once)
    seen = ref._actor.seen
    for number in range(3):
        ref.tell(number)
    ref.stop()
    world.run()
    assert seen == [0, ("new", 1), ("new", 2)]


def test_become_replaces_the_handler_before_and_refuses_what_is_none() -> None:
    world = World()
    ref = world.spawn(Recorder)
    actor: Any = ref._actor
    actor.become(lambda _message: "one")
    actor.become(lambda _message: "two")
    assert world.ask(ref, 0) == "two"
    actor.unbecome()
    assert world.ask(ref, 0) == 0
    actor.unbecome()
    assert world.ask(ref, 1) == 1
    with pytest.raises(TypeError):
        actor.become("three")
