"""One actor is played inline, and all that it does is seen."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.actor import NORMAL, Actor, Crash, Mailbox, Reply
from actorchat.errors import ActorDead, MailboxFull
from actorchat.testing.fake import Called, Ended, Spawned, StopAsked, TimerCancelled, TimerSet, Told
from actorchat.testing.rehearsal import Pending, SyncKit


class Worker(Actor):
    """Never runs on a stage."""

    def __init__(self, number: int) -> None:
        raise AssertionError(number)


class Player(Actor):
    """Does with itself what it is told: a method's name, and its arguments."""

    def __init__(self, *first: Any) -> None:
        self.log: list[Any] = []
        for message in first:
            self.ref.tell(message)

    def on_start(self) -> None:
        self.log.append("start")

    async def on_receive(self, message: Any) -> Any:
        match message:
            case Exception():
                raise message
            case Reply() | float():
                waiting = self.sleep(message) if isinstance(message, float) else message
                self.log.append("waits")
                message = await waiting
            case ("tell", *messages):
                for each in messages:
                    self.ref.tell(each)
            case ("call", each):
                self.ref.call(each)
            case ("ref.stop",):
                self.ref.stop("later")
            case (name, *args):
                return getattr(self, name)(*args)
        self.log.append(message)
        return message

    def work(self, number: int, name: str | None = None) -> Any:
        return self.system.spawn(Worker, number, name=name)

    def on_stop(self, reason: object) -> None:
        self.log.append(("stop", reason))

    def discarded(self, message: Any) -> None:
        self.log.append(("discarded", message))


def test_handler_has_run_when_tell_returns() -> None:
    stage = SyncKit(Player)
    assert stage.actor.log == ["start"]
    stage.tell("a")
    assert stage.actor.log == ["start", "a"]
    assert stage.effects == []


def test_call_returns_the_answer() -> None:
    assert SyncKit(Player).call("a") == "a"


def test_what_it_tells_itself_is_seen_and_waits() -> None:
    stage = SyncKit(Player)
    stage.tell(("tell", "x", "y"))
    me = stage.lead
    assert stage.take_effects() == [Told(me, "x"), Told(me, "y")]
    assert stage.effects == [] and stage.waiting == ["x", "y"]
    assert stage.actor.log == ["start", ("tell", "x", "y")]
    stage.tell("z")  # what was told before comes first
    assert stage.actor.log[2:] == ["x", "y", "z"]


def test_run_handles_what_it_told_itself() -> None:
    stage = SyncKit(Player)
    stage.tell(("call", "x"))
    assert stage.effects == [Called(stage.lead, "x")]
    assert stage.waiting == ["x"]
    stage.run()
    assert stage.waiting == [] and stage.actor.log[-1] == "x"


def test_what_it_tells_itself_in_init_is_seen_too() -> None:
    stage = SyncKit(Player, "first")
    assert stage.effects == [Told(stage.lead, "first")] and stage.waiting == ["first"]
    stage.run()
    assert stage.actor.log == ["start", "first"]


def test_actor_that_never_rests_can_be_stepped() -> None:
    class Hog(Actor):
        count = 0

        def on_receive(self, message: Any) -> None:
            self.count += 1
            self.ref.tell(message)

    stage = SyncKit(Hog)
    stage.tell(1)
    stage.tell(2)
    assert stage.actor.count == 3  # 1, itself again, 2
    with pytest.raises(RuntimeError, match="still busy"):
        stage.run()


def test_timers_are_seen_and_fire_when_time_passes() -> None:
    stage = SyncKit(Player)
    stage.tell(("send_after", 2.0, "later", "key"))
    stage.tell(("send_after", 1.0, "sooner"))
    assert stage.effects == [TimerSet(2.0, "later", "key"), TimerSet(1.0, "sooner")]
    assert stage.timers == [Pending(1.0, "sooner"), Pending(2.0, "later", "key")]
    stage.advance(1.5)
    assert stage.actor.log == ["start", "sooner"] and stage.now_s() == 1.5
    assert stage.timers == [Pending(0.5, "later", "key")]
    stage.advance(0.5)
    assert stage.actor.log[-1] == "later" and stage.timers == []


def test_cancelled_and_replaced_timers_are_seen() -> None:
    stage = SyncKit(Player)
    stage.tell(("send_after", 1.0, "old", "key"))
    stage.tell(("send_after", 2.0, "new", "key"))
    assert stage.call(("cancel", "key")) is True
    assert stage.call(("cancel", "key")) is False
    assert stage.effects == [
        TimerSet(1.0, "old", "key"),
        TimerCancelled("old", "key"),
        TimerSet(2.0, "new", "key"),
        TimerCancelled("new", "key"),
    ]
    stage.advance(5.0)
    assert stage.actor.log == ["start"] and stage.timers == []


def test_children_are_fakes_that_the_test_can_end() -> None:
    stage = SyncKit(Player)
    child = stage.call(("work", 7, "seven"))
    assert stage.children == [child]
    assert stage.effects == [Spawned(child, Worker, (7,))]
    assert child.name == "seven" and stage.system.names.whereis("seven") is child
    stage.call(("monitor", child))
    child.end("done")
    assert stage.actor.log[-1].reason == "done"


