"""The calls of invitations, of both faces, against a scripted server on a real socket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actorchat.client import InvitationInfo, connect
from actorchat.errors import InvalidOp
from actorchat.protocol import ops
from tests.unit.client.scripted import ScriptedServer
from tests.vectors.example import SERVER_EXAMPLES

ID = "0a" * 16


def answer(name: str) -> dict[str, Any]:
    ok: dict[str, Any] = SERVER_EXAMPLES[name].op.ok  # type: ignore[attr-defined]
    return ok


async def test_invitations_are_values() -> None:
    async with ScriptedServer() as server:
        chat = connect(server.address, user="root", device="cli", operator="key")
        entering = asyncio.create_task(chat.__aenter__())
        peer = await server.peer()
        await peer.welcome()
        await entering
        asking = asyncio.create_task(chat.add_invitation("Schule", uses=30, valid_s=60))
        op = await peer.heard(ops.Invitation)
        assert (op.do, op.title, op.uses, op.valid_s) == ("add", "Schule", 30, 60)
        peer.say(ops.Reply(re=op.id, ok=answer("reply-invited")))
        invited = await asking
        assert (invited.code, invited.invitation) == (op.code, ID)
        assert op.code is not None
        assert len(op.code) >= 22
        listing = asyncio.create_task(chat.invitations())
        listed = await peer.heard(ops.Invitations)
        peer.say(ops.Reply(re=listed.id, ok=answer("reply-invitations")))
        (info,) = await listing
        assert info == InvitationInfo(ID, "Schule", 30, 29, 1_700_000_000_000, None)
        for wrong in ({"uses": 0}, {"code": "short"}, {"valid_s": 0}, {"title": "x" * 65}):
            with pytest.raises(InvalidOp):
                await chat.add_invitation(**wrong)
        with pytest.raises(InvalidOp):
            await chat.revoke_invitation("no id")
        await chat.close(0)
