"""A link over HTTP: what a server may answer, and what becomes of the link."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from actorchat import limits
from actorchat.client.link import Address, Link
from actorchat.client.poll import FRAMES_TYPE, PollLink
from actorchat.gateway.poll import FRAMES_TYPE as SERVERS_FRAMES_TYPE
from actorchat.protocol import ops
from actorchat.protocol.codec import encode
from actorchat.protocol.connection import frame

PONG = frame(encode(ops.Pong()))
GRANTED = json.dumps({"token": "t", "poll_wait_s": 25.0}).encode()


class Script:
    """A server that answers as the test says."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, bytes]] = []
        self.session = (201, "application/json", GRANTED)
        self.polls: list[Any] = []  # what each gets: status, seq, taken, body, or its future
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        self.heard.append((request.method, request.path, body))
        if request.path == "/v1/session":
            if request.method == "DELETE":
                return web.Response(status=204)
            status, kind, body = self.session
            return web.Response(status=status, body=body, headers={"Content-Type": kind})
        await self.may_answer.wait()
        said = self.polls.pop(0) if self.polls else (410, "0", "0", b"")
        if isinstance(said, asyncio.Future):
            said = await said
        status, seq, taken, body = said
        headers = {"Content-Type": FRAMES_TYPE, "Actorchat-Seq": seq, "Actorchat-Taken": taken}
        return web.Response(status=status, body=body, headers=headers)


class Rig:
    def __init__(self, script: Script, port: int) -> None:
        self.script = script
        self.port = port
        self.said: list[Any] = []
        self.ended = asyncio.Event()
        self.link = PollLink(lambda: self.said.append("open"), self.said.append, self._end)

    def _end(self, reason: str) -> None:
        self.said.append(reason)
        self.ended.set()

    def open(self) -> None:
        self.link.open(Address("http", "127.0.0.1", self.port), None)

    async def end(self) -> list[Any]:
        async with asyncio.timeout(20):
            await self.ended.wait()
            await self.link.wait_gone(1)
        return self.said


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    script = Script()
    server = web.Server(script)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(server, "127.0.0.1", 0)
    yield Rig(script, listener.sockets[0].getsockname()[1])
    script.may_answer.set()
    listener.close()
    server.pre_shutdown()
    await server.shutdown(1)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0)


def test_both_sides_call_frames_the_same() -> None:
    assert FRAMES_TYPE == SERVERS_FRAMES_TYPE


async def test_ops_are_heard_until_the_session_is_over(rig: Rig) -> None:
    rig.script.polls = [(200, "2", "1", PONG + PONG)]
    link: Link = rig.link
    rig.open()
    assert await rig.end() == [
        "open", [ops.Pong(), ops.Pong()], "the server closed the connection",
    ]  # fmt: skip
    assert rig.script.heard[-1][:2] == ("DELETE", "/v1/session")
    assert link is rig.link


async def test_a_poll_that_was_overtaken_ends_nothing_though_the_later_one_is_over(
    rig: Rig,
) -> None:
    loop = asyncio.get_running_loop()
    first, last = loop.create_future(), loop.create_future()
    rig.script.polls = [first, (200, "1", "2", PONG), last]
    rig.open()
    await until(lambda: len(rig.script.heard) == 2)
    rig.link.write(b"something")
    await until(lambda: rig.said == ["open", [ops.Pong()]])
    first.set_result((409, "0", "0", b""))  # what it acked is less than the second one did
    await until(lambda: len(rig.script.heard) == 4)
    assert rig.script.heard[-1][:2] == ("POST", "/v1/poll")
    assert rig.said == ["open", [ops.Pong()]]
    last.set_result((409, "0", "0", b""))  # this one nobody has overtaken
    assert (await rig.end())[2:] == ["HTTP status 409"]


async def test_frames_that_come_again_are_heard_once(rig: Rig) -> None:
    rig.script.polls = [(200, "2", "1", PONG + PONG), (200, "3", "2", PONG * 3)]
    rig.open()
    said = await rig.end()
    assert said[1:3] == [[ops.Pong(), ops.Pong()], [ops.Pong()]]


