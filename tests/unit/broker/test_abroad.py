"""Groups whose members are at home on several nodes, and sign in on others."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.ids import group_address
from actorchat.limits import WHOIS_WAIT_S
from actorchat.protocol import ops
from actorchat.protocol.ops import Extra
from actorchat.protocol.ops.group import Add, Alter, AnyChange, Create, Enter, Invite, Leave, Remove
from tests.unit.broker.city import DOWN_S, City
from tests.unit.broker.stage import Device

ID = bytes(range(16))
GROUP = group_address(ID)
HOMES = {"ann": "a", "bob": "b", "cat": "c", "dan": "a", "eve": "b"}
BIG = 2  # above so many members homes are told of the head


def city_of(leader: str, **options: Any) -> City:
    return City({**HOMES, GROUP: leader}, **options)


def change(city: City, device: Device, what: AnyChange, cid: bytes | None = None) -> Any:
    cid = cid or city["a"].new_cid()
    return device.ask(lambda rid: ops.Change(rid, GROUP, cid, what))


def ok(reply: dict[str, Any]) -> Any:
    assert "ok" in reply, reply
    return reply["ok"]


def found(city: City, *members: str) -> dict[str, Device]:
    """Found a group of ann's with these members; return the phones of all, at other nodes."""
    places = {"ann": "c", "bob": "a", "cat": "b", "dan": "a", "eve": "c"}
    phones = {user: city.hello(user, places[user]) for user in ("ann", *members)}
    ok(change(city, phones["ann"], Create("friends", list(members)), ID))
    city.run()
    return phones


@pytest.mark.parametrize("inline_max", [256, BIG])
@pytest.mark.parametrize("leader", ["a", "b", "c"])
def test_all_members_get_all_in_one_order(leader: str, inline_max: int) -> None:
    city = city_of(leader, group_inline_max=inline_max)
    phones = found(city, "bob", "cat", "dan")
    for user, phone in phones.items():
        ok(phone.send(GROUP, f"by {user}"))
    city.run(1.0)
    for phone in phones.values():
        said = [m["msg"]["body"] for m in phone.messages if m["msg"].get("change") is None]
        assert said == [f"by {user}" for user in phones]
        assert [m["msg"]["seq"] for m in phone.messages] == [1, 2, 3, 4, 5]
        phone.ack()
    city.run(3.0)
    assert city[leader].rows("outbox") == []
    receipts = ok(phones["ann"].ask(lambda rid: ops.Receipts(rid, GROUP)))
    delivered = {user: marks["delivered"] for user, marks in receipts["marks"].items()}
    assert delivered == dict.fromkeys(phones, 5)
    assert city.crashes == []


@pytest.mark.parametrize("inline_max", [256, BIG])
def test_members_who_were_away_or_whose_node_was_down_get_it_later(inline_max: int) -> None:
    city = city_of("a", group_inline_max=inline_max)
    phones = found(city, "bob", "cat", "dan")
    phones["cat"].leave()
    for number in range(3):
        ok(phones["ann"].send(GROUP, f"{number}"))
    city.run(1.0)
    city["b"].power_off()
    for number in range(3, 6):
        ok(phones["dan"].send(GROUP, f"{number}"))
    extra = Extra(re=2)
    ok(phones["dan"].ask(lambda rid: ops.Send(rid, GROUP, city["a"].new_cid(), "6", extra)))
    city.run(DOWN_S)
    city["b"].start()
    city.run(8)
    for user in ("cat", "bob"):
        phone = city.hello(user, "c")
        city.run(1.0)
        bodies = [m["msg"]["body"] for m in phone.messages if m["msg"].get("change") is None]
        assert bodies[-7:] == ["0", "1", "2", "3", "4", "5", "6"]
    city.run(3.0)
    assert city["a"].rows("outbox") == []


def test_group_is_listed_where_its_members_are_at_home() -> None:
    city = city_of("a")
    phones = found(city, "bob", "cat")
    ok(phones["bob"].send(GROUP, "hi"))
    for user, phone in phones.items():
        groups = ok(phone.ask(ops.Groups))["groups"]
        assert [(one["conv"], one["title"], one["size"]) for one in groups] == [
            (GROUP, "friends", 3)
        ]
        (listed,) = ok(phone.ask(ops.Conversations))["conversations"]
        assert (listed["conv"], listed["last"]["body"]) == (GROUP, "hi")
        assert city[HOMES[user]].broker.context.census.flags(user, GROUP) == 0
    ok(change(city, phones["ann"], Remove("bob")))
    ok(change(city, phones["cat"], Leave()))
    city.run()
    for user in ("bob", "cat"):
        assert ok(phones[user].ask(ops.Groups))["groups"] == []
        assert city[HOMES[user]].broker.context.census.flags(user, GROUP) is None
    described = ok(phones["ann"].ask(lambda rid: ops.Group(rid, GROUP)))
    assert list(described["members"]) == ["ann"]


