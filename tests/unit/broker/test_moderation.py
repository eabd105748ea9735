"""Bots that were granted it delete what others wrote, seen by all, through crashes, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker import moderation
from actorchat.broker.moderation import Moderators
from actorchat.errors import StoreFull
from actorchat.ids import group_address
from actorchat.protocol import ops
from actorchat.protocol.ops.group import Create
from actorchat.store.memory import Fault, MemoryEngine
from actorchat.store.verify import verify
from tests.unit.broker.keep import keep
from tests.unit.broker.stage import Device, Stage

ID = bytes(range(16))
GROUP = group_address(ID)
CID = b"moderator's deed"
FULL = Fault("write", StoreFull("full"))
ACT = {"kind": "delete", "refs": [1], "between": ["ann", "bob"]}


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob", "cid")
    return stage


def audited(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return what was told in the log of what moderators did."""
    records = [one for one in caplog.records if one.name == moderation.__name__]
    assert all(one.levelname == "WARNING" for one in records)
    names = ("moderator", "conversation", "seqs", "seq")
    return [{name: one.__dict__["fields"][name] for name in names} for one in records]


def make_bot(stage: Stage, *, moderates: bool = True, name: str = "robot") -> str:
    bot = ops.Bot(0, name, "main", [], moderates)
    ok = stage.operator().ask(lambda rid: ops.Bot(rid, bot.user, bot.device, [], moderates))["ok"]
    token: str = ok["token"]
    return token


def sign_in(stage: Stage, token: str, name: str = "robot") -> Device:
    device = stage.connect()
    reply = device.ask(lambda rid: ops.Hello(rid, 1, name, "main", "token", token))
    assert "ok" in reply
    return device


def moderate(
    device: Device, conv: str, *seqs: int, of: str | None = None, cid: bytes = CID
) -> dict[str, Any]:
    return device.ask(lambda rid: ops.Delete(rid, conv, cid, list(seqs), "moderate", of))


