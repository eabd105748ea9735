"""Bots are made at their homes, and delete what others wrote on any node, if they were let."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.ids import group_address
from actorchat.protocol import ops
from actorchat.protocol.ops.group import Create
from actorchat.store import keys, kinds
from actorchat.store.verify import verify
from tests.unit.broker.city import DOWN_S, City
from tests.unit.broker.stage import Device

GROUP_ID = bytes(range(16))
GROUP = group_address(GROUP_ID)
CID = b"moderator's deed"
HOMES = {"ann": "a", "bob": "b", GROUP: "c"}


@pytest.fixture
def city() -> City:
    city = City({**HOMES, "robot": "b"})
    city["b"].broker.context.log.append((city["b"].broker.context.rows.no_account("robot"),))
    return city


def ok(reply: dict[str, Any]) -> Any:
    assert "ok" in reply, reply
    return reply["ok"]


def make_bot(city: City, node: str = "a", *, moderates: bool = True) -> str:
    operator = city[node].operator()
    made = operator.ask(lambda rid: ops.Bot(rid, "robot", "main", [], moderates))
    return str(ok(made)["token"])


def sign_in(city: City, token: str, node: str) -> Device:
    device = city[node].connect()
    ok(device.ask(lambda rid: ops.Hello(rid, 1, "robot", "main", "token", token)))
    return device


def moderate(device: Device, conv: str, *seqs: int, of: str | None = None, cid: bytes = CID) -> Any:
    return device.ask(lambda rid: ops.Delete(rid, conv, cid, list(seqs), "moderate", of))


def bodies(device: Device, conv: str) -> list[str]:
    page = ok(device.ask(lambda rid: ops.History(rid, conv)))["events"]
    return [said.get("body", "") for said in page if "act" not in said and "change" not in said]


def test_bot_deletes_what_others_wrote_wherever_that_is(city: City) -> None:
    ann, bob = city.hello("ann", "c"), city.hello("bob", "a")
    for text in ("fine", "not fine"):
        ok(ann.send("bob", text))
    create = Create("all", ["bob"])
    ok(ann.ask(lambda rid: ops.Change(rid, GROUP, GROUP_ID, create)))
    ok(bob.send(GROUP, "not fine"))
    robot = sign_in(city, make_bot(city), "c")
    ok(moderate(robot, "ann", 2, of="bob"))
    assert ok(moderate(robot, "ann", 2, of="bob"))["dup"]
    ok(moderate(robot, GROUP, 2, cid=bytes(16)))
    city.run()
    for one, other in ((ann, "bob"), (bob, "ann")):
        assert bodies(one, other) == ["fine", ""]
        assert bodies(one, GROUP) == [""]
    texts = b"".join(value for node in city.nodes.values() for _, value in node.rows("inbox"))
    assert b"not fine" not in texts
    assert moderate(robot, "ann", 9, of="bob", cid=b"1" * 16)["err"]["code"] == "no_such_message"
    assert moderate(robot, "ann", 1, of="eve", cid=b"2" * 16)["err"]["code"] == "no_such_user"
    gone = moderate(robot, group_address(b"g" * 16), 1, cid=b"3" * 16)
    assert gone["err"]["code"] == "no_such_group"
    assert all(verify(node.engine).is_sound for node in city.nodes.values())
    assert city.crashes == []


def test_who_was_not_granted_it_deletes_nothing(city: City) -> None:
    ann, bob = city.hello("ann", "c"), city.hello("bob", "a")
    ok(ann.send("bob", "fine"))
    robot = sign_in(city, make_bot(city, moderates=False), "a")
    for device in (robot, bob, city.hello("ann", "b")):
        assert moderate(device, "ann", 1, of="bob")["err"]["code"] == "forbidden"
    make_bot(city, "c")
    ok(moderate(sign_in(city, make_bot(city), "a"), "ann", 1, of="bob"))
    make_bot(city, "b", moderates=False)  # what was granted is taken away
    robot = sign_in(city, make_bot(city, moderates=False), "a")
    assert moderate(robot, "ann", 1, of="bob", cid=bytes(16))["err"]["code"] == "forbidden"
    assert bodies(bob, "ann") == [""]


def test_bot_is_one_at_its_home_alone(city: City) -> None:
    make_bot(city, "c")
    rows = [(node.name, key) for node in city.nodes.values() for key, _ in node.rows("state")]
    mine = {name for name, key in rows if key.startswith(keys.user_key("robot"))}
    assert mine == {"b"}
    assert ("b", keys.state_key(keys.user_key("robot"), kinds.MODERATOR)) in rows
    shown = ok(city.hello("ann", "c").ask(lambda rid: ops.Profile(rid, "robot")))
    assert shown["bot"]
    operator = city["a"].operator()
    error = operator.ask(lambda rid: ops.Bot(rid, "ann", "main", []))["err"]
    assert error["code"] == "exists"
    error = operator.ask(lambda rid: ops.Bot(rid, "robot", "main", ["message"]))["err"]
    assert (error["code"], error["retry"]) == ("unavailable", "never")  # events are one node's


def test_node_that_is_down_is_said(city: City) -> None:
    ann = city.hello("ann", "c")
    ok(ann.send("bob", "fine"))
    robot = sign_in(city, make_bot(city), "b")
    city["a"].power_off()
    city.run(DOWN_S)
    robot = sign_in(city, make_bot(city, "b"), "b")
    error = moderate(robot, "ann", 1, of="bob")["err"]
    assert (error["code"], error["retry"], error["outcome"]) == ("unavailable", "after", "none")
