"""Messages whose time is up leave the disk; what is not due, or says so again, is found later."""

from __future__ import annotations

import pytest

from actorchat.broker.act import bury_expired
from actorchat.ids import group_address
from actorchat.limits import EXPIRED_AT_ONCE_MAX
from actorchat.protocol import codec, ops, rich
from actorchat.protocol.ops.group import Create
from actorchat.store import keys
from actorchat.store.verify import verify
from tests.unit.broker.keep import keep
from tests.unit.broker.stage import Stage

ID = bytes(range(16))
GROUP = group_address(ID)
DIRECT_KEY, GROUP_KEY = keys.conversation_key("ann", "bob"), keys.group_key(GROUP)


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob")
    ann = stage.hello("ann")
    create = Create("g", ["bob"])
    ann.ask(lambda rid: ops.Change(rid, GROUP, ID, create))
    for to in ("bob", GROUP):
        for body, lifetime in (("secret", 10), ("later", 60), ("kept", None)):
            extra = ops.Extra(re=None, expires_s=lifetime)
            ann.ask(lambda rid: ops.Send(rid, to, stage.new_cid(), body, extra))  # noqa: B023
    return stage


def bury(stage: Stage, key: bytes) -> int:
    return bury_expired(stage.broker.context, key, stage.dispatcher.clock.wall_ms())


def due(stage: Stage, key: bytes) -> int:
    return sum(row.startswith(keys.state_key(key, keys.EXPIRY)) for row, _ in stage.rows("state"))


@pytest.mark.parametrize("key", [DIRECT_KEY, GROUP_KEY])
def test_what_is_due_is_buried_once(stage: Stage, key: bytes) -> None:
    assert bury(stage, key) == 0
    assert due(stage, key) == 2
    stage.run(11.0)
    assert bury(stage, key) == 1
    assert bury(stage, key) == 0
    assert due(stage, key) == 1
    values = [value for row, value in stage.rows("history") if row.startswith(key)]
    assert not any(b"secret" in value for value in values)
    assert any(b"later" in value for value in values)
    assert not any(b"secret" in value for _, value in stage.rows("inbox"))
    assert verify(stage.engine).problems == []
    stage.run(60.0)
    assert bury(stage, key) == 1
    assert due(stage, key) == 0
    ann = stage.hello("ann")
    conv = "bob" if key == DIRECT_KEY else GROUP
    events = ann.ask(lambda rid: ops.History(rid, conv))["ok"]["events"][-3:]
    assert [(event["body"], event.get("gone")) for event in events] == [
        ("", True),
        ("", True),
        ("kept", None),
    ]


def test_an_act_under_way_does_not_bring_a_message_back_for_good(stage: Stage) -> None:
    ann = stage.hello("ann")
    (at, seq), *_ = stage.broker.context.archive.due(DIRECT_KEY, 2**53, 9)
    before = codec.decode_record(stage.broker.context.archive.record(DIRECT_KEY, seq))
    ann.ask(lambda rid: ops.React(rid, "bob", stage.new_cid(), seq, "x"))
    stage.run(11.0)
    assert bury(stage, DIRECT_KEY) == 1
    rows = stage.broker.context.rows
    late = [rows.history(DIRECT_KEY, seq, rich.encode(before)), rows.expiry(DIRECT_KEY, at, seq)]
    stage.broker.context.log.apply()
    keep(stage.engine, late)
    assert bury(stage, DIRECT_KEY) == 1
    assert not any(b"secret" in value for key, value in stage.rows("history") if DIRECT_KEY in key)


def test_a_row_of_what_is_gone_already_is_only_dropped(stage: Stage) -> None:
    ann = stage.hello("ann")
    ann.ask(lambda rid: ops.Delete(rid, "bob", stage.new_cid(), [1]))
    stage.run(11.0)
    before = stage.rows("history")
    assert bury(stage, DIRECT_KEY) == 1
    assert stage.rows("history") == before


def test_nothing_is_buried_on_a_full_disk(stage: Stage) -> None:
    stage.run(11.0)
    stage.broker.context.log.committer.is_full = True
    assert bury(stage, DIRECT_KEY) == 0


def test_one_go_is_bounded(stage: Stage) -> None:
    context = stage.broker.context
    stage.run(11.0)
    context.log.apply()
    rows = [context.rows.expiry(DIRECT_KEY, number, 1) for number in range(EXPIRED_AT_ONCE_MAX)]
    keep(stage.engine, rows)
    assert bury(stage, DIRECT_KEY) == EXPIRED_AT_ONCE_MAX
    assert bury(stage, DIRECT_KEY) == 1
