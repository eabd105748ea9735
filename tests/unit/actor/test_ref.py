"""Tell, call, stop and kill, as their callers see them."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.actor import KILLED, NORMAL, SHUTDOWN, Crash, Reply
from actorchat.errors import ActorDead, CallTimeout, MailboxFull
from tests.unit.actor.cast import Boom, Narrow, Recorder, Waiter, World


def test_messages_told_before_the_start_are_handled_after_it_in_order() -> None:
    world, log = World(), []
    ref = world.spawn(Recorder, log)
    for number in range(100):
        ref.tell(number)
    world.run()
    assert log == ["start", *range(100)]


def test_call_returns_what_the_handler_returns() -> None:
    world = World()
    assert world.ask(world.spawn(Recorder), "hello") == "hello"


def test_call_returns_what_a_coroutine_handler_returns() -> None:
    world = World()
    assert world.ask(world.spawn(Waiter), "hello") == "hello"


def test_call_that_is_not_answered_in_time_times_out_and_the_late_answer_is_dropped() -> None:
    world, log = World(), []
    never: Reply[str] = Reply()
    ref = world.spawn(Waiter, log)
    reply = ref.call(never, timeout_s=2.0)
    world.run(until=1.9)
    assert not reply.done()
    world.run(until=2.0)
    with pytest.raises(CallTimeout, match="within 2 s"):
        reply.result()
    never.settle("late")
    world.run()
    assert log[-1] == "late"
    with pytest.raises(CallTimeout):
        reply.result()


def test_call_ends_early_when_the_callee_dies_before_it_came_to_the_message() -> None:
    world = World()
    ref = world.spawn(Recorder)
    ref.tell("stop")
    reply = ref.call("too late")
    world.run(until=0.0)
    with pytest.raises(ActorDead) as caught:
        reply.result()
    assert caught.value.reason == NORMAL


def test_call_of_a_dead_actor_fails_with_its_reason() -> None:
    world = World()
    ref = world.spawn(Recorder)
    ref.stop(SHUTDOWN)
    world.run()
    with pytest.raises(ActorDead) as caught:
        ref.call("anybody?").result()
    assert caught.value.reason == SHUTDOWN


def test_a_crash_in_a_call_ends_the_actor_and_the_caller_learns_why() -> None:
    world = World()
    ref = world.spawn(Recorder)
    reply = ref.call(Boom("x"))
    world.run()
    assert not ref.is_alive()
    with pytest.raises(ActorDead) as caught:
        reply.result()
    assert isinstance(caught.value.reason, Crash)
    assert isinstance(caught.value.reason.error, Boom)


def test_a_crash_in_a_tell_ends_the_actor() -> None:
    world, log = World(), []
    ref = world.spawn(Recorder, log)
    ref.tell(Boom("x"))
    ref.tell("left")
    world.run()
    assert not ref.is_alive()
    assert log[1] == ("discarded", "left")
    assert [str(crash) for _, crash in world.crashes] == ["Boom: x"]


def test_stop_takes_its_place_among_the_messages() -> None:
    world, log = World(), []
    ref = world.spawn(Recorder, log)
    ref.tell(1)
    ref.stop("enough")
    ref.tell(2)
    world.run()
    assert log == ["start", 1, ("discarded", 2), ("stop", "enough")]


def test_stopping_twice_keeps_the_first_reason() -> None:
    world, log = World(), []
    ref = world.spawn(Recorder, log)
    ref.stop("first")
    ref.stop("second")
    world.run()
    ref.stop("third")
    world.run()
    assert log == ["start", ("stop", "first")]
    assert world.balance() == 0


def test_kill_closes_the_waiting_handler_without_on_stop() -> None:
    world, log = World(), []
    ref = world.spawn(Waiter, log)
    reply = ref.call(Reply())
    ref.tell("left")
    world.run(until=0.0)
    ref.kill()
    world.run(until=0.0)
    assert log == ["start", "waits", ("discarded", "left")]
    with pytest.raises(ActorDead) as caught:
        reply.result()
    assert caught.value.reason == KILLED


def test_a_full_mailbox_refuses_tells_and_calls() -> None:
    world, log = World(), []
    ref = world.spawn(Narrow, log)
    ref.tell(1)
    ref.tell(2)
    with pytest.raises(MailboxFull, match="2 messages"):
        ref.tell(3)
    with pytest.raises(MailboxFull):
        ref.call(4).result()
    world.run()
    assert log == ["start", 1, 2]
    assert world.system.counts()["refused"] == 2
    assert world.balance() == 0


def test_a_full_mailbox_still_takes_a_stop() -> None:
    world, log = World(), []
    ref = world.spawn(Narrow, log)
    ref.tell(1)
    ref.tell(2)
    ref.stop()
    world.run()
    assert log == ["start", 1, 2, ("stop", NORMAL)]


def test_started_waits_for_on_start_and_fails_with_it() -> None:
    class Unlucky(Recorder):
        async def on_start(self) -> None:
            await self.sleep(1.0)
            raise Boom

    world = World()
    good, bad = world.spawn(Recorder), world.spawn(Unlucky)
    begun, failed = good.started(), bad.started()
    assert not begun.done()
    world.run(until=0.5)
    assert begun.result() is None and good.started().result() is None
    assert not failed.done() and bad.started() is failed
    world.run()
    with pytest.raises(ActorDead):
        failed.result()
    with pytest.raises(ActorDead):
        bad.started().result()


def test_ended_gives_the_reason_before_and_after_the_end() -> None:
    world = World()
    ref = world.spawn(Recorder)
    before = ref.ended()
    world.run()
    assert not before.done()
    ref.stop("bye")
    world.run()
    assert before.result() == "bye" == ref.ended().result()


def test_a_blocking_call_in_the_actors_own_thread_is_refused() -> None:
    world = World()
    with pytest.raises(RuntimeError, match="this very thread"):
        world.spawn(Recorder).call_blocking("x")


def test_label_has_class_and_name_and_urns_are_unique() -> None:
    world = World()
    one, two = world.spawn(Recorder, name="one"), world.spawn(Recorder)
    assert (str(one), repr(two)) == ("Recorder 'one'", "<Recorder>")
    assert one.actor_urn == one.actor_urn != two.actor_urn


def test_call_without_any_time_to_wait_times_out() -> None:
    world = World()
    reply = world.spawn(Waiter).call(Reply(), timeout_s=0.0)
    world.run()
    with pytest.raises(CallTimeout):
        reply.result()


def test_call_that_was_answered_leaves_nothing_to_wait_for() -> None:
    world = World()
    world.ask(world.spawn(Recorder), "hello", timeout_s=5.0)
    world.run()
    assert world.dispatcher.now_s() == 0.0


@pytest.mark.parametrize("is_ready", [False, True])
@pytest.mark.parametrize("way", ["tell", "call", "stop"])
def test_an_actor_visited_just_before_a_message_lies_there_is_visited_again(
    way: str, is_ready: bool
) -> None:
    class Racy(list[Any]):
        """The dispatcher's thread has time for all its visits just before an item is put in."""

        def append(self, item: Any) -> None:
            world.run()
            super().append(item)

    world, log = World(), []
    ref = world.spawn(Recorder, log)
    world.run()
    ref._queue = Racy()
    if is_ready:
        ref._schedule()  # as after the message before, which that visit has taken
    {"tell": ref.tell, "call": ref.call, "stop": ref.stop}[way]("now")
    world.run(until=1.0)
    assert log == ["start", ("stop", "now") if way == "stop" else "now"]
