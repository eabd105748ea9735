"""Groups in a whole broker: who gets what, in which order, through crashes."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker import group as broker_group
from actorchat.broker.group import GroupActor
from actorchat.broker.user import UserActor
from actorchat.ids import group_address
from actorchat.limits import (
    CBOR_ITEMS_MAX,
    GROUP_MARKS_DELAY_S,
    HISTORY_PAGE_BYTES_MAX,
    HISTORY_PAGE_MESSAGES_MAX,
    IDEMPOTENCE_WINDOW,
)
from actorchat.protocol import codec, ops
from actorchat.protocol.ops.group import Add, AnyChange, Create, Enter, Invite, Leave, Remove
from actorchat.store import keys
from actorchat.store.verify import verify
from tests.unit.broker.stage import Device, Stage

USERS = ("ann", "bob", "cid", "dan")
ID = bytes(range(16))
GROUP = group_address(ID)
TOKEN = "t" * 22
NO_GROUP = "no_such_group"


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users(*USERS)
    return stage


def change(device: Device, what: AnyChange, cid: bytes | None = None) -> dict[str, Any]:
    name = device._stage.new_cid() if cid is None else cid
    return device.ask(lambda rid: ops.Change(rid, GROUP, name, what))


def made(stage: Stage, *others: str, **settings: Any) -> dict[str, Device]:
    """Return everybody's device, in a group of ann and `others`."""
    devices = {user: stage.hello(user) for user in USERS}
    assert change(devices["ann"], Create("g", list(others), **settings), ID)["ok"]["seq"] == 1
    return devices


def seqs(device: Device) -> list[int]:
    return [message["msg"]["seq"] for message in device.messages]


def actors(stage: Stage, kind: type) -> list[Any]:
    entities = stage.system.names.whereis("entities")._actor.children
    return [ref._actor for ref in entities if ref.actor_class is kind]


def code(reply: dict[str, Any]) -> str:
    return reply["err"]["code"]


def test_every_member_gets_every_record_in_one_order(stage: Stage) -> None:
    devices = made(stage, "bob", "cid")
    assert devices["bob"].send(GROUP, "hi")["ok"]["seq"] == 2
    assert devices["cid"].send(GROUP, "ho")["ok"]["seq"] == 3
    for user in ("ann", "bob", "cid"):
        assert seqs(devices[user]) == [1, 2, 3]
        assert devices[user].bodies == ["", "hi", "ho"]
        assert all(message["msg"]["conv"] == GROUP for message in devices[user].messages)
        assert [message["upd"] for message in devices[user].messages] == [1, 2, 3]
    assert devices["dan"].messages == []
    assert verify(stage.engine).is_sound


def test_who_is_no_member_gets_nothing_and_is_told_nothing(stage: Stage) -> None:
    dan = made(stage, "bob")["dan"]
    assert code(dan.send(GROUP, "canary")) == NO_GROUP
    assert code(dan.ask(lambda rid: ops.History(rid, GROUP))) == NO_GROUP
    assert code(dan.ask(lambda rid: ops.Group(rid, GROUP))) == NO_GROUP
    assert code(dan.ask(lambda rid: ops.Receipts(rid, GROUP))) == NO_GROUP
    assert code(change(dan, Add(["dan"]))) == NO_GROUP
    dan.tell(ops.Mark(GROUP, 1))
    stage.run()
    assert stage.rows("state") and not [r for r in stage.rows("state") if b"dan" in r[0][18:]]


def test_group_that_is_not_there_takes_no_actor(stage: Stage) -> None:
    ann = stage.hello("ann")
    other = group_address(bytes(16))
    assert code(ann.send(other, "hi")) == NO_GROUP
    assert code(ann.ask(lambda rid: ops.History(rid, other))) == NO_GROUP
    assert code(ann.ask(lambda rid: ops.Group(rid, other))) == NO_GROUP
    assert code(ann.ask(lambda rid: ops.Receipts(rid, other))) == NO_GROUP
    reply = ann.ask(lambda rid: ops.Change(rid, other, stage.new_cid(), Leave()))
    assert code(reply) == NO_GROUP
    assert stage.broker.context.router.counts()["groups"] == 0


def test_member_who_comes_later_sees_nothing_of_before(stage: Stage) -> None:
    devices = made(stage, "bob")
    devices["ann"].send(GROUP, "canary")
    assert change(devices["ann"], Add(["dan"]))["ok"]["seq"] == 3
    devices["ann"].send(GROUP, "hi dan")
    assert seqs(devices["dan"]) == [3, 4]
    page = devices["dan"].ask(lambda rid: ops.History(rid, GROUP))["ok"]
    assert [record["seq"] for record in page["events"]] == [3, 4]
    page = devices["dan"].ask(lambda rid: ops.History(rid, GROUP, before=3))["ok"]
    assert page["events"] == []


