"""A slot moves: what is in it is elsewhere after, and nobody has missed anything."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from actorchat.broker import handing_over
from actorchat.broker.conversation import ConversationActor
from actorchat.cluster.handoff import Handoff, State
from actorchat.errors import BUSY
from actorchat.ids import group_address, slot_of
from actorchat.protocol import ops
from actorchat.protocol.ops.group import Create
from actorchat.store import keys, slot_copy
from actorchat.store.verify import verify
from tests.unit.broker.city import DOWN_S, City
from tests.unit.broker.stage import Device

HOMES = {"ann": "a", "bob": "b", "cat": "c"}
SLOT = slot_of("ann")
STAGES = [State.ASKING, State.COPYING, State.CATCHING_UP, State.HOLDING, State.ENDING, State.SAID]


def rows_of(city: City, node: str, name: str) -> int:
    """Return how many rows of a name's slot a node has."""
    engine = city[node].engine
    start, stop = keys.slot_range(slot_of(name))
    families = ("history", "inbox", "sent", "outbox", "state")
    return sum(len(engine.scan(engine.family(f), start, stop)) for f in families)


def move_of(city: City, node: str = "a") -> Handoff | None:
    """Return how the hand-over of ann's slot stands."""
    found = city[node].reach.handoffs.get(SLOT)
    assert found is None or isinstance(found, Handoff)
    return found


def run_to(city: City, state: State, node: str = "a") -> None:
    """Let time pass until the hand-over of ann's slot stands there, and not a step longer."""

    def is_there() -> bool:
        move = move_of(city, node)
        return move is not None and move.state is state

    city.dispatcher.run(is_there, 20_000)


def close(city: City) -> None:
    """Have ann's slot at a closed, and stay so until `city["c"].syncer` is released."""
    city.announce("ann", "c")
    run_to(city, State.HOLDING)
    city["c"].syncer.is_held = True
    run_to(city, State.ENDING)
    assert SLOT in city["a"].reach.closed


def is_moved(city: City, to: str = "c") -> bool:
    return city.table[SLOT].leader == to


