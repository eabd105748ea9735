"""The list of conversations, whose leaders are several nodes."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.limits import WHOIS_WAIT_S
from actorchat.protocol import ops
from tests.unit.broker.city import DOWN_S, City

HOMES = {"ann": "a", "bob": "b", "cat": "c", "dan": "a", "zoe": "b"}


@pytest.fixture
def city() -> City:
    return City(HOMES)


def ok(reply: dict[str, Any]) -> Any:
    assert "ok" in reply, reply
    return reply["ok"]


def listed(device: Any, after: str | None = None, limit: int = 50) -> Any:
    return ok(device.ask(lambda rid: ops.Conversations(rid, after, limit)))


def test_list_has_last_message_marks_unread_and_flags_of_all(city: City) -> None:
    cat = city.hello("cat", "a")
    for user in ("ann", "bob", "dan", "zoe"):
        other = city.hello(user, "c")
        for text in ("1", "2"):
            ok(other.send("cat", f"{text} of {user}"))
    city.run()
    cat.ack()
    cat.tell(ops.Mark("ann", 1))
    ok(cat.ask(lambda rid: ops.Flag(rid, "bob", pinned=True)))
    city.run(1.0)
    shown = {one["conv"]: one for one in listed(cat)["conversations"]}
    assert sorted(shown) == ["ann", "bob", "dan", "zoe"]
    assert {one["last"]["body"] for one in shown.values()} == {f"2 of {user}" for user in shown}
    assert {conv: one["unread"] for conv, one in shown.items()} == {
        "ann": 1, "bob": 2, "dan": 2, "zoe": 2,
    }  # fmt: skip
    assert [conv for conv, one in shown.items() if one["pinned"]] == ["bob"]
    assert not any(one.get("gone") for one in shown.values())
    assert shown["ann"]["marks"]["cat"]["read"] == 1


def test_pages_of_the_list_have_each_conversation_once(city: City) -> None:
    cat = city.hello("cat", "b")
    for user in ("ann", "bob", "dan", "zoe"):
        ok(cat.send(user, "hi"))
    city.run()
    found: list[str] = []
    while True:
        page = listed(cat, found[-1] if found else None, 1)
        found += [one["conv"] for one in page["conversations"]]
        if not page["more"]:
            break
    assert sorted(found) == ["ann", "bob", "dan", "zoe"]


def test_list_of_which_a_node_has_a_part_that_is_down_is_refused(city: City) -> None:
    cat = city.hello("cat", "c")
    ok(cat.send("ann", "hi"))
    ok(cat.send("zoe", "hi"))
    cat.leave()
    city.cut("c", "a")
    cat = city.hello("cat", "c")
    rid = cat.start(lambda rid: ops.Conversations(rid, None, 50))
    city.run(WHOIS_WAIT_S + 0.5)
    assert cat.connection.replies[rid]["err"]["code"] == "unavailable"
    city.run(DOWN_S)
    error = cat.ask(lambda rid: ops.Conversations(rid, None, 50))["err"]
    assert (error["code"], error["retry"]) == ("unavailable", "after")


def test_conversation_of_which_nothing_is_shown_is_left_out(city: City) -> None:
    cat, ann, bob = (city.hello(user, "b") for user in ("cat", "ann", "bob"))
    ok(cat.ask(lambda rid: ops.Block(rid, "ann")))
    ok(ann.send("cat", "hi"))
    ok(bob.send("cat", "hi"))
    city.run()
    page = listed(cat, None, 1)
    assert [one["conv"] for one in page["conversations"]] == ["bob"]
    assert not page["more"]
