"""What is heard over HTTP and what is refused, said byte by byte over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from actorchat.gateway.base import Bounds
from actorchat.gateway.http import SAFE_HEADERS, SPARE_DOORS, HttpServer, Refused, Request, plain
from actorchat.gateway.room import Room
from actorchat.gateway.sweep import Sweep

BOUNDS = Bounds(handshake_timeout_s=10.0, idle_timeout_s=20.0, close_linger_s=0.2, tick_s=1.0)
GET = b"GET /page HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: h\r\n"


class Place:
    """A server with a page, an echo and a fault, whose ticks pass when the test says so."""

    def __init__(self, bounds: Bounds = BOUNDS) -> None:
        self.sweep = Sweep(bounds.tick_s)
        self.server = HttpServer(
            {
                "/page": {"GET": self._page},
                "/echo": {"POST": self._echo},
                "/fault": {"GET": self._fail},
            },
            bounds,
            self.sweep,
        )
        self._wires: list[asyncio.StreamWriter] = []

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._socket = await loop.create_server(self.server, "127.0.0.1", 0)
        self.port = self._socket.sockets[0].getsockname()[1]

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._wires.append(writer)
        return reader, writer

    async def say(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send one request over a connection of its own; return status, headers and body."""
        reader, writer = await self.dial()
        writer.write(request)
        return await heard(reader)

    async def close(self) -> None:
        self._socket.close()
        await self.server.close()
        for writer in self._wires:
            writer.close()
            try:
                await writer.wait_closed()
            except OSError:
                pass

    def pass_ticks(self, count: int) -> None:
        for _ in range(count):
            self.sweep.tick()
            while self.sweep.work():
                pass

    async def _page(self, _: Request) -> web.Response:
        return plain(200, "a page")

    async def _echo(self, request: Request) -> web.Response:
        return web.Response(body=await self.server.read_body(request, 100))

    async def _fail(self, _: Request) -> web.Response:
        raise RuntimeError("a bug")


