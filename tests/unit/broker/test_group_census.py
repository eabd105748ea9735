"""Groups in the lists of a whole broker: who is in which, unread, and flags on all devices."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.ids import group_address
from actorchat.limits import CBOR_ITEMS_MAX, UNREAD_COUNTED_MAX
from actorchat.protocol import codec, ops
from actorchat.protocol.ops.group import Add, AnyChange, Create, Leave, Remove
from actorchat.store import keys, kinds
from actorchat.store.verify import verify
from tests.unit.broker.stage import Device, Stage

ID = bytes(range(16))
GROUP = group_address(ID)


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob", "cid")
    return stage


def change(device: Device, what: AnyChange, cid: bytes | None = None, group: str = GROUP) -> Any:
    name = device._stage.new_cid() if cid is None else cid
    return device.ask(lambda rid: ops.Change(rid, group, name, what))["ok"]


def groups(device: Device, after: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = device.ask(lambda rid: ops.Groups(rid, after, limit))["ok"][
        "groups"
    ]
    return found


def conversations(device: Device) -> dict[str, Any]:
    ok = device.ask(ops.Conversations)["ok"]
    return {line["conv"]: line for line in ok["conversations"]}


def made(stage: Stage, *others: str) -> Device:
    ann = stage.hello("ann")
    change(ann, Create("friends", list(others)), ID)
    return ann


def test_groups_are_listed_with_what_one_is_in_them(stage: Stage) -> None:
    ann, bob = made(stage, "bob"), stage.hello("bob")
    ann.send(GROUP, "one")
    ann.send(GROUP, "two")
    line = {"conv": GROUP, "title": "friends", "size": 2, "head": 3}
    assert groups(ann) == [{**line, "role": "owner", "unread": 0}]
    assert groups(bob) == [{**line, "role": "member", "unread": 2}]
    bob.tell(ops.Mark(GROUP, 2))
    stage.run(0.5)
    assert groups(bob)[0]["unread"] == 1
    assert groups(stage.hello("cid")) == []


def test_group_is_listed_from_the_change_on_that_lets_one_in(stage: Stage) -> None:
    ann, cid = made(stage, "bob"), stage.hello("cid")
    ann.send(GROUP, "before")
    change(ann, Add(["cid"]))
    ann.send(GROUP, "after")
    (line,) = groups(cid)
    assert (line["size"], line["unread"]) == (3, 1)
    change(ann, Remove("cid"))
    assert groups(cid) == []
    assert conversations(cid) == {}
    assert groups(ann)[0]["size"] == 2
    change(ann, Leave())
    assert groups(ann) == []
    assert groups(stage.hello("bob"))[0]["role"] == "owner"
    assert verify(stage.engine).is_sound


def test_unread_is_counted_up_to_a_bound(stage: Stage) -> None:
    ann, bob = made(stage, "bob"), stage.hello("bob")
    for number in range(UNREAD_COUNTED_MAX + 3):
        ann.send(GROUP, f"m{number}")
    assert groups(bob)[0]["unread"] == UNREAD_COUNTED_MAX


def test_pages_have_each_group_once_whatever_is_between(stage: Stage) -> None:
    ann = stage.hello("ann")
    for number in range(7):
        name = bytes((number,)) * 16
        change(ann, Create(f"g{number}"), name, group_address(name))
    for other in ("bob", "cid"):
        ann.send(other, "hi")
    found: list[str] = []
    while page := groups(ann, found[-1] if found else None, 3):
        found += [line["conv"] for line in page]
    assert sorted(found) == sorted(group_address(bytes((number,)) * 16) for number in range(7))
    assert len(conversations(ann)) == 9


def test_conversations_have_groups_with_title_and_own_marks(stage: Stage) -> None:
    ann, bob = made(stage, "bob"), stage.hello("bob")
    ann.send(GROUP, "hi")
    bob.tell(ops.Mark(GROUP, 2))
    ann.send("bob", "direct")
    stage.run(0.5)
    found = conversations(bob)
    assert found.keys() == {"ann", GROUP}
    line = found[GROUP]
    assert (line["title"], line["role"], line["size"]) == ("friends", "member", 2)
    assert (line["last"]["body"], line["last"]["conv"]) == ("hi", GROUP)
    assert line["marks"] == {"bob": {"delivered": 2, "read": 2}}
    assert "title" not in found["ann"]


def test_page_of_changes_that_name_many_is_one_that_a_client_takes(stage: Stage) -> None:
    ann = stage.hello("ann")
    users = [f"u{number}" for number in range(200)]
    stage.add_users(*users)
    for number in range(20):
        name = bytes((number,)) * 16
        change(ann, Create("g", users), name, group_address(name))
    after, seen = None, 0
    while True:
        ok = ann.ask(lambda rid, after=after: ops.Conversations(rid, after, 50))["ok"]
        payload = codec.encode_reply(1, ok)
        codec.decode(payload)  # refuses more than CBOR_ITEMS_MAX items
        seen += len(ok["conversations"])
        if not ok["more"]:
            break
        after = ok["conversations"][-1]["conv"]
    assert seen == 20
    assert CBOR_ITEMS_MAX < 20 * 200


def test_flags_of_a_group_are_kept_and_pushed_to_the_other_devices(stage: Stage) -> None:
    ann = made(stage, "bob")
    laptop = stage.hello("ann", "laptop")
    bob = stage.hello("bob")
    ok = ann.ask(lambda rid: ops.Flag(rid, GROUP, muted=True))["ok"]
    assert ok == {"muted": True, "archived": False, "pinned": False}
    assert conversations(ann)[GROUP]["muted"]
    assert not conversations(bob)[GROUP]["muted"]
    push = {"op": "flags", "conv": GROUP, **ok}
    assert [one for one in laptop.connection.pushes if one["op"] == "flags"] == [push]
    assert [one for one in ann.connection.pushes if one["op"] == "flags"] == []
    assert [one for one in bob.connection.pushes if one["op"] == "flags"] == []
    err = stage.hello("cid").ask(lambda rid: ops.Flag(rid, GROUP, muted=True))["err"]
    assert err["code"] == "no_such_conversation"


def test_store_that_was_begun_without_the_lists_gets_them(stage: Stage) -> None:
    ann = made(stage, "bob")
    state = stage.engine.family("state")
    batch = stage.engine.batch()
    batch.delete(keys.state_key(keys.group_key(GROUP), kinds.SIZE), state)
    for user in ("ann", "bob"):
        key = keys.state_key(keys.user_key(user), kinds.INDEX, keys.group_key(GROUP))
        batch.delete(key, state)
    stage.engine.write(batch)
    stage.engine.sync()
    stage.crash()
    ann = stage.hello("ann")
    assert groups(ann) == []
    assert stage.broker.context.groups.size(keys.group_key(GROUP)) == 2
    ann.send(GROUP, "hi")
    stage.run(1.0)
    assert groups(ann)[0]["size"] == 2
    assert groups(stage.hello("bob"))[0]["unread"] == 1
