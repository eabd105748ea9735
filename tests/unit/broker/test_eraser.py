"""An account ends in a whole broker: nothing of it stays but what others have."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.errors import StoreFull
from actorchat.ids import group_address
from actorchat.protocol import ops
from actorchat.protocol.ops.group import Create
from actorchat.store import keys, kinds
from actorchat.store.memory import Fault
from actorchat.store.verify import verify
from tests.unit.broker.stage import Device, Stage


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob", "eve")
    return stage


def delete(device: Device, user: str) -> dict[str, Any]:
    return device.ask(lambda rid: ops.DeleteAccount(rid, user))


def make_group(stage: Stage, owner: Device, *members: str) -> str:
    cid = stage.new_cid()
    group = group_address(cid)
    create = Create("group", list(members))
    assert "ok" in owner.ask(lambda rid: ops.Change(rid, group, cid, create))
    return group


def furnish(stage: Stage, ann: Device, bob: Device) -> str:
    """Give ann something of everything; return a group of hers."""
    ann.send("bob", "to bob")
    bob.send("ann", "to ann")
    ann.send("ann", "a note")
    ann.ask(lambda rid: ops.Describe(rid, "Ann", "about"))
    ann.ask(lambda rid: ops.Contact(rid, "bob"))
    ann.ask(lambda rid: ops.Block(rid, "eve"))
    ann.ask(lambda rid: ops.Flag(rid, "bob", muted=True))
    ann.ask(lambda rid: ops.Rename(rid, "phone", "title"))
    ann.ask(lambda rid: ops.Privacy(rid, "contacts"))
    return make_group(stage, ann, "bob", "eve")


def rows_of(stage: Stage, user: str) -> set[bytes]:
    owner = keys.user_key(user)
    found = {key[18:19] for key, _ in stage.rows("state") if key.startswith(owner)}
    if [key for key, _ in stage.rows("inbox") if key.startswith(owner)]:
        found.add(b"inbox")
    notes = keys.conversation_key(user, user)
    for family in ("history", "sent", "state"):
        if [key for key, _ in stage.rows(family) if key.startswith(notes)]:
            found.add(b"notes in " + family.encode())
    return found


def is_all_gone(stage: Stage) -> bool:
    todo = keys.NODE_OWNER + kinds.META + b"erase/"
    left = [key for key, _ in stage.rows("state") if key.startswith(todo)]
    return not left and rows_of(stage, "ann") == {kinds.GONE}


def test_nothing_stays_but_what_others_have(stage: Stage) -> None:
    ann, laptop, bob = stage.hello("ann"), stage.hello("ann", "laptop"), stage.hello("bob")
    group = furnish(stage, ann, bob)
    assert delete(ann, "wrong")["err"]["code"] == "unauthenticated"
    assert delete(ann, "ann")["ok"] == {}
    stage.run(5.0)
    for device in (ann, laptop):
        assert device.connection.bye is not None
        assert device.connection.bye["code"] == "revoked"
    assert is_all_gone(stage)
    assert verify(stage.engine).is_sound
    page = bob.ask(lambda rid: ops.History(rid, "ann"))["ok"]
    assert [event["body"] for event in page["events"]] == ["to bob", "to ann"]
    about = bob.ask(lambda rid: ops.Group(rid, group))["ok"]
    assert about["members"] == {"bob": "owner", "eve": "member"}
    assert stage.rows("outbox") == []
    assert stage.crashes == []


def test_name_is_never_given_again_and_sends_to_it_are_refused(stage: Stage) -> None:
    ann, bob, operator = stage.hello("ann"), stage.hello("bob"), stage.operator()
    cid = stage.new_cid()
    assert "ok" in bob.send("ann", "before", cid)
    delete(ann, "ann")
    stage.run(5.0)
    for _ in range(2):
        assert bob.send("ann", "hi")["err"]["code"] == "no_such_user"
        assert bob.send("ann", "before", cid)["ok"]["dup"]
        assert stage.hello("eve").send("ann", "hi")["err"]["code"] == "no_such_user"
        for password in (None, "secret"):
            made = operator.ask(lambda rid, word=password: ops.Provision(rid, "ann", word))
            assert made["err"]["code"] == "exists"
        stage.crash()
        bob, operator = stage.hello("bob"), stage.operator()
    (line,) = bob.ask(ops.Conversations)["ok"]["conversations"]
    assert line["gone"] is True
    assert bob.ask(lambda rid: ops.Profile(rid, "ann"))["ok"]["gone"] is True
    assert bob.ask(lambda rid: ops.Watch(rid, ["ann"]))["ok"]["states"] == [
        {"user": "ann", "online": False}
    ]
    peer = stage.connect()
    hello = peer.ask(lambda rid: ops.Hello(rid, 1, "ann", "phone", "token", "token of ann phone"))
    assert hello["err"]["code"] == "unauthenticated"


def test_who_is_gone_comes_into_no_group(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    cid = stage.new_cid()
    delete(ann, "ann")
    change = ops.Change(9, group_address(cid), cid, Create("group", ["ann"]))
    assert bob.ask(lambda rid: ops.Change(rid, change.conv, cid, change.change))["err"][
        "code"
    ] == "no_such_user"  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_account_ends_whatever_crashes_on_the_way(seed: int) -> None:
    stage = Stage(seed)
    stage.add_users("ann", "bob", "eve")
    ann, bob = stage.hello("ann"), stage.hello("bob")
    group = furnish(stage, ann, bob)
    make_group(stage, bob, "ann")
    rid = ann.start(lambda rid: ops.DeleteAccount(rid, "ann"))
    for _ in range(seed % 5 + 1):
        stage.run(stage.rng.choice((0.0, 0.0005, 0.0015, 0.003, 0.01)))
        if seed % 3 == 0:
            stage.engine.inject(Fault("write", StoreFull("no space left"), 1, 1))
        elif seed % 3 == 1:
            names = ("entities", "people", "authenticator", "eraser", "trackers")
            name = stage.rng.choice(names)
            ref: Any = stage.system.names.whereis(name)
            refs = list(ref._actor.children) if name in ("entities", "trackers") else [ref]
            if refs:
                stage.rng.choice(refs).tell(object())
        else:
            stage.crash()
    answer = ann.connection.replies.get(rid, {})
    stage.run(10.0)
    is_gone = stage.broker.context.tombs.has("ann")
    assert is_gone or "ok" not in answer
    if not is_gone:
        ann = stage.hello("ann")
        stage.run(1.0)
        assert delete(ann, "ann")["ok"] == {}
        stage.run(10.0)
    assert is_all_gone(stage)
    assert verify(stage.engine).is_sound
    bob = stage.hello("bob")
    assert bob.send("ann", "hi")["err"]["code"] == "no_such_user"
    assert "ann" not in bob.ask(lambda rid: ops.Group(rid, group))["ok"]["members"]
    stage.run(5.0)
    assert stage.rows("outbox") == []
    stage.run(5.0)
    assert is_all_gone(stage)
