"""What was done to a message later reaches nobody whom it is not for, whatever they ask."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.ids import group_address
from actorchat.protocol import ops
from actorchat.protocol.ops.group import Add, AnyChange, Create, Remove
from actorchat.store.index import TextIndex, has_fts5
from actorchat.store.verify import verify
from tests.unit.broker.stage import Device, Stage

GROUP = group_address(bytes(16))
LONG = "x" * 700  # is pointed to, so that it is read from history when somebody comes


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob", "cid")
    return stage


def edit(peer: Device, conv: str, seq: int, body: str, cid: bytes = b"e" * 16) -> dict[str, Any]:
    return peer.ask(lambda rid: ops.Edit(rid, conv, cid, seq, body))


def react(peer: Device, conv: str, seq: int, emoji: str) -> dict[str, Any]:
    cid = emoji.encode()[:1] * 16
    return peer.ask(lambda rid: ops.React(rid, conv, cid, seq, emoji))


def block(peer: Device, user: str, on: bool = True) -> None:
    assert peer.ask(lambda rid: ops.Block(rid, user, on))["ok"] == {}


def change(peer: Device, what: AnyChange, cid: bytes) -> dict[str, Any]:
    return peer.ask(lambda rid: ops.Change(rid, GROUP, cid, what))


def history(peer: Device, conv: str, **how: Any) -> list[dict[str, Any]]:
    reply = peer.ask(lambda rid: ops.History(rid, conv, **how))
    return list(reply["ok"]["events"])


def bodies(peer: Device, conv: str, **how: Any) -> list[str]:
    return [record["body"] for record in history(peer, conv, **how)]


# -- blocks ----------------------------------------------------------------------------------------
def test_edit_by_who_is_blocked_is_seen_by_themselves_alone(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    bob.send("ann", "before")
    block(ann, "bob")
    assert "ok" in edit(bob, "ann", 1, "insult")
    assert bodies(bob, "ann") == ["insult", "insult"]
    assert history(bob, "ann")[1]["act"] == {"kind": "edit", "ref": 1}
    (shown,) = history(ann, "bob")
    assert (shown["body"], shown["gone"]) == ("", True)
    block(ann, "bob", on=False)
    assert bodies(ann, "bob") == [""]
    assert ann.bodies == ["before"]


def test_reaction_of_who_is_blocked_is_seen_by_themselves_alone(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    ann.send("bob", "hello")
    assert "ok" in react(bob, "ann", 1, "+")
    block(ann, "bob")
    assert "ok" in react(bob, "ann", 1, "-")
    assert history(bob, "ann")[0]["reactions"] == {"+": ["bob"], "-": ["bob"]}
    assert history(ann, "bob")[0]["reactions"] == {"+": ["bob"]}
    block(ann, "bob", on=False)
    assert history(ann, "bob")[0]["reactions"] == {"+": ["bob"]}
    bob.ask(lambda rid: ops.React(rid, "ann", b"z" * 16, 1, "-"))
    assert history(ann, "bob")[0]["reactions"] == {"+": ["bob"], "-": ["bob"]}


def test_what_is_more_than_a_text_stays_so_under_a_block(stage: Stage) -> None:
    ann, bob, laptop = stage.hello("ann"), stage.hello("bob"), stage.hello("bob", "laptop")
    ann.send("bob", "hello")
    block(ann, "bob")
    extra = ops.Extra(re=1)
    reply = bob.ask(lambda rid: ops.Send(rid, "ann", b"c" * 16, "why", extra))
    again = bob.ask(lambda rid: ops.Send(rid, "ann", b"c" * 16, "why", extra))
    assert again["ok"] == reply["ok"] | {"dup": True}
    stage.crash()
    bob = stage.hello("bob")
    again = bob.ask(lambda rid: ops.Send(rid, "ann", b"c" * 16, "why", extra))
    assert again["ok"] == reply["ok"] | {"dup": True}
    assert history(bob, "ann")[-1]["extra"] == {"re": 1}
    assert laptop.messages[-1]["msg"]["extra"] == {"re": 1}


def test_refused_act_changes_nothing_with_the_next_one_either(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    ann.send("bob", "hello")
    block(ann, "bob")
    assert edit(ann, "bob", 1, "canary")["err"]["code"] == "blocked"
    block(ann, "bob", on=False)
    assert "ok" in react(bob, "ann", 1, "+")
    assert bodies(bob, "ann") == ["hello", ""]


def test_marks_of_who_is_blocked_are_not_pushed(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    ann.send("bob", "hello")
    block(ann, "bob")
    stage.run(1.0)
    before = len(ann.marks)
    bob.tell(ops.Mark("ann", 1))
    stage.run(1.0)
    assert len(ann.marks) == before


# -- groups ----------------------------------------------------------------------------------------
def test_former_member_is_told_of_no_edit_that_came_later(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    change(ann, Create("g", ["bob"]), bytes(16))
    bob.leave()
    ann.send(GROUP, LONG, b"1" * 16)
    ann.send(GROUP, LONG, b"2" * 16)
    change(ann, Remove("bob"), b"r" * 16)
    edit(ann, GROUP, 2, "canary" + LONG)
    react(ann, GROUP, 3, "canary")
    got = [push["msg"] for push in stage.hello("bob").messages]
    assert [record["seq"] for record in got] == [1, 2, 3, 4]
    assert got[1]["gone"] and got[1]["body"] == ""
    assert got[2]["body"] == LONG and "reactions" not in got[2]


def test_edit_that_was_for_a_former_member_says_nothing_of_a_later_one(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    change(ann, Create("g", ["bob"]), bytes(16))
    bob.leave()
    ann.send(GROUP, "one")
    edit(ann, GROUP, 2, "two")
    change(ann, Remove("bob"), b"r" * 16)
    edit(ann, GROUP, 2, "canary", b"f" * 16)
    got = [push["msg"]["body"] for push in stage.hello("bob").messages]
    assert "canary" not in got


@pytest.mark.parametrize("inline_max", [1, 256])
def test_who_owes_nothing_gets_an_edit_again_after_a_crash(inline_max: int) -> None:
    stage = Stage(group_inline_max=inline_max)
    stage.add_users("ann", "bob", "cid")
    ann = stage.hello("ann")
    change(ann, Create("g", ["bob", "cid"]), bytes(16))
    stage.syncer.is_held = True  # nothing is told before it is synced
    for op in (
        ops.Send(1, GROUP, b"1" * 16, LONG),
        ops.Change(2, GROUP, b"r" * 16, Remove("bob")),
        ops.Edit(3, GROUP, b"e" * 16, 2, "canary"),
    ):
        ann.tell(op)
        stage.run(0.1)
    stage.broker.context.log.apply()
    stage.engine.sync()
    stage.crash()
    stage.run(10.0)
    bob = [push["msg"] for push in stage.hello("bob").messages]
    assert [record["seq"] for record in bob] == [1, 2, 3]
    assert "canary" not in str(bob)
    cid = [push["msg"] for push in stage.hello("cid").messages]
    assert [record["body"] for record in cid][1::2] == ["canary", "canary"]


def test_who_came_later_reads_nothing_around_what_was_before(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    change(ann, Create("g"), bytes(16))
    ann.send(GROUP, "canary")
    change(ann, Add(["bob"]), b"a" * 16)
    ann.send(GROUP, "hello")
    for around in (0, 1, 2, 3, 4, 9):
        assert bodies(bob, GROUP, around=around) == ["", "hello"], around
    assert bodies(ann, GROUP, around=2) == ["", "canary", "", "hello"]


def test_big_group_shows_nothing_that_is_gone_to_who_comes_later() -> None:
    stage = Stage(group_inline_max=1)
    stage.add_users("ann", "bob", "cid")
    ann, bob = stage.hello("ann"), stage.hello("bob")
    change(ann, Create("g", ["bob", "cid"]), bytes(16))
    ann.send(GROUP, "one")
    ann.send(GROUP, "two")
    stage.run(1.0)
    assert bob.bodies == ["", "one", "two"]
    bob.ask(lambda rid: ops.Delete(rid, GROUP, b"d" * 16, [2], scope="me"))
    edit(ann, GROUP, 3, "three")
    stage.run(1.0)
    bob.leave()
    again = [push["msg"] for push in stage.hello("bob").messages]
    assert [record["body"] for record in again] == ["", "", "three", "three"]
    assert again[1]["hidden"]


def test_list_of_conversations_shows_an_act_of_a_group(stage: Stage) -> None:
    ann = stage.hello("ann")
    change(ann, Create("g", ["bob"]), bytes(16))
    ann.send(GROUP, "one")
    edit(ann, GROUP, 2, "two")
    (shown,) = ann.ask(ops.Conversations)["ok"]["conversations"]
    assert (shown["conv"], shown["last"]["body"]) == (GROUP, "two")
    ann.send(GROUP, "three")
    ann.ask(lambda rid: ops.Delete(rid, GROUP, b"d" * 16, [4], scope="me"))
    (shown,) = ann.ask(ops.Conversations)["ok"]["conversations"]
    assert shown["last"]["hidden"]
    assert stage.crashes == []
    assert verify(stage.engine).problems == []


@pytest.mark.skipif(not has_fts5(), reason="this SQLite has no FTS5")
def test_search_of_who_is_not_in_a_group_says_nothing_of_its_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("actorchat.broker.search.SEARCH_FEED_PAGES", 1)
    monkeypatch.setattr("actorchat.broker.search.SEARCH_FEED_ROWS", 1)
    stage = Stage()
    stage.index = TextIndex(None)
    stage.start()
    stage.add_users("ann", "cid")
    ann, cid = stage.hello("ann"), stage.hello("cid")
    change(ann, Create("g"), bytes(16))
    for _ in range(3):
        ann.send(GROUP, "canary")
    asked = cid.ask(lambda rid: ops.Search(rid, "canary", conv=GROUP))
    assert asked["ok"] == {"hits": [], "partial": False}


def test_message_from_before_a_group_was_big_is_as_it_is_now() -> None:
    stage = Stage(group_inline_max=2)
    stage.add_users("ann", "bob", "cid")
    ann, bob = stage.hello("ann"), stage.hello("bob")
    change(ann, Create("g", ["bob"]), bytes(16))
    bob.leave()
    ann.send(GROUP, "canary")
    ann.send(GROUP, "stays")
    change(ann, Add(["cid"]), b"a" * 16)
    ann.ask(lambda rid: ops.Delete(rid, GROUP, b"d" * 16, [2]))
    stage.run(1.0)
    got = [push["msg"] for push in stage.hello("bob").messages]
    assert [record["body"] for record in got] == ["", "", "stays", "", ""]
    assert got[1]["gone"]
