"""Files over HTTP: what is refused and when, ranges, what an answer says, hostile peers."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from actorchat.errors import Refusal
from actorchat.gateway.base import Bounds
from actorchat.gateway.files import PATH, STATUSES, FilePages
from actorchat.gateway.http import HttpServer
from actorchat.gateway.sweep import Sweep
from tests.unit.gateway.test_http import heard

BODY = b"a picture of a cat" * 1_000
HASH = hashlib.sha256(BODY).digest()
AT = f"{PATH}{HASH.hex()}"
BOUNDS = Bounds(close_linger_s=0.2)


class Incoming:
    """A file on its way in, as a test's."""

    def __init__(self, depot: Shelf) -> None:
        self.size = len(BODY)
        self.type = "image/png"
        self.body = b""
        self._depot = depot

    async def write(self, chunk: bytes) -> None:
        if self._depot.refusal is not None:
            raise self._depot.refusal
        self.body += chunk

    async def finish(self) -> None:
        if self.body != BODY:
            raise Refusal("hash_mismatch", "another")
        self._depot.kept.append(self.body)


class Outgoing:
    """A file on its way out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = len(BODY)
        self.type = "text/html"


class Shelf:
    """A depot that keeps what it gets in memory."""

    def __init__(self, path: Path) -> None:
        self.refusal: Refusal | None = None
        self.kept: list[bytes] = []
        self.begun = self.ended = 0
        self.path = path

    @contextlib.asynccontextmanager
    async def upload(self, ticket: str, sha256: bytes) -> AsyncIterator[Incoming]:
        if ticket != "good" or sha256 != HASH:
            raise Refusal("unauthenticated", "no such ticket")
        self.begun += 1
        try:
            yield Incoming(self)
        finally:
            self.ended += 1

    @contextlib.asynccontextmanager
    async def download(
        self, sha256: bytes, ticket: str, user: str, device: str, token: str
    ) -> AsyncIterator[Outgoing]:
        if ticket != "good" and (user, device, token) != ("ann", "phone", "secret"):
            raise Refusal("unauthenticated", "a ticket is needed")
        if self.refusal is not None:
            raise self.refusal
        self.begun += 1
        try:
            yield Outgoing(self.path)
        finally:
            self.ended += 1


class Place:
    """A server with files, and raw clients."""

    def __init__(self, path: Path, **pages: Any) -> None:
        self.shelf = Shelf(path)
        self.server = HttpServer(FilePages(self.shelf, **pages).routes(), BOUNDS, Sweep(1.0))
        self._wires: list[asyncio.StreamWriter] = []

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._socket = await loop.create_server(self.server, "127.0.0.1", 0)

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        port = self._socket.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        self._wires.append(writer)
        return reader, writer

    async def ask(
        self, method: str, path: str = AT, body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        given = {"Host": "h", **{name.replace("_", "-"): text for name, text in headers.items()}}
        if method == "PUT":
            given = {"Content-Length": str(len(body)), **given}
        head = "".join(f"{name}: {text}\r\n" for name, text in given.items() if text)
        reader, writer = await self.dial()
        writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        status, answered, text = await heard(reader)
        return status, {name.lower(): value for name, value in answered.items()}, text

    async def put(self, body: bytes = BODY, **headers: str) -> tuple[int, dict[str, Any]]:
        given = {"Actorchat_Ticket": "good", "Content_Type": "image/png"} | headers
        status, _, text = await self.ask("PUT", AT, body, **given)
        return status, json.loads(text) if text.startswith(b"{") else {}

    async def close(self) -> None:
        self._socket.close()
        await self.server.close()
        for writer in self._wires:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    path = tmp_path / "file"
    path.write_bytes(BODY)
    place = Place(path)
    await place.listen()
    yield place
    await place.close()
    assert place.shelf.begun == place.shelf.ended


async def test_file_is_brought(place: Place) -> None:
    assert await place.put() == (201, {})
    assert place.shelf.kept == [BODY]


async def test_file_is_brought_in_chunks(place: Place) -> None:
    reader, writer = await place.dial()
    head = f"PUT {AT} HTTP/1.1\r\nHost: h\r\nActorchat-Ticket: good\r\nContent-Type: image/png\r\n"
    writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    for at in range(0, len(BODY), 999):
        piece = BODY[at : at + 999]
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    writer.write(b"0\r\n\r\n")
    assert (await heard(reader))[0] == 201
    assert place.shelf.kept == [BODY]


async def test_peer_that_waits_for_leave_gets_it_or_the_reason(place: Place) -> None:
    head = f"PUT {AT} HTTP/1.1\r\nHost: h\r\nContent-Type: image/png\r\nExpect: 100-continue\r\n"
    head += f"Content-Length: {len(BODY)}\r\n"
    reader, writer = await place.dial()
    writer.write(f"{head}Actorchat-Ticket: good\r\n\r\n".encode())
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(BODY)
    assert (await heard(reader))[0] == 201
    reader, writer = await place.dial()
    writer.write(f"{head}Actorchat-Ticket: bad\r\n\r\n".encode())
    assert (await heard(reader))[0] == 401


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Actorchat_Ticket": "bad"}, 401, "unauthenticated"),
        ({"Actorchat_Ticket": ""}, 401, "unauthenticated"),
        ({"Content_Length": "99999"}, 422, "size_mismatch"),
        ({"Content_Type": "text/html"}, 415, "type_mismatch"),
        ({"Content_Type": ""}, 415, "type_mismatch"),
        ({"Content_Type": "image/png; charset=x"}, 415, "type_mismatch"),
        ({"Content_Encoding": "gzip"}, 415, "type_mismatch"),
    ],
)
async def test_what_the_head_says_wrong_is_refused(
    place: Place, headers: dict[str, str], status: int, code: str
) -> None:
    found, said = await place.put(**headers)
    assert (found, said["code"], said["outcome"]) == (status, code, "none")
    assert place.shelf.kept == []


@pytest.mark.parametrize("code", STATUSES)
async def test_every_refusal_has_its_status(place: Place, code: str) -> None:
    place.shelf.refusal = Refusal(code, "because", "after", "unknown", 1_500)
    status, said = await place.put()
    assert status == STATUSES[code]
    assert said == {
        "code": code,
        "reason": "because",
        "retry": "after",
        "outcome": "unknown",
        "after_ms": 1_500,
    }


async def test_refusal_for_now_says_when_to_come_back(place: Place) -> None:
    place.shelf.refusal = Refusal("busy", "later", "after", "none", 1_500)
    _, headers, _ = await place.ask("GET", Actorchat_Ticket="good")
    assert headers["retry-after"] == "2"
    place.shelf.refusal = None
    _, headers, _ = await place.ask("GET")
    assert headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "path",
    [
        PATH,
        f"{PATH}..%2f..%2fetc%2fpasswd",
        f"{PATH}..",
        f"{PATH}{'A' * 64}",
        f"{PATH}{HASH.hex()}0",
        f"{PATH}{HASH.hex()[:-1]}",
        f"{PATH}{HASH.hex()[:-1]}%00",
        f"{PATH}../files/{HASH.hex()}",
        f"{PATH}/{HASH.hex()}",
        f"/v1//files/{HASH.hex()}",
        f"/v1/./files/{HASH.hex()}",
        f"{PATH}{HASH.hex()}/",
        f"{PATH}{HASH.hex()}.gz",
    ],
)
async def test_no_other_path_is_a_file(place: Place, path: str) -> None:
    for method in ("GET", "PUT"):
        assert (await place.ask(method, path, Actorchat_Ticket="good"))[0] == 404
    assert place.shelf.begun == 0


async def test_file_is_fetched_and_never_runs(place: Place) -> None:
    status, headers, body = await place.ask("GET", Actorchat_Ticket="good")
    assert (status, body) == (200, BODY)
    assert headers["content-type"] == "text/html"
    assert headers["content-disposition"] == "attachment"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["cache-control"] == "no-store"
    assert headers["accept-ranges"] == "bytes"
    assert "server" not in headers


async def test_file_is_fetched_as_a_device(place: Place) -> None:
    who = {"Actorchat_User": "ann", "Actorchat_Device": "phone"}
    assert (await place.ask("GET", Authorization="Bearer secret", **who))[0] == 200
    assert (await place.ask("GET", Authorization="Bearer guess", **who))[0] == 401
    assert (await place.ask("GET", Authorization="Basic secret", **who))[0] == 401
    assert (await place.ask("GET", Authorization="Bearer secret"))[0] == 401


@pytest.mark.parametrize(
    ("range_", "status", "start", "stop"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=10-", 206, 10, None),
        ("bytes=-7", 206, -7, None),
        ("bytes=17999-", 206, 17_999, None),
        ("bytes=17990-99999", 206, 17_990, None),
        ("bytes=18000-", 416, 0, 0),
        ("bytes=9-0", 416, 0, 0),
        ("nonsense", 416, 0, 0),
    ],
)
async def test_ranges_are_parts_of_the_file(
    place: Place, range_: str, status: int, start: int, stop: int | None
) -> None:
    found, headers, body = await place.ask("GET", Actorchat_Ticket="good", Range=range_)
    assert found == status
    if status == 206:
        assert body == BODY[start:stop]
        assert headers["content-range"].endswith(f"/{len(BODY)}")
    else:
        assert BODY not in body


async def test_head_tells_the_size(place: Place) -> None:
    reader, writer = await place.dial()
    writer.write(f"HEAD {AT} HTTP/1.1\r\nHost: h\r\nActorchat-Ticket: good\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    assert head.startswith("HTTP/1.1 200")
    assert f"Content-Length: {len(BODY)}" in head


async def test_file_that_is_gone_is_not_found(place: Place) -> None:
    place.shelf.path.unlink()
    assert (await place.ask("GET", Actorchat_Ticket="good"))[0] == 404


async def test_body_that_ends_early_leaves_nothing(place: Place) -> None:
    _, writer = await place.dial()
    head = f"PUT {AT} HTTP/1.1\r\nHost: h\r\nActorchat-Ticket: good\r\nContent-Type: image/png\r\n"
    writer.write(f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY[:100])
    while not place.shelf.begun:
        await asyncio.sleep(0)
    writer.close()
    while place.shelf.begun != place.shelf.ended:
        await asyncio.sleep(0)
    assert place.shelf.kept == []


async def test_length_that_is_too_short_for_the_body_keeps_nothing(place: Place) -> None:
    assert (await place.put(Content_Length="7"))[0] in {400, 422}
    assert place.shelf.kept == []


async def test_two_lengths_are_no_http(place: Place) -> None:
    status, _ = await place.put(Transfer_Encoding="chunked")
    assert status == 400
    assert place.shelf.kept == []


@pytest.mark.parametrize(
    "bounds", [{"stall_s": 0.05}, {"grace_s": 0.05, "rate_bytes_per_s": 10**9}]
)
async def test_slow_peer_is_told_and_let_go(tmp_path: Path, bounds: dict[str, Any]) -> None:
    place = Place(tmp_path / "none", **bounds)
    await place.listen()
    reader, writer = await place.dial()
    head = f"PUT {AT} HTTP/1.1\r\nHost: h\r\nActorchat-Ticket: good\r\nContent-Type: image/png\r\n"
    writer.write(f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY[:100])
    status, _, body = await heard(reader)
    assert (status, json.loads(body)["code"]) == (408, "timeout")
    assert place.shelf.ended == 1
    await place.close()


@pytest.mark.parametrize("bounds", [{"grace_s": 0.1, "rate_bytes_per_s": 10**12}, {"stall_s": 0.1}])
async def test_peer_that_does_not_read_is_cut(tmp_path: Path, bounds: dict[str, Any]) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    place = Place(path, **bounds)
    await place.listen()
    _, writer = await place.dial()
    writer.write(f"GET {AT} HTTP/1.1\r\nHost: h\r\nActorchat-Ticket: good\r\n\r\n".encode())
    while not place.shelf.begun:
        await asyncio.sleep(0)
    async with asyncio.timeout(20):
        while place.server.doors or place.shelf.begun != place.shelf.ended:
            await asyncio.sleep(0)
    await place.close()
