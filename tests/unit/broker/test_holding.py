"""What is held does nothing, forgets nothing, and goes on in order."""

from __future__ import annotations

from functools import partial

from actorchat.broker import holding
from actorchat.ids import slot_of
from actorchat.protocol import ops
from tests.unit.broker.city import City

HOMES = {"ann": "a", "bob": "b"}


def _send(rid: int, city: City, body: str) -> ops.Send:
    return ops.Send(rid, "ann", city["b"].new_cid(), body)


def _hello(rid: int) -> ops.Hello:
    return ops.Hello(rid, 1, "ann", "phone", "token", "token of ann phone")


def test_held_conversation_answers_when_it_is_let_go() -> None:
    city = City(HOMES, nodes="ab")
    context, slot = city["a"].broker.context, slot_of("ann")
    bob = city.hello("bob", "b")
    assert bob.send("ann", "first")["ok"]["seq"] == 1
    holding.hold(context, slot)
    rids = [bob.start(partial(_send, city=city, body=f"m{n}")) for n in range(5)]
    city.run(1.0)
    assert holding.is_held(context, slot)
    assert not any(rid in bob.connection.replies for rid in rids)
    holding.let_go(context, slot)
    city.run(1.0)
    assert [bob.connection.replies[rid]["ok"]["seq"] for rid in rids] == [2, 3, 4, 5, 6]
    assert not city.crashes


def test_home_that_is_started_while_its_slot_is_held_waits() -> None:
    city = City(HOMES, nodes="ab")
    context, slot = city["a"].broker.context, slot_of("ann")
    holding.hold(context, slot)
    ann = city["b"].connect()
    rid = ann.start(_hello)
    city.run(1.0)
    assert rid not in ann.connection.replies
    assert context.router.counts()["users"] == 1
    holding.let_go(context, slot)
    city.run(1.0)
    assert "ok" in ann.connection.replies[rid]
    assert not city.crashes


def test_hold_that_comes_late_holds_nobody() -> None:
    city = City(HOMES, nodes="ab")
    context, slot = city["a"].broker.context, slot_of("ann")
    bob, ann = city.hello("bob", "b"), city.hello("ann", "a")
    bob.send("ann", "first")
    holding.hold(context, slot)
    holding.let_go(context, slot)  # before any home has seen that it was to be held
    city.run(1.0)
    assert bob.send("ann", "second")["ok"]["seq"] == 2
    assert ann.bodies == ["first", "second"]
