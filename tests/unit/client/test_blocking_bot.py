"""The calls of bots and hooks of the blocking face against a scripted server on a real socket."""

from __future__ import annotations

import asyncio
from typing import Any

from actorchat.client import blocking
from actorchat.protocol import ops
from tests.unit.client.scripted import ScriptedServer
from tests.unit.client.test_bot import SECRET, URL, answer


async def test_blocking_face_does_what_the_other_does() -> None:
    async with ScriptedServer() as server:

        def use() -> list[object]:
            with blocking.connect(server.address, user="ann", device="phone", token="t0") as chat:
                return [
                    chat.make_bot("robot", "main", ["change"]),
                    chat.moderate("ann", 7, of="bob").seq,
                    chat.add_hook("audit", URL, SECRET),
                    chat.change_hook("audit", "resume"),
                    chat.test_hook("audit"),
                    chat.hooks()[0].name,
                    chat.events(1).position,
                ]

        using = asyncio.create_task(asyncio.to_thread(use))
        peer = await server.peer()
        await peer.welcome()
        answers: list[dict[str, Any]] = [
            {"user": "robot", "token": "t1"},
            {"seq": 9, "ts": 5},
            {},
            {},
            {"status": 0, "reason": "refused"},
            answer("reply-hooks"),
            answer("reply-events"),
        ]
        heard = []
        for ok in answers:
            op: Any = await peer.heard(ops.Bot | ops.Delete | ops.Hook | ops.Hooks | ops.Events)
            heard.append(type(op))
            peer.say(ops.Reply(re=op.id, ok=ok))
        assert await using == ["t1", 9, None, None, (0, "refused"), "audit", 42]
        assert heard == [ops.Bot, ops.Delete, *3 * [ops.Hook], ops.Hooks, ops.Events]