class Bob:
    """Writes to ann from a node that stays, under the same id until it is acked."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.device = city.hello("bob", "b")
        self.acked: list[str] = []

    def write(self, count: int = 1) -> None:
        for _ in range(count):
            body = f"m{len(self.acked)}"
            cid = self.city["b"].new_cid()
            for _ in range(60):
                if self.device.connection.is_closed:
                    self.device = self.city.hello("bob", "b")
                rid = self.device.start(lambda rid: ops.Send(rid, "ann", cid, body))  # noqa: B023
                self.city.run(0.3)
                if "ok" in self.device.connection.replies.get(rid, ()):
                    break
            else:
                raise AssertionError(f"{body} was never acked")
            self.acked.append(body)


def check(city: City, bob: Bob, leader: str = "c") -> None:
    """See that all is there, once and in order, and nowhere else."""
    city.run(3.0)
    assert city.table[SLOT].leader == leader
    assert {node for node in "abc" if rows_of(city, node, "ann")} == {leader}
    ann = city.hello("ann", "b")
    city.run(2.0)
    assert ann.bodies == bob.acked
    page = ann.ask(lambda rid: ops.History(rid, "bob", 0, None, 100))["ok"]["events"]
    assert [(event["seq"], event["body"]) for event in page] == list(enumerate(bob.acked, 1))
    assert not any(node.reach.held or node.reach.closed for node in city.nodes.values())
    for node in city.nodes.values():
        node.broker.context.log.apply()
        assert verify(node.engine).is_sound
    assert city.crashes == []


@pytest.fixture
def city(monkeypatch: pytest.MonkeyPatch) -> City:
    # So that even a small slot comes in many pieces.
    monkeypatch.setattr(handing_over, "HANDOFF_PIECE_BYTES", 1)
    monkeypatch.setattr(slot_copy, "ROWS_AT_ONCE", 3)
    return City(HOMES)


def test_slot_moves_with_all_that_is_in_it() -> None:
    city = City(HOMES, nodes="abc")
    ann, bob = city.hello("ann", "a"), city.hello("bob", "b")
    for number in range(20):
        ann.send("bob", f"a{number}")
        bob.send("ann", f"b{number}")
    before = rows_of(city, "a", "ann")
    assert before > 40
    city.announce("ann", "b")
    city.run(3.0)
    assert city.table[slot_of("ann")].leader == "b"
    assert rows_of(city, "a", "ann") == 0
    assert rows_of(city, "b", "ann") >= before - 2
    assert not city.crashes
    assert ann.send("bob", "after")["ok"]["seq"] == 41
    city.run(1.0)
    assert bob.bodies[-1] == "after"
    page = bob.ask(lambda rid: ops.History(rid, "ann", 0, None, 100))
    assert len(page["ok"]["events"]) == 41
    assert not city.crashes


# -- what goes wrong --------------------------------------------------------------------------


@pytest.mark.parametrize("state", STAGES, ids=lambda state: state.name)
def test_given_up_at_any_stage_it_is_led_as_before_and_moves_later(
    city: City, state: State
) -> None:
    bob = Bob(city)
    bob.write(3)
    city.announce("ann", "c")
    run_to(city, state)
    city.give_up("ann")
    bob.write(2)
    assert not is_moved(city)
    assert move_of(city) is None
    city.run(1.0)
    assert (rows_of(city, "c", "ann"), city["a"].reach.held) == (0, set())
    city.announce("ann", "c")
    bob.write(2)
    check(city, bob)


@pytest.mark.parametrize("who", ["a", "c"])
@pytest.mark.parametrize("state", STAGES, ids=lambda state: state.name)
def test_power_that_goes_at_any_stage_costs_nothing_that_was_acked(
    city: City, state: State, who: str
) -> None:
    bob = Bob(city)
    bob.write(3)
    city.announce("ann", "c")
    run_to(city, state)
    city[who].power_off()
    if who == "c" and state is not State.SAID:
        bob.write(2)  # it is led as before
    city.run(1.0)
    city[who].start()
    bob.write(2)
    city.run(DOWN_S)
    check(city, bob)


def test_sender_that_said_so_and_went_asks_before_anybody_writes(city: City) -> None:
    bob = Bob(city)
    bob.write(3)
    said: list[Any] = []
    city.on_copied = said.append  # type: ignore[method-assign]
    city.announce("ann", "c")
    run_to(city, State.SAID)
    city.run(1.0)
    assert said
    city["a"].power_off()
    city.run(1.0)
    city["a"].start()
    reach = city["a"].reach
    assert SLOT in reach.held & reach.closed  # before anybody could be started
    cid = city["b"].new_cid()
    city.run(3.0)
    bob.device = city.hello("bob", "b")
    rid = bob.device.start(lambda rid: ops.Send(rid, "ann", cid, "m3"))
    city.run(2.0)
    assert rid not in bob.device.connection.replies
    move = move_of(city)
    assert move is not None
    assert (move.is_unsure, move.state) == (True, State.SAID)
    del city.on_copied  # type: ignore[method-assign]
    bob.write(0)
    city.run(2.0)
    assert is_moved(city)
    again = city.hello("bob", "b")
    assert again.send("ann", "m3", cid)["ok"]["seq"] == 4
    bob.acked.append("m3")
    check(city, bob)


def test_sender_that_was_off_when_the_table_turned_drops_its_rows(city: City) -> None:
    bob = Bob(city)
    bob.write(3)
    city.announce("ann", "c")
    city.dispatcher.run(lambda: is_moved(city), 20_000)
    assert move_of(city) is not None  # it has not seen that yet
    city["a"].power_off()
    bob.write(2)
    assert rows_of(city, "a", "ann") > 0
    city["a"].start()
    city.run(4.0)
    check(city, bob)


def test_handoff_actor_that_crashes_at_any_stage_goes_on(city: City) -> None:
    bob = Bob(city)
    bob.write(3)
    city.announce("ann", "c")
    for state in STAGES:
        run_to(city, state)
        for desk in (handing_over.HANDOFF, handing_over.TAKEOVER):
            city["a"].system.names.whereis(desk).stop("crash")
        bob.write(1)
        if is_moved(city):
            break
    check(city, bob)


def test_receiver_that_can_not_be_reached_for_long_holds_nobody_up(city: City) -> None:
    bob = Bob(city)
    bob.write(3)
    close(city)
    city.cut("a", "c")
    city["c"].syncer.release()
    city.run(4.0)
    assert SLOT not in city["a"].reach.held
    bob.write(3)
    city.net.heal()
    city.run(DOWN_S)
    bob.write(1)
    check(city, bob)


# -- to and fro -------------------------------------------------------------------------------


def test_slot_goes_there_and_back_and_on(city: City) -> None:
    bob = Bob(city)
    bob.write(2)
    for to in "cabca":
        city.announce("ann", to)
        city.run(3.0)
        assert is_moved(city, to)
        bob.write(2)
    check(city, bob, "a")


def test_group_moves_with_its_history_and_members() -> None:
    group = group_address(bytes(16))
    city = City({**HOMES, group: "a"})
    ann, bob, cat = (city.hello(user, "b") for user in ("ann", "bob", "cat"))
    create = Create("all", ["bob", "cat"])
    assert "ok" in ann.ask(lambda rid: ops.Change(rid, group, bytes(16), create))
    assert bob.send(group, "one")["ok"]["seq"] == 2
    before = rows_of(city, "a", group)
    city.announce(group, "c")
    city.run(3.0)
    assert rows_of(city, "a", group) == 0
    assert rows_of(city, "c", group) in (before, before - 1)  # what was owed a moment ago is told
    assert cat.send(group, "two")["ok"]["seq"] == 3
    city.run(1.0)
    assert [device.bodies[-2:] for device in (bob, cat)] == [["one", "two"]] * 2
    assert ann.bodies[-2:] == ["one", "two"]
    assert len(ann.ask(lambda rid: ops.Group(rid, group))["ok"]["members"]) == 3
    assert city.crashes == []


# -- while it is held -------------------------------------------------------------------------


def test_what_comes_while_held_is_answered_after_and_in_order(city: City) -> None:
    bob = Bob(city)
    bob.write(2)
    cat = city.hello("cat", "b")  # has said nothing before: their conversation is started held
    close(city)
    ids = [city["b"].new_cid() for _ in range(5)]
    first = [
        bob.device.start(partial(_send, cid=cid, body=f"m{n}")) for n, cid in enumerate(ids[:4], 2)
    ]
    other = cat.start(partial(_send, cid=ids[4], body="from cat"))
    city.run(0.3)
    assert not set(first) & set(bob.device.connection.replies)
    assert other not in cat.connection.replies
    city.give_up("ann")
    city["c"].syncer.release()
    city.run(2.0)
    assert [bob.device.connection.replies[rid]["ok"]["seq"] for rid in first] == [3, 4, 5, 6]
    assert "ok" in cat.connection.replies[other]
    assert city.crashes == []


def test_full_mailbox_of_one_that_is_held_is_busy(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ConversationActor, "stash_max", 3)
    bob = Bob(city)
    bob.write(1)
    close(city)
    ids = [city["b"].new_cid() for _ in range(5)]
    rids = [bob.device.start(partial(_send, cid=cid, body="x")) for cid in ids]
    city.run(0.3)
    for rid in rids[3:]:
        error = bob.device.connection.replies[rid]["err"]
        assert (error["retry"], error["outcome"]) == ("after", "none")
        assert error["reason"] == BUSY
    city.give_up("ann")
    city["c"].syncer.release()
    city.run(2.0)
    assert [bob.device.connection.replies[rid]["ok"]["seq"] for rid in rids[:3]] == [2, 3, 4]
    assert city.crashes == []


def _send(rid: int, cid: bytes, body: str) -> ops.Send:
    return ops.Send(rid, "ann", cid, body)


# -- while it is closed -----------------------------------------------------------------------

ASKED: dict[str, Callable[[int], object]] = {
    "privacy": lambda rid: ops.Privacy(rid, "nobody"),
    "describe": lambda rid: ops.Describe(rid, "Ann"),
    "contact": lambda rid: ops.Contact(rid, "bob", True),
    "rename": lambda rid: ops.Rename(rid, "phone", "x"),
    "flag": lambda rid: ops.Flag(rid, "bob", True),
    "devices": ops.Devices,
    "conversations": ops.Conversations,
    "groups": ops.Groups,
    "password": lambda rid: ops.Password(rid, "ann", "a better password"),
    "revoke": lambda rid: ops.Revoke(rid, "laptop"),
    "block": lambda rid: ops.Block(rid, "bob"),
    "delete": lambda rid: ops.DeleteAccount(rid, "ann"),
}


def _delete(rid: int) -> object:
    """By the password that is the account's by then."""
    return ops.DeleteAccount(rid, "a better password")


