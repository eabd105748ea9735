"""Each expectation of a probe holds when it should and fails, with its reasons, when not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actorchat.actor import NOPROC, NORMAL, Actor, ActorSystem, Down, LoopDispatcher, Ref
from actorchat.errors import ActorDead, CallTimeout
from actorchat.testing.kit import ActorTestKit, AsyncActorTestKit
from actorchat.testing.probe import Probe, run_until


class Clockwork(Actor):
    """Tells `listener` each message of `plan` at its time."""

    def __init__(self, listener: Ref, plan: list[tuple[float, Any]]) -> None:
        self.listener = listener
        self.plan = plan

    def on_start(self) -> None:
        for delay_s, message in self.plan:
            self.send_after(delay_s, message)

    def on_receive(self, message: Any) -> None:
        if message == "stop":
            self.stop("bye")
        else:
            self.listener.tell(message)


def scene(*plan: tuple[float, Any]) -> tuple[ActorTestKit, Probe]:
    kit = ActorTestKit(seed=7)
    probe = kit.probe("bank")
    kit.spawn(Clockwork, probe.ref, list(plan))
    return kit, probe


def lines(caught: pytest.ExceptionInfo[AssertionError]) -> list[str]:
    return str(caught.value).splitlines()


def test_expect_takes_messages_in_order_and_time_goes_no_further() -> None:
    kit, probe = scene((0.5, "a"), (0.5, 2), (0.9, "c"))
    assert probe.expect("a") == "a"
    assert kit.now_s() == 0.5
    assert probe.expect(int) == 2
    assert probe.expect(lambda m: m > "b") == "c"
    assert kit.now_s() == 0.9


def test_what_comes_in_the_last_moment_still_counts() -> None:
    _, probe = scene((1.0, "a"))
    assert probe.expect("a", within_s=1.0) == "a"


def test_expect_fails_at_once_when_another_message_comes() -> None:
    kit, probe = scene((0.25, "a"), (0.25, "b"))
    kit.advance(0.25)
    with pytest.raises(AssertionError) as caught:
        probe.expect("z")
    assert lines(caught)[0] == "probe 'bank' expected 'z' within 1 s"
    assert lines(caught)[3] == "  seed=7"
    came, left = lines(caught)[1:3]
    assert {came.split()[2], left.split()[4]} == {"'a'", "'b'"}
    assert kit.now_s() == 0.25


def test_expect_fails_when_its_time_is_over() -> None:
    kit, probe = scene((1.5, "late"))
    with pytest.raises(AssertionError) as caught:
        probe.expect("late", within_s=1.0)
    assert lines(caught)[1:3] == ["  came instead: nothing", "  left in the mailbox: nothing"]
    assert kit.now_s() == 1.0
    assert probe.expect("late", within_s=0.5) == "late"


def test_expect_all_takes_any_order_and_returns_that_wanted() -> None:
    _, probe = scene((0.1, "b"), (0.2, 1), (0.3, "a"), (0.4, "rest"))
    assert probe.expect_all("a", int, "b") == ["a", 1, "b"]
    assert probe.left == []
    assert probe.expect("rest")


def test_expect_all_fails_when_one_is_missing_or_another_comes() -> None:
    _, probe = scene((0.1, "b"), (1.5, "x"))
    with pytest.raises(AssertionError, match=r"any order: 'a', 'b' within 1 s\n.*instead: 'b'"):
        probe.expect_all("a", "b")
    with pytest.raises(AssertionError, match=r"came instead: 'x'"):
        probe.expect_all("a", "b")


def test_expect_no_message_lets_time_pass() -> None:
    kit, probe = scene((0.5, "a"))
    probe.expect_no_message(for_s=0.4)
    assert kit.now_s() == 0.4
    with pytest.raises(AssertionError, match=r"expected no message within 0.1 s\n.*: 'a' \(at 0.5"):
        probe.expect_no_message(for_s=0.1)


def test_expect_no_message_fails_on_one_that_waits() -> None:
    kit, probe = scene((0.0, "a"))
    kit.run()
    assert probe.left == ["a"]
    with pytest.raises(AssertionError, match="expected no message"):
        probe.expect_no_message(for_s=0.0)


def test_fish_for_lets_others_go() -> None:
    _, probe = scene((0.1, 1), (0.2, 2), (0.3, 30), (0.4, 4))
    assert probe.fish_for(lambda m: m > 10) == 30
    with pytest.raises(AssertionError, match=r"expected 5 among others .*\n.*instead: 4"):
        probe.fish_for(5)


def test_receive_n_takes_so_many() -> None:
    _, probe = scene((0.1, 1), (0.2, 2), (0.3, 3))
    assert probe.receive_n(2) == [1, 2]
    with pytest.raises(AssertionError, match=r"expected 2 messages .*\n.*instead: 3 "):
        probe.receive_n(2)


def test_down_is_expected_with_its_reason() -> None:
    kit, probe = scene()
    target = kit.spawn(Clockwork, probe.ref, [(0.5, "last words"), (0.6, "stop")])
    mref = probe.watch(target)
    probe.expect("last words")
    assert probe.expect_down(target, "bye") == Down(mref, target, "bye")
    assert probe.expect_down(target).reason == NOPROC  # watched anew, and dead by now


def test_expect_down_watches_by_itself() -> None:
    kit, probe = scene()
    target = kit.spawn(Clockwork, probe.ref, [(0.5, "stop")])
    assert probe.expect_down(target).reason == "bye"


def test_expect_down_fails_when_another_ends_or_the_reason_differs_or_nobody_ends() -> None:
    kit, probe = scene()
    one, two, three = (
        kit.spawn(Clockwork, probe.ref, [(at_s, "stop")]) for at_s in (0.1, 0.2, 9.0)
    )
    probe.watch(one)
    with pytest.raises(AssertionError, match=r"the Down of Clockwork within .*\n.*Down\(mref="):
        probe.expect_down(three)
    with pytest.raises(AssertionError, match="the Down of Clockwork for 'normal' within"):
        probe.expect_down(two, NORMAL)
    with pytest.raises(AssertionError, match="came instead: nothing"):
        probe.expect_down(three)


def test_calls_are_answered_when_the_test_says_so_the_last_first() -> None:
    kit, probe = scene()
    first, second = probe.ref.call("one"), probe.ref.call("two")
    probe.receive_n(2)
    probe.ref.tell("the mailbox is open meanwhile")
    probe.expect(str)
    assert probe.reply(2) and probe.reply(error=KeyError("no"))
    assert kit.result(second) == 2
    with pytest.raises(KeyError):
        kit.result(first)


def test_answer_that_comes_too_late_is_known_to_be() -> None:
    kit, probe = scene()
    reply = probe.ref.call("one", timeout_s=0.5)
    probe.expect("one")
    kit.advance(0.5)
    assert probe.reply(1) is False
    with pytest.raises(CallTimeout):
        kit.result(reply)


def test_reply_without_a_call_fails() -> None:
    kit, probe = scene()
    with pytest.raises(AssertionError, match="probe 'bank' has taken no call that waits"):
        probe.reply(1)
    probe.ref.call("one")
    kit.run()
    with pytest.raises(AssertionError, match="; 'one' waits to be expected first"):
        probe.reply(1)


def test_calls_of_a_probe_that_ends_fail_and_it_watches_nobody_any_more() -> None:
    kit, probe = scene()
    taken = probe.ref.call("one")
    probe.expect("one")
    probe.ref.stop()
    left = probe.ref.call("two")
    kit.run()
    late = probe.ref.call("three")
    for reply in (taken, left, late):
        with pytest.raises(ActorDead):
            kit.result(reply)
    with pytest.raises(ActorDead):
        probe.watch(probe.ref)
    kit.close()


def test_probe_is_found_under_its_name_and_told_so() -> None:
    kit, probe = scene()
    assert kit.system.names.whereis("bank") is probe.ref
    assert repr(probe) == "<probe 'bank'>"
    assert repr(kit.probe()) == "<probe 2>"


def test_run_until_ends_when_done_even_if_that_raises() -> None:
    kit, _ = scene((0.5, "a"))

    def fail() -> bool:
        raise KeyError("no")

    with pytest.raises(KeyError):
        run_until(kit.dispatcher, fail, 1.0)
    assert run_until(kit.dispatcher, lambda: kit.now_s() >= 0.5, 1.0)
    assert not run_until(kit.dispatcher, lambda: False, 0.25)
    kit.dispatcher.run()
    assert kit.now_s() == 0.75  # no alarm of an earlier run is left


async def test_probe_refuses_a_loop() -> None:
    system = ActorSystem(LoopDispatcher())
    with pytest.raises(TypeError, match="use an AsyncProbe"):
        Probe(system, "probe")
    await system.stop()


async def test_awaited_expectations_hold_on_a_loop() -> None:
    async with AsyncActorTestKit() as kit:
        probe = kit.probe("bank")
        ref = kit.spawn(Clockwork, probe.ref, [])
        for message in ("a", 1, 2, "b", "c"):
            ref.tell(message)
        assert await probe.expect("a") == "a"
        assert await probe.expect_all(2, 1) == [2, 1]
        assert await probe.fish_for("c") == "c"
        await probe.expect_no_message(for_s=0.001)
        reply = probe.ref.call("ask")
        assert await probe.receive_n(1) == ["ask"]
        probe.reply("answer")
        assert await reply == "answer"
        ref.tell("stop")
        assert (await probe.expect_down(ref)).reason == "bye"


async def test_awaited_expectations_fail_on_a_loop() -> None:
    async with AsyncActorTestKit() as kit:
        probe = kit.probe("bank")
        with pytest.raises(AssertionError, match=r"expected 1 within 0 s\n.*instead: nothing"):
            await probe.expect(1, within_s=0.0)
        with pytest.raises(AssertionError, match=r"expected 1 among others within 0.001 s"):
            await probe.fish_for(1, within_s=0.001)
        probe.ref.tell("a")
        probe.ref.tell("b")
        with pytest.raises(AssertionError, match=r"instead: 'a' .*\n.*mailbox: 'b' "):
            await probe.expect(1)
        with pytest.raises(AssertionError, match="expected no message"):
            await probe.expect_no_message()


async def test_message_that_comes_with_the_timeout_still_counts() -> None:
    async with AsyncActorTestKit() as kit:
        probe = kit.probe()
        await probe.ref.started()
        probe.ref.tell(1)
        assert await probe.expect(1, within_s=0.0) == 1


async def test_timeout_of_a_function_that_judges_is_its_own() -> None:
    def late(message: Any) -> bool:
        raise TimeoutError(message)

    async with AsyncActorTestKit() as kit:
        probe = kit.probe()
        waiting = asyncio.ensure_future(probe.expect(late))
        await asyncio.sleep(0)
        probe.ref.tell("mine")
        with pytest.raises(TimeoutError, match="mine"):
            await waiting
