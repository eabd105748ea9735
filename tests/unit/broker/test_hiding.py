"""What a home hides, rewrites and gives up, in a whole broker."""

from __future__ import annotations

import pytest

from actorchat.broker.hiding import conversation_key_of
from actorchat.ids import direct_pair, group_address
from actorchat.protocol import ops
from actorchat.store import keys, kinds
from tests.unit.broker.stage import Device, Stage

GROUP = group_address(bytes(range(16)))


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob")
    return stage


def hide(device: Device, conv: str, *seqs: int) -> dict[str, object]:
    cid = device._stage.new_cid()
    return device.ask(lambda rid: ops.Delete(rid, conv, cid, list(seqs), "me"))


def hidden_of(stage: Stage, user: str) -> int:
    prefix = keys.state_key(keys.user_key(user), kinds.HIDDEN)
    return sum(key.startswith(prefix) for key, _ in stage.rows("state"))


def test_key_of_a_conversation_is_the_same_for_both() -> None:
    key = keys.conversation_key("ann", "bob")
    assert conversation_key_of(direct_pair("ann", "bob")) == key
    assert conversation_key_of(direct_pair("bob", "ann")) == key
    assert conversation_key_of(GROUP) == keys.group_key(GROUP)


def test_what_one_hides_the_other_still_reads(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    ann.send("bob", "hi")
    assert "ok" in hide(bob, "ann", 1)
    assert (hidden_of(stage, "bob"), hidden_of(stage, "ann")) == (1, 0)
    (event,) = ann.ask(lambda rid: ops.History(rid, "bob"))["ok"]["events"]
    assert event["body"] == "hi"


@pytest.mark.parametrize(
    ("conv", "seqs", "code"),
    [("bob", [2], "no_such_message"), ("bob", [1, 2], "no_such_message"), (GROUP, [1], None)],
)
def test_what_is_not_there_for_the_user_is_not_hidden(
    stage: Stage, conv: str, seqs: list[int], code: str | None
) -> None:
    ann = stage.hello("ann")
    ann.send("bob", "hi")
    assert hide(ann, conv, *seqs)["err"]["code"] == (code or "no_such_group")  # type: ignore[index]
    assert hidden_of(stage, "ann") == 0


def test_nothing_is_hidden_on_a_full_disk(stage: Stage) -> None:
    ann = stage.hello("ann")
    ann.send("bob", "hi")
    stage.broker.context.log.committer.is_full = True
    assert "err" in hide(ann, "bob", 1)
    assert hidden_of(stage, "ann") == 0


def test_home_of_a_deleted_account_ends_its_sessions_and_keeps_no_rows(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    bob.send("ann", "hi")
    assert "ok" in ann.ask(lambda rid: ops.DeleteAccount(rid, "ann"))
    stage.run(5.0)
    assert ann.connection.is_closed
    owner = keys.user_key("ann")
    assert not [key for key, _ in stage.rows("inbox") if key.startswith(owner)]
    assert not bob.connection.is_closed
