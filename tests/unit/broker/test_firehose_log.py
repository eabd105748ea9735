"""Events come back as they were stored, in pages that fit a frame; old ones are dropped."""

from __future__ import annotations

import pytest

from actorchat.broker.firehose_log import FirehoseLog
from actorchat.chat.firehose_event import HookRow, Place
from actorchat.errors import StoreCorrupt
from actorchat.limits import EVENTS_PAGE_BYTES_MAX
from actorchat.protocol import ops
from actorchat.store import keys, kinds
from tests.unit.broker.stage import Stage

KINDS = ["message"]


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob")
    log = stage.broker.context.firehose
    log.begin(lambda: None)
    stage.broker.context.log.committer.tap(log.tap)
    return stage


def firehose(stage: Stage) -> FirehoseLog:
    stage.broker.context.log.apply()
    return stage.broker.context.firehose


def dropped(stage: Stage, upto: int, before_wall_ms: float) -> int | None:
    found = firehose(stage).drop_range(upto, before_wall_ms)
    if found is None:
        return None
    stage.broker.context.log.delete_range(*found[1])
    stage.broker.context.log.apply()
    return found[0]


def test_pages_end_at_the_limit_and_go_on_behind_it(stage: Stage) -> None:
    ann = stage.hello("ann")
    for body in "abcde":
        ann.send("bob", body)
    log = firehose(stage)
    assert log.head == log.last() == 5
    upto, items = log.read(0, 5, 2, KINDS)
    assert (upto, [item["body"] for item in items]) == (2, ["a", "b"])
    upto, items = log.read(2, 4, 9, KINDS)
    assert (upto, [item["id"] for item in items]) == (4, [3, 4])
    assert log.read(0, 5, 9, ["change"]) == (5, [])


def test_pages_end_where_they_would_be_too_long(stage: Stage) -> None:
    ann = stage.hello("ann")
    for _ in range(4):
        ann.send("bob", "x" * 60_000)
    upto, items = firehose(stage).read(0, 4, 100, KINDS)
    assert upto == len(items) == 2
    assert 2 * 60_000 < EVENTS_PAGE_BYTES_MAX < 3 * 60_000


def test_record_that_is_kept_no_more_is_passed_over(stage: Stage) -> None:
    ann = stage.hello("ann")
    for body in "ab":
        ann.send("bob", body)
    history = stage.engine.family("history")
    key = keys.history_key(keys.conversation_key("ann", "bob"), 1)
    stage.broker.context.log.append(((history, key, None),))
    upto, items = firehose(stage).read(0, 2, 9, KINDS)
    assert (upto, [item["body"] for item in items]) == (2, ["b"])


def test_row_that_is_no_record_stops_nobody(stage: Stage) -> None:
    history = stage.engine.family("history")
    conversation = keys.conversation_key("ann", "eve")
    for seq, record in enumerate((b"\xff", b"\xa0", b"\xa1\x64from\x63ann"), 1):
        row = (history, keys.history_key(conversation, seq), keys.pack_history(1, record))
        stage.broker.context.log.append((row,))
    stage.run()
    stage.hello("ann").send("bob", "after")
    upto, items = firehose(stage).read(0, 9, 9, KINDS)
    assert (upto, [item["body"] for item in items if "body" in item]) == (9, ["after"])
    assert dropped(stage, 0, 1.0) is None  # the last has a time of its own


def test_last_event_is_never_dropped(stage: Stage) -> None:
    ann = stage.hello("ann")
    for body in "abc":
        ann.send("bob", body)
    assert dropped(stage, 1, 0) == 1
    assert firehose(stage).first() == 2
    assert dropped(stage, 1, 0) is None
    assert dropped(stage, 0, float("inf")) == 2
    assert (firehose(stage).first(), firehose(stage).last()) == (3, 3)
    assert dropped(stage, 99, float("inf")) is None


def test_event_whose_record_is_gone_takes_no_younger_ones_with_it(stage: Stage) -> None:
    ann = stage.hello("ann")
    for body in "abc":
        ann.send("bob", body)
    history = stage.engine.family("history")
    key = keys.history_key(keys.conversation_key("ann", "bob"), 3)
    stage.broker.context.log.append(((history, key, None),))
    assert dropped(stage, 0, 1.0) is None
    assert dropped(stage, 0, float("inf")) == 2


def test_news_are_told_once_until_they_are_taken(stage: Stage) -> None:
    told: list[int] = []
    log = stage.broker.context.firehose
    log.begin(lambda: told.append(log.head))
    ann = stage.hello("ann")
    ann.send("bob", "a")
    ann.send("bob", "b")
    assert told == [1]
    assert log.take() == 2
    ann.send("bob", "c")
    assert told == [1, 3]


def test_readers_come_back_as_they_were_kept(stage: Stage) -> None:
    log = stage.broker.context.firehose
    row = HookRow("audit", "https://h/", "s" * 16, KINDS, "paused", 7)
    place = Place(3, 4, 5, "status 500")
    stage.broker.context.log.append((*log.hook_rows(row, place), *log.grant_rows("robot", KINDS)))
    assert firehose(stage).hooks() == [(row, place)]
    assert log.bots() == {"robot": (KINDS, Place(3))}  # it begins where the node stands
    stage.broker.context.log.append((*log.no_hook("audit"), *log.grant_rows("robot", [])))
    assert firehose(stage).hooks() == []
    assert (log.bots(), log.places()) == ({}, {})


def test_row_of_a_reader_that_makes_no_sense_is_damage(stage: Stage) -> None:
    state = stage.engine.family("state")
    key = keys.NODE_OWNER + kinds.EVENT_PLACE + b"hook/audit"
    stage.broker.context.log.append(((state, key, b"\xa1"),))
    with pytest.raises(StoreCorrupt):
        firehose(stage).places()


def test_mark_before_reactions_that_are_aside_is_nobodys_name(stage: Stage) -> None:
    log = stage.broker.context.firehose
    log.begin(lambda: None)
    ann, bob = stage.hello("ann"), stage.hello("bob")
    ann.send("bob", "a")
    ann.ask(lambda rid: ops.React(rid, "bob", b"1" * 16, 1, "+"))
    ann.ask(lambda rid: ops.Block(rid, "bob"))
    bob.ask(lambda rid: ops.React(rid, "ann", b"2" * 16, 1, "+"))
    _, (event, *_) = log.read(0, 1, 10, ["message"])
    assert event["reactions"] == {"+": ["ann"]}
