"""A node is watched at an address of its own, where nobody can chat."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio

from actorchat.gateway.pages import Pages
from actorchat.gateway.watched import WatchedAddress

TOKEN = "0123456789abcdef"


@pytest_asyncio.fixture
async def address() -> AsyncIterator[str]:
    watched = WatchedAddress(Pages(str, lambda: b"a 1.0\n", TOKEN), "127.0.0.1", 0)
    await watched.start()
    yield watched.address
    await watched.stop()
    await watched.stop()


async def test_numbers_are_for_who_has_the_token(address: str) -> None:
    async with aiohttp.ClientSession(address) as http:
        for path, status in (("/livez", 200), ("/readyz", 401), ("/metrics", 401)):
            async with http.get(path) as answer:
                assert answer.status == status
                assert answer.headers.get("WWW-Authenticate") == (
                    "Bearer" if status == 401 else None
                )
        async with http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
            assert (answer.status, await answer.read()) == (200, b"a 1.0\n")


async def test_nothing_else_is_there(address: str) -> None:
    async with aiohttp.ClientSession(address) as http:
        async with http.post("/v1/session") as answer:
            assert answer.status == 404
        async with http.post("/metrics") as answer:
            assert answer.status == 405


async def test_watchers_take_no_place_of_a_client() -> None:
    watched = WatchedAddress(Pages(str, None), "127.0.0.1", 0)
    await watched.start()
    async with aiohttp.ClientSession(watched.address) as http, http.get("/readyz") as answer:
        assert answer.status == 200
    await watched.stop()
    assert watched.address.startswith("http://127.0.0.1:")
