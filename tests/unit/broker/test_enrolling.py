"""Accounts that people make themselves, of names and by invitations that are on other nodes."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.chat.invitation import invitation_id
from actorchat.chat.reservation import Closed, Reservation, Reserved
from actorchat.chat.signup import SignUpMode, SignUpPolicy
from actorchat.cluster.slots import Slot
from actorchat.ids import slot_of
from actorchat.limits import INVITATION_SETTLE_S, WHOIS_WAIT_S
from actorchat.protocol import ops
from actorchat.store.verify import verify
from tests.unit.broker.city import DOWN_S, City
from tests.unit.broker.stage import PlainHashing

CODE = "code-0123456789abcdef"
HOMES = {"ann": "a", "bob": "b", "cat": "c"}
SETTLED_S = 3 * INVITATION_SETTLE_S


def city_of(mode: SignUpMode = "invitation", code_at: str = "c", **more: Any) -> City:
    """Return a city of three nodes, nobody in it, and the invitation on one of them."""
    city = City(HOMES, sign_up=SignUpPolicy(mode, 1_000), **more)
    table = list(city.table)
    for name, at in {invitation_id(CODE).hex(): code_at, "gus": "b"}.items():
        table[slot_of(name)] = Slot(at, 2, (at,), (at,))
    city.table = table
    for node in city.nodes.values():
        node.turn(table)
    city.run(1.0)
    return city


def invite(city: City, uses: int = 1, node: str = "a", code: str = CODE) -> Any:
    operator = city[node].operator()
    return operator.ask(lambda rid: ops.Invitation(rid, "add", code, "a title", uses))


def listed(city: City, node: str = "b") -> list[int]:
    operator = city[node].operator()
    return [one["left"] for one in operator.ask(ops.Invitations)["ok"]["invitations"]]


def sign_up(city: City, user: str, node: str, code: str | None = CODE) -> Any:
    device = city[node].connect()
    return device.ask(lambda rid: ops.SignUp(rid, 1, user, "phone", "password", code))


def sign_in(city: City, user: str, node: str) -> Any:
    device = city[node].connect()
    return device.ask(lambda rid: ops.Hello(rid, 1, user, "phone", "password", "password"))


def code_of(reply: Any) -> str:
    return "ok" if "ok" in reply else str(reply["err"]["code"])


def taken(city: City) -> int:
    digest = invitation_id(CODE)
    return sum(node.broker.context.invitations.taken(digest) for node in city.nodes.values())


@pytest.fixture
def city() -> City:
    return city_of()


def test_open_servers_make_the_account_at_the_home_of_its_name() -> None:
    city = city_of("open")
    reply = sign_up(city, "dora", "b", None)
    assert code_of(reply) == "ok"
    homes = [n.name for n in city.nodes.values() if n.broker.context.archive.has_account("dora")]
    assert homes == [city["a"].reach.home("dora")]
    assert code_of(sign_up(city, "dora", "c", None)) == "exists"
    assert code_of(sign_up(city, "Bad Name", "c", None)) == "bad_request"
    assert code_of(sign_in(city, "dora", "c")) == "ok"


@pytest.mark.parametrize("at", "abc")
def test_a_use_is_counted_once_wherever_it_is(at: str) -> None:
    city = city_of(code_at=at)
    assert invite(city, 2)["ok"]
    assert code_of(sign_up(city, "dan", "b")) == "ok"
    assert listed(city) == [1]
    assert taken(city) == 0
    assert code_of(sign_up(city, "dan", "a")) == "exists"
    city.run(0.5)
    assert listed(city) == [1]
    assert code_of(sign_up(city, "eve", "c")) == "ok"
    assert listed(city) == []
    for code in (CODE, "another code 0123456789", None):
        assert code_of(sign_up(city, "fay", "c", code)) == "bad_invitation"
    city.run(SETTLED_S)
    assert all(verify(node.engine).is_sound for node in city.nodes.values())
    rows = [
        row for node in city.nodes.values() for row in node.rows("state") if row[0][18:19] == b"h"
    ]
    assert rows == []
    assert city.crashes == []


def test_who_has_no_code_learns_no_names(city: City) -> None:
    assert code_of(sign_up(city, "bob", "a", "a code of nobody 12345")) == "bad_invitation"
    invite(city)
    assert code_of(sign_up(city, "bob", "a")) == "exists"
    city.run(0.5)
    assert taken(city) == 0
    assert listed(city) == [1]


def test_node_of_the_invitation_that_is_down_is_waited_for(city: City) -> None:
    invite(city)
    city["c"].power_off()
    city.run(DOWN_S)
    error = sign_up(city, "gus", "a")["err"]
    assert (error["code"], error["retry"]) == ("unavailable", "after")
    city["c"].start()
    city.run(DOWN_S)
    assert code_of(sign_up(city, "gus", "a")) == "ok"


def test_last_use_that_is_taken_for_another_may_become_free(city: City) -> None:
    invite(city)
    rows = city["c"].broker.context.invitations
    lost = Reservation(invitation_id(CODE), bytes(16), "ann")
    city["c"].broker.context.log.append((rows.taken_row(lost),))
    city["c"].system.names.whereis("invitations").stop("test")  # it is started again, and looks
    city.run(0.1)
    error = sign_up(city, "gus", "a")["err"]
    assert (error["code"], error["retry"]) == ("unavailable", "after")
    city.run(SETTLED_S)
    assert code_of(sign_up(city, "gus", "a")) == "ok"
    assert listed(city) == []


def test_answer_that_comes_too_late_is_given_back(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    invite(city)
    desk = city["b"].system.names.whereis("authenticator")
    actor = desk._actor
    whole, late = actor._reserved, []
    actor._reserved = late.append
    device = city["a"].connect()
    rid = device.start(lambda rid: ops.SignUp(rid, 1, "gus", "phone", "password", CODE))
    city.run(WHOIS_WAIT_S + 1.0)
    assert device.connection.replies[rid]["err"]["code"] == "unavailable"
    assert taken(city) == 1
    (event,) = late
    assert isinstance(event, Reserved)
    whole(event)
    city.run(0.5)
    assert taken(city) == 0
    assert listed(city) == [1]


def test_hash_that_fails_gives_the_use_back(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object, message: object) -> None:
        raise MemoryError

    invite(city)
    monkeypatch.setattr(PlainHashing, "hash", fail)
    reply = sign_up(city, "gus", "a")
    assert reply["err"]["code"] == "unavailable"
    city.run(0.5)
    assert taken(city) == 0


def test_what_is_owed_is_told_until_it_is_counted(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    invite(city, 2)
    actor = city["b"].system.names.whereis("authenticator")._actor
    actor._made = lambda reservation: None  # it never arrives
    assert code_of(sign_up(city, "gus", "a")) == "ok"
    assert (taken(city), listed(city)) == (1, [2])
    city.run(SETTLED_S)
    assert (taken(city), listed(city)) == (0, [1])
    closed = Closed(Reservation(invitation_id(CODE), bytes(16), "gus"))
    city["b"].system.names.whereis("authenticator").tell(closed)  # said twice
    city.run(0.5)
    assert city.crashes == []
