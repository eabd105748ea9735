"""A fake keeps what it is sent, and otherwise looks like any ref."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.actor import KILLED, NORMAL, Actor, Down, DynamicSupervisor, Reply
from actorchat.errors import ActorDead, CallTimeout, NameTaken
from actorchat.testing.fake import Called, FakeRef, Spawned, StopAsked, Told
from actorchat.testing.rehearsal import SyncKit


class Asker(Actor):
    """Does to a ref what it is told: a method's name, and its arguments."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    async def on_receive(self, message: Any) -> Any:
        if isinstance(message, Down):
            self.heard.append(message)
            return None
        ref, name, *args = message
        if name == "monitor":
            return self.monitor(ref)
        result = getattr(ref, name)(*args)
        return await result if isinstance(result, Reply) else result


def test_fake_keeps_what_it_is_told() -> None:
    stage = SyncKit(Asker)
    bank = stage.ref()
    stage.tell((bank, "tell", 1))
    stage.tell((bank, "tell", 2))
    assert bank.told == [1, 2]
    assert bank.take() == [1, 2] and bank.told == []
    assert stage.effects == [Told(bank, 1), Told(bank, 2)]


def test_answer_goes_to_the_oldest_open_call_and_the_caller_goes_on() -> None:
    stage = SyncKit(Asker)
    bank = stage.ref("bank")
    reply = stage.start_call((bank, "call", "balance?"))
    assert bank.calls == ["balance?"] and stage.is_waiting
    assert stage.effects == [Called(bank, "balance?")]
    bank.answer(3)
    assert reply.result() == 3 and bank.calls == [] and not stage.is_waiting


def test_answer_can_be_an_error() -> None:
    stage = SyncKit(Asker)
    bank = stage.ref("bank")
    stage.start_call((bank, "call", "balance?"))
    with pytest.raises(KeyError, match="no such account"):
        bank.answer(error=KeyError("no such account"))
    assert not stage.lead.is_alive()


def test_answer_without_a_call_fails() -> None:
    bank = SyncKit(Asker).ref("bank")
    bank.tell("hi")
    with pytest.raises(AssertionError, match=r"no call waits .* of Fake 'bank'; told: \['hi'\]"):
        bank.answer(1)


def test_call_that_expired_waits_for_no_answer() -> None:
    stage = SyncKit(Asker)
    bank = stage.ref()
    stage.start_call((bank, "call", "balance?", 1.0))
    with pytest.raises(CallTimeout):
        stage.advance(1.0)
    assert bank.calls == []
    with pytest.raises(AssertionError, match="no call waits"):
        bank.answer(1)


def test_fake_with_an_answer_gives_it_at_once() -> None:
    stage = SyncKit(Asker)
    table = {"a": 1}
    bank = stage.ref("bank", answer=table.__getitem__)
    assert stage.call((bank, "call", "a")) == 1
    with pytest.raises(KeyError):
        stage.call((bank, "call", "b"))


def test_end_is_learnt_by_watchers_and_callers() -> None:
    stage = SyncKit(Asker)
    bank, other = stage.ref("bank"), stage.ref()
    mref = stage.call((bank, "monitor"))
    assert stage.watched == [bank]
    bank.end("bankrupt")
    bank.end("twice")
    assert stage.actor.heard == [Down(mref, bank, "bankrupt")]
    assert not bank.is_alive() and stage.system.names.whereis("bank") is None
    ended = stage.start_call((other, "ended"))
    other.end()
    assert ended.result() == NORMAL
    stage.start_call((stage.ref(), "call", "x"))
    with pytest.raises(ActorDead, match="bankrupt"):
        SyncKit(Asker).call((bank, "call", "x"))


def test_end_fails_the_calls_that_are_open() -> None:
    stage = SyncKit(Asker)
    bank = stage.ref("bank")
    stage.start_call((bank, "call", "x"))
    with pytest.raises(ActorDead):
        bank.end()


def test_started_is_said_at_once() -> None:
    stage = SyncKit(Asker)
    assert stage.call((stage.ref(), "started")) is None


def test_stop_is_the_tests_to_obey_and_kill_is_not() -> None:
    stage = SyncKit(Asker)
    one, two = stage.ref(), stage.ref()
    stage.call((two, "monitor"))
    stage.tell((one, "stop", "bye"))
    stage.tell((two, "kill"))
    assert stage.effects == [StopAsked(one, "bye"), StopAsked(two, KILLED)]
    assert one.is_alive() and not two.is_alive()
    assert stage.actor.heard[0].reason == KILLED


def test_fake_stands_for_a_supervisor_too() -> None:
    stage = SyncKit(Asker)
    sessions = stage.ref("sessions")
    child = stage.call((sessions, "spawn", Asker, 1))
    assert isinstance(child, FakeRef) and child.actor_class is Asker
    assert stage.effects == [Spawned(child, Asker, (1,))]
    sessions.end()
    with pytest.raises(ActorDead):
        stage.call((sessions, "spawn", Asker))


def test_real_supervisor_restarts_its_fake_children() -> None:
    stage = SyncKit(DynamicSupervisor, restart="permanent")
    stage.lead.spawn(Asker, name="asker")  # type: ignore[attr-defined]
    (first,) = stage.children
    with pytest.raises(NameTaken):
        stage.lead.spawn(Asker, name="asker")  # type: ignore[attr-defined]
    first.end("crash")
    first, second = stage.children
    assert stage.system.names.whereis("asker") is second
    assert list(stage.actor.children) == [second]


def test_fake_is_a_member_of_a_group_until_its_end() -> None:
    stage = SyncKit(Asker)
    bank = stage.ref("bank")
    groups = stage.system.groups
    groups.join("banks", bank)
    groups.tell("banks", "hello")
    assert bank.told == ["hello"]
    bank.end()
    assert groups.members("banks") == ()