@pytest.mark.parametrize(
    ("poll", "reason"),
    [
        ((200, "9", "1", PONG), "frames 1 to 8 are missing"),
        ((200, "x", "1", PONG), "makes no sense"),
        ((200, "1", "1", PONG[:-1]), "makes no sense"),
        ((200, "1", "1", b"\0\0\0\1\xff"), "make no sense"),
        ((200, "1", "1", b"\xff\0\0\0"), "make no sense"),
        ((500, "1", "1", b""), "HTTP status 500"),
        ((401, "1", "1", b""), "closed the connection"),
    ],
)
async def test_answer_without_sense_ends_the_link(rig: Rig, poll: Any, reason: str) -> None:
    rig.script.polls = [poll]
    rig.open()
    said = await rig.end()
    if "sense" not in reason:
        assert reason in said[-1]
    assert len(said) == 2 and said[0] == "open" and isinstance(said[1], str)


@pytest.mark.parametrize(
    "session",
    [
        (201, "application/json", b"nothing"),
        (201, "application/json", b"[]"),
        (201, "application/json", b'{"token": "t"}'),
        (404, "text/plain", b"not found\n"),
        (503, "text/plain", b"no room\n"),
    ],
)
async def test_session_that_is_not_granted_is_an_end_without_an_open(
    rig: Rig, session: tuple[int, str, bytes]
) -> None:
    rig.script.session = session
    rig.open()
    said = await rig.end()
    assert len(said) == 1 and isinstance(said[0], str)


async def test_peer_that_is_sent_away_hears_why(rig: Rig) -> None:
    bye = ops.Bye("overload", "after", 20)
    rig.script.session = (503, FRAMES_TYPE, frame(encode(bye)))
    rig.open()
    assert await rig.end() == ["open", [bye], "the server sent us away"]


async def test_answer_beyond_any_outbox_ends_the_link(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "POLL_ANSWER_BYTES_MAX", 1_000)
    rig.script.polls = [(200, "100", "1", PONG * 200)]
    rig.open()
    assert (await rig.end())[-1] == "the server's answer is too long"


async def test_all_of_one_turn_goes_out_in_one_request(rig: Rig) -> None:
    rig.script.may_answer.clear()
    rig.open()
    rig.link.write(b"ab")
    rig.link.write(b"c")
    await until(lambda: len(rig.script.heard) == 2)
    assert rig.script.heard[1] == ("POST", "/v1/poll", b"\0\0\0\x02ab\0\0\0\x01c")
    rig.link.drop()
    await rig.link.wait_gone(1)


async def test_bytes_that_were_not_taken_come_again_under_their_number(rig: Rig) -> None:
    rig.script.may_answer.clear()
    rig.script.polls = [(200, "1", "0", PONG), (200, "1", "1", b"")]
    rig.open()
    rig.link.write(b"ab")
    await until(lambda: len(rig.script.heard) == 2)
    rig.script.may_answer.set()
    assert await rig.end() == ["open", [ops.Pong()], "the server closed the connection"]
    bodies = [body for _, path, body in rig.script.heard if path == "/v1/poll"]
    assert bodies == [b"\0\0\0\x02ab", b"\0\0\0\x02ab", b""]


async def test_dropped_link_hears_no_more_and_gives_its_token_back(rig: Rig) -> None:
    rig.script.may_answer.clear()
    rig.script.polls = [(200, "1", "1", PONG)]
    rig.open()
    await until(lambda: len(rig.script.heard) == 2)
    rig.link.write(b"ab")
    rig.link.drop()
    rig.link.write(b"cd")
    await rig.link.wait_gone(1)
    assert rig.said == ["open"]
    assert [method for method, _, _ in rig.script.heard] == ["POST", "POST", "DELETE"]


async def test_link_dropped_while_it_opens_leaves_nothing(rig: Rig) -> None:
    for turns in (0, 1, 5):
        link = PollLink(lambda: rig.said.append("open"), rig.said.append, rig.said.append)
        link.open(Address("http", "127.0.0.1", rig.port), None)
        for _ in range(turns):
            await asyncio.sleep(0)
        link.drop()
        await link.wait_gone(1)
    assert rig.said == []


async def test_link_that_never_opened_can_be_dropped_and_closed() -> None:
    link = PollLink(lambda: None, lambda _: None, lambda _: None)
    link.drop()
    link.close()
    await link.wait_gone(1)


async def test_server_that_is_not_there_is_an_end_like_any_other() -> None:
    for host in ("127.0.0.1", "x" * 70 + ".test"):
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        link = PollLink(lambda: None, lambda _: None, ended.set_result)
        link.open(Address("http", host, 1), None)
        async with asyncio.timeout(20):
            assert await ended
        await link.wait_gone(1)
