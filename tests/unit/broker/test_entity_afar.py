"""Entities whose slots get another leader end here, and what waits for them goes there.

The rows of a slot are copied by somebody else: here by the test, before it turns the table.
"""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.ids import group_address, slot_of
from actorchat.limits import PRESENCE_PUSH_S
from actorchat.protocol import ops
from actorchat.protocol.ops.group import Create
from actorchat.store import keys
from actorchat.store.engine import FAMILIES
from tests.unit.broker.city import City, table_of

ID = bytes(range(16))
GROUP = group_address(ID)
HOMES = {"ann": "a", "bob": "b", "cat": "c", GROUP: "a"}


def copy(city: City, name: str, source: str, target: str) -> None:
    """Copy the rows of a slot, as whoever hands it over does."""
    start, stop = keys.slot_range(slot_of(name))
    for family in FAMILIES:
        rows = [(k, v) for k, v in city[source].rows(family) if start <= k < stop]
        engine = city[target].engine
        batch = engine.batch()
        for key, value in rows:
            batch.put(key, value, engine.family(family))
        engine.write(batch)
        engine.sync()


def move(city: City, name: str, to: str, late: str = "") -> None:
    source = city.homes[name]
    copy(city, name, source, to)
    city.homes = {**city.homes, name: to}
    table = table_of(city.homes, "a", epoch=2)
    for node in "abc":
        if node != late:
            city[node].turn(table)


def ok(reply: dict[str, Any]) -> Any:
    assert "ok" in reply, reply
    return reply["ok"]


@pytest.mark.parametrize("late", ["", "c"])
def test_home_and_conversations_go_on_at_the_new_leader(late: str) -> None:
    city = City(HOMES)
    ann, bob = city.hello("ann", "c"), city.hello("bob", "c")
    for number in range(3):
        ok(ann.send("bob", f"{number}"))
    ok(bob.send("ann", "back"))
    city.run(1.0)
    move(city, "ann", "b", late)
    city.run(1.0)
    assert city["a"].broker.context.router.counts()["users"] == 0
    assert city["a"].broker.context.router.counts()["conversations"] == 0
    assert ok(ann.send("bob", "3"))["seq"] == 5
    assert ok(bob.send("ann", "again"))["seq"] == 6
    city.run(1.0)
    assert bob.bodies[-1] == "3"
    assert ann.bodies[-1] == "again"
    assert not ann.connection.is_closed
    page = ok(bob.ask(lambda rid: ops.History(rid, "ann", 0, None, 10)))
    assert [e["body"] for e in page["events"]] == ["0", "1", "2", "back", "3", "again"]
    assert city.crashes == []


def test_what_is_under_way_is_answered_and_stored_once() -> None:
    city = City(HOMES)
    ann = city.hello("ann", "c")
    ok(ann.send("bob", "first"))
    cids = [city["a"].new_cid() for _ in range(20)]

    def begin(cid: bytes) -> int:
        return ann.start(lambda rid: ops.Send(rid, "bob", cid, cid.hex()))

    rids = [begin(cid) for cid in cids]
    city.run(0.021)  # some have arrived
    move(city, "ann", "b")
    city.run(2.0)
    replies = ann.connection.replies
    bye = ann.connection.bye  # the old way is longer than the new: what is sent again is in order
    assert bye is not None
    assert (bye["code"], bye["reconnect"]) == ("drain", "now")
    again = city.hello("ann", "c")
    for cid, rid in zip(cids, rids, strict=True):
        if "ok" not in replies.get(rid, {}):
            ok(again.send("bob", cid.hex(), cid))
    city.run(1.0)
    bob = city.hello("bob", "b")
    page = ok(bob.ask(lambda rid: ops.History(rid, "ann", 0, None, 50)))
    bodies = [event["body"] for event in page["events"]]
    assert bodies == ["first", *(cid.hex() for cid in cids)]
    assert city.crashes == []


def test_group_goes_on_at_the_new_leader() -> None:
    city = City(HOMES)
    ann, bob = city.hello("ann", "c"), city.hello("bob", "c")
    create = Create("friends", ["bob", "cat"])
    ok(ann.ask(lambda rid: ops.Change(rid, GROUP, ID, create)))
    ok(ann.send(GROUP, "1"))
    city.run(3.0)
    move(city, GROUP, "c")
    city.run()
    ok(bob.send(GROUP, "2"))
    city.run(1.0)
    assert [m["msg"].get("body") for m in ann.messages][-2:] == ["1", "2"]
    assert city["a"].broker.context.router.counts()["groups"] == 0
    assert city.crashes == []


def test_presence_follows_the_table() -> None:
    city = City(HOMES)
    ann, bob = city.hello("ann", "c"), city.hello("bob", "a")
    ok(bob.ask(lambda rid: ops.Watch(rid, ["ann"])))
    move(city, "ann", "b")
    city.run(3 * PRESENCE_PUSH_S)
    ann.leave()
    city.run(90)
    seen = [p["states"] for p in bob.connection.pushes if p["op"] == "presence"]
    assert [(s["user"], s["online"]) for states in seen for s in states][-1] == ("ann", False)
    assert city.crashes == []


def test_entities_of_other_slots_stay() -> None:
    city = City(HOMES)
    cat = city.hello("cat", "c")
    home = city["c"].mesh.resolve("user/cat")
    move(city, "ann", "b")
    city.run()
    assert city["c"].mesh.resolve("user/cat") is home
    assert not cat.connection.is_closed
