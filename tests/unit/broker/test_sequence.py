"""What conversations and groups share: pages that stay within their bounds."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker import paging
from actorchat.ids import group_address
from actorchat.protocol import ops
from actorchat.protocol.ops.group import Add, Change, Create, Remove
from actorchat.store import keys, kinds, values
from tests.unit.broker.stage import Device, Stage


def test_page_says_whether_there_is_more() -> None:
    stage = Stage()
    stage.add_users("ann", "bob")
    ann = stage.hello("ann")
    for number in range(4):
        ann.send("bob", f"m{number}")
    page = ann.ask(lambda rid: ops.History(rid, "bob", limit=3))["ok"]
    assert [record["seq"] for record in page["events"]] == [2, 3, 4]
    assert (page["more"], page["head"]) == (True, 4)


def talk(count: int, body: str = "m") -> Device:
    stage = Stage()
    stage.add_users("ann", "bob")
    ann = stage.hello("ann")
    for _ in range(count):
        ann.send("bob", body)
    return ann


def page_of(peer: Device, conv: str = "bob", **how: Any) -> tuple[list[int], bool]:
    ok = peer.ask(lambda rid: ops.History(rid, conv, **how))["ok"]
    return [record["seq"] for record in ok["events"]], ok["more"]


def test_page_around_a_seq_has_as_many_before_as_behind() -> None:
    ann = talk(9)
    assert page_of(ann, around=5, limit=5) == ([3, 4, 5, 6, 7], False)
    assert page_of(ann, around=1, limit=4) == ([1, 2, 3, 4], False)
    assert page_of(ann, around=9, limit=4) == ([6, 7, 8, 9], False)
    assert page_of(ann, around=400, limit=2) == ([8, 9], False)
    assert page_of(ann, around=5, limit=200) == (list(range(1, 10)), False)


def test_page_goes_forward_from_where_it_is_told() -> None:
    ann = talk(5)
    assert page_of(ann, forward=True, limit=2) == ([1, 2], True)
    assert page_of(ann, forward=True, after=2, before=5, limit=9) == ([3, 4], False)


def test_bytes_bound_a_page_but_for_its_first_record() -> None:
    ann = talk(6, "x" * 300)
    assert page_of(ann, bytes=800) == ([5, 6], True)
    assert page_of(ann, bytes=1) == ([6], True)
    assert page_of(ann, bytes=800, forward=True) == ([1, 2], True)
    assert page_of(ann, bytes=1_200, around=3) == ([2, 3, 4], True)


def test_page_says_where_its_conversation_begins() -> None:
    stage = Stage()
    stage.add_users("ann", "bob")
    ann = stage.hello("ann")
    for _ in range(4):
        ann.send("bob", "m")
    key = keys.conversation_key("ann", "bob")
    history, state = stage.engine.family("history"), stage.engine.family("state")
    gone = [(history, keys.history_key(key, seq), None) for seq in (1, 2)]
    ledger = (state, keys.state_key(key, kinds.LEDGER), values.pack_ledger(3, 0, 0))
    stage.broker.context.log.append([*gone, ledger])
    ok = ann.ask(lambda rid: ops.History(rid, "bob", around=1))["ok"]
    assert ok["first"] == 3
    assert [record["seq"] for record in ok["events"]] == [3, 4]


@pytest.mark.parametrize("forward", [True, False])
def test_kinds_leave_others_out_and_say_where_to_go_on(
    forward: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "HISTORY_SCAN_PAGE", 2)
    monkeypatch.setattr(paging, "HISTORY_SCAN_ROWS_MAX", 4)
    stage = Stage()
    stage.add_users("ann", "bob", "eve")
    ann = stage.hello("ann")
    cid = stage.new_cid()
    group = group_address(cid)
    ann.ask(lambda rid: Change(rid, group, cid, Create("friends", ["bob"])))
    for number in range(8):
        if number % 4 == 1:
            change = Add(["eve"]) if number == 1 else Remove("eve")
            ann.ask(lambda rid, change=change: Change(rid, group, stage.new_cid(), change))
        else:
            ann.send(group, "text")
    found: list[int] = []
    place: dict[str, int] = {}
    pages = 0
    while True:
        how: Any = {"kinds": ["change"], "forward": forward, "limit": 1, **place}
        ok = ann.ask(lambda rid, how=how: ops.History(rid, group, **how))["ok"]
        found += [record["seq"] for record in ok["events"]]
        pages += 1
        if not ok["more"]:
            break
        place = {"after" if forward else "before": ok["next"]}
    assert found == ([1, 3, 7] if forward else [7, 3, 1])
    assert pages >= 3


def test_kinds_tell_acts_from_messages_that_are_rich() -> None:
    stage = Stage()
    stage.add_users("ann", "bob")
    ann = stage.hello("ann")
    ann.ask(lambda rid: ops.Send(rid, "bob", stage.new_cid(), "m", ops.Extra(mentions=["bob"])))
    ann.ask(lambda rid: ops.Edit(rid, "bob", stage.new_cid(), 1, "n"))
    assert page_of(ann, kinds=["message"])[0] == [1]
    assert page_of(ann, kinds=["act"])[0] == [2]
