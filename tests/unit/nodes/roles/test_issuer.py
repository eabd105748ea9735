"""A whole node signs people in by tokens of a provider on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from actorchat.client import connect
from actorchat.errors import AuthFailed, SettingsError
from actorchat.settings import load
from nodes.roles.issuer import make_token_reader
from nodes.roles.standalone import Standalone
from tests.unit.broker.test_bearer import (
    AUDIENCE,
    ISSUER,
    KEYS,
    OTHER_RSA,
    jwk,
    key_set,
    token,
)


class Provider:
    """A provider's page of keys on loopback."""

    def __init__(self) -> None:
        self.text = KEYS
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        return web.Response(body=self.text, content_type="application/json")


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    application = web.Application()
    application.router.add_get("/keys", provider.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}/keys"
    yield provider
    await runner.cleanup()


def settings(provider: Provider, **more: object) -> Any:
    return load(
        None,
        {},
        {
            "gateway.tcp.listen": "127.0.0.1:0",
            "auth.argon2_memory_kib": 64,
            "auth.jwt.jwks": provider.url,
            "auth.jwt.issuer": ISSUER,
            "auth.jwt.audience": AUDIENCE,
            **more,
        },
    )


async def test_token_makes_an_account_and_a_device_token(
    provider: Provider, tmp_path: Path
) -> None:
    chosen = settings(provider, **{"auth.jwt.makes_users": True})
    node = Standalone(chosen, tmp_path, "key", lambda status: None)
    await node.start()
    try:
        address = node.tcp_address
        # At the very start the keys may not be there yet: then the client comes again.
        async with connect(address, user="ann", device="web", jwt=token()) as chat:
            await chat.send("ann", "a note")
            device_token = chat.token
        assert device_token
        async with connect(address, user="ann", device="web", token=device_token) as chat:
            assert (await chat.history("ann")).events[0].text == "a note"
        bad = {
            "another user's": ("bob", token()),
            "expired": ("ann", token(exp=-60)),
            "forged": ("ann", token(OTHER_RSA)),
        }
        for user, secret in bad.values():
            with pytest.raises(AuthFailed):
                async with connect(address, user=user, device="web", jwt=secret):
                    pass
    finally:
        await node.stop()


async def test_rotated_key_is_found_and_nobody_is_made_unasked(
    provider: Provider, tmp_path: Path
) -> None:
    node = Standalone(settings(provider), tmp_path, "key", lambda status: None)
    await node.start()
    try:
        assert node._keyset is not None
        while not node._keyset.keys():
            await asyncio.sleep(0)
        async with connect(
            node.tcp_address, user="operator", device="cli", operator="key"
        ) as operator:
            await operator.provision("ann")
            await operator.make_bot("robot", "main")
        provider.text = key_set(jwk(OTHER_RSA, "r2", "RS256"))
        node._keyset._asked_at_s = float("-inf")  # as if the last fetch were long ago
        rotated = token(OTHER_RSA, "r2")
        async with connect(node.tcp_address, user="ann", device="web", jwt=rotated) as chat:
            assert chat.token
        for user in ("bob", "robot"):
            secret = token(OTHER_RSA, "r2", preferred_username=user)
            with pytest.raises(AuthFailed):
                async with connect(node.tcp_address, user=user, device="web", jwt=secret):
                    pass
    finally:
        await node.stop()


async def test_node_that_trusts_nobody_takes_no_tokens(tmp_path: Path) -> None:
    plain = load(None, {}, {"gateway.tcp.listen": "127.0.0.1:0", "auth.argon2_memory_kib": 64})
    assert make_token_reader(plain.auth.jwt) == (None, None)
    node = Standalone(plain, tmp_path, "key", lambda status: None)
    await node.start()
    try:
        with pytest.raises(AuthFailed):
            async with connect(node.tcp_address, user="ann", device="web", jwt=token()):
                pass
    finally:
        await node.stop()


async def test_missing_library_is_named(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jwt", None)
    with pytest.raises(SettingsError, match="oidc"):
        make_token_reader(settings(provider).auth.jwt)
