"""Messages that change, between users whose homes are on different nodes."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.ids import group_address
from actorchat.protocol import ops
from actorchat.protocol.ops import Extra
from actorchat.protocol.ops.group import Create
from actorchat.store import keys, kinds
from actorchat.store.verify import verify
from tests.unit.broker.city import DOWN_S, City
from tests.unit.broker.stage import Device

GROUP = group_address(bytes(16))
PAIRS = [("ann", "bob"), ("bob", "ann")]


@pytest.fixture
def city() -> City:
    return City({"ann": "a", "bob": "b"})


def ok(reply: dict[str, Any]) -> Any:
    assert "ok" in reply, reply
    return reply["ok"]


def last(device: Device) -> dict[str, Any]:
    return dict(device.messages[-1]["msg"])


@pytest.mark.parametrize(("sender", "reader"), PAIRS)
def test_reply_edit_reaction_and_deletion_arrive(city: City, sender: str, reader: str) -> None:
    one, two = city.hello(sender, "c"), city.hello(reader, "c")
    ok(one.send(reader, "helo"))
    extra = Extra(re=1, mentions=[sender])
    ok(two.ask(lambda rid: ops.Send(rid, sender, city["a"].new_cid(), "what?", extra)))
    city.run()
    assert last(one)["extra"]["re"] == 1
    ok(one.ask(lambda rid: ops.Edit(rid, reader, city["a"].new_cid(), 1, "hello")))
    city.run()
    assert last(two)["body"] == "hello"
    ok(two.ask(lambda rid: ops.React(rid, sender, city["a"].new_cid(), 1, "+")))
    city.run()
    assert last(one)["act"]["emoji"] == "+"
    ok(one.ask(lambda rid: ops.Delete(rid, reader, city["a"].new_cid(), [1])))
    city.run()
    assert last(two)["act"]["refs"] == [1]
    assert city.crashes == []


def test_who_was_away_gets_what_a_message_has_become(city: City) -> None:
    ann = city.hello("ann", "c")
    for text in ("one", "two", "three"):
        ok(ann.send("bob", text))
    ok(ann.ask(lambda rid: ops.Edit(rid, "bob", city["a"].new_cid(), 1, "uno")))
    ok(ann.ask(lambda rid: ops.Delete(rid, "bob", city["a"].new_cid(), [2])))
    extra = Extra(expires_s=1)
    ok(ann.ask(lambda rid: ops.Send(rid, "bob", city["a"].new_cid(), "soon gone", extra)))
    city.run(2.0)
    bob = city.hello("bob", "b")
    city.run()
    got = {m["msg"]["seq"]: m["msg"] for m in bob.messages}
    assert got[1]["body"] == "uno"
    assert got[2].get("body", "") == ""
    assert got[3]["body"] == "three"
    assert got[6].get("body", "") == ""
    texts = b"".join(value for _, value in city["b"].rows("inbox"))
    assert b"two" not in texts  # deleted for everybody, here too
    assert city.crashes == []


@pytest.mark.parametrize(("user", "other"), PAIRS)
def test_what_is_deleted_for_oneself_is_seen_no_more(city: City, user: str, other: str) -> None:
    device, theirs = city.hello(user, "c"), city.hello(other, "b")
    ok(theirs.send(user, "one"))
    ok(theirs.send(user, "two"))
    reply = device.ask(lambda rid: ops.Delete(rid, other, city["a"].new_cid(), [1], "me"))
    assert ok(reply) == {}
    page = ok(device.ask(lambda rid: ops.History(rid, other)))
    assert [said.get("body", "") for said in page["events"]] == ["", "two"]
    assert page["events"][0]["hidden"]
    again = ok(theirs.ask(lambda rid: ops.History(rid, user)))
    assert [said["body"] for said in again["events"]] == ["one", "two"]
    (shown,) = ok(device.ask(ops.Conversations))["conversations"]
    assert shown["unread"] == 1
    device.leave()
    late = city.hello(user, "a")  # which had acked nothing
    city.run()
    got = {m["msg"]["seq"]: m["msg"] for m in late.messages}
    assert (got[1].get("body", ""), got[2]["body"]) == ("", "two")
    assert city.crashes == []
    assert all(verify(node.engine).is_sound for node in city.nodes.values())


def test_what_is_deleted_for_oneself_of_a_group_is_gone(city: City) -> None:
    ann, bob = city.hello("ann", "a"), city.hello("bob", "c")
    create = Create("all", ["bob"])
    ok(ann.ask(lambda rid: ops.Change(rid, GROUP, bytes(16), create)))
    ok(ann.send(GROUP, "hi"))
    for device in (ann, bob):  # the group's node is that of one of the two
        cid = city["a"].new_cid()
        ok(device.ask(lambda rid, cid=cid: ops.Delete(rid, GROUP, cid, [2], "me")))
        page = ok(device.ask(lambda rid: ops.History(rid, GROUP)))
        assert page["events"][-1]["hidden"]
    cid = city["a"].new_cid()
    for seq in (1, 9):  # a change, and nothing
        reply = bob.ask(lambda rid, seq=seq: ops.Delete(rid, GROUP, cid, [seq], "me"))
        assert reply["err"]["code"] == "no_such_message"
    city["a"].add_users("eve")
    reply = city.hello("eve", "c").ask(lambda rid: ops.Delete(rid, GROUP, cid, [2], "me"))
    assert reply["err"]["code"] == "no_such_group"
    assert city.crashes == []


def test_rows_of_what_is_deleted_for_oneself_are_in_their_own_slots(city: City) -> None:
    bob, ann = city.hello("bob", "b"), city.hello("ann", "a")
    ok(ann.send("bob", "one"))
    ok(bob.ask(lambda rid: ops.Delete(rid, "ann", city["a"].new_cid(), [1], "me")))
    key, home = keys.conversation_key("ann", "bob"), keys.user_key("bob")
    for node, owner, other in (("a", key, home), ("b", home, key)):
        row = keys.state_key(owner, kinds.HIDDEN, keys.place(other, 1))
        found = [at for at, _ in city[node].rows("state") if at[18:19] == kinds.HIDDEN]
        assert found == [row]


def test_what_one_home_did_not_hear_is_asked_again(city: City) -> None:
    bob, ann = city.hello("bob", "c"), city.hello("ann", "a")
    ok(ann.send("bob", "one"))
    city.cut("a", "b")
    city.run(DOWN_S)
    reply = bob.start(lambda rid: ops.Delete(rid, "ann", city["a"].new_cid(), [1], "me"))
    city.run()
    answer = bob.connection.replies.get(reply)
    assert answer is None or answer["err"]["outcome"] == "unknown"
    city.net.heal()
    city.run(DOWN_S)
    bob = city.hello("bob", "c")
    ok(bob.ask(lambda rid: ops.Delete(rid, "ann", city["a"].new_cid(), [1], "me")))
    city.run()
    bob.leave()
    assert city.hello("bob", "b").messages[0]["msg"].get("body", "") == ""
    assert city.crashes == []


@pytest.mark.parametrize("inline_max", [2, 256])
def test_nothing_points_into_another_slot_even_of_the_same_node(inline_max: int) -> None:
    users = dict.fromkeys(("ann", "bob", "cat", "dan"), "a")
    city = City(users, group_inline_max=inline_max)
    ann = city.hello("ann", "a")
    for body in ("short", "long " * 100):
        assert "ok" in ann.send("dan", body)
    create = Create("all", ["bob", "cat", "dan"])
    assert "ok" in ann.ask(lambda rid: ops.Change(rid, GROUP, bytes(16), create))
    assert "ok" in ann.send(GROUP, "all of it " * 100)
    city.run(2.0)
    node = city["a"]
    node.broker.context.log.apply()
    rows = [keys.unpack_inbox(value) for _, value in node.rows("inbox")]
    assert len(rows) >= 8
    assert verify(node.engine).problems == []
    assert node.engine.get(keys.CLUSTER_KEY, node.engine.family("state")) == b""