def test_mailbox_is_shut_while_a_handler_waits() -> None:
    stage, answer = SyncKit(Player), Reply[Any]()
    stage.tell(answer)
    stage.tell("next")
    assert stage.is_waiting and stage.waiting == ["next"]
    stage.act(lambda: answer.settle("answer"))
    assert stage.actor.log == ["start", "waits", "answer", "next"]


def test_handler_that_goes_on_leaves_what_it_told_itself() -> None:
    class Slow(Actor):
        async def on_receive(self, message: Any) -> Any:
            self.ref.tell("more")
            return await message.call("?")

    stage = SyncKit(Slow)
    bank = stage.ref()
    reply = stage.start_call(bank)
    bank.answer("!")
    assert reply.result() == "!" and stage.waiting == ["more"]


def test_sleeping_handler_is_woken_by_time() -> None:
    stage = SyncKit(Player)
    reply = stage.start_call(2.0)
    stage.advance(1.0)
    assert not reply.done()
    stage.advance(1.0)
    assert reply.done() and stage.timers == []


def test_call_that_can_not_be_answered_yet_says_what_it_waits_for() -> None:
    class Teller(Actor):
        def __init__(self, bank: Any) -> None:
            self.bank = bank

        async def on_receive(self, message: Any) -> Any:
            return await self.bank.call(("balance", message))

    stage = SyncKit()
    bank = stage.ref("bank")
    stage.start(Teller, bank)
    with pytest.raises(AssertionError) as caught:
        stage.call("ann")
    text = r"Teller has no answer to 'ann' yet: it waits for answers of Fake 'bank' "
    assert str(caught.value) == text + "[('balance', 'ann')]"
    with pytest.raises(AssertionError, match="waits for time, or something unknown"):
        SyncKit(Player).call(1.0)


def test_error_of_a_handler_is_raised_and_ends_the_actor() -> None:
    stage = SyncKit(Player)
    with pytest.raises(KeyError) as caught:
        stage.tell(KeyError("x"))
    assert "in on_receive" in caught.value.__notes__[0]
    assert isinstance(stage.reason, Crash) and stage.effects == [Ended(stage.reason)]
    for deed in (stage.tell, stage.call):
        with pytest.raises(ActorDead):
            deed("more")


def test_error_in_init_or_on_start_is_raised() -> None:
    class Unborn(Player):
        def on_start(self) -> None:
            raise KeyError("on_start")

    with pytest.raises(KeyError, match="on_start"):
        SyncKit(Unborn)
    with pytest.raises(AssertionError, match="7"):
        SyncKit(Worker, 7)


def test_stop_discards_what_waits_and_runs_on_stop() -> None:
    stage = SyncKit(Player)
    stage.tell(("send_after", 1.0, "never"))
    stage.tell(("tell", "left"))
    stage.take_effects()
    assert stage.reason is None
    stage.tell(("stop", "enough"))
    assert stage.actor.log[-2:] == ["left", ("stop", "enough")]
    assert stage.reason == "enough"
    assert stage.effects == [Ended("enough")] and stage.timers == []


def test_stop_asked_by_the_test_or_by_itself_comes_after_what_waits() -> None:
    stage = SyncKit(Player)
    stage.tell(("tell", "last"))
    stage.take_effects()
    stage.stop()
    assert stage.actor.log[-2:] == ["last", ("stop", NORMAL)]
    assert stage.effects == [Ended(NORMAL)]
    stage = SyncKit(Player)
    stage.tell(("ref.stop",))
    assert stage.effects == [StopAsked(stage.lead, "later"), Ended("later")]


def test_full_mailbox_refuses_as_always() -> None:
    class Narrow(Player):
        mailbox = Mailbox(limit=1)

    stage = SyncKit(Narrow)
    stage.tell(("tell", "a"))
    with pytest.raises(MailboxFull):
        stage.tell("b")
    with pytest.raises(MailboxFull):
        SyncKit(Narrow).tell(("tell", "a", "b"))


def test_there_is_one_actor_on_a_stage() -> None:
    stage = SyncKit()
    with pytest.raises(RuntimeError, match="start an actor first"):
        stage.tell("a")
    stage.start(Player)
    with pytest.raises(RuntimeError, match="on this stage already"):
        stage.start(Player)


def test_handler_can_not_play_its_own_stage() -> None:
    class Meddler(Actor):
        async def on_receive(self, message: Any) -> Any:
            return await message.call("x")

    for meddle in ("tell", "call", "stop", "advance"):
        stage = SyncKit(Meddler)
        with pytest.raises(RuntimeError, match="played by the test"):
            stage.call(stage.ref(answer=getattr(stage, meddle)))


def test_nothing_of_a_stage_is_by_chance() -> None:
    assert SyncKit(Player).actor.rng.random() == SyncKit(Player).actor.rng.random()


def test_what_was_put_aside_is_handled_before_what_it_told_itself() -> None:
    class Door(Actor):
        def __init__(self) -> None:
            self.is_open = False
            self.log: list[Any] = []

        def on_receive(self, message: Any) -> None:
            if message == "open":
                self.is_open = True
                self.unstash_all()
                self.ref.tell("own")
            elif self.is_open:
                self.log.append(message)
            else:
                self.stash()

    stage = SyncKit(Door)
    stage.tell("a")
    reply = stage.start_call("b")
    assert stage.waiting == [] and not reply.done()
    stage.tell("open")
    assert stage.actor.log == ["a", "b"] and reply.done()
    assert stage.waiting == ["own"]