def test_member_who_comes_later_reads_all_where_the_setting_says_so(stage: Stage) -> None:
    devices = made(stage, "bob", history="all")
    change(devices["ann"], Add(["dan"]))
    page = devices["dan"].ask(lambda rid: ops.History(rid, GROUP))["ok"]
    assert [record["seq"] for record in page["events"]] == [1, 2]


def test_member_who_goes_gets_that_and_nothing_after(stage: Stage) -> None:
    devices = made(stage, "bob", "dan")
    assert change(devices["ann"], Remove("dan"))["ok"]["seq"] == 2
    devices["ann"].send(GROUP, "canary")
    assert seqs(devices["dan"]) == [1, 2]
    assert code(devices["dan"].ask(lambda rid: ops.History(rid, GROUP))) == NO_GROUP
    change(devices["ann"], Add(["dan"]))
    devices["ann"].send(GROUP, "back")
    assert seqs(devices["dan"]) == [1, 2, 4, 5]
    assert "canary" not in devices["dan"].bodies


def test_link_lets_in_and_its_token_is_nowhere_to_be_read(stage: Stage) -> None:
    devices = made(stage, "bob")
    assert "ok" in change(devices["ann"], Invite(TOKEN))
    assert code(change(devices["dan"], Enter("x" * 22))) == "forbidden"
    assert change(devices["dan"], Enter(TOKEN))["ok"]["seq"] == 3
    assert seqs(devices["dan"]) == [3]
    about = devices["ann"].ask(lambda rid: ops.Group(rid, GROUP))["ok"]
    assert len(about["links"]) == 1
    for family in ("history", "state", "inbox"):
        assert not [row for row in stage.rows(family) if TOKEN.encode() in row[0] + row[1]]


def test_change_that_names_nobody_we_know_is_refused(stage: Stage) -> None:
    ann = made(stage, "bob")["ann"]
    assert code(change(ann, Add(["nobody"]))) == "no_such_user"
    other = bytes(16)
    create = Create("h", ["nobody"])
    reply = ann.ask(lambda rid: ops.Change(rid, group_address(other), other, create))
    assert code(reply) == "no_such_user"
    assert code(ann.send(group_address(other), "hi")) == NO_GROUP


def test_repeated_requests_are_made_once_also_after_a_restart(stage: Stage) -> None:
    devices = made(stage, "bob")
    post, add = stage.new_cid(), stage.new_cid()
    first = devices["ann"].send(GROUP, "hi", post)["ok"]
    added = change(devices["ann"], Add(["cid"]), add)["ok"]
    for number in range(2 * IDEMPOTENCE_WINDOW):
        devices["ann"].send(GROUP, f"m{number}")
    stage.engine.sync()
    for _ in range(2):
        ann = stage.hello("ann")
        assert ann.send(GROUP, "hi", post)["ok"] == {**first, "dup": True}
        assert change(ann, Add(["cid"]), add)["ok"] == {**added, "dup": True}
        assert change(ann, Create("g", ["bob"]), ID)["ok"]["dup"]
        assert code(ann.send(GROUP, "ho", post)) == "id_conflict"
        assert code(change(ann, Add(["dan"]), add)) == "id_conflict"
        assert code(change(ann, Remove("bob"), post)) == "id_conflict"
        stage.crash()


def test_marker_stands_until_all_homes_have_confirmed(stage: Stage) -> None:
    devices = made(stage, "bob", "cid")
    devices["ann"].send(GROUP, "hi")
    key = keys.group_key(GROUP)
    assert stage.rows("outbox") == [(key, keys.pack_outbox(1))]
    stage.run(3.0)
    assert stage.rows("outbox") == []
    assert stage.crashes == []


def test_fan_out_that_a_restart_interrupts_is_driven_again(stage: Stage) -> None:
    devices = made(stage, "bob", "cid")
    stage.run(3.0)
    inbox = stage.engine.family("inbox")
    before = len(stage.rows("inbox"))
    devices["ann"].start(lambda rid: ops.Send(rid, GROUP, stage.new_cid(), "hi"))
    outbox = stage.engine.family("outbox")
    stage.dispatcher.run(until=lambda: bool(stage.engine.scan(outbox, b"", b"\xff" * 32)))
    stage.engine.sync()
    assert len(stage.engine.scan(inbox, b"", b"\xff" * 32)) == before
    stage.crash()
    stage.run(5.0)  # nobody wakes the group but the keeper of debts
    for user in ("ann", "bob", "cid"):
        assert seqs(stage.hello(user))[-1:] == [2]
    assert stage.rows("outbox") == []


