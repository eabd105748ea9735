"""What users ask about each other, whose homes are on different nodes."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.limits import WHOIS_WAIT_S
from actorchat.protocol import ops
from tests.unit.broker.city import DOWN_S, City


@pytest.fixture
def city() -> City:
    return City({"ann": "a", "bob": "b", "cat": "c"})


def ok(reply: dict[str, Any]) -> Any:
    assert "ok" in reply, reply
    return reply["ok"]


def test_profile_of_a_user_elsewhere(city: City) -> None:
    ann, bob = city.hello("ann", "c"), city.hello("bob", "c")
    ok(bob.ask(lambda rid: ops.Describe(rid, "Bob", "at b")))
    shown = ok(ann.ask(lambda rid: ops.Profile(rid, "bob")))
    assert shown == {"user": "bob", "title": "Bob", "about": "at b"}
    unknown = ann.ask(lambda rid: ops.Profile(rid, "zed"))
    assert unknown["err"]["code"] == "no_such_user"


def test_contact_elsewhere_is_kept_at_home_if_there_is_such_a_user(city: City) -> None:
    ann = city.hello("ann", "c")
    ok(ann.ask(lambda rid: ops.Contact(rid, "bob")))
    assert ann.ask(lambda rid: ops.Contact(rid, "b0b"))["err"]["code"] == "no_such_user"
    assert ok(ann.ask(ops.Contacts)) == {"contacts": ["bob"]}
    assert city["a"].broker.context.census.contacts("ann") == ["bob"]


def test_user_whose_node_can_not_be_reached_is_no_contact_now(city: City) -> None:
    ann = city.hello("ann", "a")
    city.cut("a", "b")
    rid = ann.start(lambda rid: ops.Contact(rid, "bob"))
    city.run(WHOIS_WAIT_S + 0.5)
    assert ann.connection.replies[rid]["err"]["code"] == "unavailable"
    city.run(DOWN_S)
    error = ann.ask(lambda rid: ops.Contact(rid, "bob"))["err"]
    assert (error["code"], error["outcome"]) == ("unavailable", "none")


@pytest.mark.parametrize(("user", "other"), [("ann", "bob"), ("bob", "ann")])
def test_block_between_nodes(city: City, user: str, other: str) -> None:
    one, two = city.hello(user, "c"), city.hello(other, "c")
    ok(two.send(user, "1"))
    ok(one.ask(lambda rid: ops.Block(rid, other)))
    ok(two.send(user, "2"))
    city.run()
    assert one.bodies == ["1"]
    assert ok(one.ask(ops.Blocks)) == {"blocks": [other]}
    assert one.send(other, "3")["err"]["code"] == "blocked"
    home = {"ann": "a", "bob": "b"}[user]
    assert city[home].broker.context.blocks.blocked(user) == [other]
    ok(one.ask(lambda rid: ops.Block(rid, other, False)))
    ok(two.send(user, "4"))
    city.run()
    assert one.bodies == ["1", "4"]
    assert ok(one.ask(ops.Blocks)) == {"blocks": []}
    page = ok(one.ask(lambda rid: ops.History(rid, other, 0, None, 10)))
    assert [event["body"] for event in page["events"]] == ["1", "4"]


def test_who_is_blocked_is_not_seen_and_sees_nothing(city: City) -> None:
    ann, bob = city.hello("ann", "c"), city.hello("bob", "a")
    ok(bob.ask(lambda rid: ops.Describe(rid, "Bob", "at b")))
    ok(bob.ask(lambda rid: ops.Block(rid, "ann")))
    assert ok(ann.ask(lambda rid: ops.Profile(rid, "bob")))["title"] == ""
    states = ok(ann.ask(lambda rid: ops.Watch(rid, ["bob"])))["states"]
    assert states == [{"user": "bob", "online": False}]
    states = ok(bob.ask(lambda rid: ops.Watch(rid, ["ann"])))["states"]
    assert states == [{"user": "ann", "online": False}]


def test_flags_are_kept_at_home_and_shown_on_other_devices(city: City) -> None:
    bob, laptop = city.hello("bob", "a"), city.hello("bob", "c", device="laptop")
    ok(bob.send("ann", "hi"))
    city.run()
    ok(bob.ask(lambda rid: ops.Flag(rid, "ann", muted=True)))
    city.run()
    pushes = [push for push in laptop.connection.pushes if push["op"] == "flags"]
    assert [(push["conv"], push["muted"]) for push in pushes] == [("ann", True)]
