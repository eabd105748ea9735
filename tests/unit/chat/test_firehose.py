"""Who reads the firehose, and what each is told; the whole of it runs in `broker/test_firehose`."""

from __future__ import annotations

import pytest

from actorchat.chat.event import Answer, Refused
from actorchat.chat.firehose import Firehose
from actorchat.chat.firehose_event import (
    Advanced,
    DropEvents,
    DropHook,
    Found,
    Granted,
    HookRow,
    KeepHook,
    KeepPlace,
    Later,
    Open,
    Place,
    Posted,
    PostItems,
    Read,
    Say,
    TrimDue,
    WaitOver,
    Wanted,
)
from actorchat.limits import EVENTS_TRIM_S, HOOKS_MAX
from actorchat.protocol.ops.firehose import Events, Hook, Hooks
from actorchat.testing.playbook import Playbook
from tests.unit.chat.cast import Peer

URL, SECRET = "https://h/", "s" * 16
ADD = Hook(1, "audit", "add", URL, SECRET, ["message"])
ROW = HookRow("audit", URL, SECRET, ["message"], "active", 5)
TRIM = Later(EVENTS_TRIM_S, TrimDue())
SESSION = Peer("session")


def empty(head: int = 3) -> Firehose:
    return Firehose([], {}, head, 0, lambda: 0.0)


def test_positions_are_given_out_from_the_first_reader_to_the_last() -> None:
    machine = empty()
    assert machine.start() == []
    assert (
        Playbook(machine, now=5)
        >> Wanted(SESSION, "", ADD)
        << Open(True)
        << TRIM
        << KeepHook(ROW, Place(3), SESSION, 1)
        >> Granted("robot", ["change"])
        << KeepPlace("bot/robot", Place(3))
        >> Wanted(SESSION, "", Hook(2, "audit", "remove"))
        << DropHook("audit", SESSION, 2)
        >> Granted("robot", [])
        << Open(False)
        >> TrimDue()
    )


def test_news_reach_hooks_and_bots_that_wait() -> None:
    machine = Firehose([(ROW, Place(3))], {"robot": (["message"], Place(3))}, 3, 0, lambda: 0.0)
    assert machine.start() == [Open(True), TRIM]
    item: dict[str, object] = {"id": 4, "kind": "message"}
    page = {"events": [item], "position": 4, "head": 4}
    assert (
        Playbook(machine)
        >> Wanted(SESSION, "robot", Events(1, wait_ms=500))
        << Later(0.5, WaitOver("bot/robot", 1))
        >> Advanced(4)
        << Read("hook/audit", 3, 4, 100, ["message"])
        << Read("bot/robot", 3, 4, 100, ["message"])
        >> Found("hook/audit", 4, [item])
        << PostItems(1, "audit", URL, SECRET, [item], False)
        >> Found("bot/robot", 4, [item])
        << Say(SESSION, Answer(1, page))
        >> WaitOver("bot/robot", 1)
        >> TrimDue()
        << DropEvents(3)
        << TRIM
        >> Posted(1, 200, "")
        << KeepPlace("hook/audit", Place(4))
    )


def test_bot_that_asks_twice_gets_the_first_answer_empty() -> None:
    machine = Firehose([], {"robot": (["message"], Place(3))}, 3, 0, lambda: 0.0)
    machine.start()
    nothing = {"events": [], "position": 3, "head": 3}
    assert (
        Playbook(machine)
        >> Wanted(SESSION, "robot", Events(1, wait_ms=500))
        << Later(0.5, WaitOver("bot/robot", 1))
        >> Wanted(SESSION, "robot", Events(2))
        << Say(SESSION, Answer(1, nothing))
        << Say(SESSION, Answer(2, nothing))
    )


def test_bot_hears_that_it_missed_something() -> None:
    machine = Firehose([], {"robot": (["message"], Place(3))}, 9, 6, lambda: 0.0)
    machine.start()
    missed = {"events": [], "position": 9, "head": 9, "missed": True}
    assert (
        Playbook(machine)
        >> Wanted(SESSION, "robot", Events(1))
        << Read("bot/robot", 6, 9, 100, ["message"])
        >> Found("bot/robot", 9, [])
        << Say(SESSION, Answer(1, missed))
    )


def test_dead_hook_does_not_hold_events_back() -> None:
    dead = HookRow("old", URL, SECRET, ["message"], "dead", 5)
    machine = Firehose([(ROW, Place(8)), (dead, Place(1))], {}, 8, 0, lambda: 0.0)
    machine.start()
    assert Playbook(machine) >> TrimDue() << DropEvents(8) << TRIM


def test_hooks_are_bounded() -> None:
    machine = empty()
    for number in range(HOOKS_MAX):
        machine.handle(
            Wanted(SESSION, "", Hook(1, f"h{number}", "add", URL, SECRET, ["change"])), 0
        )
    (said,) = machine.handle(Wanted(SESSION, "", ADD), 0)
    assert isinstance(said, Say)
    assert isinstance(said.event, Refused)
    assert said.event.code == "too_many"
    (said,) = machine.handle(Wanted(SESSION, "", Hooks(1)), 0)
    assert isinstance(said, Say)
    assert isinstance(said.event, Answer)


def test_who_waits_is_told_when_the_machine_is_given_up() -> None:
    machine = Firehose([(ROW, Place(3))], {"robot": (["message"], Place(3))}, 3, 0, lambda: 0.0)
    machine.start()
    machine.handle(Wanted(SESSION, "robot", Events(1, wait_ms=500)), 0)
    machine.handle(Wanted(SESSION, "", Hook(2, "audit", "test")), 0)
    test, waiting = machine.abandon()
    assert isinstance(test, Say)
    assert isinstance(test.event, Refused)
    assert test.event.outcome == "unknown"
    assert waiting == Say(SESSION, Answer(1, {"events": [], "position": 3, "head": 3}))
    assert machine.abandon() == []


@pytest.mark.parametrize("user", ["", "ann"])
def test_nobody_without_a_grant_reads_events(user: str) -> None:
    (said,) = empty().handle(Wanted(SESSION, user, Events(1)), 0)
    assert isinstance(said, Say)
    assert isinstance(said.event, Refused)
    assert said.event.code == "forbidden"
