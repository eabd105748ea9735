"""A kit runs a system and, at its end, lets nothing pass that should not be."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.actor import Actor, Crash
from actorchat.errors import ActorDead, CallTimeout
from actorchat.testing.kit import ActorTestKit, AsyncActorTestKit


class Boom(Exception):
    """What actors crash with here."""


class Echo(Actor):
    """Answers what it is sent; raises errors, sleeps numbers."""

    async def on_receive(self, message: Any) -> Any:
        if isinstance(message, Exception):
            raise message
        if isinstance(message, float):
            await self.sleep(message)
        return message


class SoreLoser(Echo):
    def on_stop(self, reason: object) -> None:
        raise Boom(reason)


def test_call_runs_until_the_answer_is_there() -> None:
    with ActorTestKit() as kit:
        ref = kit.spawn(Echo, name="echo")
        assert kit.call(ref, "a") == "a"
        assert kit.call(ref, 2.0) == 2.0
        assert kit.now_s() == 2.0
        with pytest.raises(CallTimeout):
            kit.call(ref, 2.0, timeout_s=1.0)
        assert kit.now_s() == 3.0


def test_reply_that_does_not_come_fails_with_the_seed() -> None:
    with ActorTestKit(seed=3) as kit:
        reply = kit.spawn(Echo).call(2.0)
        with pytest.raises(AssertionError, match=r"no answer within 1 s\n  seed=3"):
            kit.result(reply)
        assert kit.result(reply) == 2.0


def test_run_lets_no_time_pass_and_advance_lets_it() -> None:
    with ActorTestKit() as kit:
        ref = kit.spawn(Echo)
        ended = ref.ended()
        ref.tell(1.0)
        ref.stop()
        kit.run()
        assert kit.now_s() == 0.0 and not ended.done()
        kit.advance(1.0)
        assert kit.now_s() == 1.0 and ended.done()


def test_same_seed_plays_the_same_and_others_do_not() -> None:
    def play(seed: int) -> tuple[int, float]:
        with ActorTestKit(seed) as kit:
            for ref in [kit.spawn(Echo) for _ in range(5)]:
                for number in range(5):
                    ref.tell(number)
            kit.run()
            return kit.dispatcher.trace, kit.system.rng.random()

    assert play(1) == play(1)
    assert len({play(seed) for seed in range(5)}) == 5


def test_unexpected_crash_fails_the_end_with_its_traceback_and_the_seed() -> None:
    with pytest.raises(AssertionError) as caught:
        with ActorTestKit(seed=7, haste=0.1) as kit:
            kit.spawn(Echo, name="echo").tell(Boom("x"))  # handled at the end only
    text = str(caught.value)
    assert text.startswith("<ActorTestKit, seed=7, haste=0.1> found at its end:\n  Echo")
    assert "crashed with Boom: x" in text and "Traceback" in text


def test_crash_while_all_is_stopped_is_unexpected_too() -> None:
    with pytest.raises(AssertionError, match="SoreLoser crashed with Boom: shutdown"):
        with ActorTestKit() as kit:
            kit.spawn(SoreLoser)


def test_crash_that_is_expected_passes() -> None:
    with ActorTestKit() as kit:
        kit.expects_crash(Boom)
        for _ in range(2):
            ref = kit.spawn(Echo)
            with pytest.raises(ActorDead):
                kit.call(ref, Boom("x"))
        assert [crash.error.args for _, crash in kit.crashes] == [("x",), ("x",)]
        assert isinstance(kit.crashes[0][1], Crash)


@pytest.mark.parametrize(
    ("kind", "times", "crashes", "problem"),
    [
        (Boom, None, 0, "expected a crash with Boom; there were 0"),
        (KeyError, None, 1, "expected a crash with KeyError; there were 0"),
        (KeyError, None, 1, "Echo crashed with Boom: x"),
        (Boom, 2, 1, "expected a crash with Boom, 2 times; there were 1"),
        (Boom, 1, 2, "Echo crashed with Boom: x"),
    ],
)
def test_expected_crash_that_does_not_come_or_comes_too_often_fails(
    kind: type[Exception], times: int | None, crashes: int, problem: str
) -> None:
    kit = ActorTestKit()
    kit.expects_crash(kind, times)
    for _ in range(crashes):
        kit.spawn(Echo).tell(Boom("x"))
    with pytest.raises(AssertionError, match=problem):
        kit.close()


def test_wide_and_narrow_expectations_share_the_crashes() -> None:
    with ActorTestKit() as kit:
        kit.expects_crash(Exception, times=1)
        kit.expects_crash(Boom, times=1)
        for crash in (Boom("x"), KeyError("y")):
            kit.spawn(Echo).tell(crash)
    with ActorTestKit() as kit:
        kit.expects_crash(Exception)
        kit.expects_crash(Boom, times=1)
        for crash in (Boom("x"), Boom("y"), KeyError("z")):
            kit.spawn(Echo).tell(crash)


def test_books_that_do_not_balance_fail_the_end() -> None:
    with pytest.raises(AssertionError, match=r"accounts don't balance: told [0-9]+, but handled"):
        with ActorTestKit() as kit:
            kit.system.told += 1


def test_actors_that_never_rest_fail_the_end() -> None:
    class Hog(Actor):
        def on_receive(self, message: Any) -> None:
            self.ref.tell(message)

    kit = ActorTestKit()
    kit.spawn(Hog).tell(1)
    with pytest.raises(RuntimeError, match="still busy"):
        kit.close()


def test_error_of_the_test_itself_goes_through_with_notes() -> None:
    with pytest.raises(KeyError) as caught:
        with ActorTestKit(seed=7) as kit:
            kit.spawn(Echo).tell(Boom("x"))
            kit.run()
            raise KeyError("mine")
    crash, seed = caught.value.__notes__
    assert "crashed with Boom: x" in crash and seed == "seed=7"


def test_all_actors_have_ended_after_a_kit() -> None:
    with ActorTestKit() as kit:
        ref = kit.spawn(Echo)
        ref.tell(60.0)
    assert not ref.is_alive()
    assert kit.system.counts()["actors"] == 0


async def test_kit_on_a_loop_runs_and_stops() -> None:
    async with AsyncActorTestKit() as kit:
        ref = kit.spawn(Echo)
        assert await ref.call("a") == "a"
    assert not ref.is_alive()
    assert repr(kit) == "<AsyncActorTestKit>"


async def test_kit_on_a_loop_finds_crashes() -> None:
    with pytest.raises(AssertionError, match="Echo crashed with Boom: x"):
        async with AsyncActorTestKit() as kit:
            kit.spawn(Echo).tell(Boom("x"))
    async with AsyncActorTestKit() as kit:
        kit.expects_crash(Boom)
        kit.spawn(Echo).tell(Boom("x"))


async def test_kit_on_a_loop_stops_all_when_the_test_fails() -> None:
    with pytest.raises(KeyError) as caught:
        async with AsyncActorTestKit() as kit:
            ref, crashing = kit.spawn(Echo), kit.spawn(Echo)
            crashing.tell(Boom("x"))
            await crashing.ended()
            raise KeyError("mine")
    assert not ref.is_alive()
    assert "crashed with Boom: x" in caught.value.__notes__[0]