@pytest.mark.parametrize("at", ["a", "b"])
def test_what_writes_into_a_closed_slot_is_refused_and_done_after(at: str) -> None:
    city = City(HOMES)
    ann = city.hello("ann", at)
    ann.send("bob", "hi")
    close(city)
    rids = {name: ann.start(make) for name, make in ASKED.items()}
    city.run(0.3)
    for name, rid in rids.items():
        error = ann.connection.replies[rid]["err"]
        about = (error["code"], error["retry"], error["outcome"])
        assert about == ("unavailable", "after", "none"), name
    city["c"].syncer.release()
    city.run(3.0)
    assert is_moved(city)
    for name, make in ASKED.items():
        again = _delete if name == "delete" else make
        assert "ok" in ann.ask(again), name
    assert city.crashes == []


@pytest.mark.parametrize("at", ["a", "b"])
def test_sign_in_while_closed_is_refused_and_works_after(at: str) -> None:
    city = City(HOMES)
    close(city)
    devices: list[tuple[Device, int]] = []
    for mech, secret in (("token", "token of ann phone"), ("password", "ann")):
        device = city[at].connect()
        about = (1, "ann", "phone", mech, secret)
        devices.append((device, device.start(lambda rid: ops.Hello(rid, *about))))  # noqa: B023
    city.run(0.3)
    for device, rid in devices:
        error = device.connection.replies[rid]["err"]
        assert (error["code"], error["retry"]) == ("unavailable", "after")
    city["c"].syncer.release()
    city.run(3.0)
    assert is_moved(city)
    city.hello("ann", at)
    assert city.crashes == []


