"""Messages that need not wait for a handler that waits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from actorchat.actor import Actor, ActorSystem, Down, LoopDispatcher, Mailbox, Reply, interleave
from actorchat.errors import ActorDead
from tests.unit.actor.cast import Boom, Narrow, Recorder, Waiter, World


@dataclass(frozen=True)
class Ping:
    """Interleaves; pauses when `until` is given, then does what `then` says."""

    number: int = 0
    until: Any = None
    then: str = ""


@interleave(Ping)
class Server(Recorder):
    """Waits for each Reply it is told, and answers Pings meanwhile."""

    async def on_receive(self, message: Any) -> Any:
        self.log.append(message)
        if isinstance(message, Ping):
            return await self.ping(message)
        if isinstance(message, Reply):
            try:
                result = await message
            except GeneratorExit:
                self.log.append("closed")
                raise
            self.log.append("done")
            return result
        return message

    async def ping(self, message: Ping) -> Any:
        if message.until is not None:
            try:
                await message.until
            except GeneratorExit:
                self.log.append(f"closed {message.number}")
                raise
        match message.then:
            case "stop":
                self.stop("asked")
            case "crash":
                raise Boom
            case "stash":
                self.stash()
            case "open":
                self.unstash_all()
        return message.number


def gate() -> Reply[Any]:
    return Reply()


def test_a_message_that_interleaves_is_answered_while_a_handler_waits() -> None:
    world, log, wait = World(), [], gate()
    ref = world.spawn(Server, log)
    answer = ref.call(wait)
    ref.tell("waits")
    pings = [ref.call(Ping(number)) for number in range(3)]
    world.run(until=0.0)
    assert [ping.result() for ping in pings] == [0, 1, 2]
    assert "waits" not in log and not answer.done()
    assert world.balance() == 0
    later = ref.call(Ping(3))
    world.run(until=0.0)
    assert later.result() == 3
    wait.settle("answer")
    world.run()
    assert answer.result() == "answer" and log[-2:] == ["done", "waits"]
    assert world.balance() == 0


def test_without_a_handler_that_waits_messages_keep_their_order() -> None:
    world, log = World(), []
    ref = world.spawn(Server, log)
    for message in (1, Ping(), 2, Ping(1)):
        ref.tell(message)
    world.run()
    assert log == ["start", 1, Ping(), 2, Ping(1)]


def test_several_interleaved_handlers_can_wait_and_shut_out_nobody() -> None:
    world, log, gates = World(), [], [gate() for _ in range(3)]
    ref = world.spawn(Server, log)
    pings = [ref.call(Ping(number, wait)) for number, wait in enumerate(gates)]
    plain = ref.call("plain")
    world.run(until=0.0)
    assert plain.result() == "plain" and not any(ping.done() for ping in pings)
    for number in (2, 0, 1):
        gates[number].settle(None)
        world.run(until=0.0)
        assert pings[number].result() == number
    assert world.balance() == 0


def test_interleaved_handlers_pause_and_go_on_inside_another_handlers_wait() -> None:
    world, log, wait, inner = World(), [], gate(), gate()
    ref = world.spawn(Server, log)
    ref.tell(wait)
    ping = ref.call(Ping(7, inner))
    world.run(until=0.0)
    assert not ping.done()
    inner.settle(None)
    world.run(until=0.0)
    assert ping.result() == 7 and "done" not in log
    wait.settle(None)
    world.run()
    assert log[-1] == "done" and world.balance() == 0


@pytest.mark.parametrize("end", ["kill", "crash", "main crash"])
def test_death_closes_all_handlers_and_ends_all_calls(end: str) -> None:
    world, log, wait = World(), [], gate()
    ref = world.spawn(Server, log)
    calls = [ref.call(wait), ref.call(Ping(1, gate())), ref.call(Ping(2, gate()))]
    world.run(until=0.0)
    left = ref.call("left")
    if end == "kill":
        ref.kill()
    elif end == "crash":
        ref.tell(Ping(3, then="crash"))
    else:
        wait.settle(None, Boom())
    world.run(until=0.0)
    assert all(isinstance(call.exception(), ActorDead) for call in [*calls, left])
    assert {"closed 1", "closed 2", ("discarded", "left")} < set(log)
    assert ("closed" in log) == (end != "main crash")
    assert (log[-1][0] == "stop") == (end != "kill")
    assert world.balance() == 0 and not ref.is_alive()


@pytest.mark.parametrize("how", ["stop", "Ping"])
def test_a_stop_waits_for_all_handlers_that_have_begun(how: str) -> None:
    world, log, wait, inner = World(), [], gate(), gate()
    ref = world.spawn(Server, log)
    main, ping = ref.call(wait), ref.call(Ping(1, inner))
    world.run(until=0.0)
    if how == "stop":
        ref.stop("asked")
    else:
        ref.tell(Ping(2, then="stop"))
        world.run(until=0.0)
    late = ref.call(Ping(3)) if how == "Ping" else None
    wait.settle("main")
    world.run(until=0.0)
    assert main.result() == "main" and not ref.is_alive() and not ref.ended().done()
    assert world.system.info(ref).state == "ending"
    inner.settle(None)
    world.run(until=0.0)
    assert ping.result() == 1 and ref.ended().result() == "asked"
    assert log[-1] == ("stop", "asked")
    assert late is None or isinstance(late.exception(), ActorDead)
    assert world.balance() == 0


def test_an_actor_that_waits_for_its_last_handlers_can_be_killed() -> None:
    world, log = World(), []
    ref = world.spawn(Server, log)
    ping = ref.call(Ping(1, gate()))
    ref.stop()
    world.run(until=0.0)
    assert not ref.ended().done()
    ref.kill()
    world.run(until=0.0)
    assert ref.ended().done() and isinstance(ping.exception(), ActorDead)
    assert world.balance() == 0


def test_nothing_interleaves_with_on_start_or_on_stop() -> None:
    @interleave(Ping)
    class Slow(Recorder):
        async def on_start(self) -> None:
            await self.sleep(1.0)
            self.log.append("started")

        async def on_stop(self, reason: object) -> None:
            await self.sleep(1.0)
            self.log.append("stopped")

    world, log = World(), []
    ref = world.spawn(Slow, log)
    ref.tell(Ping(1))
    world.run(until=0.5)
    assert log == []
    world.run(until=1.5)
    ref.stop()
    world.run(until=1.6)
    ref.tell(Ping(2))
    world.run()
    assert log == ["started", Ping(1), "stopped", ("discarded", Ping(2))]


def test_timers_downs_and_subclasses_are_judged_by_what_is_in_them() -> None:
    class Loud(Ping):
        pass

    @interleave(Down)
    class Mixed(Server):
        async def on_receive(self, message: Any) -> Any:
            if message == "begin":
                self.send_after(0.5, Ping(5))
                self.monitor(other)
                return None
            return await super().on_receive(message)

    world, log, wait = World(), [], gate()
    other = world.spawn(Recorder)
    ref = world.spawn(Mixed, log)
    ref.tell("begin")
    ref.tell(wait)
    ref.tell(Loud())
    other.stop()
    world.run()
    assert [type(entry) for entry in log[2:]] == [Down, Ping]
    assert Loud() not in log and Mixed.interleaves == {Down, Ping} and Server.interleaves == {Ping}
    wait.settle(None)
    world.run()
    assert type(log[-1]) is Loud


def test_a_long_mailbox_is_looked_at_once_however_often_handlers_wait() -> None:
    world, log = World(), []
    ref = world.spawn(Server, log)
    gates = [gate() for _ in range(20)]
    for wait in gates:
        ref.tell(wait)
    for number, wait in enumerate(gates):
        world.run(until=0.0)
        lap = ref._bonds.kit.overlap
        assert lap.scanned - ref._handled == len(ref._queue)  # all that waits was looked at
        ref.tell(Ping(number))
        world.run(until=0.0)
        assert log[-1] == Ping(number)
        wait.settle(None)
        world.dispatcher.run(lambda: ref._task is None)
        assert lap.scanned - ref._handled == len(ref._queue)  # and is not looked at again
    world.run()
    assert world.balance() == 0 and world.system.info(ref).queued == 0


def test_a_bounded_mailbox_that_drops_still_finds_what_interleaves() -> None:
    @interleave(Ping)
    class Bounded(Server):
        mailbox = Mailbox(limit=2, overflow="drop_old")

    world, log, wait = World(), [], gate()
    ref = world.spawn(Bounded, log)
    ref.tell(wait)
    world.run(until=0.0)
    for message in (1, 2):
        ref.tell(message)
    world.run(until=0.0)
    ref.tell(Ping(1))
    ref.tell(3)
    world.run(until=0.0)
    assert log[-1] == Ping(1)
    wait.settle(None)
    world.run()
    assert log[-2:] == ["done", 3] and world.balance() == 0


def test_an_interleaved_handler_can_put_aside_and_let_go() -> None:
    world, log, wait, inner = World(), [], gate(), gate()
    ref = world.spawn(Server, log)
    ref.tell(wait)
    first = ref.call(Ping(1, then="stash"))
    second = ref.call(Ping(2, inner, "stash"))
    world.run(until=0.0)
    assert world.system.info(ref).stashed == 1
    inner.settle(None)
    world.run(until=0.0)
    assert world.system.info(ref).stashed == 2 and world.balance() == 0
    ref.tell(Ping(3, then="open"))
    ref.tell("last")
    world.run(until=0.0)
    assert world.system.info(ref).stashed == 2  # back in the mailbox when the main one is done
    ref.stop()
    wait.settle(None)
    world.run(until=0.0)
    assert log.count(Ping(1, None, "stash")) == 2 and ("discarded", Ping(1, None, "stash")) in log
    assert isinstance(first.exception(), ActorDead) and isinstance(second.exception(), ActorDead)
    assert world.balance() == 0


def test_what_comes_back_is_looked_at_even_where_all_was_looked_at_before() -> None:
    @interleave(Ping)
    class Door(Server):
        is_open = False

        async def on_receive(self, message: Any) -> Any:
            if message == "open":
                self.is_open = True
                self.unstash_all()
            elif not self.is_open and message is not first:
                self.stash()
                return None
            return await super().on_receive(message)

    world, log, first, second = World(), [], gate(), gate()
    ref = world.spawn(Door, log)
    ref.tell(second)
    ref.tell(Ping(1))
    for message in (first, "open", 1, 2, 3):
        ref.tell(message)
    world.run(until=0.0)
    assert log == ["start", first]  # it waits, and the three behind it were looked at
    first.settle(None)
    world.run(until=0.0)
    assert log[-3:] == ["open", second, Ping(1)]
    second.settle(None)
    world.run()
    assert log[-4:] == ["done", 1, 2, 3] and world.balance() == 0


async def test_after_a_stop_nothing_that_interleaves_is_begun_in_the_same_visit() -> None:
    system, log, wait = ActorSystem(LoopDispatcher()), [], gate()
    ref = system.spawn(Server, log)
    main = ref.call(wait)
    await ref.started()
    while system.info(ref).state != "waiting":
        await asyncio.sleep(0)
    for number in range(4):
        ref.tell(Ping(number, then="stop" if number == 1 else ""))
    for _ in range(5):
        await asyncio.sleep(0)
    assert [entry.number for entry in log if isinstance(entry, Ping)] == [0, 1]
    counts = system.counts()
    assert counts["told"] == counts["handled"] + counts["dead"] + counts["queued"]
    wait.settle("main")
    assert await main == "main"
    await ref.ended()
    assert log[-3:] == [("discarded", Ping(2)), ("discarded", Ping(3)), ("stop", "asked")]
    await system.stop()


def test_an_interleaved_answer_can_be_put_off() -> None:
    @interleave(Ping)
    class Clerk(Waiter):
        async def on_receive(self, message: Any) -> Any:
            if isinstance(message, Ping):
                reply_to = self.defer()
                self.send_after(1.0, reply_to)
                return None
            if type(message).__name__ == "ReplyTo":
                message.reply("later")
                return None
            return await super().on_receive(message)

    world, wait = World(), gate()
    ref = world.spawn(Clerk)
    ref.tell(wait)
    ping = ref.call(Ping())
    world.run()
    assert ping.exception() is not None  # the timer's message has to wait: the deadline passed
    wait.settle(None)
    world.run()
    ping = ref.call(Ping())
    world.run()
    assert ping.result() == "later"


def test_a_trace_sees_what_interleaves() -> None:
    world, wait, seen = World(), gate(), []
    ref = world.spawn(Server)
    world.system.trace(lambda _ref, message, reply: seen.append((message, reply is not None)))
    ref.tell(wait)
    ref.call(Ping(1))
    world.run(until=0.0)
    assert (Ping(1), True) in seen


async def test_on_a_loop_with_real_futures_and_other_threads() -> None:
    @interleave(int)
    class Server(Actor):
        async def on_receive(self, message: Any) -> Any:
            if isinstance(message, int):
                await asyncio.sleep(0)
                return message
            return await asyncio.shield(message)

    system = ActorSystem(LoopDispatcher())
    ref = system.spawn(Server)
    wait: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    main = ref.call(wait)
    assert await asyncio.gather(*(ref.call(n) for n in range(200))) == list(range(200))
    blocking = [asyncio.to_thread(ref.call_blocking, number) for number in range(50)]
    assert await asyncio.gather(*blocking) == list(range(50))
    assert not main.done()
    wait.set_result("main")
    assert await main == "main"
    counts = system.counts()
    assert counts["told"] == counts["handled"] + counts["dead"] + counts["queued"]
    await system.stop()


def test_what_is_no_type_is_refused() -> None:
    for kinds in ((), ("Ping",)):
        with pytest.raises(TypeError):
            interleave(*kinds)  # type: ignore[arg-type]


def test_other_actors_have_no_overlap() -> None:
    world = World()
    ref = world.spawn(Narrow)
    world.run()
    assert ref._bonds is None