def test_changes_are_judged_by_what_other_nodes_know() -> None:
    city = city_of("a")
    phones = found(city, "bob")
    ann, cat = phones["ann"], city.hello("cat", "a")
    error = change(city, ann, Add(["cat", "zoe", "b0b"]))["err"]
    assert error["code"] == "no_such_user"
    ok(cat.ask(lambda rid: ops.Block(rid, "ann")))
    assert change(city, ann, Add(["cat"]))["err"]["code"] == "forbidden"
    ok(cat.ask(lambda rid: ops.Block(rid, "ann", False)))
    ok(change(city, ann, Add(["cat"])))
    city.run()
    assert [m["msg"]["change"]["kind"] for m in cat.messages] == ["add"]
    token = "t" * 22
    ok(change(city, ann, Invite(token)))
    eve = city.hello("eve", "c")
    ok(change(city, eve, Enter(token)))
    city.run()
    assert len(ok(eve.ask(lambda rid: ops.Group(rid, GROUP)))["members"]) == 4
    page = ok(eve.ask(lambda rid: ops.History(rid, GROUP, 0, None, 10)))
    assert [event["change"]["kind"] for event in page["events"]] == ["join"]


def test_change_that_names_a_user_of_a_node_that_is_down_is_refused() -> None:
    city = city_of("a")
    phones = found(city, "dan")
    city.cut("a", "c")
    rid = phones["dan"].start(lambda rid: ops.Send(rid, GROUP, city["a"].new_cid(), "x"))
    ann = city.hello("ann", "a")
    cid = city["a"].new_cid()
    asked = ann.start(lambda rid: ops.Change(rid, GROUP, cid, Add(["cat"])))
    city.run(WHOIS_WAIT_S + 0.5)
    assert ann.connection.replies[asked]["err"]["code"] == "unavailable"
    assert "ok" in phones["dan"].connection.replies[rid]
    city.run(DOWN_S)
    assert change(city, ann, Add(["cat"]))["err"]["code"] == "unavailable"
    ok(change(city, ann, Alter(name="old friends")))  # names nobody
    city.net.heal()
    city.run(8)
    ok(change(city, ann, Add(["cat"])))


def test_nobody_is_told_of_a_group_that_there_is_not() -> None:
    city = city_of("b")
    ann = city.hello("ann", "a")
    assert ann.send(GROUP, "hi")["err"]["code"] == "no_such_group"
    assert ann.ask(lambda rid: ops.Group(rid, GROUP))["err"]["code"] == "no_such_group"
    assert ann.ask(lambda rid: ops.History(rid, GROUP, 0, None, 5))["err"]["code"] in {
        "no_such_group",
        "forbidden",
    }


def test_group_that_crashes_while_it_asks_answers() -> None:
    city = city_of("a")
    phones = found(city, "dan")
    cid = city["a"].new_cid()
    asked = phones["ann"].start(lambda rid: ops.Change(rid, GROUP, cid, Add(["cat"])))
    city.run(0.02)
    (group,) = (ref for ref in city["a"].system.refs() if ref.label == "GroupActor")
    group.stop("crash")
    city.run()
    reply = phones["ann"].connection.replies[asked]
    if "err" in reply:
        assert (reply["err"]["code"], reply["err"]["outcome"]) == ("unavailable", "unknown")
    ok(change(city, phones["ann"], Add(["cat"]), cid))


def test_edits_and_deletions_reach_homes_without_history() -> None:
    city = city_of("a")
    phones = found(city, "bob", "cat")
    phones["bob"].leave()
    ok(phones["ann"].send(GROUP, "secret"))
    ok(phones["ann"].send(GROUP, "helo"))
    new = city["a"].new_cid
    ok(phones["ann"].ask(lambda rid: ops.Edit(rid, GROUP, new(), 3, "hello")))
    ok(phones["ann"].ask(lambda rid: ops.Delete(rid, GROUP, new(), [2])))
    city.run(1.0)
    bob = city.hello("bob", "b")
    city.run()
    got = {m["msg"]["seq"]: m["msg"].get("body", "") for m in bob.messages}
    assert got[2] == ""
    assert got[3] == "hello"
    assert b"secret" not in b"".join(value for _, value in city["b"].rows("inbox"))
    assert city.crashes == []
