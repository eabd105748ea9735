"""The group methods of the blocking face against a scripted server on a real socket."""

from __future__ import annotations

import asyncio
from typing import Any

from actorchat.client import Sent, blocking
from actorchat.protocol import ops
from actorchat.protocol.ops.group import Leave
from tests.unit.client.playbook import CID
from tests.unit.client.scripted import ScriptedServer
from tests.unit.client.test_group import GROUP, INFO, TOKEN


async def test_blocking_face_does_what_the_other_does() -> None:
    async with ScriptedServer() as server:

        def use() -> list[object]:
            with blocking.connect(server.address, user="ann", device="phone", token="t0") as chat:
                return [
                    chat.create_group("g", ["bob"], id=CID),
                    chat.set_group(GROUP, name="h"),
                    chat.add(GROUP, "bob"),
                    chat.remove(GROUP, "bob"),
                    chat.set_role(GROUP, "bob", "admin"),
                    chat.new_link(GROUP)[:23],
                    chat.void_link(GROUP, TOKEN),
                    chat.join(f"{GROUP}/{TOKEN}"),
                    chat.change_group(GROUP, Leave(), cid=CID),
                    chat.leave(GROUP),
                    chat.group(GROUP).name,
                    chat.receipts(GROUP),
                ]

        using = asyncio.create_task(asyncio.to_thread(use))
        peer = await server.peer()
        await peer.welcome()
        for _ in range(10):
            op: Any = await peer.heard(ops.Change)
            peer.say(ops.Reply(re=op.id, ok={"seq": 4, "ts": 5}))
        op = await peer.heard(ops.Group)
        peer.say(ops.Reply(re=op.id, ok=INFO))
        op = await peer.heard(ops.Receipts)
        peer.say(ops.Reply(re=op.id, ok={"head": 1, "marks": {}}))
        sent = Sent(4, 5)
        assert await using == [
            *(GROUP, sent, sent, sent, sent, GROUP, sent, GROUP, sent, sent, "g", {}),
        ]
