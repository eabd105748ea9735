from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker.authenticator import AUTHENTICATOR, AuthenticatorActor
from actorchat.limits import SOURCE_FAILURES_PER_MINUTE
from actorchat.protocol import ops
from tests.unit.broker.stage import Device, Stage


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann")
    return stage


def by_password(stage: Stage, user: str, password: str, device: str = "tablet") -> Any:
    peer = stage.connect()
    return peer.ask(lambda rid: ops.Hello(rid, 1, user, device, "password", password))


def provision(peer: Device, user: str, **asked: str) -> Any:
    return peer.ask(lambda rid: ops.Provision(rid, user, **asked))


def test_password_gives_a_token_that_signs_in(stage: Stage) -> None:
    token = by_password(stage, "ann", "ann")["ok"]["token"]
    again = stage.connect()
    reply = again.ask(lambda rid: ops.Hello(rid, 1, "ann", "tablet", "token", token))
    assert reply["ok"]["user"] == "ann"
    assert all(token.encode() not in value for _, value in stage.rows("state"))


def test_wrong_password_and_unknown_user_get_the_same_answer(stage: Stage) -> None:
    wrong, unknown = by_password(stage, "ann", "guess"), by_password(stage, "nobody", "guess")
    assert wrong["err"] == unknown["err"]
    assert wrong["err"]["code"] == "unauthenticated"


def test_failures_are_throttled_for_a_user_and_pass_with_time(stage: Stage) -> None:
    codes = [by_password(stage, "ann", "guess")["err"]["code"] for _ in range(15)]
    assert codes[:10] == ["unauthenticated"] * 10
    assert set(codes[10:]) == {"rate_limited"}
    assert by_password(stage, "ann", "ann")["err"]["after_ms"] > 0
    stage.run(60.0)
    assert "ok" in by_password(stage, "ann", "ann")


def test_operator_makes_accounts_and_tokens(stage: Stage) -> None:
    operator = stage.operator()
    made = provision(operator, "bob", device="phone")["ok"]
    assert made["user"] == "bob"
    bob = stage.connect()
    reply = bob.ask(lambda rid: ops.Hello(rid, 1, "bob", "phone", "token", made["token"]))
    assert "ok" in reply
    assert provision(operator, "eve", password="secret")["ok"] == {"user": "eve"}
    assert "ok" in by_password(stage, "eve", "secret")
    assert provision(operator, "eve", password="other")["err"]["code"] == "exists"
    assert "ok" in by_password(stage, "eve", "secret")
    assert provision(operator, "new")["ok"] == {"user": "new"}
    assert provision(operator, "new")["ok"] == {"user": "new"}


def test_account_with_password_and_device_gets_both(stage: Stage) -> None:
    made = provision(stage.operator(), "bob", password="secret", device="phone")["ok"]
    assert made["token"]
    assert "ok" in by_password(stage, "bob", "secret")


def test_two_at_once_make_one_account(stage: Stage) -> None:
    operator = stage.operator()
    first = operator.start(lambda rid: ops.Provision(rid, "bob", "one"))
    second = operator.start(lambda rid: ops.Provision(rid, "bob", "two"))
    stage.run()
    replies = [operator.connection.replies[rid] for rid in (first, second)]
    assert sorted("ok" if "ok" in reply else reply["err"]["code"] for reply in replies) == [
        "exists",
        "ok",
    ]


def test_new_token_of_a_device_ends_the_old_one(stage: Stage) -> None:
    operator = stage.operator()
    old = provision(operator, "bob", device="phone")["ok"]["token"]
    provision(operator, "bob", device="phone")
    peer = stage.connect()
    reply = peer.ask(lambda rid: ops.Hello(rid, 1, "bob", "phone", "token", old))
    assert reply["err"]["code"] == "unauthenticated"


def test_wrong_operator_key_is_refused(stage: Stage) -> None:
    peer = stage.connect()
    reply = peer.ask(lambda rid: ops.Hello(rid, 1, "operator", "cli", "operator", "guess"))
    assert reply["err"]["code"] == "unauthenticated"
    assert peer.connection.is_closed


def test_desk_that_crashes_is_found_under_its_name_again(stage: Stage) -> None:
    desk = stage.system.names.whereis(AUTHENTICATOR)
    assert desk.actor_class is AuthenticatorActor
    desk.tell("what is this?")
    stage.run()
    assert stage.system.names.whereis(AUTHENTICATOR) is not desk
    assert "ok" in by_password(stage, "ann", "ann")


def test_changed_password_signs_in_and_the_old_one_does_not(stage: Stage) -> None:
    ann, laptop = stage.hello("ann"), stage.hello("ann", "laptop")
    reply = ann.ask(lambda rid: ops.Password(rid, "wrong", "better"))
    assert reply["err"]["code"] == "unauthenticated"
    assert ann.ask(lambda rid: ops.Password(rid, "ann", "better", revoke_others=True))["ok"] == {}
    assert laptop.connection.bye["code"] == "revoked"
    assert not ann.connection.is_closed
    stage.crash()
    for secret, token in (("ann", "password"), ("token of ann laptop", "token")):
        stranger = stage.connect()
        hello = ops.Hello(1, 1, "ann", "laptop", token, secret)
        assert stranger.ask(lambda rid, hello=hello: hello)["err"]["code"] == "unauthenticated"
    again = stage.connect()
    reply = again.ask(lambda rid: ops.Hello(rid, 1, "ann", "laptop", "password", "better"))
    assert "ok" in reply


def test_one_device_too_many_is_refused(stage: Stage) -> None:
    operator = stage.operator()
    made = [provision(operator, "ann", device=f"d{number}") for number in range(9)]
    codes = [reply.get("err", {}).get("code", "ok") for reply in made]
    assert codes == ["ok"] * 8 + ["too_many_devices"]  # two were there
    assert stage.hello("ann").ask(lambda rid: ops.Revoke(rid, "d0"))["ok"] == {}
    assert "ok" in operator.ask(lambda rid: ops.Provision(rid, "ann", None, "d8"))


def test_wrong_passwords_for_many_users_hold_their_address_up(stage: Stage) -> None:
    codes = []
    for number in range(SOURCE_FAILURES_PER_MINUTE + 20):  # some come back meanwhile
        peer = stage.connect()
        hello = ops.Hello(1, 1, f"user{number}", "phone", "password", "guess")
        codes.append(peer.ask(lambda rid, hello=hello: hello)["err"]["code"])
    assert set(codes[:SOURCE_FAILURES_PER_MINUTE]) == {"unauthenticated"}
    assert "rate_limited" in codes[SOURCE_FAILURES_PER_MINUTE - 1 :]
    other = stage.connect()
    other.connection.source = "192.0.2.1"
    hello = ops.Hello(1, 1, "ann", "phone", "password", "guess")
    assert other.ask(lambda rid: hello)["err"]["code"] == "unauthenticated"
