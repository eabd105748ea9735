"""Blocks through the blocking face, against a scripted server."""

from __future__ import annotations

import asyncio

from actorchat.client import blocking
from actorchat.client.blocking_block import BlockingBlockCalls
from tests.unit.client.scripted import ScriptedServer
from tests.unit.client.test_block import answer_all


async def test_blocking_face_does_the_same() -> None:
    async with ScriptedServer() as server:

        def use() -> list[str]:
            with blocking.connect(server.address, user="ann", device="phone", token="t0") as chat:
                chat.block("eve")
                chat.unblock("bob")
                return chat.blocks()

        using = asyncio.create_task(asyncio.to_thread(use))
        peer = await server.peer()
        await peer.welcome()
        assert await answer_all(peer) == [("eve", True), ("bob", False)]
        assert await using == ["eve"]


def test_chat_has_the_calls() -> None:
    assert issubclass(blocking.Chat, BlockingBlockCalls)
