"""What bots and hooks are told of messages with more than a text, and of what was done to them."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.protocol import jsontext, ops
from actorchat.protocol.ops.firehose import EventKind
from actorchat.store import keys, kinds
from tests.simulation.test_seams import (
    FILE,
    aged,
    assert_sound,
    delete,
    edit,
    make_group,
    react,
    say,
)
from tests.unit.broker.stage import Device, Stage

ALL: list[EventKind] = ["message", "change", "act"]


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob", "eve")
    return stage


def make_bot(stage: Stage, wanted: list[EventKind] = ALL) -> Device:
    ok = stage.operator().ask(lambda rid: ops.Bot(rid, "robot", "main", wanted))["ok"]
    bot = stage.connect()
    assert "ok" in bot.ask(lambda rid: ops.Hello(rid, 1, "robot", "main", "token", ok["token"]))
    return bot


def events(bot: Device, after: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = bot.ask(lambda rid: ops.Events(rid, after))["ok"]["events"]
    return found


def briefs(found: list[dict[str, Any]]) -> list[tuple[str, int, str]]:
    return [(one["kind"], one["seq"], one["body"]) for one in found]


@pytest.mark.parametrize("is_group", [False, True])
def test_each_record_is_one_event_and_whole(stage: Stage, is_group: bool) -> None:
    stage.add_file("ann", FILE)
    bot, ann, bob = make_bot(stage), stage.hello("ann"), stage.hello("bob")
    conv = make_group(ann, "bob") if is_group else "bob"
    shown = conv if is_group else "ann"
    first = say(ann, conv, "wrong")
    say(ann, conv, "look", kind="file", files=[FILE], mentions=["bob"], re=first)
    edit(ann, conv, first, "right")
    react(bob, shown, first)
    delete(ann, conv, first + 1)
    found = events(bot)[int(is_group) :]
    assert briefs(found) == [
        ("message", first, "right"),
        ("message", first + 1, ""),
        ("act", first + 2, "right"),
        ("act", first + 3, ""),
        ("act", first + 4, ""),
    ]
    assert [one["id"] for one in found] == list(range(1 + is_group, 6 + is_group))
    assert (found[0]["edited"], found[0]["reactions"]) == (first + 2, {"x": ["bob"]})
    assert found[1]["gone"] is True
    assert "extra" not in found[1]
    assert [one["act"]["kind"] for one in found[2:]] == ["edit", "react", "delete"]
    say(ann, conv, "look", kind="file", files=[FILE], mentions=["bob"], fwd=ops.Forwarded(1, "eve"))
    (last,) = events(bot, found[-1]["id"])
    assert last["extra"]["mentions"] == ["bob"]
    assert last["extra"]["files"][0]["hash"] == FILE.hash
    assert last["extra"]["fwd"] == {"hops": 1, "from": "eve"}
    assert jsontext.encode({"events": found})
    assert_sound(stage)


def test_acts_come_to_those_who_asked_for_them(stage: Stage) -> None:
    bot, ann = make_bot(stage, ["message"]), stage.hello("ann")
    say(ann, "bob", "one")
    edit(ann, "bob", 1, "two")
    assert briefs(events(bot)) == [("message", 1, "two")]
    bot = make_bot(stage, ["act"])
    react(ann, "bob", 1)
    assert [one["seq"] for one in events(bot)] == [2, 3]


def test_what_is_over_comes_without_its_text_before_and_after_it_is_buried(stage: Stage) -> None:
    bot, ann = make_bot(stage), stage.hello("ann")
    say(ann, "bob", "secret", expires_s=1)
    assert briefs(events(bot)) == [("message", 1, "secret")]
    log = stage.broker.context.firehose
    found = log.read(0, 1, 9, ["message"], stage.broker.context.clock.wall_ms() + 1_000)[1]
    assert [(one["body"], one["gone"]) for one in found] == [("", True)]
    stage.run(3.0)
    assert b"secret" not in dict(stage.rows("history")).popitem()[1]
    (only,) = events(bot)
    assert (only["id"], only["body"], only["gone"]) == (1, "", True)
    stage.crash()
    say(stage.hello("ann"), "bob", "next")
    assert [key for key, _ in stage.rows("state") if keys.parse_state_key(key)[1] == kinds.EVENT]
    assert_sound(stage)


def test_events_of_what_was_swept_are_passed_over() -> None:
    stage = aged()
    bot, ann = make_bot(stage), stage.hello("ann")
    say(ann, "bob", "old")
    stage.run(19.0)
    edit(ann, "bob", 1, "new")
    say(ann, "bob", "young")
    stage.run(8.0)
    found = events(bot)
    assert briefs(found) == [("act", 2, ""), ("message", 3, "young")]
    assert found[0]["gone"] is True
    assert_sound(stage)


def test_what_a_block_hides_is_an_event_all_the_same(stage: Stage) -> None:
    bot, ann, bob = make_bot(stage), stage.hello("ann"), stage.hello("bob")
    bob.ask(lambda rid: ops.Block(rid, "ann"))
    say(ann, "bob", "unseen", mentions=["bob"])
    (only,) = events(bot)
    assert (only["to"], only["extra"]["mentions"]) == ("bob", ["bob"])


def test_nobody_waits_for_a_bot_whose_account_is_gone(stage: Stage) -> None:
    bot, ann = make_bot(stage), stage.hello("ann")
    say(ann, "robot", "hi")
    context, robot = stage.broker.context, keys.user_key("robot")
    assert context.firehose.bots()
    log, tombs, rows = context.log, context.tombs, context.rows
    # As the sign-in desk ends an account.
    changes = [*tombs.new_rows("robot", 1), rows.no_account("robot")]
    log.append([*changes, rows.no_device("robot", "main")])
    stage.run()
    stage.crash()
    stage.run(5.0)
    assert bot
    context = stage.broker.context
    assert (context.firehose.bots(), context.firehose.places()) == ({}, {})
    assert context.log.committer._tap is None
    say(stage.hello("ann"), "bob", "unread")
    left = [key for key, _ in stage.rows("state") if key.startswith(robot)]
    assert [key[18:19] for key in left] == [kinds.GONE]
    assert_sound(stage)


def test_index_of_events_is_dense_where_acts_rewrite(stage: Stage) -> None:
    bot, ann = make_bot(stage), stage.hello("ann")
    for seq in range(1, 6, 2):
        say(ann, "bob", "text")
        edit(ann, "bob", seq, "new")
    found = events(bot)
    assert [one["id"] for one in found] == [1, 2, 3, 4, 5, 6]