@pytest.mark.parametrize("lost", [[2], [2, 3], [4]])
def test_delivery_that_is_lost_is_told_again(
    stage: Stage, lost: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = made(stage, "bob", "cid")
    bob = actors(stage, UserActor)
    ref = next(home.ref for home in bob if home._user == "bob")
    tell_all = broker_group.tell_all

    def lossy(refs: list[Any], event: Any) -> int:
        is_lost = event.seq in lost and type(event).__name__ == "Deliver"
        if is_lost:
            lost.remove(event.seq)
        return tell_all([r for r in refs if not (is_lost and r is ref)], event)

    monkeypatch.setattr(broker_group, "tell_all", lossy)
    for number in range(2, 5):
        devices["ann"].send(GROUP, f"m{number}")
    stage.run(3.0)
    assert seqs(devices["bob"]) == [1, 2, 3, 4]
    assert lost == []


def test_what_was_lost_of_former_times_does_not_bring_what_lies_between(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = made(stage, "bob", "cid")
    ref = next(home.ref for home in actors(stage, UserActor) if home._user == "bob")
    tell_all = broker_group.tell_all

    def lossy(refs: list[Any], event: Any) -> int:
        return tell_all([each for each in refs if each is not ref], event)

    monkeypatch.setattr(broker_group, "tell_all", lossy)
    change(devices["ann"], Remove("bob"))  # 2
    devices["ann"].send(GROUP, "canary")  # 3
    change(devices["ann"], Add(["bob"]))  # 4
    monkeypatch.setattr(broker_group, "tell_all", tell_all)
    devices["ann"].send(GROUP, "back")  # 5
    stage.run(3.0)
    assert seqs(devices["bob"]) == [1, 2, 4, 5]


def test_group_that_crashes_is_built_from_the_log_by_the_next_event(stage: Stage) -> None:
    devices = made(stage, "bob")
    (group,) = actors(stage, GroupActor)
    group.ref.tell(object())
    stage.run()
    assert len(stage.crashes) == 1
    assert devices["bob"].send(GROUP, "hi")["ok"]["seq"] == 2
    assert seqs(devices["ann"]) == [1, 2]


def test_group_is_put_away_when_it_is_settled_and_idle() -> None:
    stage = Stage(idle_s=2.0)
    stage.add_users(*USERS)
    devices = made(stage, "bob")
    stage.run(10.0)
    assert stage.broker.context.router.counts()["groups"] == 0
    assert devices["bob"].send(GROUP, "hi")["ok"]["seq"] == 2


def test_full_disk_refuses_and_afterwards_the_group_goes_on(stage: Stage) -> None:
    devices = made(stage, "bob")
    stage.broker.context.log.committer.is_full = True
    assert code(devices["ann"].send(GROUP, "hi")) == "store_full"
    assert code(change(devices["ann"], Add(["cid"]))) == "store_full"
    stage.broker.context.log.committer.is_full = False
    assert devices["ann"].send(GROUP, "hi")["ok"]["seq"] == 2


def test_marks_are_kept_shown_with_history_and_told_to_the_others(stage: Stage) -> None:
    devices = made(stage, "bob", "cid")
    devices["ann"].send(GROUP, "hi")
    devices["bob"].ack()
    devices["bob"].tell(ops.Mark(GROUP, 1))
    stage.run(GROUP_MARKS_DELAY_S + 0.5)
    told = {"op": "mark", "conv": GROUP, "user": "bob", "delivered": 2, "read": 1}
    assert devices["ann"].marks[-1] == devices["cid"].marks[-1] == told
    assert devices["bob"].marks == []
    marks = {"delivered": 2, "read": 1}
    assert devices["ann"].ask(lambda r: ops.History(r, GROUP))["ok"]["marks"]["bob"] == marks
    assert devices["ann"].ask(lambda r: ops.Receipts(r, GROUP))["ok"]["marks"]["bob"] == marks
    stage.run(1.0)
    stage.engine.sync()
    stage.crash()
    ann = stage.hello("ann")
    assert ann.ask(lambda rid: ops.Receipts(rid, GROUP))["ok"]["marks"]["bob"] == marks


def test_long_message_is_pointed_to_and_large_group_shows_marks_to_who_asks(stage: Stage) -> None:
    many = [f"u{number}" for number in range(40)]
    stage.add_users(*many)
    devices = made(stage, "bob", "cid")
    change(devices["ann"], Add(many))
    devices["bob"].send(GROUP, "x" * 9_000)
    assert devices["cid"].bodies[-1] == "x" * 9_000
    assert devices["ann"].ask(lambda rid: ops.History(rid, GROUP))["ok"]["marks"] == {}
    assert len(devices["ann"].ask(lambda r: ops.Receipts(r, GROUP))["ok"]["marks"]) == 43
    assert verify(stage.engine).is_sound


def test_record_that_names_many_takes_as_much_of_a_page_as_it_has_items() -> None:
    name = codec.encode("ann")
    add = codec.encode(Add([f"user{number:03d}" for number in range(250)]))
    record = codec.encode_group_record(GROUP, name, 1, 2, bytes(16), "", add)
    post = codec.encode_group_record(GROUP, name, 1, 2, bytes(16), "hi")
    budget = HISTORY_PAGE_BYTES_MAX
    weigh = GroupActor._weigh
    assert 265 * (budget // weigh(None, record)) < CBOR_ITEMS_MAX  # type: ignore[arg-type]
    assert budget // weigh(None, post) >= HISTORY_PAGE_MESSAGES_MAX  # type: ignore[arg-type]
