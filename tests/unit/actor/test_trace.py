"""Somebody looks on while messages are handled, and nobody else notices."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from actorchat.actor import (
    Actor,
    ActorSystem,
    Down,
    DynamicSupervisor,
    LoopDispatcher,
    Reply,
    SeededDispatcher,
    interleave,
)
from actorchat.actor.mailbox import Stop
from actorchat.actor.monitor import ChildExit
from tests.unit.actor.cast import Boom, Clocked, Recorder, Waiter, Watcher, World

Seen = list[tuple[Any, Any]]


def tracing(system: ActorSystem) -> Seen:
    seen: Seen = []
    system.trace(lambda ref, message, _reply: seen.append((ref, message)))
    return seen


def messages_of(seen: Seen, ref: object) -> list[Any]:
    return [message for one, message in seen if one is ref]


def test_each_message_is_seen_once_and_before_it_is_handled() -> None:
    world = World()
    log: list[Any] = []
    ref = world.spawn(Recorder, log)
    world.run()
    world.system.trace(lambda _ref, message, _reply: log.append(("seen", message)))
    for number in range(3):
        ref.tell(number)
    world.run()
    assert log == ["start", ("seen", 0), 0, ("seen", 1), 1, ("seen", 2), 2]


def test_a_call_is_seen_with_its_reply() -> None:
    world = World()
    ref = world.spawn(Recorder)
    seen: list[Any] = []
    world.system.trace(lambda _ref, message, reply: seen.append((message, reply)))
    reply = ref.call("question")
    ref.tell("remark")
    world.run()
    assert seen == [("question", reply), ("remark", None)]
    assert reply.result() == "question"


def test_what_the_runtime_tells_is_seen_as_it_is_handled_or_not_at_all() -> None:
    world = World()
    watcher, clocked, mortal = (world.spawn(cls) for cls in (Watcher, Clocked, Recorder))
    world.ask(watcher, mortal)
    taken_back = world.ask(watcher, clocked)
    world.ask(clocked, ("set", 1.0, "rings", "k"))
    world.ask(clocked, ("set", 1.0, "silent", "l"))
    seen = tracing(world.system)
    clocked.tell(("cancel", "l"))
    watcher.tell(taken_back)
    mortal.stop()
    world.run()
    assert [type(message) for message in messages_of(seen, mortal)] == [Stop]
    assert [type(m) for m in messages_of(seen, watcher)] == [int, Down]
    assert messages_of(seen, clocked) == [("cancel", "l"), "rings"]


def test_a_signal_that_came_to_nothing_in_the_mailbox_is_not_seen() -> None:
    world = World()
    watcher, clocked, mortal = (world.spawn(cls) for cls in (Watcher, Clocked, Recorder))
    mref = world.ask(watcher, mortal)
    world.ask(clocked, ("set", 1.0, "late", "k"))
    shut: Reply[None] = Reply()
    watcher.tell(shut)
    clocked.tell(shut)
    world.run(until=0.5)
    watcher.tell(mref)
    clocked.tell(("cancel", "k"))
    mortal.stop()
    world.run(until=2.0)  # the Down and the timer lie behind what takes them back
    seen = tracing(world.system)
    shut.settle(None)
    world.run()
    assert messages_of(seen, watcher) == [mref]
    assert messages_of(seen, clocked) == [("cancel", "k")]


def test_messages_behind_a_suspended_handler_are_seen_when_it_is_over() -> None:
    world = World()
    ref = world.spawn(Waiter)
    pause: Reply[str] = Reply()
    ref.tell(pause)
    world.run()
    seen = tracing(world.system)
    ref.tell("behind")
    world.run()
    assert seen == []
    pause.settle("over")
    world.run()
    assert messages_of(seen, ref) == ["behind"]
    assert ref._actor.log[-2:] == ["over", "behind"]


def test_a_message_that_interleaves_is_seen_and_the_wake_up_of_its_handler_is_not() -> None:
    @interleave(str)
    class Open(Actor):
        async def on_receive(self, message: Any) -> Any:
            return await message if isinstance(message, Reply) else await self.sleep(1.0)

    world = World()
    ref = world.spawn(Open)
    pause: Reply[None] = Reply()
    seen = tracing(world.system)
    for message in (pause, 5, "between"):
        ref.tell(message)
    world.run(until=5.0)
    assert messages_of(seen, ref) == [pause, "between"]
    pause.settle(None)
    world.run()
    assert messages_of(seen, ref) == [pause, "between", 5]


def test_a_first_message_is_seen_though_the_visit_starts_the_actor() -> None:
    world = World()
    seen = tracing(world.system)
    ref = world.spawn(Recorder)
    ref.tell("first")
    world.run()
    assert messages_of(seen, ref) == ["first"]


def test_messages_that_are_left_at_an_end_are_not_seen() -> None:
    world = World()
    log: list[Any] = []
    ref = world.spawn(Recorder, log)
    seen = tracing(world.system)
    for message in ("stop", "left"):
        ref.tell(message)
    world.run()
    assert messages_of(seen, ref) == ["stop"]
    assert ("discarded", "left") in log


@pytest.mark.parametrize("seed", range(5))
def test_a_trace_does_not_change_a_seeded_schedule(seed: int) -> None:
    def play(is_traced: bool) -> tuple[int, int, list[Any]]:
        world, log = World(seed), []
        if is_traced:
            tracing(world.system)
        refs = [world.spawn(Recorder, log) for _ in range(3)]
        for number in range(20):
            refs[number % 3].tell(number)
        world.run()
        return world.dispatcher.trace, world.dispatcher.steps, log

    assert play(is_traced=True) == play(is_traced=False)


class Chain(Actor):
    """Tells itself and the next, so that turns, visits and batches matter."""

    def __init__(self, log: list[Any], name: str) -> None:
        self.log = log
        self.name = name
        self.next: Any = None

    def on_receive(self, message: int) -> None:
        self.log.append((self.name, message))
        if message % 7 == 3:
            self.ref.tell(message + 1)
        if self.next is not None and message % 5 == 2:
            self.next.tell(message * 10)


async def run_chain(is_traced: bool) -> tuple[list[Any], dict[str, int]]:
    system = ActorSystem(LoopDispatcher(visit_max=4))
    log: list[Any] = []
    refs = [system.spawn(Chain, log, name) for name in "abc"]
    for ref, following in pairwise(refs):
        ref._actor.next = following
    await asyncio.sleep(0)
    if is_traced:
        tracing(system)
    for number in range(30):
        refs[number % 2].tell(number)
    while any(ref._queue for ref in refs):
        await asyncio.sleep(0)
    counts = system.counts()
    await system.stop()
    return log, counts


async def test_a_trace_does_not_change_the_order_on_a_loop() -> None:
    assert await run_chain(is_traced=True) == await run_chain(is_traced=False)


async def test_a_traced_visit_costs_as_many_messages_as_another() -> None:
    dispatcher = LoopDispatcher(visit_max=4)
    system = ActorSystem(dispatcher)
    ref = system.spawn(Recorder)
    await asyncio.sleep(0)
    plain = dispatcher.drain
    tracing(system)
    for count, cost in ((0, 1), (1, 1), (3, 4), (9, 5)):
        for drain in (plain, dispatcher.drain):
            ref._queue[:] = range(count)
            assert drain(ref) == cost
            ref._queue.clear()
    dispatcher.run_queue.clear()
    dispatcher.awake = False
    ref._state = 0
    assert dispatcher.visit_max == 4
    await system.stop()


async def test_pinned_threads_are_traced_too_old_and_new() -> None:
    system = ActorSystem(LoopDispatcher())
    old = system.spawn(Recorder, dispatcher=system.pinned("old"))
    seen = tracing(system)
    new = system.spawn(Recorder, dispatcher=system.pinned("new"))
    for ref in (old, new):
        assert await ref.call("hello") == "hello"
    assert messages_of(seen, old) == messages_of(seen, new) == ["hello"]
    await system.stop()


def test_a_dispatcher_that_comes_later_is_traced() -> None:
    world, other = World(), SeededDispatcher(0)
    seen = tracing(world.system)
    ref = world.spawn(Recorder, dispatcher=other)
    ref.tell("there")
    other.run()
    assert messages_of(seen, ref) == ["there"]


def test_a_system_on_a_shared_dispatcher_sees_only_its_own() -> None:
    world = World()
    neighbour = ActorSystem(world.dispatcher)
    ours, theirs = world.spawn(Recorder), neighbour.spawn(Recorder)
    seen, seen_there = tracing(world.system), tracing(neighbour)
    world.system.trace(None)
    for ref in (ours, theirs):
        ref.tell("hello")
    world.run()
    assert (seen, seen_there) == ([], [(theirs, "hello")])


def test_a_dispatcher_is_as_it_was_when_nobody_looks_on_any_more() -> None:
    world = World()
    before = dict(vars(world.dispatcher))
    tracing(world.system)
    assert "drain" in vars(world.dispatcher)
    tracing(world.system)
    world.system.trace(None)
    world.system.trace(None)
    assert vars(world.dispatcher).keys() == before.keys()


def test_a_new_trace_takes_the_place_of_the_old() -> None:
    world = World()
    ref = world.spawn(Recorder)
    old, new = tracing(world.system), tracing(world.system)
    ref.tell("hello")
    world.run()
    assert (old, new) == ([], [(ref, "hello")])


def test_a_trace_can_end_itself_in_the_middle_of_a_batch() -> None:
    world = World()
    world.dispatcher.visit_max = 10
    ref = world.spawn(Recorder)
    world.run()
    seen: list[Any] = []

    def once(_ref: object, message: Any, _reply: object) -> None:
        seen.append(message)
        world.system.trace(None)

    world.system.trace(once)
    for number in range(5):
        ref.tell(number)
    world.run()
    assert seen == [0]
    assert ref._actor.log == ["start", 0, 1, 2, 3, 4]


def test_a_trace_that_raises_is_taken_off_and_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    ref = world.spawn(Recorder)
    calls: list[Any] = []

    def fail(*args: Any) -> None:
        calls.append(args)
        raise Boom("looking")

    world.system.trace(fail)
    for number in range(3):
        ref.tell(number)
    world.run()
    assert ref._actor.log == ["start", 0, 1, 2]
    assert len(calls) == 1 and world.crashes == []
    assert caplog.text.count("trace failed and was taken off") == 1
    assert "drain" not in vars(world.dispatcher)
    assert world.balance() == 0


def test_a_trace_that_failed_does_not_take_off_the_one_it_set(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    ref = world.spawn(Recorder)
    seen: list[Any] = []

    def replace(*_: Any) -> None:
        world.system.trace(lambda _ref, message, _reply: seen.append(message))
        raise Boom

    world.system.trace(replace)
    ref.tell("first")
    ref.tell("second")
    world.run()
    assert seen == ["second"]
    assert "trace failed" in caplog.text


def test_an_interrupt_in_a_trace_leaves_by_the_dispatcher_and_the_message_is_handled() -> None:
    world = World()
    ref = world.spawn(Recorder)
    world.run()

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    world.system.trace(interrupt)
    ref.tell("kept")
    with pytest.raises(KeyboardInterrupt):
        world.run()
    world.run()
    assert ref._actor.log == ["start", "kept"]


@pytest.mark.parametrize("wrong", [5, "fn"])
def test_what_can_not_be_called_is_no_trace(wrong: Any) -> None:
    world = World()
    with pytest.raises(TypeError, match="plain function"):
        world.system.trace(wrong)


def test_a_coroutine_function_is_no_trace() -> None:
    async def fn(*_: Any) -> None: ...

    world = World()
    with pytest.raises(TypeError, match="plain function"):
        world.system.trace(fn)


def test_the_end_of_a_child_is_seen_by_its_supervisor() -> None:
    world = World()
    pool = world.spawn(DynamicSupervisor, "permanent")
    child = pool.spawn(Recorder)
    world.run()
    seen = tracing(world.system)
    child.tell(Boom())
    world.run()
    (told,) = messages_of(seen, pool)
    assert isinstance(told, ChildExit) and told.child is child
