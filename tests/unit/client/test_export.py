"""All that is one's own is asked for page by page."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from actorchat.client import blocking, connect
from actorchat.client.blocking_export import BlockingExportCalls
from actorchat.client.export import Fact
from actorchat.protocol import ops
from tests.unit.client.scripted import Peer, ScriptedServer

GROUP = "#" + "A" * 22


def record(seq: int) -> dict[str, Any]:
    return {"from": "bob", "seq": seq, "ts": 5, "cid": bytes([seq] * 16), "body": f"text {seq}"}


async def answer(peer: Peer, kind: type, ok: dict[str, Any]) -> Any:
    op: Any = await peer.heard(kind)
    peer.say(ops.Reply(re=op.id, ok=ok))
    return op


HASH = bytes(range(32))
FILE = {"hash": HASH, "size": 7, "type": "image/jpeg", "name": "photo.jpg"}


def page(*seqs: int, head: int = 3, more: bool = False) -> dict[str, Any]:
    return {"events": [record(seq) for seq in seqs], "head": head, "more": more, "marks": {}}


async def serve(peer: Peer) -> None:
    await peer.welcome()
    await answer(peer, ops.Profile, {"user": "ann", "title": "Ann", "about": ""})
    await answer(peer, ops.Devices, {"devices": []})
    await answer(peer, ops.Contacts, {"contacts": ["bob"]})
    await answer(peer, ops.Blocks, {"blocks": []})
    await answer(peer, ops.Privacy, {"level": "everyone"})
    flags = {"muted": True, "archived": False, "pinned": False}
    line = {"conv": "bob", "head": 3, "last": record(3), "unread": 0, "marks": {}, **flags}
    about = {"title": "friends", "role": "owner", "size": 1}
    lines = [line, {**line, "conv": GROUP, "head": 1, **about}]
    await answer(peer, ops.Conversations, {"conversations": lines, "more": False})
    first = await answer(peer, ops.History, page(1))
    assert (first.after, first.before) == (0, 2)
    second = await answer(peer, ops.History, page(2, more=True))
    assert (second.after, second.before) == (1, None)
    third = await answer(peer, ops.History, page(3))
    assert third.after == 2
    info = {"conv": GROUP, "name": "friends", "description": "", "post": "members", "add": "admins"}
    info |= {"history": "all", "size": 1, "head": 1, "members": {"ann": "owner"}, "links": []}
    asked = await answer(peer, ops.Group, info)
    assert asked.conv == GROUP
    await answer(peer, ops.History, page(1, head=1))
    file = {"sha256": bytes(32), "size": 7, "type": "text/plain", "created": 5}
    counts = {"used": 7, "count": 2, "quota": 100}
    await answer(peer, ops.Files, {"files": [file], "more": True, **counts})
    asked = await answer(peer, ops.Files, {"files": [], "more": False, **counts})
    assert asked.after == bytes(32)


def check(facts: list[Fact]) -> None:
    assert [fact["kind"] for fact in facts] == [
        *("profile", "devices", "contacts", "blocks", "privacy"),
        *("conversation", "message", "message", "message"),
        *("group", "message", "file"),
    ]
    about = {"hash": "00" * 32, "size": 7, "type": "text/plain", "created": 5}
    assert facts[11] == {"kind": "file", **about}
    assert facts[5]["muted"] is True
    assert [fact["text"] for fact in facts[6:9]] == ["text 1", "text 2", "text 3"]
    assert facts[9]["members"] == {"ann": "owner"}
    assert facts[9]["muted"] is True
    assert facts[10]["conv"] == GROUP
    assert facts[6]["cid"] == "01" * 16


async def test_facts_come_in_order_a_page_at_a_time() -> None:
    async with ScriptedServer() as server:

        async def use() -> list[Fact]:
            async with connect(server.address, user="ann", device="phone", token="t0") as chat:
                return [fact async for fact in chat.export()]

        using = asyncio.create_task(use())
        await serve(await server.peer())
        check(await using)


async def test_blocking_face_does_the_same() -> None:
    async with ScriptedServer() as server:

        def use() -> list[Fact]:
            with blocking.connect(server.address, user="ann", device="phone", token="t0") as chat:
                assert isinstance(chat, BlockingExportCalls)
                return list(chat.export())

        using = asyncio.create_task(asyncio.to_thread(use))
        await serve(await server.peer())
        check(await using)


async def test_messages_are_whole_and_files_and_all_members_are_named() -> None:
    async with ScriptedServer() as server:

        async def use() -> list[Fact]:
            async with connect(server.address, user="ann", device="phone", token="t0") as chat:
                return [fact async for fact in chat.export()]

        using = asyncio.create_task(use())
        peer = await server.peer()
        await peer.welcome()
        await answer(peer, ops.Profile, {"user": "ann", "title": "", "about": ""})
        await answer(peer, ops.Devices, {"devices": []})
        await answer(peer, ops.Contacts, {"contacts": []})
        await answer(peer, ops.Blocks, {"blocks": []})
        await answer(peer, ops.Privacy, {"level": "everyone"})
        flags = {"muted": False, "archived": False, "pinned": False}
        line = {"conv": GROUP, "head": 4, "last": record(4), "unread": 0, "marks": {}, **flags}
        await answer(peer, ops.Conversations, {"conversations": [line], "more": False})
        group = {"conv": GROUP, "name": "g", "description": "", "post": "members", "head": 4}
        group |= {"add": "admins", "history": "all", "size": 9, "links": []}
        await answer(peer, ops.Group, {**group, "members": {"ann": "owner"}, "more": True})
        asked = await answer(peer, ops.Group, {**group, "members": {"bob": "member"}})
        assert asked.after == "ann"
        mine = {**record(1), "from": "ann", "edited": 3, "reactions": {"x": ["bob"]}}
        mine["extra"] = {"kind": "file", "files": [FILE], "re": 1}
        theirs = {**record(2), "extra": {"kind": "file", "files": [{**FILE, "hash": bytes(32)}]}}
        act = {**record(3), "from": "ann", "act": {"kind": "edit", "ref": 1}}
        gone = {**record(4), "body": "", "gone": True, "hidden": True}
        await answer(peer, ops.History, {**page(head=4), "events": [mine]})
        await answer(peer, ops.History, {**page(head=4), "events": [theirs, act, gone]})
        asked = await peer.heard(ops.Files)  # of a server where the list is not to be had
        peer.say(ops.Reply(re=asked.id, err=ops.Failure("unavailable", "", "never", "none")))
        facts = (await using)[5:]
        assert [fact["kind"] for fact in facts] == ["group", *["message"] * 4, "file"]
        assert facts[0]["members"] == {"ann": "owner", "bob": "member"}
        assert (facts[1]["edited"], facts[1]["reactions"]) == (3, {"x": ["bob"]})
        shown = {**FILE, "hash": HASH.hex()}
        assert facts[1]["extra"] == {"kind": "file", "files": [shown], "re": 1}
        assert facts[3]["act"] == {"kind": "edit", "ref": 1}
        assert (facts[4]["gone"], facts[4]["hidden"]) == (True, True)
        assert facts[5] == {"kind": "file", **shown}
        assert json.dumps(facts)
