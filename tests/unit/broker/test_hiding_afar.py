"""Messages that change, between users whose homes are on different nodes."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.protocol import ops
from actorchat.protocol.ops import Extra
from tests.unit.broker.city import City
from tests.unit.broker.stage import Device

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
def test_deleting_for_oneself_is_for_conversations_of_ones_own_node(
    city: City, user: str, other: str
) -> None:
    device = city.hello(user, "c")
    ok(device.send(other, "hi"))
    cid = city["a"].new_cid()
    reply = device.ask(lambda rid: ops.Delete(rid, other, cid, [1], "me"))
    if user == "ann":  # whose node leads the conversation
        assert ok(reply) == {}
    else:
        assert reply["err"]["code"] == "unavailable"
