"""Messages with all they can have, and acts on them, through every gateway by the real client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from actorchat.client import Chat, Extra, connect
from actorchat.errors import Refusal
from actorchat.protocol.ops import Deleted, Edited, Reacted
from actorchat.settings import load
from nodes.roles.standalone import Standalone

DOORS = ("tcp", "ws", "http", "zmq")


@pytest.fixture(params=DOORS)
async def people(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[dict[str, Chat]]:
    """Ann and bob, who come in by one gateway, and ann's tablet by TCP."""
    overrides: dict[str, object] = {f"gateway.{door}.listen": "127.0.0.1:0" for door in DOORS}
    overrides["auth.argon2_memory_kib"] = 64
    node = Standalone(load(None, {}, overrides), tmp_path, "key", lambda status: None)
    await node.start()
    try:
        async with AsyncExitStack() as stack:
            operator = connect(node.tcp_address, user="operator", device="desk", operator="key")
            await stack.enter_async_context(operator)
            found = {}
            for name in ("ann/phone", "bob/phone", "ann/tablet"):
                user, device = name.split("/")
                token = await operator.provision(user, device=device)
                address = node.addresses["tcp" if device == "tablet" else request.param]
                chat = connect(address, user=user, device=device, token=token)
                found[name] = await stack.enter_async_context(chat)
            yield found
    finally:
        await node.stop()


async def test_acts_are_seen_by_the_other_and_by_ones_own_devices(people: dict[str, Chat]) -> None:
    ann, bob, tablet = people["ann/phone"], people["bob/phone"], people["ann/tablet"]
    await ann.send("bob", "one")
    extra = Extra(1, None, ["bob"], "contact", expires_s=3_600)
    sent = await ann.send("bob", "two", extra=extra)
    edited = await ann.edit("bob", 1, "uno")
    await bob.react("ann", 2, "👍")
    await ann.delete("bob", 1)
    assert edited.seq == 3
    async with asyncio.timeout(20):
        got = [await anext(bob.messages()) for _ in range(4)]
        shown = [await anext(tablet.messages()) for _ in range(5)]
    assert [message.act for message in got] == [None, None, Edited(1), Deleted([1])]
    assert got[1].extra is not None
    assert (got[1].extra.re, got[1].extra.kind) == (1, "contact")
    assert got[1].extra.exp == sent.ts + 3_600_000
    assert got[2].text == "uno"
    assert [message.act for message in shown[2:]] == [Edited(1), Reacted(2, "👍"), Deleted([1])]
    page = await bob.history("ann")
    assert [entry.text for entry in page.events] == ["", "two", "", "", ""]
    assert [entry.gone for entry in page.events] == [True, False, True, False, False]
    assert page.events[1].reactions == {"👍": ["bob"]}
    with pytest.raises(Refusal, match="gone"):
        await ann.edit("bob", 1, "back")
    await bob.hide("ann", 2)
    assert (await bob.history("ann")).events[1].hidden
    assert not (await ann.history("bob")).events[1].hidden
