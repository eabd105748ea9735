"""One message, from the mailbox to its end."""

from __future__ import annotations

from typing import Any

from actorchat.actor import Actor, Reply
from actorchat.actor.mailbox import Signal
from actorchat.actor.step import SPECIAL
from tests.unit.actor.cast import Recorder, Waiter, World


def all_signals(cls: type = Signal) -> set[type]:
    return {cls}.union(*(all_signals(sub) for sub in cls.__subclasses__()))


def test_every_signal_of_the_runtime_is_unwrapped_before_a_handler_sees_it() -> None:
    ours = {cls for cls in all_signals() - {Signal} if cls.__module__.startswith("actorchat")}
    assert ours <= SPECIAL


def test_a_handler_that_pauses_twice_answers_once_and_shuts_the_mailbox_both_times() -> None:
    class Slow(Recorder):
        async def on_receive(self, message: Any) -> Any:
            await self.sleep(1.0)
            self.log.append(f"half {message}")
            await self.sleep(1.0)
            return message

    world, log = World(), []
    ref = world.spawn(Slow, log)
    replies = [ref.call(1), ref.call(2)]
    world.run(until=3.5)
    assert log == ["start", "half 1", "half 2"]
    assert [reply.done() for reply in replies] == [True, False]
    world.run()
    assert [reply.result() for reply in replies] == [1, 2]


def test_how_long_a_handler_waits_is_counted_from_its_first_pause() -> None:
    class Slow(Actor):
        async def on_receive(self, message: Any) -> Any:
            await self.sleep(1.0)
            await self.sleep(1.0)

    world = World()
    ref = world.spawn(Slow)
    ref.tell(1)
    world.run(until=1.5)
    assert world.system.info(ref).age_s == 1.5


def test_an_error_in_a_finally_clause_of_a_killed_handler_is_reported() -> None:
    class Stubborn(Actor):
        async def on_receive(self, message: Any) -> None:
            try:
                await message
            finally:
                raise ZeroDivisionError

    world = World()
    ref = world.spawn(Stubborn)
    ref.tell(Reply())
    world.run()
    ref.kill()
    world.run()
    assert [type(crash.error) for _, crash in world.crashes] == [ZeroDivisionError]
    assert world.system.info(ref).state == "dead"


def test_a_handler_that_waits_is_described_and_one_that_runs_is_not() -> None:
    world = World()
    ref = world.spawn(Waiter)
    ref.tell(Reply())
    world.run()
    info = world.system.info(ref)
    assert (info.state, info.message_type) == ("waiting", "Reply")
