"""The group methods of both faces against a scripted server on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from actorchat.client import Chat, Flagged, Flags, GroupInfo, GroupLine, Marks, Sent, connect
from actorchat.errors import InvalidOp, Refusal
from actorchat.ids import group_address
from actorchat.protocol import ops
from actorchat.protocol.ops.group import (
    Add,
    Alter,
    Assign,
    Create,
    Enter,
    Invite,
    Leave,
    Remove,
    Uninvite,
)
from tests.unit.client.playbook import CID, refused
from tests.unit.client.scripted import Peer, ScriptedServer

GROUP = group_address(CID)
TOKEN = "t" * 22
INFO = {
    "conv": GROUP,
    "name": "g",
    "description": "",
    "post": "members",
    "add": "admins",
    "history": "all",
    "size": 9,
    "head": 4,
    "members": {"ann": "owner"},
    "links": [TOKEN],
}


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        yield server


@pytest.fixture
async def pair(server: ScriptedServer) -> AsyncIterator[tuple[Chat, Peer]]:
    chat = connect(server.address, user="ann", device="phone", token="t0")
    entering = asyncio.create_task(chat.__aenter__())
    peer = await server.peer()
    await peer.welcome()
    await entering
    yield chat, peer
    await chat.close(0)


@pytest.mark.parametrize(
    ("ask", "change", "result"),
    [
        (lambda c: c.create_group("g", ["bob"], id=CID), Create("g", ["bob"]), GROUP),
        (lambda c: c.set_group(GROUP, name="h"), Alter("h"), Sent(4, 5)),
        (lambda c: c.add(GROUP, "bob", "cid"), Add(["bob", "cid"]), Sent(4, 5)),
        (lambda c: c.add(GROUP, "bob", role="reader"), Add(["bob"], "reader"), Sent(4, 5)),
        (lambda c: c.remove(GROUP, "bob"), Remove("bob"), Sent(4, 5)),
        (lambda c: c.leave(GROUP), Leave(), Sent(4, 5)),
        (lambda c: c.set_role(GROUP, "bob", "owner"), Assign("bob", "owner"), Sent(4, 5)),
        (lambda c: c.void_link(GROUP, TOKEN), Uninvite(TOKEN), Sent(4, 5)),
        (lambda c: c.join(f"{GROUP}/{TOKEN}"), Enter(TOKEN), GROUP),
    ],
)
async def test_change_is_asked_for_and_answered_with_its_place(
    pair: tuple[Chat, Peer], ask: Callable[[Chat], Awaitable[Any]], change: object, result: object
) -> None:
    chat, peer = pair
    asking = asyncio.ensure_future(ask(chat))
    op = await peer.heard(ops.Change)
    assert (op.conv, op.change, len(op.cid)) == (GROUP, change, 16)
    peer.say(ops.Reply(re=op.id, ok={"seq": 4, "ts": 5}))
    assert await asking == result


async def test_link_is_the_address_and_a_new_token(pair: tuple[Chat, Peer]) -> None:
    chat, peer = pair
    asking = asyncio.ensure_future(chat.new_link(GROUP))
    op = await peer.heard(ops.Change)
    assert isinstance(op.change, Invite)
    peer.say(ops.Reply(re=op.id, ok={"seq": 4, "ts": 5}))
    assert await asking == f"{GROUP}/{op.change.token}"


async def test_group_and_receipts_are_asked_for(pair: tuple[Chat, Peer]) -> None:
    chat, peer = pair
    asking: Any = asyncio.ensure_future(chat.group(GROUP))
    op: Any = await peer.heard(ops.Group)
    peer.say(ops.Reply(re=op.id, ok=INFO))
    info = await asking
    assert isinstance(info, GroupInfo)
    assert (info.members, info.links) == ({"ann": "owner"}, [TOKEN])
    asking = asyncio.ensure_future(chat.receipts(GROUP))
    op = await peer.heard(ops.Receipts)
    marks = {"ann": {"delivered": 4, "read": 3}}
    peer.say(ops.Reply(re=op.id, ok={"head": 4, "marks": marks}))
    assert await asking == {"ann": Marks(4, 3)}


async def test_large_groups_are_asked_for_page_by_page(pair: tuple[Chat, Peer]) -> None:
    chat, peer = pair
    asking: Any = asyncio.ensure_future(chat.group(GROUP))
    op: Any = await peer.heard(ops.Group)
    peer.say(ops.Reply(re=op.id, ok={**INFO, "more": True}))
    op = await peer.heard(ops.Group)
    assert op.after == "ann"
    peer.say(ops.Reply(re=op.id, ok={**INFO, "members": {"bob": "member"}}))
    info = await asking
    assert (info.members, info.more) == ({"ann": "owner", "bob": "member"}, False)
    asking = asyncio.ensure_future(chat.receipts(GROUP))
    op = await peer.heard(ops.Receipts)
    mark = {"delivered": 4, "read": 3}
    peer.say(ops.Reply(re=op.id, ok={"head": 4, "marks": {"ann": mark}, "more": True}))
    op = await peer.heard(ops.Receipts)
    assert op.after == "ann"
    peer.say(ops.Reply(re=op.id, ok={"head": 4, "marks": {"bob": mark}}))
    assert await asking == {"ann": Marks(4, 3), "bob": Marks(4, 3)}


async def test_groups_are_listed_page_by_page(pair: tuple[Chat, Peer]) -> None:
    chat, peer = pair
    line = {"title": "g", "role": "member", "size": 3, "head": 9, "unread": 2}
    other = group_address(bytes(16))
    asking = asyncio.ensure_future(chat.groups())
    op: Any = await peer.heard(ops.Groups)
    assert op.after is None
    peer.say(ops.Reply(re=op.id, ok={"groups": [{"conv": GROUP, **line}], "more": True}))
    op = await peer.heard(ops.Groups)
    assert op.after == GROUP
    peer.say(ops.Reply(re=op.id, ok={"groups": [{"conv": other, **line}], "more": False}))
    found = await asking
    assert found[0] == GroupLine(GROUP, "g", "member", 3, 9, 2)
    assert [one.conv for one in found] == [GROUP, other]


async def test_flags_of_another_device_are_news(pair: tuple[Chat, Peer]) -> None:
    chat, peer = pair
    peer.say(ops.FlagPush(GROUP, True, False, False), ops.FlagPush(GROUP, False, False, True))
    peer.say(ops.FlagPush("bob", True, False, False))
    feed = chat.flagged()
    assert await anext(feed) == Flagged(GROUP, Flags(False, False, True))
    assert await anext(feed) == Flagged("bob", Flags(True, False, False))


async def test_refusal_is_raised(pair: tuple[Chat, Peer]) -> None:
    chat, peer = pair
    asking = asyncio.ensure_future(chat.leave(GROUP))
    op = await peer.heard(ops.Change)
    peer.say(refused(op.id, "no_such_group", "never"))
    with pytest.raises(Refusal) as caught:
        await asking
    assert caught.value.code == "no_such_group"


async def test_what_no_server_would_take_is_refused_here(pair: tuple[Chat, Peer]) -> None:
    chat, _ = pair
    for ask in (
        lambda: chat.group("bob"),
        lambda: chat.join("bob/x"),
        lambda: chat.join(f"{GROUP}/short"),
        lambda: chat.create_group("", ["bob"]),
        lambda: chat.create_group("g", ["bob"], id=b"short"),
        lambda: chat.add(GROUP),
        lambda: chat.add(GROUP, *(f"u{number}" for number in range(100_000))),
        lambda: chat.create_group("g", [f"u{number}" for number in range(100_000)]),
    ):
        with pytest.raises(InvalidOp):
            await ask()


async def test_message_says_its_group_and_what_was_sent_here_is_not_handed_on(
    pair: tuple[Chat, Peer],
) -> None:
    chat, peer = pair
    sending = asyncio.ensure_future(chat.send(GROUP, "mine", cid=CID))
    op = await peer.heard(ops.Send)
    peer.say(ops.Msg(1, ops.Record("ann", 7, 5, CID, "mine", GROUP)))
    peer.say(ops.Msg(2, ops.Record("bob", 8, 5, bytes(16), "theirs", GROUP)))
    peer.say(ops.Msg(3, ops.Record("ann", 9, 5, bytes(16), "from the other device", GROUP)))
    peer.say(ops.Msg(4, ops.Record("bob", 10, 5, bytes(16), "", GROUP, Remove("cid"))))
    peer.answer(op, 7)
    await sending
    feed = chat.messages()
    got = [await anext(feed) for _ in range(3)]
    assert [message.text for message in got] == ["theirs", "from the other device", ""]
    assert {message.conversation for message in got} == {GROUP}
    assert got[2].change == Remove("cid")
    assert [message.own for message in got] == [False, True, False]
    assert GROUP in repr(got[0]) and "Remove" in repr(got[2])
    while chat.cursor != 4:
        await peer.heard(ops.Ack)
    assert chat.updates_repeated == (0, 0)
