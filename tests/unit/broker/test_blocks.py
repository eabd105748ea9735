"""Blocks in a whole broker: who is blocked can't tell, and who blocks hears nothing."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.errors import StoreFull
from actorchat.ids import group_address
from actorchat.protocol import ops
from actorchat.protocol.ops.group import Add, Create
from actorchat.store import keys, kinds
from actorchat.store.memory import Fault
from actorchat.store.verify import verify
from tests.unit.broker.stage import Device, Stage

BOTH = pytest.mark.parametrize(("ann", "bob"), [("ann", "bob"), ("bob", "ann")])


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob", "eve")
    return stage


def block(device: Device, user: str, on: bool = True) -> dict[str, Any]:
    return device.ask(lambda rid: ops.Block(rid, user, on))


def history(device: Device, conv: str, **bounds: Any) -> dict[str, Any]:
    ok: dict[str, Any] = device.ask(lambda rid: ops.History(rid, conv, **bounds))["ok"]
    return ok


def bodies(page: dict[str, Any]) -> list[str]:
    return [event["body"] for event in page["events"]]


def listed(device: Device) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = device.ask(ops.Conversations)["ok"]["conversations"]
    return found


@BOTH
def test_who_is_blocked_sees_acks_and_who_blocks_sees_nothing(
    stage: Stage, ann: str, bob: str
) -> None:
    blocker, sender = stage.hello(ann), stage.hello(bob)
    sender.send(ann, "before")
    assert block(blocker, bob)["ok"] == {}
    cid = stage.new_cid()
    assert sender.send(ann, "during", cid)["ok"]["seq"] == 2
    assert sender.send(ann, "during", cid)["ok"]["dup"]
    assert block(blocker, bob, on=False)["ok"] == {}
    assert sender.send(ann, "after")["ok"]["seq"] == 3
    stage.run(2.0)
    assert blocker.bodies == ["before", "after"]
    assert bodies(history(blocker, bob)) == ["before", "after"]
    assert bodies(history(sender, ann)) == ["before", "during", "after"]
    stage.crash()
    again = stage.hello(ann, resume=0)
    stage.run(1.0)
    assert bodies(history(again, bob)) == ["before", "after"]
    assert verify(stage.engine).is_sound
    assert stage.crashes == []


@BOTH
def test_lists_pages_and_heads_end_before_the_block(stage: Stage, ann: str, bob: str) -> None:
    blocker, sender = stage.hello(ann), stage.hello(bob)
    for body in "12":
        sender.send(ann, body)
    block(blocker, bob)
    for body in "3456":
        sender.send(ann, body)
    (line,) = listed(blocker)
    assert (line["head"], line["unread"], line["last"]["body"]) == (2, 2, "2")
    (line,) = listed(sender)
    assert (line["head"], line["last"]["body"]) == (6, "6")
    page = history(blocker, bob, limit=1)
    assert (bodies(page), page["head"], page["more"]) == (["2"], 2, True)
    block(blocker, bob, on=False)
    sender.send(ann, "7")
    page = history(blocker, bob, after=1, limit=1)
    assert (bodies(page), page["more"]) == (["2"], True)
    page = history(blocker, bob, after=2, limit=1)
    assert (bodies(page), page["more"], page["head"]) == (["7"], False, 7)
    page = history(blocker, bob, before=7, limit=5)
    assert (bodies(page), page["more"]) == (["1", "2"], False)
    (line,) = listed(blocker)
    assert (line["head"], line["unread"]) == (7, 3)


def test_first_message_under_a_block_makes_no_conversation(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    block(ann, "bob")
    assert "ok" in bob.send("ann", "hello?")
    assert listed(ann) == []
    assert [line["conv"] for line in listed(bob)] == ["ann"]
    page = history(ann, "bob")
    assert (page["events"], page["head"], page["more"]) == ([], 0, False)


def test_nothing_is_marked_under_a_block(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    bob.send("ann", "before")
    ann.ack()
    stage.run(1.0)
    block(ann, "bob")
    bob.send("ann", "during")
    ann.tell(ops.Mark("bob", 2))
    stage.run(2.0)
    assert [(mark["delivered"], mark["read"]) for mark in bob.marks] == [(1, 0)]
    marks = history(bob, "ann")["marks"]["ann"]
    assert (marks["delivered"], marks["read"]) == (1, 1)


@BOTH
def test_other_devices_of_who_is_blocked_get_what_was_sent(
    stage: Stage, ann: str, bob: str
) -> None:
    blocker, phone, laptop = stage.hello(ann), stage.hello(bob), stage.hello(bob, "laptop")
    block(blocker, bob)
    phone.send(ann, "during")
    stage.run(2.0)
    assert laptop.bodies == ["during"]
    assert blocker.bodies == []
    assert stage.rows("outbox") == []


def test_who_blocks_must_unblock_to_write(stage: Stage) -> None:
    ann = stage.hello("ann")
    block(ann, "bob")
    assert ann.send("bob", "hi")["err"]["code"] == "blocked"
    block(ann, "bob", on=False)
    assert "ok" in ann.send("bob", "hi")


def test_list_of_blocks_stays(stage: Stage) -> None:
    ann = stage.hello("ann")
    block(ann, "eve")
    block(ann, "bob")
    block(ann, "bob")
    stage.crash()
    ann = stage.hello("ann")
    assert ann.ask(ops.Blocks)["ok"] == {"blocks": ["bob", "eve"]}
    block(ann, "eve", on=False)
    assert ann.ask(ops.Blocks)["ok"] == {"blocks": ["bob"]}
    assert block(ann, "nobody")["err"]["code"] == "no_such_user"
    assert block(ann, "ann")["err"]["code"] == "bad_request"
    found = [keys.parse_state_key(key)[1] for key, _ in stage.rows("state")]
    assert found.count(kinds.BLOCKED) == found.count(kinds.UNSHOWN) == 1


def test_block_that_could_not_be_written_is_none(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    bob.send("ann", "1")
    ann.ack()
    stage.engine.inject(Fault("write", StoreFull("no space left"), 1, 1))
    assert block(ann, "bob")["err"]["code"] == "store_full"
    stage.run(2.0)
    assert "ok" in bob.send("ann", "2")
    stage.run(1.0)
    assert ann.bodies == ["1", "2"]


def test_presence_typing_and_profile_are_hidden_at_once(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    ann.ask(lambda rid: ops.Describe(rid, "Ann", "at sea"))
    assert bob.ask(lambda rid: ops.Watch(rid, ["ann"]))["ok"]["states"][0]["online"]
    assert ann.ask(lambda rid: ops.Watch(rid, ["bob"]))["ok"]["states"][0]["online"]
    block(ann, "bob")
    stage.run(3.0)
    for device in (ann, bob):
        (push,) = [push for push in device.connection.pushes if push["op"] == "presence"]
        (state,) = push["states"]
        assert (state["online"], "last_seen" in state) == (False, False)
        device.tell(ops.Signal("bob" if device is ann else "ann", "typing"))
    stage.run(1.0)
    assert not [push for push in bob.connection.pushes if push["op"] == "signal"]
    assert not [push for push in ann.connection.pushes if push["op"] == "signal"]
    card = bob.ask(lambda rid: ops.Profile(rid, "ann"))["ok"]
    assert (card["title"], card["about"]) == ("", "")
    stage.crash()
    bob, ann = stage.hello("bob"), stage.hello("ann")
    assert not bob.ask(lambda rid: ops.Watch(rid, ["ann"]))["ok"]["states"][0]["online"]
    block(ann, "bob", on=False)
    stage.run(3.0)
    assert bob.connection.pushes[-1]["states"][0]["online"]
    assert bob.ask(lambda rid: ops.Profile(rid, "ann"))["ok"]["title"] == "Ann"


def test_who_is_blocked_can_not_add_who_blocks_to_groups(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    block(ann, "bob")
    cid = stage.new_cid()
    group = group_address(cid)
    with_ann = Create("group", ["ann"], add="members")
    err = bob.ask(lambda rid: ops.Change(rid, group, cid, with_ann))["err"]
    assert err["code"] == "forbidden"
    assert "ok" in bob.ask(lambda rid: ops.Change(rid, group, cid, Create("group", ["eve"])))
    add = ops.Change(7, group, stage.new_cid(), Add(["ann"]))
    assert bob.ask(lambda rid: ops.Change(rid, group, add.cid, add.change))["err"] == {
        **err,
        "reason": "ann does not let you add them; send a link instead",
    }
