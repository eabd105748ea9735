"""An account ends whose conversations and groups are on other nodes."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker.group import GroupActor
from actorchat.broker.whois import WhoIsActor
from actorchat.chat.afar import AboutThem
from actorchat.ids import group_address
from actorchat.protocol import ops
from actorchat.protocol.ops.group import Add, Create
from actorchat.store import keys, kinds
from actorchat.store.verify import verify
from tests.unit.broker.city import DOWN_S, City
from tests.unit.broker.stage import Device

GROUP_ID = bytes(range(16))
GROUP = group_address(GROUP_ID)
HOMES = {"ann": "a", "bob": "b", "cat": "c", GROUP: "c"}
SOON_S = 6.0


@pytest.fixture
def city() -> City:
    return City(HOMES)


def ok(reply: dict[str, Any]) -> Any:
    assert "ok" in reply, reply
    return reply["ok"]


def make_group(city: City, owner: Device, *members: str) -> None:
    create = Create("all", list(members))
    ok(owner.ask(lambda rid: ops.Change(rid, GROUP, GROUP_ID, create)))


def end(device: Device, user: str) -> None:
    ok(device.ask(lambda rid: ops.DeleteAccount(rid, user)))


def members(device: Device) -> list[str]:
    return sorted(ok(device.ask(lambda rid: ops.Group(rid, GROUP)))["members"])


def left(city: City, user: str) -> list[bytes]:
    """Return the kinds of rows that a user still has, and what is still to be done for them."""
    owner, todo = keys.user_key(user), kinds.META + b"erase/" + user.encode()
    rows = [key for node in city.nodes.values() for key, _ in node.rows("state")]
    rows += [key for node in city.nodes.values() for key, _ in node.rows("inbox")]
    mine = [key[18:19] for key in rows if key.startswith(owner)]
    return mine + [key[18:] for key in rows if key.endswith(todo)]


@pytest.mark.parametrize(("user", "other"), [("ann", "bob"), ("bob", "ann")])
def test_nothing_stays_but_what_others_have(city: City, user: str, other: str) -> None:
    one, two, cat = city.hello(user, "c"), city.hello(other, "a"), city.hello("cat", "b")
    ok(one.send(other, "hello"))
    ok(two.send(user, "hello yourself"))
    make_group(city, cat, user, other)
    ok(cat.send(GROUP, "hi all"))
    assert one.ask(lambda rid: ops.DeleteAccount(rid, "wrong"))["err"]["code"] == "unauthenticated"
    end(one, user)
    city.run(SOON_S)
    assert one.connection.bye is not None
    assert one.connection.bye["code"] == "revoked"
    assert left(city, user) == [kinds.GONE]
    assert members(cat) == sorted({"cat", other})
    assert two.send(user, "are you there?")["err"]["code"] == "no_such_user"
    page = ok(two.ask(lambda rid: ops.History(rid, user)))
    assert len(page["events"]) == 2
    listed = ok(two.ask(ops.Conversations))["conversations"]
    assert [one.get("gone") for one in listed if one["conv"] == user] == [True]
    assert all(verify(node.engine).is_sound for node in city.nodes.values())
    assert city.crashes == []


def test_who_was_away_is_told_when_back_whatever_crashed_meanwhile(city: City) -> None:
    ann, bob = city.hello("ann", "a"), city.hello("bob", "a")
    ok(ann.send("bob", "hello"))
    make_group(city, ann, "bob", "cat")
    ok(ann.send(GROUP, "hi all"))
    city.run(2.0)
    for node in "ac":
        city[node].power_off()
    city.run(DOWN_S)
    bob = city.hello("bob", "b", "laptop")
    end(bob, "bob")
    city.run(SOON_S)
    assert len(left(city, "bob")) > 2  # nothing goes before they know
    city["b"].power_off()
    city.run(1.0)
    city["b"].start()
    city["a"].start()
    city.run(DOWN_S)
    ann = city.hello("ann", "a")
    assert ann.send("bob", "are you there?")["err"]["code"] == "no_such_user"
    city["c"].start()
    city.run(DOWN_S)
    assert left(city, "bob") == [kinds.GONE]
    assert members(ann) == ["ann", "cat"]
    assert city.crashes == []


def test_conversation_knows_after_it_was_put_away() -> None:
    city = City(HOMES, idle_s=1.0)
    ann, bob = city.hello("ann", "a"), city.hello("bob", "a")
    ok(ann.send("bob", "hello"))
    end(bob, "bob")
    city.run(SOON_S)
    assert city["a"].broker.context.router.counts()["conversations"] == 0
    city["b"].power_off()
    city.run(DOWN_S)
    city["b"].start()
    city.run(DOWN_S)
    assert ann.send("bob", "hello?")["err"]["code"] == "no_such_user"


def test_who_is_let_in_while_the_account_ends_is_put_out_again(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob, cat = city.hello("ann", "a"), city.hello("bob", "b"), city.hello("cat", "c")
    make_group(city, cat, "ann")
    end(bob, "bob")
    city.run(SOON_S)
    assert left(city, "bob") == [kinds.GONE]

    def outdated(self: WhoIsActor, event: Any) -> None:
        event.asker.tell(AboutThem(event.number, "b", [], []))

    monkeypatch.setattr(WhoIsActor, "on_receive", outdated)
    ok(cat.ask(lambda rid: ops.Change(rid, GROUP, bytes(16), Add(["bob"]))))
    assert members(ann) == ["ann", "bob", "cat"]
    city.run(SOON_S)
    assert members(ann) == ["ann", "cat"]
    city.run(SOON_S)
    group = city["c"].broker.context.router.conversation(GROUP).ref()._actor
    assert isinstance(group, GroupActor)
    assert group._is_settled()
    assert city.crashes == []


def test_conversation_that_had_not_arrived_is_told_when_it_does(city: City) -> None:
    ann, bob = city.hello("ann", "a"), city.hello("bob", "b")
    rid = ann.start(lambda rid: ops.Send(rid, "bob", bytes(16), "hello"))
    city.cut("a", "c")
    end(bob, "bob")
    city.run(SOON_S)
    reply = ann.connection.replies[rid]
    assert "ok" in reply or reply["err"]["code"] == "no_such_user"
    assert ann.send("bob", "hello?")["err"]["code"] == "no_such_user"
    city.run(SOON_S)
    assert [key for key, _ in city["a"].rows("outbox")] == []


def test_slot_that_comes_here_has_its_accounts_finished_here(city: City) -> None:
    ann = city.hello("ann", "a")
    ok(ann.send("bob", "hello"))
    context = city["c"].broker.context
    rows = context.tombs.new_rows("bob", 5)  # as they are copied with the slot
    context.log.append(rows)
    city["b"].power_off()
    table = list(city.table)
    at = keys.slot_in(keys.user_key("bob"))
    table[at] = type(table[at])("c", 3, ("c",), ("c",))
    for node in "ac":
        city[node].turn(table)
    city.run(SOON_S)
    todo = [key for key, _ in city["c"].rows("state") if b"erase/" in key]
    assert todo == []
