"""Requests go to addresses that were checked, follow nothing, and end in time and size."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from actorchat.settings.networks import parse_networks
from nodes.roles.outside import NotCalled, Outside

LOOPBACK = parse_networks("127.0.0.0/8")


class Receiver:
    """A server on loopback that keeps what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.heard: list[tuple[str, bytes, dict[str, str]]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.heard.append((request.path, await request.read(), dict(request.headers)))
        if request.path == "/elsewhere":
            raise web.HTTPFound("/in")
        if request.path == "/slow":
            await asyncio.Event().wait()
        if request.path == "/long":
            return web.Response(body=b"x" * 5_000)
        return web.Response(text="done", headers={"Set-Cookie": "a=b"})


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", receiver.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield receiver
    await runner.cleanup()


@asynccontextmanager
async def outside(networks: Any = LOOPBACK, timeout_s: float = 5.0) -> AsyncIterator[Outside]:
    one = Outside(networks, timeout_s)
    try:
        yield one
    finally:
        await one.close()


async def get(one: Outside, url: str, bytes_max: int = 100) -> tuple[int, bytes]:
    return await one.request("GET", url, {}, b"", bytes_max)


async def test_post_arrives_as_it_was_given(receiver: Receiver) -> None:
    async with outside() as one:
        for _ in range(2):
            answer = await one.request("POST", receiver.url + "/in", {"A-B": "c"}, b"body", 0)
            assert answer == (200, b"")
        assert await get(one, receiver.url + "/in") == (200, b"done")
    path, body, headers = receiver.heard[1]
    assert (path, body, headers["A-B"], headers["User-Agent"]) == ("/in", b"body", "c", "actorchat")
    assert not any("Cookie" in headers for _, _, headers in receiver.heard)


async def test_names_are_looked_up_and_what_they_mean_is_checked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = receiver.url.replace("127.0.0.1", "receiver.example")
    meant = ["127.0.0.1"]

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        assert host == "receiver.example"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in meant]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
    async with outside() as one:
        assert await get(one, url + "/in") == (200, b"done")
    meant.append("10.0.0.1")  # one of several is enough
    async with outside() as one:
        with pytest.raises((NotCalled, aiohttp.ClientConnectorDNSError), match=r"10\.0\.0\.1"):
            await get(one, url + "/in")
    assert len(receiver.heard) == 1


async def test_name_that_means_something_else_the_next_time_is_checked_anew(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = receiver.url.replace("127.0.0.1", "rebound.example")
    meant = iter(("127.0.0.1", "127.0.0.2", "::ffff:127.0.0.2"))

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        address = next(meant)
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(kind, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
    async with outside(parse_networks("127.0.0.1/32")) as one:
        hang_up = {"Connection": "close"}
        assert (await one.request("GET", url + "/in", hang_up, b"", 100))[0] == 200
        for _ in range(2):
            with pytest.raises((NotCalled, aiohttp.ClientConnectorDNSError), match="public"):
                await one.request("GET", url + "/in", hang_up, b"", 100)
    assert len(receiver.heard) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost", "2130706433"])
async def test_loopback_is_refused_however_it_is_written(receiver: Receiver, host: str) -> None:
    url = receiver.url.replace("127.0.0.1", host)
    async with outside(()) as one:
        with pytest.raises((OSError, ValueError, aiohttp.ClientError)):
            await get(one, url + "/in")
    assert receiver.heard == []


async def test_socket_is_checked_once_more() -> None:
    async with outside(()) as one:
        with pytest.raises(NotCalled):
            one._socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80)))


async def test_redirects_are_not_followed(receiver: Receiver) -> None:
    async with outside() as one:
        assert (await get(one, receiver.url + "/elsewhere"))[0] == 302
    assert [path for path, _, _ in receiver.heard] == ["/elsewhere"]


async def test_who_answers_too_late_or_too_long_is_hung_up_on(receiver: Receiver) -> None:
    async with outside(timeout_s=0.2) as one:
        with pytest.raises(TimeoutError):
            await get(one, receiver.url + "/slow")
        with pytest.raises(ValueError, match="longer than 4999"):
            await get(one, receiver.url + "/long", 4_999)
        assert len((await get(one, receiver.url + "/long", 5_000))[1]) == 5_000
