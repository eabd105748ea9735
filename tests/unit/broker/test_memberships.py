"""In which groups a user is."""

from __future__ import annotations

from actorchat.broker.memberships import Memberships
from actorchat.ids import group_address
from actorchat.protocol import ops
from actorchat.protocol.ops.group import Create, Leave
from tests.unit.broker.stage import Device, Stage


def made(stage: Stage, owner: Device, *members: str) -> str:
    cid = stage.new_cid()
    create = Create("g", list(members))
    assert "ok" in owner.ask(lambda rid: ops.Change(rid, group_address(cid), cid, create))
    return group_address(cid)


def test_groups_of_oneself_and_of_others_until_one_leaves() -> None:
    stage = Stage()
    stage.add_users("ann", "bob")
    ann, bob = stage.hello("ann"), stage.hello("bob")
    ann.send("bob", "a direct message")
    both = sorted([made(stage, ann), made(stage, bob, "ann")])
    bobs = made(stage, bob)
    stage.run(1.0)
    assert ann.ask(ops.Groups)["ok"] == {"groups": both, "more": False}
    assert ann.ask(lambda rid: ops.Groups(rid, both[0]))["ok"]["groups"] == both[1:]
    assert bobs in bob.ask(ops.Groups)["ok"]["groups"]
    cid = stage.new_cid()
    assert "ok" in ann.ask(lambda rid: ops.Change(rid, both[0], cid, Leave()))
    stage.crash()
    assert isinstance(stage.broker.context.memberships, Memberships)
    assert stage.hello("ann").ask(ops.Groups)["ok"]["groups"] == both[1:]
