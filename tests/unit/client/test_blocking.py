"""The blocking face against a scripted server, which runs on the test's own loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from actorchat.client import Progress, Sent, State, blocking
from actorchat.errors import AuthFailed, CallTimeout, InvalidOp
from actorchat.protocol import ops
from tests.unit.client.playbook import delivery, refused
from tests.unit.client.scripted import Peer, ScriptedServer


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        yield server


def client(server: ScriptedServer) -> blocking.Chat:
    return blocking.connect(server.address, user="ann", device="phone", token="t0")


async def greeted(server: ScriptedServer) -> Peer:
    peer = await server.peer()
    await peer.welcome()
    return peer


async def test_the_blocking_face_does_what_the_other_does(server: ScriptedServer) -> None:
    def use() -> list[object]:
        with client(server) as chat:
            sent = chat.send("bob", "a")
            posted = chat.post("bob", "b")
            first = chat.receive(5)
            assert first is not None
            chat.mark_read("bob", first.seq)
            results = [chat.state, sent, posted.result(5), first.text, chat.cursor]
            results.append(chat.history("bob").head)
            results.append(next(chat.marks()))
            return results

    using = asyncio.create_task(asyncio.to_thread(use))
    peer = await greeted(server)
    peer.answer(await peer.heard(ops.Send), 1)
    peer.answer(await peer.heard(ops.Send), 2)
    peer.say(delivery(1))
    heard: dict[type, object] = {}
    while ops.History not in heard:
        op = await peer.heard(object)
        heard[type(op)] = op
    assert heard[ops.Mark] == ops.Mark("bob", 1)
    history = heard[ops.History]
    assert isinstance(history, ops.History)
    peer.say(ops.Reply(re=history.id, ok={"events": [], "head": 2}))
    peer.say(ops.MarkPush("bob", "bob", 2, 1))
    assert await using == [
        State.OPEN,
        Sent(1, 1_001),
        Sent(2, 1_002),
        "m1",
        1,
        2,
        Progress("bob", "bob", 2, 1),
    ]


async def test_posts_of_one_thread_keep_their_order(server: ScriptedServer) -> None:
    def use() -> list[int]:
        with client(server) as chat:
            futures = [chat.post("bob", str(number)) for number in range(100)]
            return [future.result(5).seq for future in futures]

    using = asyncio.create_task(asyncio.to_thread(use))
    peer = await greeted(server)
    for number in range(100):
        op = await peer.heard(ops.Send)
        assert op.body == str(number)
        peer.answer(op, number + 1)
    assert await using == list(range(1, 101))


async def test_errors_reach_the_caller_and_leave_no_thread(server: ScriptedServer) -> None:
    def use() -> None:
        with client(server):
            raise AssertionError("not to be reached")

    using = asyncio.create_task(asyncio.to_thread(use))
    peer = await server.peer()
    peer.say(refused((await peer.heard(ops.Hello)).id, "unauthenticated", "never"))
    with pytest.raises(AuthFailed):
        await using
    assert not any(thread.name == "actorchat-client" for thread in threading.enumerate())


async def test_nothing_in_time_is_told_by_an_error(server: ScriptedServer) -> None:
    def use() -> None:
        with client(server) as chat:
            with pytest.raises(CallTimeout):
                chat.receive(0)
            with pytest.raises(InvalidOp):
                chat.send("No Name", "a")
            with pytest.raises(InvalidOp):
                chat.post("No Name", "a").result(5)

    using = asyncio.create_task(asyncio.to_thread(use))
    await greeted(server)
    await using


async def test_closing_ends_whoever_iterates(server: ScriptedServer) -> None:
    chat = client(server)
    entering = asyncio.create_task(asyncio.to_thread(chat.__enter__))
    peer = await greeted(server)
    await entering
    peer.say(delivery(1))
    reading = asyncio.create_task(
        asyncio.to_thread(lambda: [message.text for message in chat.messages()])
    )
    await peer.heard(ops.Ack)
    await asyncio.to_thread(chat.close)
    assert await reading == ["m1"]
    chat.close()
    with pytest.raises(RuntimeError):
        chat.send("bob", "late")


async def test_actors_are_asked_for_as_in_the_other_face(server: ScriptedServer) -> None:
    def use() -> dict[str, Any]:
        with client(server) as chat:
            return chat.actors("info", who="broker")

    using = asyncio.create_task(asyncio.to_thread(use))
    peer = await greeted(server)
    op = await peer.heard(ops.Actors)
    assert (op.view, op.who) == ("info", "broker")
    peer.say(ops.Reply(re=op.id, ok={"total": 1, "actors": []}))
    assert await using == {"total": 1, "actors": []}


async def test_presence_is_watched_without_a_loop(server: ScriptedServer) -> None:
    def use() -> list[object]:
        with client(server) as chat:
            results: list[object] = [chat.watch("bob")[0].online]
            results.append(next(chat.presence()).online)
            results.append(next(chat.signals()).kind)
            chat.signal("bob", "stopped")
            chat.unwatch("bob")
            results.append(chat.privacy())
            return results

    using = asyncio.create_task(asyncio.to_thread(use))
    peer = await greeted(server)
    op = await peer.heard(ops.Watch)
    peer.say(ops.Reply(re=op.id, ok={"states": [{"user": "bob", "online": True}]}))
    peer.say(ops.Presence([ops.PresenceState("bob", False)]), ops.SignalPush("bob", "typing"))
    assert await peer.heard(ops.Signal) == ops.Signal("bob", "stopped")
    await peer.heard(ops.Unwatch)
    asked = await peer.heard(ops.Privacy)
    peer.say(ops.Reply(re=asked.id, ok={"level": "everyone"}))
    assert await using == [True, False, "typing", "everyone"]
