"""The calls of invitations and renewal of the blocking face, against a scripted server."""

from __future__ import annotations

import asyncio
from typing import Any

from actorchat.client import blocking
from actorchat.protocol import ops
from tests.unit.client.scripted import ScriptedServer
from tests.unit.client.test_invitation import ID, answer


async def test_blocking_face_does_what_the_other_does() -> None:
    async with ScriptedServer() as server:

        def use() -> list[object]:
            with blocking.connect(server.address, user="ann", device="phone", token="t0") as chat:
                return [
                    chat.add_invitation(code="c" * 16).invitation,
                    chat.invitations()[0].left,
                    chat.revoke_invitation(ID),
                    chat.refresh(),
                ]

        using = asyncio.create_task(asyncio.to_thread(use))
        peer = await server.peer()
        await peer.welcome()
        answers = ["reply-invited", "reply-invitations", "reply-invited", "reply-refreshed"]
        heard = []
        for name in answers:
            op: Any = await peer.heard(ops.Invitation | ops.Invitations | ops.Refresh)
            heard.append(type(op))
            peer.say(ops.Reply(re=op.id, ok=answer(name)))
        assert await using == [ID, 29, None, "t1ken"]
        assert heard == [ops.Invitation, ops.Invitations, ops.Invitation, ops.Refresh]
