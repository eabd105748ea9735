"""A conversation whose home takes nothing more answers busy, and goes on from the log."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.errors import MailboxFull
from actorchat.protocol import ops
from actorchat.store.verify import verify
from tests.unit.broker.stage import Stage


class FullHome:
    """The place of a home, of which some kinds of events find the mailbox full, some times."""

    def __init__(self, place: Any, **times: int) -> None:
        self._place = place
        self._times = times
        self.refused: list[str] = []

    def tell(self, event: object) -> None:
        kind = type(event).__name__
        if self._times.get(kind, 0):
            self._times[kind] -= 1
            self.refused.append(kind)
            raise MailboxFull
        self._place.tell(event)


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob")
    return stage


def fill(stage: Stage, **times: int) -> FullHome:
    """Have the home of ann refuse what her conversation with bob tells it."""
    actor = stage.broker.context.router.conversation(("ann", "bob")).ref()._actor
    full = actor._home = FullHome(actor._home, **times)
    return full


@pytest.mark.parametrize(("sender", "to"), [("ann", "bob"), ("bob", "ann")])
@pytest.mark.parametrize("times", [{"Record": 1}, {"Record": 2, "Join": 3}])
def test_post_that_the_home_does_not_take_is_busy_and_can_be_sent_again(
    stage: Stage, sender: str, to: str, times: dict[str, int]
) -> None:
    writer, reader = stage.hello(sender), stage.hello(to)
    writer.send(to, "1")
    full = fill(stage, **times)
    cid = stage.new_cid()
    for _ in range(times["Record"]):
        err = writer.send(to, "2", cid)["err"]
        assert (err["code"], err["outcome"]) == ("busy", "none")
        stage.run(2.0)
    assert writer.send(to, "2", cid)["ok"]["seq"] == 2
    assert writer.send(to, "3")["ok"]["seq"] == 3
    stage.run(2.0)
    assert len(full.refused) == sum(times.values())
    assert reader.bodies == ["1", "2", "3"]
    assert stage.rows("outbox") == []
    assert verify(stage.engine).is_sound
    assert stage.crashes == []


def test_what_comes_while_the_home_is_full_waits_in_order(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    bob.send("ann", "1")
    fill(stage, Record=1, Join=2)
    first = bob.start(lambda rid: ops.Send(rid, "ann", stage.new_cid(), "lost"))
    others = [
        bob.start(lambda rid, n=n: ops.Send(rid, "ann", stage.new_cid(), f"{n}")) for n in (2, 3)
    ]
    stage.run(3.0)
    assert bob.connection.replies[first]["err"]["code"] == "busy"
    assert [bob.connection.replies[rid]["ok"]["seq"] for rid in others] == [2, 3]
    assert ann.bodies == ["1", "2", "3"]
    assert stage.crashes == []


def test_repeat_that_is_not_taken_says_that_nothing_is_known(stage: Stage) -> None:
    bob, cid = stage.hello("bob"), stage.new_cid()
    bob.send("ann", "1", cid)
    fill(stage, Repeat=1)
    assert bob.send("ann", "1", cid)["err"]["outcome"] == "unknown"
    assert bob.send("ann", "1", cid)["ok"] == {**bob.send("ann", "1", cid)["ok"], "dup": True}


def test_questions_and_deliveries_that_are_not_taken_come_again(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    ann.send("bob", "1")
    full = fill(stage, Relay=3)
    ann.send("bob", "2")
    stage.run(10.0)
    assert full.refused == ["Relay"] * 3
    assert bob.bodies == ["1", "2"]
    assert stage.rows("outbox") == []
    assert stage.crashes == []
