"""Turns on a loop: budgets, fairness, coroutines of asyncio, errors that must leave."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
import uvloop

from actorchat.actor import Actor, ActorSystem, Crash, LocalRef, LoopDispatcher, Reply
from actorchat.actor.ref import IDLE
from tests.unit.actor.cast import Boom, Recorder, Waiter


@pytest.fixture
async def system() -> AsyncIterator[ActorSystem]:
    system = ActorSystem(LoopDispatcher())
    system.on_crash(lambda *_: None)
    yield system
    await system.stop()


def later(delay_s: float) -> asyncio.Future[None]:
    """Return one of asyncio's own futures, done after a while."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    loop.call_later(delay_s, future.set_result, None)
    return future


async def turns(count: int = 5) -> None:
    """Let the loop go round a few times."""
    for _ in range(count):
        await asyncio.sleep(0)


class Hog(Actor):
    """Tells itself for ever."""

    def __init__(self, seen: list[int]) -> None:
        self.seen = seen

    def on_receive(self, message: Any) -> None:
        self.seen[0] += 1
        self.ref.tell(message)


async def test_an_actor_that_never_rests_starves_neither_the_loop_nor_the_others(
    system: ActorSystem,
) -> None:
    seen = [0]
    hog = system.spawn(Hog, seen)
    for _ in range(200):
        hog.tell("again")
    await later(0.02)
    assert seen[0] > 1000
    assert await system.spawn(Recorder).call("me too") == "me too"
    hog.kill()


async def test_a_visit_handles_a_limited_number_of_messages() -> None:
    order: list[str] = []

    class Named(Actor):
        def __init__(self, name: str) -> None:
            self.name = name

        def on_receive(self, message: Any) -> None:
            order.append(self.name)

    system = ActorSystem(LoopDispatcher(visit_max=3))
    one, two = system.spawn(Named, "one"), system.spawn(Named, "two")
    for _ in range(6):
        one.tell(0)
        two.tell(0)
    await two.call(0)
    assert order[:12] == ["one"] * 3 + ["two"] * 3 + ["one"] * 3 + ["two"] * 3
    await system.stop()


async def test_a_turn_ends_when_its_messages_are_spent() -> None:
    class Mortal(Hog):
        def on_receive(self, message: Any) -> None:
            super().on_receive(message)
            if self.seen[0] == 5_000:
                self.stop()

    system = ActorSystem(LoopDispatcher(turn_max=10, turn_s=1e9))
    seen = [0]
    hog = system.spawn(Mortal, seen)
    await hog.started()
    hog.tell("again")
    counts = []
    for _ in range(5):
        await asyncio.sleep(0)
        counts.append(seen[0])
    assert all(0 < after - before <= 10 for before, after in pairwise(counts))
    hog.kill()
    await system.stop()


async def test_a_turn_ends_when_its_time_is_spent() -> None:
    system = ActorSystem(LoopDispatcher(visit_max=1, turn_max=1_000, turn_s=0.0))
    seen = [0]
    hog = system.spawn(Hog, seen)
    await hog.started()
    hog.tell("again")
    counts = []
    for _ in range(5):
        await asyncio.sleep(0)
        counts.append(seen[0])
    assert all(0 < after - before < 10 for before, after in pairwise(counts))
    hog.kill()
    await system.stop()


@pytest.mark.parametrize("last", ["stop", Boom()])
async def test_what_lies_behind_the_last_message_of_a_visit_is_not_handled(
    system: ActorSystem, last: Any
) -> None:
    log: list[Any] = []
    ref = system.spawn(Recorder, log)
    await ref.started()
    for message in ("before", last, "behind"):
        ref.tell(message)
    await ref.ended()
    assert [entry for entry in log if entry != "stop"][:3] == [
        "start",
        "before",
        ("discarded", "behind"),
    ]
    counts = system.counts()
    assert counts["told"] == counts["handled"] + counts["dead"] + counts["queued"]
    assert counts["dead"] == 1


async def test_a_handler_that_blocks_is_counted_and_shows_as_lag(system: ActorSystem) -> None:
    class Blocker(Actor):
        def on_receive(self, message: Any) -> None:
            until_s = time.perf_counter() + 0.01
            while time.perf_counter() < until_s:
                pass

    dispatcher = system.dispatcher
    before = dispatcher.over_budget
    ref = system.spawn(Blocker)
    await ref.started()
    ref.tell(1)
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0)
    assert dispatcher.over_budget == before + 1
    loop.call_soon(lambda: Blocker.on_receive(None, None))  # type: ignore[arg-type]
    ref.tell(2)  # its turn must wait until the loop comes back from that
    await ref.call(3)
    assert dispatcher.lag_max_s >= 0.009


async def test_handlers_can_await_asyncio_and_keep_the_mailbox_shut(system: ActorSystem) -> None:
    log: list[Any] = []

    class Sleeper(Actor):
        async def on_receive(self, message: Any) -> Any:
            log.append(("begins", message))
            await asyncio.sleep(0)
            await later(0.001)
            log.append(("ends", message))
            return message

    ref = system.spawn(Sleeper)
    assert await asyncio.gather(ref.call(1), ref.call(2)) == [1, 2]
    assert log == [("begins", 1), ("ends", 1), ("begins", 2), ("ends", 2)]


