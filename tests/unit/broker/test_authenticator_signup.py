"""Accounts that people make themselves, and tokens that are renewed, over a whole broker."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.chat.signup import SignUpMode, SignUpPolicy
from actorchat.errors import StoreFull
from actorchat.protocol import ops
from actorchat.store.memory import Fault
from actorchat.store.verify import verify
from tests.unit.broker.stage import Device, Stage

CODE = "code-0123456789abcdef"
LIFE_MS = 600_000


def stage_of(mode: SignUpMode, per_minute: int = 10, life_ms: int = 0) -> Stage:
    stage = Stage(sign_up=SignUpPolicy(mode, per_minute), token_life_ms=life_ms)
    stage.add_users("ann")
    return stage


def sign_up(stage: Stage, user: str, code: str | None = None, word: str = "password") -> Any:
    return stage.connect().ask(lambda rid: ops.SignUp(rid, 1, user, "phone", word, code))


def sign_in(stage: Stage, user: str, secret: str, mech: ops.Mechanism = "password") -> Any:
    return stage.connect().ask(lambda rid: ops.Hello(rid, 1, user, "phone", mech, secret))


def code_of(reply: Any) -> str:
    return "ok" if "ok" in reply else str(reply["err"]["code"])


def invite(operator: Device, uses: int = 1, code: str = CODE, **more: Any) -> Any:
    return operator.ask(lambda rid: ops.Invitation(rid, "add", code, "a title", uses, **more))


def left(operator: Device) -> list[int]:
    listed = operator.ask(ops.Invitations)["ok"]["invitations"]
    return [one["left"] for one in listed]


# -- accounts ----------------------------------------------------------------------------------
def test_who_signs_up_is_signed_in_and_comes_back() -> None:
    stage = stage_of("open")
    bob = stage.connect()
    reply = bob.ask(lambda rid: ops.SignUp(rid, 1, "bob", "phone", "password"))
    assert reply["ok"]["user"] == "bob"
    assert bob.connection.is_admitted
    assert "ok" in bob.send("ann", "hello")
    stage.crash()
    assert "ok" in sign_in(stage, "bob", reply["ok"]["token"], "token")
    assert "ok" in sign_in(stage, "bob", "password")
    assert verify(stage.engine).is_sound


@pytest.mark.parametrize("mode", ["closed", "invitation"])
def test_nobody_gets_an_account_who_should_not(mode: SignUpMode) -> None:
    stage = stage_of(mode)
    rows = stage.rows("state")
    for code in (None, "", CODE, "x" * 64):
        peer = stage.connect()
        ask = ops.SignUp(1, 1, "bob", "phone", "password", code)
        reply = peer.ask(lambda rid, ask=ask: ask)
        assert code_of(reply) == ("signup_closed" if mode == "closed" else "bad_invitation")
        assert peer.connection.is_closed
        assert not peer.connection.is_admitted
        peer.tell(ops.Send(2, "ann", bytes(16), "let me in"))
        stage.run()
        assert 2 not in peer.connection.replies
    assert stage.rows("state") == rows
    assert code_of(sign_in(stage, "bob", "password")) == "unauthenticated"


def test_name_that_is_taken_stays_whose_it_is() -> None:
    stage = stage_of("open")
    assert code_of(sign_up(stage, "ann", word="another one")) == "exists"
    assert code_of(sign_in(stage, "ann", "another one")) == "unauthenticated"
    assert "ok" in sign_in(stage, "ann", "ann")


def test_name_of_an_account_that_has_ended_is_taken() -> None:
    stage = stage_of("open")
    stage.hello("ann").ask(lambda rid: ops.DeleteAccount(rid, "ann"))
    stage.run(5.0)
    assert code_of(sign_up(stage, "ann")) == "exists"


def test_two_at_once_get_one_name_once() -> None:
    stage = stage_of("open")
    peers = [stage.connect() for _ in range(2)]
    for number, peer in enumerate(peers):
        ask = ops.SignUp(1, 1, "bob", "phone", f"password {number}")
        peer.start(lambda rid, ask=ask: ask)
    stage.run()
    codes = [code_of(peer.connection.replies[1]) for peer in peers]
    assert sorted(codes) == ["exists", "ok"]
    winner = codes.index("ok")
    assert "ok" in sign_in(stage, "bob", f"password {winner}")
    assert code_of(sign_in(stage, "bob", f"password {1 - winner}")) == "unauthenticated"


def test_address_is_slowed_down_and_another_is_not() -> None:
    stage = stage_of("open", per_minute=2)
    assert [code_of(sign_up(stage, f"eve{n}")) for n in range(3)] == ["ok", "ok", "rate_limited"]
    other = stage.connect()
    other.connection.source = "192.0.2.1"
    assert "ok" in other.ask(lambda rid: ops.SignUp(rid, 1, "bob", "phone", "password"))
    stage.run(31.0)
    assert "ok" in sign_up(stage, "eve9")


# -- invitations -------------------------------------------------------------------------------
def test_invitation_is_good_for_its_uses_and_outlives_a_crash() -> None:
    stage = stage_of("invitation")
    operator = stage.operator()
    made = invite(operator, uses=2)["ok"]["invitation"]
    assert all(CODE.encode() not in key + value for key, value in stage.rows("state"))
    assert "ok" in sign_up(stage, "bob", CODE)
    assert left(operator) == [1]
    stage.crash()
    operator = stage.operator()
    (listed,) = operator.ask(ops.Invitations)["ok"]["invitations"]
    assert (listed["invitation"], listed["uses"], listed["left"]) == (made, 2, 1)
    assert verify(stage.engine).is_sound
    assert "ok" in sign_up(stage, "cid", CODE)
    assert left(operator) == []
    assert code_of(sign_up(stage, "eve", CODE)) == "bad_invitation"


def test_last_use_has_one_winner() -> None:
    stage = stage_of("invitation")
    operator = stage.operator()
    invite(operator)
    peers = {user: stage.connect() for user in ("bob", "cid", "eve")}
    for user, peer in peers.items():
        ask = ops.SignUp(1, 1, user, "phone", "password", CODE)
        peer.start(lambda rid, ask=ask: ask)
    stage.run()
    codes = [code_of(peer.connection.replies[1]) for peer in peers.values()]
    assert sorted(codes) == ["bad_invitation", "bad_invitation", "ok"]
    signed_in = [code_of(sign_in(stage, user, "password")) for user in peers]
    assert signed_in.count("ok") == 1


def test_name_that_is_taken_does_not_use_an_invitation_up() -> None:
    stage = stage_of("invitation")
    operator = stage.operator()
    invite(operator)
    assert code_of(sign_up(stage, "ann", CODE)) == "exists"
    assert left(operator) == [1]


def test_full_disk_makes_neither_account_nor_use() -> None:
    stage = stage_of("invitation")
    operator = stage.operator()
    invite(operator)
    stage.engine.inject(Fault("write", StoreFull("no space left"), 1, 1))
    assert code_of(sign_up(stage, "bob", CODE)) == "store_full"
    stage.run(5.0)
    assert left(operator) == [1]
    assert "ok" in sign_up(stage, "bob", CODE)


def test_revoked_or_expired_invitation_is_good_no_more() -> None:
    stage = stage_of("invitation")
    operator = stage.operator()
    made = invite(operator)["ok"]["invitation"]
    revoked = operator.ask(lambda rid: ops.Invitation(rid, "revoke", invitation=made))
    assert revoked["ok"] == {"invitation": made}
    assert code_of(sign_up(stage, "bob", CODE)) == "bad_invitation"
    invite(operator, valid_s=5)
    stage.run(5.0)
    assert code_of(sign_up(stage, "bob", CODE)) == "bad_invitation"
    assert left(operator) == []


def test_invitations_are_for_operators_alone() -> None:
    stage = stage_of("invitation")
    ann = stage.hello("ann")
    assert code_of(invite(ann)) == "forbidden"
    assert code_of(ann.ask(ops.Invitations)) == "forbidden"
    stranger = stage.connect()
    assert code_of(invite(stranger)) == "unauthenticated"


# -- tokens ------------------------------------------------------------------------------------
def test_tokens_are_renewed_and_expire() -> None:
    stage = stage_of("closed", life_ms=LIFE_MS)
    made = sign_in(stage, "ann", "ann")["ok"]
    assert made["lifetime"] == {"left_ms": LIFE_MS, "of_ms": LIFE_MS}
    stage.run(400.0)
    ann = stage.connect()
    hello = ops.Hello(1, 1, "ann", "phone", "token", made["token"])
    assert 0 < ann.ask(lambda rid: hello)["ok"]["lifetime"]["left_ms"] <= 200_000
    renewed = ann.ask(lambda rid: ops.Refresh(rid, made["token"]))["ok"]
    assert renewed["lifetime"] == {"left_ms": LIFE_MS, "of_ms": LIFE_MS}
    assert all(renewed["token"].encode() not in value for _, value in stage.rows("state"))
    assert "ok" in sign_in(stage, "ann", made["token"], "token")  # the answer may have been lost
    stage.run(201.0)
    assert code_of(sign_in(stage, "ann", made["token"], "token")) == "token_expired"
    assert "ok" in sign_in(stage, "ann", renewed["token"], "token")
    assert code_of(sign_in(stage, "ann", made["token"], "token")) == "unauthenticated"
    stage.run(400.0)
    assert code_of(sign_in(stage, "ann", renewed["token"], "token")) == "token_expired"
    stage.crash()  # which sets the clock back
    assert "ok" in sign_in(stage, "ann", renewed["token"], "token")
    assert "ok" in sign_in(stage, "ann", "ann")


def test_next_token_that_is_used_makes_the_old_one_void_for_good() -> None:
    stage = stage_of("closed")
    ann = stage.hello("ann")
    old = "token of ann phone"
    lost = ann.ask(lambda rid: ops.Refresh(rid, old))["ok"]["token"]
    new = ann.ask(lambda rid: ops.Refresh(rid, old))["ok"]["token"]
    assert code_of(sign_in(stage, "ann", lost, "token")) == "unauthenticated"
    assert "ok" in sign_in(stage, "ann", old, "token")
    assert "ok" in sign_in(stage, "ann", new, "token")
    stage.crash()
    assert code_of(sign_in(stage, "ann", old, "token")) == "unauthenticated"


def test_refresh_wants_the_token_of_the_device_that_asks() -> None:
    stage = stage_of("closed")
    ann = stage.hello("ann")
    for token in ("", "guess", "token of ann laptop"):
        ask = ops.Refresh(1, token)
        reply = ann.ask(lambda rid, ask=ask: ops.Refresh(rid, ask.token))
        assert code_of(reply) == "unauthenticated"


def test_revoked_device_is_not_renewed_nor_its_next_token_good() -> None:
    stage = stage_of("closed")
    ann, laptop = stage.hello("ann"), stage.hello("ann", "laptop")
    renewed = laptop.ask(lambda rid: ops.Refresh(rid, "token of ann laptop"))["ok"]["token"]
    stage.syncer.is_held = True
    ann.start(lambda rid: ops.Revoke(rid, "laptop"))
    stage.run()
    peer = stage.connect()  # while the revocation is not on disk yet
    rid = peer.start(lambda rid: ops.Hello(rid, 1, "ann", "laptop", "token", renewed))
    laptop.start(lambda rid: ops.Refresh(rid, "token of ann laptop"))
    stage.run()
    stage.syncer.release()
    stage.run()
    assert code_of(peer.connection.replies[rid]) == "unauthenticated"
    assert stage.broker.context.archive.device("ann", "laptop") is None


def test_next_token_signs_in_while_the_disk_is_full() -> None:
    stage = stage_of("closed")
    ann = stage.hello("ann")
    old = "token of ann phone"
    new = ann.ask(lambda rid: ops.Refresh(rid, old))["ok"]["token"]
    stage.engine.inject(Fault("write", StoreFull("no space left"), 1, 10_000))
    assert code_of(ann.send("ann", "a note")) == "store_full"
    assert "ok" in sign_in(stage, "ann", new, "token")
    assert "ok" in sign_in(stage, "ann", old, "token")
    assert code_of(sign_in(stage, "ann", "guess", "token")) == "unauthenticated"
    stage.crash()
    assert "ok" in sign_in(stage, "ann", new, "token")
    assert code_of(sign_in(stage, "ann", old, "token")) == "unauthenticated"
