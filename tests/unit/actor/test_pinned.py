"""Actors on a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from actorchat.actor import Actor, ActorSystem, LoopDispatcher, PinnedDispatcher
from actorchat.errors import ActorDead
from tests.unit.actor.cast import Boom, Recorder


class Where(Actor):
    """Answers with the name of the thread that it runs in."""

    def on_receive(self, message: Any) -> Any:
        return threading.current_thread().name


class Relay(Actor):
    async def on_receive(self, message: Any) -> Any:
        return await message.call("where?")


@pytest.fixture
async def system() -> AsyncIterator[ActorSystem]:
    system = ActorSystem(LoopDispatcher())
    system.on_crash(lambda *_: None)
    yield system
    await system.stop()


@pytest.fixture
def pinned() -> Iterator[PinnedDispatcher]:
    dispatcher = PinnedDispatcher("disk")
    yield dispatcher
    dispatcher.close()


async def test_actors_and_tasks_on_the_loop_can_call_into_the_thread(system: ActorSystem) -> None:
    where = system.spawn(Where, dispatcher=system.pinned("disk"))
    assert await where.call("?") == "disk"
    assert await system.spawn(Relay).call(where) == "disk"


async def test_an_actor_in_the_thread_can_call_into_the_loop(system: ActorSystem) -> None:
    here = threading.current_thread().name
    relay = system.spawn(Relay, dispatcher=system.pinned("disk"))
    assert await relay.call(system.spawn(Where)) == here


async def test_a_crash_in_the_thread_reaches_callers_and_leaves_the_thread_alive(
    system: ActorSystem,
) -> None:
    disk = system.pinned("disk")
    bad, good = system.spawn(Recorder, dispatcher=disk), system.spawn(Where, dispatcher=disk)
    with pytest.raises(ActorDead):
        await bad.call(Boom())
    assert await good.call("?") == "disk"


async def test_timers_run_in_the_thread(system: ActorSystem) -> None:
    class Napper(Actor):
        async def on_receive(self, message: Any) -> Any:
            await self.sleep(0.001)
            return threading.current_thread().name

    napper = system.spawn(Napper, dispatcher=system.pinned("disk"))
    assert await napper.call("nap") == "disk"


def test_a_plain_thread_can_block_for_an_answer(pinned: PinnedDispatcher) -> None:
    system = ActorSystem(pinned)
    where = system.spawn(Where)
    assert where.call_blocking("?") == "disk"
    where.stop()
    assert where.ended().wait(5.0)
    with pytest.raises(ActorDead):
        where.call_blocking("?")
    assert system.shutdown().wait(5.0)


def test_callbacks_run_in_order_and_a_cancelled_one_does_not(pinned: PinnedDispatcher) -> None:
    seen: list[int] = []
    done = threading.Event()

    def plan() -> None:
        pinned.call_later(0.002, seen.append, 2)
        pinned.call_later(0.001, seen.append, 1)
        pinned.call_later(0.001, seen.append, 0).cancel()
        pinned.call_later(0.003, done.set)

    pinned.post(plan)
    assert done.wait(5.0)
    assert seen == [1, 2]


def test_closing_ends_the_thread_after_what_was_asked_for(pinned: PinnedDispatcher) -> None:
    seen: list[int] = []
    pinned.post(seen.append, 1)
    pinned.close()
    pinned.close()
    assert seen == [1]
    assert not any(thread.name == "disk" for thread in threading.enumerate())
