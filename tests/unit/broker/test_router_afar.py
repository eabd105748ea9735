"""Direct messages between users of any homes, signed in anywhere, are those of one node."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from actorchat.chat.account import Account
from actorchat.protocol import ops
from tests.unit.broker.city import DOWN_S, City

PLACES = [
    # ann's home, bob's home, ann's session, bob's session
    *product("ab", "b", "ab", "ab"),
    *("abca", "abcc", "abbc", "aacb", "bacb"),
]


def city_of(one: str, other: str, **options: Any) -> City:
    return City({"ann": one, "bob": other}, **options)


@pytest.mark.parametrize("places", PLACES, ids="".join)
def test_message_ack_delivery_marks_and_history(places: str) -> None:
    one, other, at_one, at_other = places
    city = city_of(one, other)
    ann, bob = city.hello("ann", at_one), city.hello("bob", at_other)
    assert ann.send("bob", "hi")["ok"]["seq"] == 1
    assert bob.send("ann", "hello")["ok"]["seq"] == 2
    city.run()
    assert (ann.bodies, bob.bodies) == (["hello"], ["hi"])
    bob.ack()
    bob.tell(ops.Mark("ann", 1))
    city.run(1.0)
    assert ann.marks[-1] == {"op": "mark", "conv": "bob", "user": "bob", "delivered": 1, "read": 1}
    pages = [
        d.ask(lambda rid, to=to: ops.History(rid, to, 0, None, 10))
        for d, to in ((ann, "bob"), (bob, "ann"))
    ]
    assert pages[0]["ok"]["events"] == pages[1]["ok"]["events"]
    assert [event["body"] for event in pages[0]["ok"]["events"]] == ["hi", "hello"]
    assert city.crashes == []


@pytest.mark.parametrize("sender", ["ann", "bob"])
def test_message_that_is_sent_again_is_the_first(sender: str) -> None:
    city = city_of("a", "b")
    peer = {"ann": "bob", "bob": "ann"}[sender]
    device, other = city.hello(sender, "c"), city.hello(peer, "c")
    cid = city["a"].new_cid()
    first = device.send(peer, "hi", cid)["ok"]
    again = city.hello(sender, "b")
    assert again.send(peer, "hi", cid)["ok"] == {**first, "dup": True}
    assert again.send(peer, "other", cid)["err"]["code"] == "id_conflict"
    city.run()
    assert other.bodies == ["hi"]


@pytest.mark.parametrize("sender", ["ann", "bob"])
def test_own_devices_get_what_is_sent(sender: str) -> None:
    city = city_of("a", "b")
    peer = {"ann": "bob", "bob": "ann"}[sender]
    phone, laptop = city.hello(sender, "c"), city.hello(sender, "b", device="laptop")
    city.run(1.0)
    assert "ok" in phone.send(peer, "hi")
    city.run()
    assert [(m["to"], m["msg"]["body"]) for m in laptop.messages] == [(peer, "hi")]
    laptop.leave()
    assert "ok" in phone.send(peer, "there")
    laptop = city.hello(sender, "a", device="laptop")  # reads it from the log of its home
    city.run()
    assert [(m["to"], m["msg"]["body"]) for m in laptop.messages][-1] == (peer, "there")


def test_user_who_was_away_gets_what_is_kept_at_home_however_long_it_is() -> None:
    city = city_of("a", "b")
    ann = city.hello("ann", "c")
    texts = ["short", "x" * 20_000, "end"]
    for text in texts:
        assert "ok" in ann.send("bob", text)
    city.run()
    city["a"].power_off()
    city.run(DOWN_S)
    bob = city.hello("bob", "c")
    city.run()
    assert bob.bodies == texts


def test_owed_messages_are_delivered_when_the_home_is_back() -> None:
    city = city_of("a", "b")
    ann, bob = city.hello("ann", "a"), city.hello("bob", "a")
    assert "ok" in ann.send("bob", "1")
    bob.ack()
    city["b"].power_off()
    for number in range(2, 5):
        assert "ok" in ann.send("bob", f"{number}")
    city.run(DOWN_S)
    assert bob.connection.bye == {"op": "bye", "code": "drain", "reconnect": "now"}
    city["b"].start()
    city.run(6)
    bob = city.hello("bob", "c")
    city.run(3)
    assert bob.bodies[-3:] == ["2", "3", "4"]  # and the first, if its place was not synced
    assert city["a"].rows("outbox") == []


def test_sender_of_a_node_that_is_gone_is_told_so_and_others_go_on() -> None:
    city = City({"ann": "a", "bob": "b", "cat": "c"})
    bob, cat = city.hello("bob", "b"), city.hello("cat", "b")
    assert "ok" in bob.send("ann", "1")
    assert "ok" in bob.send("cat", "1")
    city["a"].power_off()
    city.run(DOWN_S)
    assert bob.connection.bye is not None
    bob = city.hello("bob", "b")
    assert bob.send("ann", "2")["err"] == {
        "code": "unavailable",
        "reason": "the node that answers for this can't be reached now",
        "retry": "after",
        "outcome": "none",
        "after_ms": 1_000,
    }
    assert "ok" in bob.send("cat", "2")
    city.run()
    assert cat.bodies == ["1", "2"]


def test_what_was_not_synced_at_the_leader_is_not_acked_and_not_delivered() -> None:
    city = city_of("a", "b")
    ann, bob = city.hello("ann", "c"), city.hello("bob", "c")
    assert "ok" in ann.send("bob", "1")
    city["a"].syncer.is_held = True
    cid = city["a"].new_cid()
    rid = ann.start(lambda rid: ops.Send(rid, "bob", cid, "2"))
    city.run()
    assert rid not in ann.connection.replies
    city["a"].power_off()
    city.run(DOWN_S)
    assert rid not in ann.connection.replies
    assert ann.connection.bye is not None
    city["a"].start()
    city.run(6)
    ann = city.hello("ann", "b")
    assert ann.send("bob", "2", cid)["ok"]["seq"] == 2
    bob = city.hello("bob", "b")
    city.run()
    assert bob.bodies[-1] == "2"


def test_home_that_crashes_is_built_again_and_sessions_attach_again() -> None:
    city = city_of("a", "b")
    ann, bob = city.hello("ann", "c"), city.hello("bob", "c")
    assert "ok" in ann.send("bob", "1")
    for ref in city["b"].system.refs():
        if ref.label == "UserActor":
            ref.stop("crash")
    city.run()
    assert "ok" in ann.send("bob", "2")
    city.run()
    assert bob.bodies[-1] == "2"
    assert not bob.connection.is_closed


def test_device_taken_over_at_another_node_is_told_so() -> None:
    city = city_of("a", "b")
    first = city.hello("bob", "a")
    second = city.hello("bob", "c")
    city.run()
    assert first.connection.bye == {"op": "bye", "code": "takeover", "reconnect": "never"}
    assert not second.connection.is_closed


def test_accounts_devices_and_passwords_from_any_node() -> None:
    city = city_of("a", "b")
    operator = city["c"].operator()
    made = operator.ask(lambda rid: ops.Provision(rid, "dan", "password"))
    assert made["ok"] == {"user": "dan"}
    assert city["a"].broker.context.archive.has_account("dan")  # which leads all other slots
    token = operator.ask(lambda rid: ops.Provision(rid, "bob", None, "tablet"))["ok"]["token"]
    assert city["b"].broker.context.archive.has_device("bob", "tablet")
    tablet = city["a"].connect()
    hello = tablet.ask(lambda rid: ops.Hello(rid, 1, "bob", "tablet", "token", token))
    assert hello["ok"]["user"] == "bob"
    phone = city.hello("bob", "c")
    devices = phone.ask(ops.Devices)["ok"]["devices"]
    assert [device["device"] for device in devices] == ["laptop", "phone", "tablet"]
    assert phone.ask(lambda rid: ops.Revoke(rid, "tablet")) == {"re": 3, "ok": {}}
    city.run()
    assert tablet.connection.bye == {"op": "bye", "code": "revoked", "reconnect": "never"}
    archive = city["b"].broker.context.archive
    changed = phone.ask(lambda rid: ops.Password(rid, "bob", "a better password"))
    assert changed["ok"] == {}
    account = archive.account("bob")
    assert isinstance(account, Account)
    assert account.password_hash == "hash of a better password"


def test_wrong_secrets_are_refused_wherever_they_are_tried() -> None:
    city = city_of("a", "b")
    for node in "abc":
        device = city[node].connect()
        reply = device.ask(lambda rid: ops.Hello(rid, 1, "bob", "phone", "token", "wrong"))
        assert reply["err"]["code"] == "unauthenticated"


NOT_YET: list[Any] = [
    lambda rid: ops.Upload(rid, bytes(32), 5, "text/plain"),
    lambda rid: ops.Events(rid, None),
]


@pytest.mark.parametrize("make", NOT_YET)
def test_what_is_not_possible_yet_is_refused(make: Any) -> None:
    city = city_of("a", "b")
    ann = city.hello("ann", "a")
    error = ann.ask(make)["err"]
    assert (error["code"], error["retry"], error["outcome"]) == ("unavailable", "never", "none")
    assert "several nodes" in error["reason"]
