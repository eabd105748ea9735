"""Requests reach the desk that is theirs; one that is not there, or too busy, says so."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker.asking import NO_ACTOR
from actorchat.broker.authenticator import AUTHENTICATOR
from actorchat.broker.people import PEOPLE
from actorchat.broker.search import SEARCH
from actorchat.errors import BUSY, MailboxFull
from actorchat.protocol import ops
from tests.unit.broker.stage import Stage


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob")
    return stage


class FullDesk:
    """Takes a desk's name and refuses whatever it is told."""

    def tell(self, event: object) -> None:
        raise MailboxFull("desk")


def test_revoked_device_is_sent_away_and_can_not_come_back(stage: Stage) -> None:
    phone, laptop = stage.hello("ann"), stage.hello("ann", "laptop")
    assert phone.ask(lambda rid: ops.Revoke(rid, "laptop"))["ok"] == {}
    assert laptop.connection.bye is not None
    assert laptop.connection.bye["code"] == "revoked"
    stranger = stage.connect()
    secret = "token of ann laptop"
    reply = stranger.ask(lambda rid: ops.Hello(rid, 1, "ann", "laptop", "token", secret))
    assert reply["err"]["code"] == "unauthenticated"
    assert phone.ask(lambda rid: ops.Revoke(rid, "laptop"))["ok"] == {}


def test_only_operators_provision_and_ask_for_status(stage: Stage) -> None:
    ann = stage.hello("ann")
    reply = ann.ask(lambda rid: ops.Provision(rid, "eve", device="phone"))
    assert reply["err"]["code"] == "forbidden"
    assert ann.ask(ops.Status)["err"]["code"] == "forbidden"
    stage.broker.context.report = lambda: {"users": 2}
    operator = stage.operator()
    assert operator.ask(ops.Status)["ok"] == {"users": 2}
    reply = operator.ask(lambda rid: ops.Send(rid, "ann", stage.new_cid(), "psst"))
    assert reply["err"]["code"] == "unexpected_op"


def test_without_a_desk_sign_in_is_refused_for_now(stage: Stage) -> None:
    stage.system.names.unregister("authenticator")
    stranger = stage.connect()
    reply = stranger.ask(lambda rid: ops.Hello(rid, 1, "ann", "phone", "token", "guess"))
    assert reply["err"]["code"] == "busy"
    assert reply["err"]["retry"] == "after"


REQUESTS = [
    (AUTHENTICATOR, ops.Revoke(9, "phone")),
    (AUTHENTICATOR, ops.Password(9, "old", "new password")),
    (PEOPLE, ops.Profile(9, "bob")),
    (SEARCH, ops.Search(9, "word")),
]


@pytest.mark.parametrize(("desk", "op"), REQUESTS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("is_there", [False, True], ids=["gone", "full"])
def test_desk_that_can_not_take_a_request_is_busy(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, is_there: bool, desk: str, op: Any
) -> None:
    ann = stage.hello("ann")
    asked = []

    def whereis(names: object, name: str) -> FullDesk | None:
        asked.append(name)
        return FullDesk() if is_there else None

    monkeypatch.setattr(type(stage.system.names), "whereis", whereis)
    ann.tell(op)
    stage.run()
    error = ann.connection.replies[9]["err"]
    assert asked == [desk]
    assert (error["code"], error["reason"]) == ("busy", BUSY)
    assert (error["retry"], error["outcome"]) == ("after", "none")


def test_operator_is_told_if_there_is_no_such_actor(stage: Stage) -> None:
    error = stage.operator().ask(lambda rid: ops.Actors(rid, "info", who="nobody"))["err"]
    assert (error["code"], error["reason"]) == ("no_such_actor", NO_ACTOR)
