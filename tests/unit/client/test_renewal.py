"""A token is renewed in time, and a new one used only when it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from actorchat.client import Chat, connect
from actorchat.client import renewal as renewal_module
from actorchat.client.renewal import due_in_s
from actorchat.client.signin import Identity, Lifetime
from actorchat.errors import AuthFailed, InvalidOp, Refusal, TokenExpired
from actorchat.protocol import ops
from tests.unit.client.playbook import refused
from tests.unit.client.scripted import Peer, ScriptedServer

YOUNG = {"left_ms": 90_000_000, "of_ms": 90_000_000}
OLD = {"left_ms": 29_999_999, "of_ms": 90_000_000}


@asynccontextmanager
async def signed_in(
    lifetime: dict[str, int] | None, **options: Any
) -> AsyncIterator[tuple[Chat, Peer, ScriptedServer]]:
    async with ScriptedServer() as server:
        options = {"token": "t0", "timeout_s": 5.0, **options}
        chat = connect(server.address, user="ann", device="phone", **options)
        entering = asyncio.create_task(chat.__aenter__())
        peer = await server.peer()
        await peer.welcome(**({} if lifetime is None else {"lifetime": lifetime}))
        await entering
        yield chat, peer, server
        await chat.close(0)


async def renew(peer: Peer, new: str = "t1") -> ops.Refresh:
    op = await peer.heard(ops.Refresh)
    peer.say(ops.Reply(re=op.id, ok={"token": new, "lifetime": YOUNG}))
    return op


async def spin() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("left", "of", "due"), [(90_000, 90_000, 60.0), (30_000, 90_000, 0.0), (0, 90_000, 0.0)]
)
def test_token_is_due_when_less_than_a_third_is_left(left: int, of: int, due: float) -> None:
    assert due_in_s(Lifetime(left, of)) == due


async def test_old_token_is_renewed_at_sign_in_and_the_next_session_uses_it() -> None:
    kept: list[str] = []
    async with signed_in(OLD, on_token=kept.append) as (chat, peer, server):
        assert (await renew(peer)).token == "t0"
        await chat.flush()
        assert (kept, chat.token) == (["t1"], "t1")
        peer.hang_up()
        again = await server.peer()
        assert (await again.welcome()).secret == "t1"


@pytest.mark.parametrize("lifetime", [None, YOUNG])
async def test_young_token_is_left_in_peace(lifetime: dict[str, int] | None) -> None:
    async with signed_in(lifetime, on_token=print) as (chat, peer, _):
        asking = asyncio.create_task(chat.devices())
        op = await peer.heard(ops.Devices)  # and nothing before it
        peer.say(ops.Reply(re=op.id, ok={"devices": []}))
        assert await asking == []


async def test_nothing_is_renewed_behind_the_back_of_who_keeps_no_tokens() -> None:
    async with signed_in(OLD) as (chat, peer, _):
        asking = asyncio.create_task(chat.devices())
        op = await peer.heard(ops.Devices)
        peer.say(ops.Reply(re=op.id, ok={"devices": []}))
        await asking
        assert chat.token == "t0"


async def test_token_that_could_not_be_kept_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal_module, "TOKEN_RENEW_RETRY_S", 0.0)
    kept: list[str] = []

    def keep(token: str) -> None:
        if token == "t1":
            raise OSError("no space left")
        kept.append(token)

    async with signed_in(OLD, on_token=keep) as (chat, peer, _):
        await renew(peer)
        again = await peer.heard(ops.Refresh)
        assert (again.token, chat.token) == ("t0", "t0")
        peer.say(ops.Reply(re=again.id, ok={"token": "t2", "lifetime": YOUNG}))
        await chat.flush()
        assert (kept, chat.token) == (["t2"], "t2")


async def test_refused_renewal_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal_module, "TOKEN_RENEW_RETRY_S", 0.0)
    async with signed_in(OLD, on_token=print) as (chat, peer, _):
        op = await peer.heard(ops.Refresh)
        peer.say(refused(op.id, "store_full", "after"))
        await renew(peer, "t2")
        await chat.flush()
        assert chat.token == "t2"


async def test_closed_client_renews_nothing() -> None:
    async with signed_in(OLD, on_token=print) as (chat, peer, _):
        await peer.heard(ops.Refresh)
        await chat.close(0)
        await spin()
        assert chat._shell.renewer._timer is None
        assert chat.token == "t0"


async def test_who_asks_gets_another_token() -> None:
    async with signed_in(None) as (chat, peer, _):
        asking = asyncio.create_task(chat.refresh())
        assert (await renew(peer)).token == "t0"
        assert await asking == "t1"
        assert chat.token == "t1"
        asking = asyncio.create_task(chat.refresh())
        op = await peer.heard(ops.Refresh)
        assert op.token == "t1"
        peer.say(refused(op.id, "unauthenticated", "never"))
        with pytest.raises(Refusal):
            await asking


async def test_operator_has_no_token_to_renew() -> None:
    async with signed_in(None, token=None, operator="key") as (chat, _, _):
        with pytest.raises(InvalidOp):
            await chat.refresh()


def test_expired_token_ends_the_client_by_an_error_of_its_own() -> None:
    identity = Identity("ann", "phone", "token", "t0")
    error = identity.refused(ops.Failure("token_expired", "too old", "never", "none"))
    assert isinstance(error, TokenExpired)
    assert isinstance(error, AuthFailed)
    assert error.code == "token_expired"
