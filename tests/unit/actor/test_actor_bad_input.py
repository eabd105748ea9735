"""What actors can do wrong, and what comes of it: one test for each."""

from __future__ import annotations

import time
from typing import Any

import pytest

from actorchat.actor import (
    KILLED,
    SHUTDOWN,
    Actor,
    ActorSystem,
    Child,
    Crash,
    DynamicSupervisor,
    LoopDispatcher,
    Reply,
    Supervisor,
)
from actorchat.errors import ActorDead, CallTimeout, MailboxFull
from tests.unit.actor.cast import Boom, Narrow, Recorder, Waiter, World


def test_a_handler_that_raises_ends_its_actor_and_tells_who_waits() -> None:
    world, log = World(), []
    ref = world.spawn(Recorder, log)
    asked, next_one = ref.call(Boom("x")), ref.call("next")
    world.run()
    assert log == ["start", ("discarded", "next"), ("stop", ref._exit)]
    for reply in (asked, next_one):
        with pytest.raises(ActorDead) as caught:
            reply.result()
        assert isinstance(caught.value.reason, Crash)


async def test_a_handler_that_blocks_is_counted_and_nobody_is_lost() -> None:
    class Blocker(Recorder):
        def on_receive(self, message: Any) -> Any:
            until_s = time.perf_counter() + 0.005
            while time.perf_counter() < until_s:
                pass
            return message

    system = ActorSystem(LoopDispatcher())
    ref, other = system.spawn(Blocker), system.spawn(Recorder)
    await ref.started()
    before = system.dispatcher.over_budget
    replies = [ref.call(1), other.call(2)]
    assert [await reply for reply in replies] == [1, 2]
    assert system.dispatcher.over_budget > before
    await system.stop()


def test_a_handler_that_never_returns_ends_at_a_kill() -> None:
    world, log = World(), []
    ref = world.spawn(Waiter, log)
    reply = ref.call(Reply(), timeout_s=60.0)
    world.run(until=1.0)
    ref.stop()  # waits for the handler, for ever
    world.run(until=2.0)
    assert not ref.ended().done()
    ref.kill()
    world.run(until=2.0)
    assert ref.ended().result() == KILLED
    assert isinstance(reply.exception(), ActorDead)
    assert ("stop", KILLED) not in log and world.balance() == 0


def test_a_handler_that_never_returns_is_killed_when_its_supervisor_stops() -> None:
    world = World()
    spec = Child("stuck", Waiter, name="stuck", shutdown_s=2.0)
    supervisor = world.spawn(Supervisor, children=[spec])
    world.run()
    stuck = world.system.names.whereis("stuck")
    assert stuck is not None
    stuck.tell(Reply())
    world.run(until=1.0)
    supervisor.stop(SHUTDOWN)
    world.run(until=2.9)
    assert not supervisor.ended().done()
    world.run(until=3.0)
    assert supervisor.ended().done() and stuck.ended().result() == KILLED


def test_an_actor_that_kills_its_supervisor_dies_with_it() -> None:
    class Traitor(Recorder):
        async def on_receive(self, message: Any) -> Any:
            if message == "betray":
                assert self.ref._supervisor is not None
                self.ref._supervisor.kill()
                self.log.append("betrayed")
                await self.sleep(1.0)
            return super().on_receive(message)

    world, log = World(), []
    pool = world.spawn(DynamicSupervisor, "permanent")
    ref, sibling = pool.spawn(Traitor, log), pool.spawn(Recorder)
    reply = ref.call("betray")
    world.run(until=0.0)
    assert log == ["start", "betrayed"]
    assert isinstance(reply.exception(), ActorDead)
    assert {pool.ended().result(), ref.ended().result(), sibling.ended().result()} == {KILLED}
    assert world.system.counts()["actors"] == 1 and world.balance() == 0


@pytest.mark.parametrize("is_slow", [False, True])
def test_an_actor_that_stops_in_on_start_handles_nothing_and_cleans_up(is_slow: bool) -> None:
    class Reluctant(Recorder):
        def on_start(self) -> Any:
            self.stop("no")
            return self.sleep_first() if is_slow else None

        async def sleep_first(self) -> None:
            await self.sleep(1.0)

    world, log = World(), []
    ref = world.spawn(Reluctant, log)
    begun = ref.started()
    ref.tell(1)
    world.run()
    assert log == [("discarded", 1), ("stop", "no")]
    with pytest.raises(ActorDead) as caught:
        begun.result()
    assert caught.value.reason == "no"
    assert world.balance() == 0


def test_a_supervised_child_that_stops_in_on_start_has_failed_to_start() -> None:
    class Reluctant(Actor):
        def on_start(self) -> None:
            self.stop("no")

    world = World()
    gave_up: list[Any] = []
    world.system.on_terminated(lambda ref, reason: gave_up.append(str(reason)))
    world.spawn(Supervisor, children=[Child("a", Reluctant)])
    world.run()
    assert gave_up == ["child 'a' gave up: no"]


def test_an_actor_that_awaits_its_own_answer_gets_a_timeout_and_lives_on() -> None:
    class Narcissus(Recorder):
        async def on_receive(self, message: Any) -> Any:
            self.log.append(message)
            if message == "ask":
                try:
                    return await self.ref.call("mirror", timeout_s=2.0)
                except CallTimeout:
                    return f"waited until {self.now_s()}"
            return None

    world, log = World(), []
    ref = world.spawn(Narcissus, log)
    assert world.ask(ref, "ask") == "waited until 2.0"
    world.run()
    assert log == ["start", "ask", "mirror"] and ref.is_alive()


def test_an_actor_that_awaits_its_own_end_can_be_killed() -> None:
    class Patient(Actor):
        async def on_receive(self, message: Any) -> None:
            self.stop()
            await self.ref.ended()

    world = World()
    ref = world.spawn(Patient)
    ref.tell("wait")
    world.run()
    assert not ref.ended().done()
    ref.kill()
    world.run()
    assert ref.ended().done() and world.balance() == 0


def test_a_full_mailbox_refuses_and_takes_more_when_it_has_room() -> None:
    world, log = World(), []
    ref = world.spawn(Narrow, log)
    ref.tell(1)
    ref.tell(2)
    with pytest.raises(MailboxFull):
        ref.tell(3)
    world.run()
    ref.tell(4)
    world.run()
    assert log == ["start", 1, 2, 4] and world.balance() == 0


def test_a_tell_to_the_dead_is_a_dead_letter_and_a_call_an_error() -> None:
    world = World()
    ref = world.spawn(Recorder)
    ref.stop()
    world.run()
    ref.tell("anybody?")
    assert isinstance(ref.call("anybody?").exception(), ActorDead)
    ref.stop()
    ref.kill()
    world.run()
    letters = [letter for letter in world.system.dead_letters.last if letter.ref is ref]
    assert [letter.reason for letter in letters] == ["noproc", "noproc"]
    assert world.balance() == 0