def page(device: Device, conv: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = device.ask(lambda rid: ops.History(rid, conv))["ok"]["events"]
    return events


def deeds(device: Device) -> list[dict[str, Any]]:
    return [push["msg"] for push in device.messages if push["msg"]["from"] == "robot"]


def test_grant_is_a_row(stage: Stage) -> None:
    engine = MemoryEngine()
    moderators = Moderators(engine)
    assert not moderators.has("robot")
    keep(engine, (moderators.row("robot", True),))
    assert (moderators.has("robot"), moderators.has("robo")) == (True, False)
    assert verify(engine).is_sound
    keep(engine, (moderators.row("robot", False),))
    assert not moderators.has("robot")


# -- direct conversations ------------------------------------------------------------------------
@pytest.mark.parametrize(("conv", "of"), [("ann", "bob"), ("bob", "ann")])
def test_message_of_two_is_deleted_and_all_of_their_devices_see_by_whom(
    stage: Stage, caplog: pytest.LogCaptureFixture, conv: str, of: str
) -> None:
    robot = sign_in(stage, make_bot(stage))
    devices = [
        stage.hello(user, device) for user in ("ann", "bob") for device in ("phone", "laptop")
    ]
    devices[0].send("bob", "something vile")
    reply = moderate(robot, conv, 1, of=of)["ok"]
    assert reply["seq"] == 2
    for device in devices:
        (deed,) = deeds(device)
        assert (deed["seq"], deed["act"], deed["body"]) == (2, ACT, "")
        assert "to" not in device.messages[-1]
    for device, other in ((devices[0], "bob"), (devices[2], "ann")):
        first, second = page(device, other)
        assert (first["gone"], first["body"], first["from"]) == (True, "", "ann")
        assert (second["from"], second["act"]) == ("robot", ACT)
    assert not any(b"something vile" in value for _, value in stage.rows("history"))
    assert audited(caplog) == [
        {"moderator": "robot", "conversation": "ann bob", "seqs": [1], "seq": 2}
    ]
    assert robot.messages == []
    assert verify(stage.engine).is_sound


def test_who_was_away_is_told_when_they_come_in_the_right_conversation(stage: Stage) -> None:
    token = make_bot(stage)
    ann = stage.hello("ann")
    ann.send("bob", "one")
    ann.leave()
    moderate(sign_in(stage, token), "ann", 1, of="bob")
    stage.crash()
    bob = stage.hello("bob")
    gone, deed = (push["msg"] for push in bob.messages)
    assert (gone["body"], deed["from"], deed["act"]) == ("", "robot", ACT)
    bob.ack()
    assert len(deeds(stage.hello("ann"))) == 1
    stage.run(1.0)
    stage.crash()
    # What comes next follows what was told: nothing is missing, nothing comes again.
    ann, bob = stage.hello("ann"), stage.hello("bob")
    assert deeds(bob) == []
    ann.send("bob", "two")
    assert [push["msg"]["seq"] for push in bob.messages] == [3]
    assert stage.crashes == []


@pytest.mark.parametrize("steps", range(1, 14))
def test_crash_at_any_moment_loses_nothing_that_was_acked(steps: int) -> None:
    stage = Stage(seed=steps)
    stage.add_users("ann", "bob")
    token = make_bot(stage)
    stage.hello("ann").send("bob", "one")
    robot = sign_in(stage, token)
    rid = robot.start(lambda rid: ops.Delete(rid, "ann", CID, [1], "moderate", "bob"))
    stage.run(steps * 0.0002)
    was_acked = "ok" in robot.connection.replies.get(rid, {})
    stage.crash()
    if was_acked:
        assert [one["seq"] for one in page(stage.hello("ann"), "bob")] == [1, 2]
    again = moderate(sign_in(stage, token), "ann", 1, of="bob")["ok"]
    assert again["seq"] == 2
    assert again.get("dup", False) or not was_acked
    for user, other in (("ann", "bob"), ("bob", "ann")):
        device = stage.hello(user)
        stage.run(5.0)
        assert [deed["seq"] for deed in deeds(device)] == [2]
        assert [(one["seq"], one.get("gone", False)) for one in page(device, other)] == [
            (1, True),
            (2, False),
        ]
    assert verify(stage.engine).is_sound
    assert stage.crashes == []


def test_same_id_deletes_once_and_stands_for_nothing_else(stage: Stage) -> None:
    robot, ann = sign_in(stage, make_bot(stage)), stage.hello("ann")
    for text in ("one", "two"):
        ann.send("bob", text)
    first = moderate(robot, "ann", 1, of="bob")["ok"]
    assert moderate(robot, "bob", 1, of="ann")["ok"] == {**first, "dup": True}
    assert moderate(robot, "ann", 2, of="bob")["err"]["code"] == "id_conflict"
    # Each has ids of their own.
    assert "ok" in ann.send("bob", "three", CID)
    other = sign_in(stage, make_bot(stage, name="robot2"), "robot2")
    assert moderate(other, "ann", 2, of="bob")["ok"]["seq"] == 5


@pytest.mark.parametrize(
    ("conv", "seqs", "of", "code"),
    [
        ("ann", [9], "bob", "no_such_message"),
        ("ann", [1, 1], "bob", "bad_request"),
        ("ann", [1, 2], "bob", "no_such_message"),  # all of them, or none
        ("ann", [1], "nobody", "no_such_user"),
        ("nobody", [1], "bob", "no_such_user"),
        ("cid", [1], "bob", "no_such_message"),
        (GROUP, [1], None, "no_such_group"),
    ],
)
def test_what_is_not_there_is_not_deleted(
    stage: Stage, conv: str, seqs: list[int], of: str | None, code: str
) -> None:
    robot, ann = sign_in(stage, make_bot(stage)), stage.hello("ann")
    ann.send("bob", "one")
    assert moderate(robot, conv, *seqs, of=of)["err"]["code"] == code
    assert [one["body"] for one in page(ann, "bob")] == ["one"]


def test_what_is_gone_is_not_deleted_again(stage: Stage) -> None:
    robot, ann = sign_in(stage, make_bot(stage)), stage.hello("ann")
    ann.send("bob", "one")
    moderate(robot, "ann", 1, of="bob")
    refused = moderate(robot, "ann", 1, of="bob", cid=bytes(16))
    assert refused["err"]["code"] == "deleted"


def test_full_store_deletes_nothing(stage: Stage) -> None:
    robot, ann = sign_in(stage, make_bot(stage)), stage.hello("ann")
    ann.send("bob", "one")
    stage.engine.inject(FULL)
    assert moderate(robot, "ann", 1, of="bob")["err"]["code"] == "store_full"
    stage.run(1.0)
    assert moderate(robot, "ann", 1, of="bob")["ok"]["seq"] == 2


@pytest.mark.parametrize(("blocker", "other"), [("ann", "bob"), ("bob", "ann")])
def test_block_keeps_no_moderator_away(stage: Stage, blocker: str, other: str) -> None:
    robot = sign_in(stage, make_bot(stage))
    devices = {user: stage.hello(user) for user in ("ann", "bob")}
    devices["ann"].send("bob", "one")
    devices[blocker].ask(lambda rid: ops.Block(rid, other))
    assert moderate(robot, "ann", 1, of="bob")["ok"]["seq"] == 2
    for user, device in devices.items():
        assert len(deeds(device)) == 1, user
    stage.crash()
    devices = {user: stage.hello(user) for user in ("ann", "bob")}
    devices[blocker].ask(lambda rid: ops.Block(rid, other, on=False))
    devices["ann"].send("bob", "two")
    assert devices["bob"].bodies[-1] == "two"
    assert page(devices["bob"], "ann")[0]["gone"] is True
    assert verify(stage.engine).is_sound


# -- groups --------------------------------------------------------------------------------------
def test_message_of_a_group_is_deleted_by_who_is_not_in_it(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    robot = sign_in(stage, make_bot(stage))
    ann, bob = stage.hello("ann"), stage.hello("bob")
    create = Create("g", ["bob"])
    ann.ask(lambda rid: ops.Change(rid, GROUP, ID, create))
    bob.send(GROUP, "something vile")
    assert moderate(robot, GROUP, 2)["ok"]["seq"] == 3
    for device in (ann, bob):
        (deed,) = deeds(device)
        assert (deed["conv"], deed["act"]) == (GROUP, {"kind": "delete", "refs": [2]})
        assert page(device, GROUP)[1]["gone"] is True
    refused = robot.ask(lambda rid: ops.History(rid, GROUP))
    assert refused["err"]["code"] == "no_such_group"  # it reads nothing
    assert moderate(robot, GROUP, 1, cid=bytes(16))["err"]["code"] == "no_such_message"
    stage.crash()
    assert page(stage.hello("ann"), GROUP)[2]["from"] == "robot"
    assert [one["conversation"] for one in audited(caplog)] == [GROUP]
    assert verify(stage.engine).is_sound


# -- who may not ---------------------------------------------------------------------------------
def test_without_the_grant_nobody_moderates(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    robot = sign_in(stage, make_bot(stage, moderates=False))
    ann = stage.hello("ann")
    ann.send("bob", "one")
    ann.ask(lambda rid: ops.Change(rid, GROUP, ID, Create("g", ["bob"])))
    for device in (robot, ann, stage.hello("cid")):
        for conv, of in (("ann", "bob"), (GROUP, None)):
            assert moderate(device, conv, 1, of=of)["err"]["code"] == "forbidden"
    assert [one["body"] for one in page(ann, "bob")] == ["one"]
    assert audited(caplog) == []


def test_grant_that_is_taken_away_counts_at_once_and_for_good(stage: Stage) -> None:
    robot = sign_in(stage, make_bot(stage))
    stage.hello("ann").send("bob", "one")
    token = make_bot(stage, moderates=False)
    assert moderate(robot, "ann", 1, of="bob")["err"]["code"] == "forbidden"
    stage.crash()
    assert moderate(sign_in(stage, token), "ann", 1, of="bob")["err"]["code"] == "forbidden"


def test_grant_outlives_a_crash(stage: Stage) -> None:
    token = make_bot(stage)
    stage.hello("ann").send("bob", "one")
    stage.crash()
    assert "ok" in moderate(sign_in(stage, token), "ann", 1, of="bob")


def test_moderator_may_nothing_else(stage: Stage) -> None:
    robot, ann = sign_in(stage, make_bot(stage)), stage.hello("ann")
    ann.send("bob", "one")
    ann.ask(lambda rid: ops.Change(rid, GROUP, ID, Create("g", ["bob"])))
    ann.send(GROUP, "two")
    for op in (
        lambda rid: ops.Edit(rid, GROUP, bytes(16), 2, "three"),
        lambda rid: ops.React(rid, GROUP, bytes(16), 2, "x"),
        lambda rid: ops.Delete(rid, GROUP, bytes(16), [2]),
        lambda rid: ops.Send(rid, GROUP, bytes(16), "hello"),
        lambda rid: ops.History(rid, GROUP),
    ):
        assert robot.ask(op)["err"]["code"] == "no_such_group"
    # With ann it has a conversation of its own, in which nothing is.
    assert robot.ask(lambda rid: ops.Edit(rid, "ann", bytes(16), 1, "x"))["err"]["code"] == (
        "no_such_message"
    )
    assert page(robot, "ann") == []
    assert [one["body"] for one in page(ann, "bob")] == ["one"]


def test_only_what_a_moderator_did_is_told_in_the_log(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    ann = stage.hello("ann")
    ann.send("bob", "one")
    ann.ask(lambda rid: ops.Delete(rid, "bob", CID, [1]))
    assert audited(caplog) == []
