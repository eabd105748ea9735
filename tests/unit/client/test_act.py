"""What an application does with messages that are there, against a scripted server."""

from __future__ import annotations

import asyncio

import pytest

from actorchat.client import Sent, connect
from actorchat.client.act import passed_on
from actorchat.client.message import Entry
from actorchat.errors import InvalidOp, Refusal
from actorchat.limits import FORWARD_HOPS_MAX
from actorchat.protocol import ops
from tests.unit.client.playbook import CID
from tests.unit.client.scripted import ScriptedServer
from tests.vectors.example import FILE


def entry(**more: object) -> Entry:
    return Entry("bob", 7, 5, CID, "hi", **more)  # type: ignore[arg-type]


async def test_each_call_asks_for_its_act() -> None:
    async with ScriptedServer() as server:
        chat = connect(server.address, user="ann", device="phone", token="t0")
        entering = asyncio.create_task(chat.__aenter__())
        peer = await server.peer()
        await peer.welcome()
        await entering
        for call, expected in (
            (chat.edit("bob", 7, "ho", cid=CID), ops.Edit(0, "bob", CID, 7, "ho")),
            (chat.delete("bob", 7, 8, cid=CID), ops.Delete(0, "bob", CID, [7, 8])),
            (chat.react("bob", 7, "x", False, cid=CID), ops.React(0, "bob", CID, 7, "x", False)),
        ):
            asking = asyncio.create_task(call)
            op = await peer.heard(type(expected))
            expected.id = op.id
            assert op == expected
            peer.say(ops.Reply(re=op.id, ok={"seq": 9, "ts": 5}))
            assert await asking == Sent(9, 5)
        hiding = asyncio.create_task(chat.hide("bob", 7))
        op = await peer.heard(ops.Delete)
        assert (op.seqs, op.scope) == ([7], "me")
        peer.say(ops.Reply(re=op.id, ok={}))
        await hiding
        passing = asyncio.create_task(chat.forward(entry(), "cid", cid=CID))
        send = await peer.heard(ops.Send)
        assert send == ops.Send(
            send.id, "cid", CID, "hi", ops.Extra(fwd=ops.Forwarded(1), kind="text")
        )
        peer.say(ops.Reply(re=send.id, ok={"seq": 1, "ts": 5}))
        assert await passing == Sent(1, 5)
        refusing = asyncio.create_task(chat.edit("bob", 7, "ho"))
        op = await peer.heard(ops.Edit)
        peer.say(ops.Reply(re=op.id, err=ops.Failure("too_late", "", "never", "none")))
        with pytest.raises(Refusal) as refusal:
            await refusing
        assert refusal.value.code == "too_late"
        await chat.close(0)


async def test_what_no_server_takes_is_not_asked() -> None:
    async with ScriptedServer() as server:
        chat = connect(server.address, user="ann", device="phone", token="t0")
        entering = asyncio.create_task(chat.__aenter__())
        peer = await server.peer()
        await peer.welcome()
        await entering
        for call in (
            chat.edit("bob", 0, "ho"),
            chat.edit("bob", 1, "x" * 65_537),
            chat.delete("bob"),
            chat.delete("bob", *range(1, 102)),
            chat.react("bob", 1, ""),
            chat.react("no name", 1, "x"),
            chat.forward(entry(gone=True), "cid"),
            chat.forward(entry(act=ops.Reacted(1, "x")), "cid"),
            chat.send("bob", "hi", extra=ops.Extra(exp=1)),
            chat.send("bob", "hi", extra=ops.Extra(mentions=["x"] * 100_000)),
        ):
            with pytest.raises(InvalidOp):
                await call
        await chat.close(0)


def test_what_is_passed_on_is_what_it_is_and_not_whom_it_was_for() -> None:
    full = ops.Extra(re=1, mentions=["ann"], kind="file", files=[FILE], exp=9)
    once = passed_on(entry(extra=full), named=True)
    assert once == ops.Extra(fwd=ops.Forwarded(1, "bob"), kind="file", files=[FILE])
    twice = passed_on(entry(extra=once), named=True)
    assert twice.fwd == ops.Forwarded(2, "bob")
    assert passed_on(entry(extra=once), named=False).fwd == ops.Forwarded(2)
    often = ops.Extra(fwd=ops.Forwarded(FORWARD_HOPS_MAX))
    assert passed_on(entry(extra=often), named=False).fwd == ops.Forwarded(FORWARD_HOPS_MAX)
