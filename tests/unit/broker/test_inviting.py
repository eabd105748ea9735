"""Operators see and change all invitations from any node; each is in the slot of its digest."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker import inviting
from actorchat.chat import invitation
from actorchat.chat.invitation import invitation_id
from actorchat.chat.reservation import Reservation, Settled
from actorchat.ids import slot_of
from actorchat.protocol import ops
from actorchat.store import keys, kinds
from tests.unit.broker.city import DOWN_S, City
from tests.unit.broker.test_enrolling import CODE, city_of, invite, listed, sign_up, taken


@pytest.fixture
def city() -> City:
    return city_of()


def ask(city: City, node: str, make: Any) -> Any:
    return city[node].operator().ask(make)


def code_of(reply: Any) -> str:
    return "ok" if "ok" in reply else str(reply["err"]["code"])


def test_invitation_is_made_and_revoked_from_any_node(city: City) -> None:
    shown = invite(city, 3, "a")["ok"]["invitation"]
    assert shown == invitation_id(CODE).hex()
    owner = keys.slot_owner(slot_of(shown))
    assert [key for key, _ in city["c"].rows("state") if key[18:19] == kinds.INVITATION] == [
        owner + kinds.INVITATION + invitation_id(CODE)
    ]
    assert code_of(invite(city, 3, "b")) == "exists"
    assert invite(city, 1, "b", "another code 0123456789")["ok"]
    assert sorted(listed(city, "c")) == [1, 3]
    assert (
        code_of(ask(city, "b", lambda rid: ops.Invitation(rid, "revoke", invitation=shown))) == "ok"
    )
    assert listed(city, "a") == [1]
    again = ask(city, "a", lambda rid: ops.Invitation(rid, "revoke", invitation=shown))
    assert code_of(again) == "no_such_invitation"


def test_there_are_so_many_on_all_nodes_together(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitation, "INVITATIONS_MAX", 2)
    for number in range(2):
        assert invite(city, 1, "a", f"code {number} 0123456789")["ok"]
    assert code_of(invite(city, 1, "b")) == "too_many"


def test_part_of_a_list_would_look_like_all(city: City) -> None:
    city["b"].power_off()
    city.run(DOWN_S)
    for reply in (ask(city, "a", ops.Invitations), invite(city)):
        error = reply["err"]
        assert (error["code"], error["retry"], error["outcome"]) == ("unavailable", "after", "none")


def test_node_that_does_not_answer_is_given_up(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = city["b"].system.names.whereis(inviting.INVITATIONS)
    desk._actor._give = lambda event: None
    monkeypatch.setitem(type(desk._actor)._HANDLERS, inviting.AskInvitations, lambda *_: None)
    operator = city["a"].operator()
    rid = operator.start(ops.Invitations)
    city.run(5.0)
    assert operator.connection.replies[rid]["err"]["code"] == "unavailable"


def test_desk_that_ends_answers(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = city["a"].system.names.whereis(inviting.INVITATIONS)
    monkeypatch.setitem(type(desk._actor)._HANDLERS, inviting.AskInvitations, lambda *_: None)
    operator = city["a"].operator()
    rid = operator.start(ops.Invitations)
    city.run(0.5)
    desk.stop("test")
    city.run(0.5)
    assert operator.connection.replies[rid]["err"]["code"] == "unavailable"


def test_what_is_revoked_while_a_use_is_taken_stays_revoked(city: City) -> None:
    invite(city, 2)
    context = city["c"].broker.context
    rows, log = context.invitations, context.log
    lost = Reservation(invitation_id(CODE), bytes(16), "gus")
    log.append((rows.taken_row(lost),))
    shown = invitation_id(CODE).hex()
    ask(city, "a", lambda rid: ops.Invitation(rid, "revoke", invitation=shown))

    class Desk:
        told: list[object] = []

        def tell(self, event: object, /) -> None:
            self.told.append(event)

    desk = city["c"].system.names.whereis(inviting.INVITATIONS)
    for _ in range(2):  # it is said twice
        desk.tell(Settled(Desk(), lost, True))
        city.run(0.1)
    assert (taken(city), listed(city)) == (0, [])
    assert len(Desk.told) == 2  # that it is counted


def test_slot_that_goes_to_another_node_takes_no_more_here(city: City) -> None:
    invite(city, 2)
    table = list(city.table)
    slot = slot_of(invitation_id(CODE).hex())
    table[slot] = type(table[slot])("a", 3, ("a",), ("a",))
    city["c"].turn(table)  # the others have not seen it
    city.run(0.5)
    error = sign_up(city, "gus", "b")["err"]
    assert (error["code"], error["retry"]) == ("unavailable", "after")
    assert taken(city) == 0
