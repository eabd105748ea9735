"""Real tasks beside an actor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from actorchat.actor import Actor, ActorSystem, LoopDispatcher
from actorchat.errors import ActorDead, NoEventLoop
from tests.unit.actor.cast import Boom, Recorder, World


@pytest.fixture
async def system() -> AsyncIterator[ActorSystem]:
    system = ActorSystem(LoopDispatcher())
    system.on_crash(lambda *_: None)
    yield system
    await system.stop()


class Runner(Recorder):
    """Awaits the coroutine function it is told, as a task; ("leave", fn) does not await it."""

    async def on_receive(self, message: Any) -> Any:
        if isinstance(message, tuple):
            self.task = self.spawn_task(message[1]())
            return self.task
        if message == "now":
            return await self.task
        return await self.spawn_task(message()) if callable(message) else message


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def fail() -> None:
    await asyncio.sleep(0)
    raise Boom("in the task")


async def test_a_task_can_have_a_timeout_and_its_result_comes_back(system: ActorSystem) -> None:
    async def bounded() -> str:
        try:
            async with asyncio.timeout(0.001):
                await forever()
        except TimeoutError:
            return "late"
        return "never"

    assert await system.spawn(Runner).call(bounded) == "late"


async def test_an_error_reaches_the_handler_that_awaits(system: ActorSystem) -> None:
    class Careful(Runner):
        async def on_receive(self, message: Any) -> Any:
            try:
                return await super().on_receive(message)
            except Boom as error:
                return str(error)

    ref = system.spawn(Careful)
    assert await ref.call(fail) == "in the task"
    assert await ref.call("alive") == "alive"


async def test_an_error_that_gather_has_seen_is_not_raised_again(system: ActorSystem) -> None:
    class Gatherer(Actor):
        async def on_receive(self, message: Any) -> Any:
            if message == "alive":
                return message
            both = [self.spawn_task(fail()), self.spawn_task(fail())]
            found = await asyncio.gather(*both, return_exceptions=True)
            return [str(error) for error in found]

    ref = system.spawn(Gatherer)
    assert await ref.call("go") == ["in the task"] * 2
    assert await ref.call("alive") == "alive"


async def test_an_error_that_nobody_awaits_ends_the_actor(system: ActorSystem) -> None:
    ref = system.spawn(Runner)
    await ref.call(("leave", fail))
    reason = await ref.ended()
    assert str(reason) == "Boom: in the task"


async def test_an_error_awaited_before_the_next_message_is_the_handlers(
    system: ActorSystem,
) -> None:
    class Late(Runner):
        async def on_receive(self, message: Any) -> Any:
            task = self.spawn_task(fail())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert task.done()
            with pytest.raises(Boom):
                await task
            return "survived"

    ref = system.spawn(Late)
    assert await ref.call("go") == "survived"
    assert await ref.call("go") == "survived"


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_tasks_are_cancelled_when_the_actor_ends(system: ActorSystem, end: str) -> None:
    ref = system.spawn(Runner)
    task = await ref.call(("leave", forever))
    getattr(ref, end)()
    await ref.ended()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_handler_that_awaits_a_task_can_be_killed(system: ActorSystem) -> None:
    ref = system.spawn(Runner)
    reply = ref.call(forever)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    ref.kill()
    with pytest.raises(ActorDead):
        await reply


async def test_a_task_that_is_over_leaves_nothing(system: ActorSystem) -> None:
    async def quick() -> int:
        return 1

    ref = system.spawn(Runner)
    assert await ref.call(quick) == 1
    assert ref._bonds.kit.tasks == set()


def test_without_an_event_loop_it_is_a_typed_error() -> None:
    world = World()
    ref = world.spawn(Runner)
    ref.tell(forever)
    world.run()
    assert isinstance(world.crashes[0][1].error, NoEventLoop)


async def test_in_a_pinned_thread_it_is_a_typed_error_too(system: ActorSystem) -> None:
    ref = system.spawn(Runner, dispatcher=system.pinned("disk"))
    with pytest.raises(ActorDead) as caught:
        await ref.call(forever)
    assert isinstance(caught.value.reason.error, NoEventLoop)  # type: ignore[attr-defined]


async def test_what_is_no_coroutine_is_refused(system: ActorSystem) -> None:
    ref = system.spawn(Runner)
    with pytest.raises(ActorDead) as caught:
        await ref.call(lambda: 1)
    assert isinstance(caught.value.reason.error, TypeError)  # type: ignore[attr-defined]