async def test_a_visit_without_cause_does_not_resume_a_waiting_handler(
    system: ActorSystem,
) -> None:
    log: list[Any] = []
    ref = system.spawn(Waiter, log)
    reply: Reply[str] = Reply()
    ref.tell(reply)
    await turns()
    # What a sender does that was interrupted between reading the flag and writing it.
    for _ in range(3):
        ref._schedule()
        await asyncio.sleep(0)
    assert log == ["start", "waits"]
    assert len(reply._waiters or ()) == 1
    reply.settle("answer")
    await ref.call("next")
    assert log == ["start", "waits", "answer", "next"]


async def test_a_visit_without_cause_does_not_resume_one_that_awaits_asyncio(
    system: ActorSystem,
) -> None:
    class Hopeful(Actor):
        async def on_receive(self, message: Any) -> Any:
            return await message

    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    ref = system.spawn(Hopeful)
    reply = ref.call(future)
    await turns()
    ref._schedule()
    await turns()
    future.set_result("answer")
    assert await reply == "answer"


async def test_a_message_that_arrives_just_before_an_actor_is_idle_is_not_forgotten(
    system: ActorSystem,
) -> None:
    class Racy(list[Any]):
        """Has one more message the moment after it was found empty: its sender read QUEUED."""

        is_armed = False

        def __bool__(self) -> bool:
            if len(self) == 0 and self.is_armed:
                self.is_armed = False
                system.told += 1
                self.append("raced")
                return False
            return len(self) > 0

    log: list[Any] = []
    ref = system.spawn(Recorder, log)
    await ref.started()
    await turns()
    queue = ref._queue = Racy()
    queue.is_armed = True
    ref.tell("first")
    await turns()
    assert log == ["start", "first", "raced"]


async def test_an_actor_that_is_ready_just_before_a_turn_ends_is_not_forgotten() -> None:
    class Racy(deque[LocalRef]):
        """Has one more actor the moment after the turn's end was decided: `awake` was read."""

        falls = 0

        def __bool__(self) -> bool:
            if len(self) == 0:
                self.falls += 1
                if self.falls == 2:
                    self.append(ref)
                return False
            return True

    system = ActorSystem(LoopDispatcher())
    log: list[Any] = []
    ref = system.spawn(Recorder, log)
    other = system.spawn(Recorder)
    await turns()
    system.told += 1
    ref._queue.append("raced")  # told by a thread that has yet to put the ref into the run queue
    system.dispatcher.run_queue = Racy()
    other.tell("wakes the dispatcher")
    await turns()
    assert log == ["start", "raced"]
    await system.stop()


async def test_a_visit_without_cause_of_an_idle_actor_changes_nothing(system: ActorSystem) -> None:
    ref = system.spawn(Recorder)
    await ref.call("x")
    for _ in range(3):
        ref._schedule()
    await turns()
    assert ref._state == IDLE
    assert await ref.call("y") == "y"


async def test_a_cancelled_future_inside_a_handler_is_a_crash(system: ActorSystem) -> None:
    class Hopeful(Actor):
        async def on_receive(self, message: Any) -> None:
            await message

    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    ref = system.spawn(Hopeful)
    ref.tell(future)
    await asyncio.sleep(0)
    future.cancel()
    reason = await ref.ended()
    assert isinstance(reason, Crash) and isinstance(reason.error, asyncio.CancelledError)


async def test_a_kill_reaches_an_actor_that_waits(system: ActorSystem) -> None:
    ref = system.spawn(Waiter)
    ref.tell(Reply())
    await turns()
    ref.kill()
    assert await ref.ended() == "killed"


def test_keyboard_interrupt_crashes_the_actor_and_leaves_through_the_loop() -> None:
    class Interrupted(Actor):
        def on_receive(self, message: Any) -> None:
            raise KeyboardInterrupt

    async def main() -> None:
        system = ActorSystem(LoopDispatcher())
        system.on_crash(lambda ref, _crash, _text: crashed.append(ref.label))
        system.spawn(Interrupted).tell("now")
        await later(2.0)

    crashed: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert crashed == ["Interrupted"]


def test_a_dispatcher_made_before_its_loop_runs_works_and_a_closed_loop_is_no_error() -> None:
    loop = uvloop.new_event_loop()
    system = ActorSystem(LoopDispatcher(loop))
    ref = system.spawn(Recorder)

    async def main() -> Any:
        return await ref.call("hello")

    assert loop.run_until_complete(main()) == "hello"
    loop.run_until_complete(system.stop())
    loop.close()
    late = ActorSystem(LoopDispatcher(loop))
    late.spawn(Recorder).tell("into the void")
    assert late.counts()["queued"] == 1


async def test_a_crash_in_one_actor_leaves_the_others_alone(system: ActorSystem) -> None:
    bad, good = system.spawn(Recorder), system.spawn(Recorder)
    bad.tell(Boom())
    assert await good.call("x") == "x"
    assert not bad.is_alive()
