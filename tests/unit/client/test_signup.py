"""Who has no account makes one, once, through whatever is lost on the way."""

from __future__ import annotations

import asyncio

import pytest

from actorchat.client import blocking, sign_up
from actorchat.client.event import Lost, State
from actorchat.client.signup import Newcomer
from actorchat.errors import AuthFailed, Refusal
from actorchat.protocol import ops
from tests.unit.client.scripted import ScriptedServer

CODE = "0123456789abcdef"
SECRET = "a password"
ASKED = ops.SignUp(1, 1, "eve", "phone", SECRET, CODE)
HELLO = ops.Hello(1, 1, "eve", "phone", "password", SECRET)
NO = ops.Failure("exists", "this name is taken", "never", "none")
WRONG = ops.Failure("unauthenticated", "wrong", "never", "none")


def newcomer() -> Newcomer:
    return Newcomer("eve", "phone", "password", SECRET, "", CODE)


def test_newcomer_asks_for_an_account_and_is_known_by_a_token_then() -> None:
    eve = newcomer()
    assert eve.hello(1, None) == ASKED
    assert eve.token is None
    eve.keep("t1")
    assert eve.hello(1, 5) == ops.Hello(1, 1, "eve", "phone", "token", "t1", 5)


@pytest.mark.parametrize("code", ["exists", "bad_invitation", "signup_closed"])
def test_refusal_of_a_first_try_is_final(code: str) -> None:
    eve = newcomer()
    eve.hello(1, None)
    error = eve.refused(ops.Failure(code, "no", "never", "none"))
    assert isinstance(error, Refusal)
    assert error.code == code


def test_refusal_for_now_leads_to_another_try_which_is_as_good_as_the_first() -> None:
    eve = newcomer()
    eve.hello(1, None)
    assert eve.refused(ops.Failure("rate_limited", "no", "after", "none", 9)) is None
    assert eve.hello(1, None) == ASKED
    assert isinstance(eve.refused(NO), Refusal)


@pytest.mark.parametrize("code", ["exists", "bad_invitation"])
def test_behind_a_lost_answer_the_password_decides(code: str) -> None:
    eve = newcomer()
    eve.hello(1, None)
    eve.hello(1, None)  # the connection went in between
    assert eve.refused(ops.Failure(code, "no", "never", "none")) is None
    assert eve.hello(1, None) == HELLO
    eve.keep("t1")
    assert eve.token == "t1"


def test_behind_a_lost_answer_somebody_elses_account_stays_theirs() -> None:
    eve = newcomer()
    eve.hello(1, None)
    eve.hello(1, None)
    eve.refused(NO)
    eve.hello(1, None)
    error = eve.refused(WRONG)
    assert isinstance(error, Refusal)
    assert error.code == "exists"


def test_wrong_secret_of_a_user_is_told_as_such() -> None:
    eve = newcomer()
    eve.is_new = False
    assert isinstance(eve.refused(WRONG), AuthFailed)


@pytest.mark.parametrize(
    "wrong", [{"password": "short"}, {"password": "x" * 1_025}, {"code": "c" * 65}, {"user": "Eve"}]
)
def test_what_no_server_takes_is_refused_here(wrong: dict[str, str]) -> None:
    given = {"user": "eve", "device": "phone", "password": SECRET, **wrong}
    with pytest.raises(ValueError, match="expected"):
        sign_up("tcp://127.0.0.1:1", **given)


async def test_account_is_made_and_the_token_kept() -> None:
    kept: list[str] = []
    async with ScriptedServer() as server:
        chat = sign_up(
            server.address,
            user="eve",
            device="phone",
            password=SECRET,
            code=CODE,
            agent="",
            on_token=kept.append,
        )
        entering = asyncio.create_task(chat.__aenter__())
        peer = await server.peer()
        assert await peer.heard(ops.SignUp) == ASKED
        ok = {"user": "eve", "device": "phone", "head": 0, "cursor": 0, "token": "t1"}
        peer.say(ops.Reply(re=1, ok=ok))
        await entering
        assert (chat.state, chat.token, kept) == (State.OPEN, "t1", ["t1"])
        chat._shell.handle(Lost("a test"))
        peer.hang_up()
        again = await server.peer()
        assert (await again.welcome()).secret == "t1"
        await chat.close(0)


async def test_refused_sign_up_is_raised() -> None:
    async with ScriptedServer() as server:

        def use() -> None:
            given = {"user": "eve", "device": "phone", "password": SECRET}
            with blocking.sign_up(server.address, **given):
                pass

        using = asyncio.create_task(asyncio.to_thread(use))
        peer = await server.peer()
        assert (await peer.heard(ops.SignUp)).code is None
        peer.say(ops.Reply(re=1, err=NO))
        with pytest.raises(Refusal, match="exists"):
            await using
