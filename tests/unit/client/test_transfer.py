"""A file on its way, against a server that does as the test says."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from actorchat.client.link import Address
from actorchat.client.transfer import Broken, Grant, bring, fetch, hash_of, url_of
from actorchat.errors import InvalidOp, Refusal

BODY = bytes(range(256)) * 2_000
HASH = hashlib.sha256(BODY).digest()
PLAIN = Address("tcp", "chat.example", 7700)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Answers as `handler` does, and remembers the heads."""

    def __init__(self) -> None:
        self.heads: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.handler: Handler = self.take
        self.base = ""

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.read())
        return web.Response(status=201)

    async def give(self, request: web.Request) -> web.StreamResponse:
        start = request.http_range.start or 0
        headers = {"Content-Range": f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"} if start else {}
        return web.Response(status=206 if start else 200, body=BODY[start:], headers=headers)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.BaseRequest)
        self.heads.append(dict(request.headers))
        if request.headers.get("Expect"):
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        return await self.handler(request)  # type: ignore[arg-type]

    def grant(self, size: int = len(BODY)) -> Grant:
        return Grant(self.base, "/v1/files/x", "t1", 0, size=size)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    runner = web.ServerRunner(web.Server(server))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    server.base = f"http://127.0.0.1:{port}"
    yield server
    await runner.cleanup()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    path.write_bytes(BODY)
    return path


def refuse(status: int, text: str) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text)

    return answer


def test_hash_and_size_are_of_the_content(source: Path) -> None:
    assert hash_of(source) == (HASH, len(BODY))


async def test_file_goes_out_whole_with_its_head(server: Server, source: Path) -> None:
    seen: list[tuple[int, int]] = []
    door = (PLAIN, None)
    await bring(door, server.grant(), source, len(BODY), "image/png", lambda *at: seen.append(at))
    assert server.bodies == [BODY]
    (head,) = server.heads
    assert (head["Actorchat-Ticket"], head["Content-Type"]) == ("t1", "image/png")
    assert head["Content-Length"] == str(len(BODY))
    assert seen[-1] == (len(BODY), len(BODY))


async def test_refusal_keeps_its_words(server: Server, source: Path) -> None:
    server.handler = refuse(
        507, '{"code": "store_full", "reason": "no", "retry": "after", "after_ms": 7}'
    )
    with pytest.raises(Refusal) as refused:
        await bring((PLAIN, None), server.grant(), source, len(BODY), "image/png", None)
    assert (refused.value.code, refused.value.retry, refused.value.after_ms) == (
        "store_full",
        "after",
        7,
    )


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"code": 1}', ""])
async def test_answer_that_is_none_is_no_refusal(server: Server, source: Path, text: str) -> None:
    server.handler = refuse(502, text)
    with pytest.raises(Broken, match="502"):
        await bring((PLAIN, None), server.grant(), source, len(BODY), "image/png", None)


async def test_file_comes_in_whole(server: Server, tmp_path: Path) -> None:
    server.handler = server.give
    target, seen = tmp_path / "out", []
    await fetch((PLAIN, None), server.grant(), HASH, target, lambda *at: seen.append(at))
    assert target.read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert list(tmp_path.iterdir()) == [target]


async def test_fetching_goes_on_where_it_broke_off(server: Server, tmp_path: Path) -> None:
    server.handler = server.give
    target = tmp_path / "out"
    (tmp_path / "out.part").write_bytes(BODY[:1_000])
    await fetch((PLAIN, None), server.grant(), HASH, target, None)
    assert server.heads[0]["Range"] == "bytes=1000-"
    assert target.read_bytes() == BODY


async def test_server_without_ranges_gives_all_again(server: Server, tmp_path: Path) -> None:
    async def all_of_it(_: web.Request) -> web.StreamResponse:
        return web.Response(body=BODY)

    server.handler = all_of_it
    (tmp_path / "out.part").write_bytes(BODY[:1_000])
    await fetch((PLAIN, None), server.grant(), HASH, tmp_path / "out", None)
    assert (tmp_path / "out").read_bytes() == BODY


@pytest.mark.parametrize("wrong", [b"x" + BODY[1:], BODY[:-1], BODY + b"x"])
async def test_what_comes_wrong_replaces_nothing(
    server: Server, tmp_path: Path, wrong: bytes
) -> None:
    async def lie(_: web.Request) -> web.StreamResponse:
        return web.Response(body=wrong)

    server.handler = lie
    target = tmp_path / "out"
    target.write_bytes(b"mine")
    with pytest.raises(Broken):
        await fetch((PLAIN, None), server.grant(), HASH, target, None)
    assert target.read_bytes() == b"mine"


async def test_wrong_start_of_a_former_try_is_thrown_away(server: Server, tmp_path: Path) -> None:
    server.handler = server.give
    (tmp_path / "out.part").write_bytes(b"x" * 1_000)
    with pytest.raises(Broken, match="SHA-256"):
        await fetch((PLAIN, None), server.grant(), HASH, tmp_path / "out", None)
    await fetch((PLAIN, None), server.grant(), HASH, tmp_path / "out", None)
    assert (tmp_path / "out").read_bytes() == BODY


async def test_server_that_is_away_is_broken(server: Server, source: Path) -> None:
    grant = Grant("http://127.0.0.1:1", "/v1/files/x", "t1", 0, size=1)
    with pytest.raises(Broken):
        await bring((PLAIN, None), grant, source, len(BODY), "image/png", None)
    with pytest.raises(Broken):
        await fetch((PLAIN, None), grant, HASH, source.with_name("out"), None)


@pytest.mark.parametrize(
    ("base", "dialled", "url"),
    [
        ("https://files.example", PLAIN, "https://files.example/p"),
        ("http://0.0.0.0:80/", PLAIN, "http://chat.example:80/p"),
        ("http://[::]:80", Address("tcp", "::1", 1), "http://[::1]:80/p"),
        ("https://0.0.0.0:80", Address("tls", "h", 1), "https://h:80/p"),
    ],
)
def test_place_is_where_the_server_says(base: str, dialled: Address, url: str) -> None:
    assert url_of(Grant(base, "/p", "t", 0), dialled) == url


@pytest.mark.parametrize("base", ["", "ftp://h", "/x", "http://"])
def test_place_that_is_none_is_refused(base: str) -> None:
    with pytest.raises(InvalidOp):
        url_of(Grant(base, "/p", "t", 0), PLAIN)


def test_file_goes_not_without_tls_where_words_go_with_it() -> None:
    with pytest.raises(InvalidOp, match="TLS"):
        url_of(Grant("http://h:1", "/p", "t", 0), Address("wss", "h", 1))