async def heard(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    async with asyncio.timeout(20):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        body = await reader.readexactly(int(headers.get("Content-Length", 0)))
    return int(first.split()[1]), headers, body


async def cut(reader: asyncio.StreamReader) -> None:
    """See that the connection ends, at once: no timer of real time is that short."""
    async with asyncio.timeout(20):
        try:
            assert await reader.read() == b""
        except ConnectionResetError:
            pass


@pytest_asyncio.fixture
async def place() -> AsyncIterator[Place]:
    place = Place()
    await place.listen()
    yield place
    await place.close()


async def test_every_answer_is_safe_and_nameless(place: Place) -> None:
    for request in (GET, GET.replace(b"page", b"none"), GET.replace(b"GET", b"PUT"), b"\x16\3\1\n"):
        _, headers, _ = await place.say(request)
        assert headers.items() >= SAFE_HEADERS.items()
        assert "Server" not in headers
        assert not any("Access-Control" in name for name in headers)


@pytest.mark.parametrize(
    "path",
    [
        "/", "//page", "/page/", "/Page", "/./page", "/x/../page", "/%70age", "/page%00",
        "/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/page;x", "http://h/page", "/page\\..",
    ],
)  # fmt: skip
async def test_no_other_spelling_of_a_path_is_known(place: Place, path: str) -> None:
    status, _, body = await place.say(GET.replace(b"/page", path.encode()))
    assert status in {400, 404}
    assert path.encode() not in body or path == "/"


async def test_query_of_a_path_does_not_matter(place: Place) -> None:
    assert (await place.say(GET.replace(b"/page", b"/page?x=/../y")))[0] == 200


async def test_other_method_is_refused_with_those_there_are(place: Place) -> None:
    for method in (b"POST", b"DELETE", b"OPTIONS", b"TRACE"):
        status, headers, _ = await place.say(GET.replace(b"GET", method))
        assert (status, headers["Allow"]) == (405, "GET, HEAD")


async def test_head_is_a_get_without_the_body(place: Place) -> None:
    reader, writer = await place.dial()
    writer.write(GET.replace(b"GET", b"HEAD"))
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head and b"Content-Length: 7" in head
    writer.write(GET)  # nothing lies between
    assert (await heard(reader))[2] == b"a page\n"


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /" + b"x" * 2000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        GET[:-2] + b"X: " + b"y" * 5000 + b"\r\n\r\n",
        GET[:-2] + b"X" * 5000 + b": y\r\n\r\n",
        GET[:-2] + b"X: y\r\n" * 100 + b"\r\n",
        b"nonsense\r\n\r\n",
        GET.replace(b"GET", b"BREW"),
        GET[:-2] + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["line", "header", "name", "headers", "nonsense", "method", "length", "smuggling"],
)
async def test_what_is_no_http_or_too_long_ends_the_connection(
    place: Place, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await place.dial()
    writer.write(request_)
    status, headers, body = await heard(reader)
    assert (status, headers.get("Connection", "close")) == (400, "close")
    assert body == b"not HTTP, or longer than is taken here\n"
    assert await reader.read() == b""
    assert not caplog.records


async def test_body_is_read_whole_and_no_longer_than_may_be(place: Place) -> None:
    whole = await place.say(POST + b"Content-Length: 100\r\n\r\n" + b"x" * 100)
    assert whole[0] == 200 and whole[2] == b"x" * 100
    status, headers, _ = await place.say(POST + b"Content-Length: 101\r\n\r\n")
    assert (status, headers["Connection"]) == (413, "close")  # before any of it came
    chunk = b"40\r\n" + b"x" * 64 + b"\r\n"
    status, _, _ = await place.say(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 2)
    assert status == 413


async def test_packed_body_is_refused(place: Place) -> None:
    status, _, _ = await place.say(
        POST + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nxxxxx"
    )
    assert status == 415


async def test_slow_body_is_refused() -> None:
    place = Place(Bounds(handshake_timeout_s=0.01, close_linger_s=0.01))
    await place.listen()
    reader, writer = await place.dial()
    writer.write(POST + b"Content-Length: 50\r\n\r\nx")
    status, headers, _ = await heard(reader)
    assert (status, headers["Connection"]) == (408, "close")
    assert await reader.read() == b""
    await place.close()


async def test_slow_head_is_cut_however_it_drips(place: Place) -> None:
    reader, writer = await place.dial()
    for byte in GET[:9]:
        writer.write(bytes((byte,)))
        await asyncio.sleep(0)
        place.pass_ticks(1)
    assert place.server.doors == 1
    place.pass_ticks(3)
    await cut(reader)
    assert place.server.doors == 0


async def test_silent_connection_is_cut(place: Place) -> None:
    reader, writer = await place.dial()
    writer.write(GET)
    await heard(reader)
    place.pass_ticks(20)
    writer.write(GET)
    await heard(reader)  # it was heard again in time
    place.pass_ticks(22)
    await cut(reader)
    assert place.server.doors == 0


async def test_flood_of_connections_is_cut_at_the_bound() -> None:
    place = Place(Bounds(connections_max=1, close_linger_s=0.2))
    await place.listen()
    most = 2 + SPARE_DOORS
    for _ in range(most):
        await place.dial()
    reader, _ = await place.dial()
    await cut(reader)
    assert place.server.doors <= most
    await place.close()
    assert place.server.doors == 0


async def test_connections_take_places_in_the_room_of_the_node() -> None:
    place = Place(Bounds(room=Room(1), close_linger_s=0.2))
    await place.listen()
    _, writer = await place.dial()
    second, _ = await place.dial()
    await cut(second)
    assert place.server.doors == 1
    writer.close()
    while place.server.doors:
        await asyncio.sleep(0)
    third, writer = await place.dial()
    writer.write(GET)
    assert (await heard(third))[0] == 200
    await place.close()


async def test_pipelined_requests_are_answered_in_order(place: Place) -> None:
    reader, writer = await place.dial()
    writer.write(GET + GET.replace(b"page", b"none") + GET)
    assert [(await heard(reader))[0] for _ in range(3)] == [200, 404, 200]


async def test_fault_of_a_handler_is_logged_and_not_told(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    status, _, body = await place.say(GET.replace(b"page", b"fault"))
    assert (status, body) == (500, b"failed\n")
    assert [record.message for record in caplog.records] == ["request failed"]


def test_refusal_carries_what_is_answered() -> None:
    refused = Refused(405, "no", {"Allow": "GET"})
    assert (refused.status, refused.reason, refused.headers) == (405, "no", {"Allow": "GET"})