def test_what_was_asked_before_it_is_closed_and_comes_after_is_refused() -> None:
    city = City(HOMES)
    ann = city.hello("ann", "a")
    ann.send("bob", "hi")
    other = city["a"].connect()
    close(city)
    city["a"].reach.closed.clear()  # so that nobody looks before they ask
    desks = {name: make for name, make in ASKED.items() if name != "privacy"}
    rids = {name: ann.start(make) for name, make in desks.items()}
    hello = (1, "ann", "laptop", "token", "token of ann laptop")
    rid = other.start(lambda rid: ops.Hello(rid, *hello))
    city.run(0.3)
    for name in ("devices", "conversations", "groups", "block"):  # which write nothing here
        del rids[name]
    for name, asked in rids.items():
        error = ann.connection.replies[asked]["err"]
        about = (error["code"], error["retry"], error["outcome"])
        assert about == ("unavailable", "after", "none"), name
    assert other.connection.replies[rid]["err"]["code"] == "unavailable"
    assert city.crashes == []


# -- at the turn ------------------------------------------------------------------------------


def test_session_that_waits_for_the_slot_says_bye_and_others_go_on(city: City) -> None:
    bob, cat = city.hello("bob", "b"), city.hello("cat", "b")
    for device in (bob, cat):
        assert "ok" in device.send("ann", "hi")
    close(city)
    bob.start(partial(_send, cid=city["b"].new_cid(), body="waits"))
    city["c"].syncer.release()
    city.run(3.0)
    assert is_moved(city)
    assert bob.connection.bye == {"op": "bye", "code": "drain", "reconnect": "now"}
    assert not cat.connection.is_closed
    assert "ok" in cat.send("ann", "there")
    assert city.crashes == []
