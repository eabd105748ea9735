"""People sign up through every gateway of a real node, and their tokens are renewed there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from actorchat.client import connect, sign_up
from actorchat.errors import Refusal
from actorchat.settings import load
from nodes.roles.standalone import Standalone

DOORS = ("tcp", "ws", "http", "zmq")
KEY = "sesame"
ANSWER_S = 20.0
SHORT = 1e-4  # days, 8.6 s


@pytest_asyncio.fixture
async def node(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Standalone]:
    settings = {f"gateway.{door}.listen": "127.0.0.1:0" for door in DOORS}
    settings |= {"auth.signup": "invitation", "auth.token_days": getattr(request, "param", 30.0)}
    node = Standalone(load(None, {}, settings), tmp_path, KEY, lambda _: None)
    await node.start()
    try:
        yield node
    finally:
        await node.stop()


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS)
async def test_who_is_invited_signs_up_by_any_door(node: Standalone, door: str) -> None:
    address = node.addresses[door]
    async with connect(address, user="operator", device="test", operator=KEY) as operator:
        code = (await operator.add_invitation("test", uses=1)).code
    kept: list[str] = []
    async with asyncio.timeout(ANSWER_S):
        given = {"user": "eve", "device": "phone", "password": "long enough"}
        async with sign_up(address, **given, code=code, on_token=kept.append) as eve:
            assert kept == [eve.token]
            assert eve.welcome is not None
            assert eve.welcome.lifetime is not None
            await eve.send("eve", "a note to myself")
            fresh = await eve.refresh()
            assert kept[-1] == eve.token == fresh
        for token in (kept[0], fresh):
            async with connect(address, user="eve", device="phone", token=token):
                pass
        with pytest.raises(Refusal, match="bad_invitation"):
            async with sign_up(address, **{**given, "user": "bob"}, code=code):
                pass


@pytest.mark.slow
@pytest.mark.parametrize("node", [SHORT], indirect=True)
async def test_device_that_stays_is_never_locked_out(node: Standalone) -> None:
    """Its token lives 8.6 s; so it is renewed within 6, and the one after that is good, too."""
    address = node.addresses["tcp"]
    kept: list[str] = []
    async with connect(address, user="operator", device="test", operator=KEY) as operator:
        await operator.provision("ann", password="long enough")
        given = {"user": "ann", "device": "phone", "password": "long enough"}
        async with connect(address, **given, on_token=kept.append) as ann:
            async with asyncio.timeout(ANSWER_S):
                while len(kept) < 3:
                    await asyncio.sleep(0.05)
            assert ann.reconnects == 0
        async with connect(address, user="ann", device="phone", token=kept[-1]):
            pass
