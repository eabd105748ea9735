"""The acts of the blocking face against a scripted server on a real socket."""

from __future__ import annotations

import asyncio
from typing import Any

from actorchat.client import Sent, blocking
from actorchat.client.blocking_act import BlockingActCalls
from actorchat.protocol import ops
from tests.unit.client.playbook import CID
from tests.unit.client.scripted import ScriptedServer
from tests.unit.client.test_act import entry


async def test_blocking_face_does_what_the_other_does() -> None:
    assert issubclass(blocking.Chat, BlockingActCalls)
    async with ScriptedServer() as server:

        def use() -> list[object]:
            with blocking.connect(server.address, user="ann", device="phone", token="t0") as chat:
                return [
                    chat.edit("bob", 7, "ho", cid=CID),
                    chat.delete("bob", 7),
                    chat.react("bob", 7, "x"),
                    chat.hide("bob", 7),
                    chat.forward(entry(), "cid"),
                    chat.send("bob", "hi", extra=ops.Extra(re=1)),
                ]

        using = asyncio.create_task(asyncio.to_thread(use))
        peer = await server.peer()
        await peer.welcome()
        for kind in (ops.Edit, ops.Delete, ops.React, ops.Delete, ops.Send, ops.Send):
            op: Any = await peer.heard(kind)
            ok = {} if getattr(op, "scope", "all") == "me" else {"seq": 4, "ts": 5}
            peer.say(ops.Reply(re=op.id, ok=ok))
        sent = Sent(4, 5)
        assert await using == [sent, sent, sent, None, sent, sent]
