"""Blocks from Python, against a scripted server."""

from __future__ import annotations

import asyncio
from typing import Any

from actorchat.client import connect
from actorchat.client.block import BlocksAnswer
from actorchat.client.people import read
from actorchat.protocol import ops
from tests.unit.client.scripted import Peer, ScriptedServer
from tests.vectors.example import SERVER_EXAMPLES


async def answer_all(peer: Peer) -> list[tuple[str, bool]]:
    """Answer two blocks and the list; return what was asked."""
    asked = []
    for _ in range(2):
        op: Any = await peer.heard(ops.Block)
        asked.append((op.user, op.on))
        peer.say(ops.Reply(re=op.id, ok={}))
    op = await peer.heard(ops.Blocks)
    peer.say(ops.Reply(re=op.id, ok={"blocks": ["eve"]}))
    return asked


async def test_asyncio_face_blocks_unblocks_and_lists() -> None:
    async with ScriptedServer() as server:

        async def use() -> list[str]:
            async with connect(server.address, user="ann", device="phone", token="t0") as chat:
                await chat.block("eve")
                await chat.unblock("bob")
                return await chat.blocks()

        using = asyncio.create_task(use())
        peer = await server.peer()
        await peer.welcome()
        assert await answer_all(peer) == [("eve", True), ("bob", False)]
        assert await using == ["eve"]


def test_answer_is_read() -> None:
    ok = SERVER_EXAMPLES["reply-blocks"].op.ok  # type: ignore[attr-defined]
    assert read(ok, BlocksAnswer).blocks == ["eve"]
