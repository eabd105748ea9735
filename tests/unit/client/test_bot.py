"""The calls of bots and hooks, of both faces, against a scripted server on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from actorchat.client import Chat, EventPage, connect
from actorchat.client.message import Sent
from actorchat.errors import InvalidOp, Refusal
from actorchat.protocol import ops
from tests.unit.client.playbook import refused
from tests.unit.client.scripted import Peer, ScriptedServer
from tests.vectors.example import ACT_RECORDS, CID, RICH_RECORD, SERVER_EXAMPLES

URL, SECRET = "https://h/", "s" * 16


def answer(name: str) -> dict[str, Any]:
    ok: dict[str, Any] = SERVER_EXAMPLES[name].op.ok  # type: ignore[attr-defined]
    return ok


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Chat, Peer]]:
    async with ScriptedServer() as server:
        chat = connect(server.address, user="robot", device="main", token="t0")
        entering = asyncio.create_task(chat.__aenter__())
        peer = await server.peer()
        await peer.welcome()
        await entering
        yield chat, peer
        await chat.close(0)


async def test_events_are_values(pair: tuple[Chat, Peer]) -> None:
    chat, peer = pair
    asking = asyncio.create_task(chat.events(40, limit=10, wait_s=99))
    op = await peer.heard(ops.Events)
    assert (op.after, op.limit, op.wait_ms) == (40, 10, 5_000)
    peer.say(ops.Reply(re=op.id, ok=answer("reply-events")))
    page = await asking
    assert (page.position, page.head, page.missed) == (42, 42, True)
    message, change = page.events
    assert (message.sender, message.to, message.cid, message.change) == ("ann", "bob", CID, None)
    assert change.change == {"kind": "add", "users": ["bob"]}


async def test_events_have_what_messages_have_beside_their_text(pair: tuple[Chat, Peer]) -> None:
    chat, peer = pair
    asking = asyncio.create_task(chat.events(42))
    op = await peer.heard(ops.Events)
    peer.say(ops.Reply(re=op.id, ok=answer("reply-events-rich")))
    message, edit = (await asking).events
    assert (message.extra, message.act) == (RICH_RECORD.extra, None)
    assert (message.edited, message.reactions) == (RICH_RECORD.edited, RICH_RECORD.reactions)
    assert (edit.kind, edit.act) == ("act", ACT_RECORDS["edit"].act)


async def test_following_asks_for_what_is_behind_the_last_page(pair: tuple[Chat, Peer]) -> None:
    chat, peer = pair
    following = chat.follow_events()
    coming = asyncio.ensure_future(anext(following))
    op = await peer.heard(ops.Events)
    assert op.after is None
    peer.say(ops.Reply(re=op.id, ok=answer("reply-events")))
    assert (await coming).id == 41
    assert (await anext(following)).id == 42
    coming = asyncio.ensure_future(anext(following))
    op = await peer.heard(ops.Events)
    assert op.after == 42
    peer.say(refused(op.id, "forbidden", "never"))
    with pytest.raises(Refusal):
        await coming


@pytest.mark.parametrize(
    ("ask", "heard", "ok", "result"),
    [
        (
            lambda c: c.make_bot("robot", "main", ["message"]),
            ops.Bot(0, "robot", "main", ["message"]),
            {"user": "robot", "token": "t1"},
            "t1",
        ),
        (
            lambda c: c.make_bot("robot", "main", moderates=True),
            ops.Bot(0, "robot", "main", [], True),
            {"user": "robot", "token": "t1"},
            "t1",
        ),
        (
            lambda c: c.moderate("ann", 7, 8, of="bob", cid=bytes(16)),
            ops.Delete(0, "ann", bytes(16), [7, 8], "moderate", "bob"),
            {"seq": 9, "ts": 5},
            Sent(9, 5),
        ),
        (
            lambda c: c.add_hook("audit", URL, SECRET),
            ops.Hook(0, "audit", "add", URL, SECRET, ["message", "change", "act"]),
            {},
            None,
        ),
        (lambda c: c.change_hook("audit", "pause"), ops.Hook(0, "audit", "pause"), {}, None),
        (
            lambda c: c.test_hook("audit"),
            ops.Hook(0, "audit", "test"),
            {"status": 204, "reason": ""},
            (204, ""),
        ),
    ],
)
async def test_operator_asks_and_is_answered(
    pair: tuple[Chat, Peer],
    ask: Callable[[Chat], Awaitable[Any]],
    heard: Any,
    ok: dict[str, Any],
    result: object,
) -> None:
    chat, peer = pair
    asking = asyncio.ensure_future(ask(chat))
    op = await peer.heard(type(heard))
    rid, op.id = op.id, 0
    assert op == heard
    peer.say(ops.Reply(re=rid, ok=ok))
    assert await asking == result


async def test_hooks_are_values(pair: tuple[Chat, Peer]) -> None:
    chat, peer = pair
    asking = asyncio.create_task(chat.hooks())
    op = await peer.heard(ops.Hooks)
    peer.say(ops.Reply(re=op.id, ok=answer("reply-hooks")))
    (hook,) = await asking
    assert (hook.name, hook.state, hook.head - hook.position) == ("audit", "active", 2)


async def test_what_no_server_would_take_is_not_asked(pair: tuple[Chat, Peer]) -> None:
    chat, _ = pair
    with pytest.raises(InvalidOp):
        await chat.add_hook("audit", "", SECRET)
    with pytest.raises(InvalidOp):
        await chat.add_hook("audit", URL, "short")
    with pytest.raises(InvalidOp):
        await chat.events(limit=0)


async def test_bot_without_a_token_makes_no_sense(pair: tuple[Chat, Peer]) -> None:
    chat, peer = pair
    asking = asyncio.create_task(chat.make_bot("robot", "main"))
    op = await peer.heard(ops.Bot)
    peer.say(ops.Reply(re=op.id, ok={"user": "robot"}))
    with pytest.raises(InvalidOp):
        await asking


def test_page_without_a_gap_says_nothing_of_it() -> None:
    assert not EventPage([], 0, 0).missed


@pytest.mark.parametrize(
    ("conv", "of"),
    [("ann", None), ("#AAECAwQFBgcICQoLDA0ODw", "bob"), ("ann", "ann"), ("ann", "#x")],
)
async def test_moderated_conversation_is_a_group_or_of_two(
    pair: tuple[Chat, Peer], conv: str, of: str | None
) -> None:
    chat, _ = pair
    with pytest.raises(InvalidOp):
        await chat.moderate(conv, 7, of=of)
