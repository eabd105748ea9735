"""A node's files under faults: kills, a full disk, crowds of half uploads, liars, TLS, curl."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme

from actorchat.client import Chat, connect
from actorchat.errors import Refusal, Unavailable
from actorchat.limits import FILE_TRANSFERS_MAX
from actorchat.protocol import ops
from actorchat.store.blobs import Blobs
from actorchat.store.rocks import RocksEngine
from actorchat.store.verify import verify
from tests.fault.node import ALARMS, MIB, Node, Operator, running, until

pytestmark = [pytest.mark.fault, pytest.mark.slow]

DISK_BYTES = 40 * MIB
HTTP: dict[str, object] = {"gateway.http.listen": "127.0.0.1:0"}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with running(tmp_path / "node", dict(HTTP)) as node:
        yield node


async def sign_up(node: Node, *users: str) -> dict[str, str]:
    operator = await Operator.sign_in(node)
    tokens = {user: await operator.token(user) for user in users}
    await operator.close()
    return tokens


def client(node: Node, user: str, token: str, **options: Any) -> Chat:
    return connect(f"tcp://127.0.0.1:{node.port}", user=user, device="d", token=token, **options)


async def grant(chat: Chat, body: bytes) -> dict[str, Any]:
    sha256 = hashlib.sha256(body).digest()
    return await chat._ask(ops.Upload(0, sha256, len(body), "image/png"))


def left(node: Node) -> list[Path]:
    """Return what is on disk of the files."""
    return [path for path in (node.data / "files").rglob("*") if path.is_file()]


async def half(granted: dict[str, Any], length: int, sent: bytes) -> asyncio.StreamWriter:
    """Begin to bring a file of `length` bytes, and stop after `sent`."""
    where = urlsplit(str(granted["base"]))
    _, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(
        f"PUT {granted['path']} HTTP/1.1\r\nHost: h\r\nActorchat-Ticket: {granted['ticket']}\r\n"
        f"Content-Type: image/png\r\nContent-Length: {length}\r\n\r\n".encode()
        + sent
    )
    await writer.drain()
    return writer


def curl(*arguments: str) -> str:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    run = subprocess.run(
        ["curl", "-s", "-S", *arguments], capture_output=True, text=True, check=True
    )
    return run.stdout


async def test_curl_brings_and_fetches(node: Node, tmp_path: Path) -> None:
    token = (await sign_up(node, "ann"))["ann"]
    body = Random(1).randbytes(3 * MIB)
    source = tmp_path / "cat.png"
    source.write_bytes(body)
    async with client(node, "ann", token) as ann:
        granted = await grant(ann, body)
        url = f"{granted['base']}{granted['path']}"
        given = ("-H", f"Actorchat-Ticket: {granted['ticket']}", "-H", "Content-Type: image/png")
        put = ("-T", str(source), "-w", "%{http_code}", *given, url)
        assert await asyncio.to_thread(curl, *put) == "201"  # it expects 100-continue
        assert (await asyncio.to_thread(curl, *put)).endswith("401")  # once
        who = ("-H", f"Authorization: Bearer {token}", "-H", "Actorchat-User: ann")
        who += ("-H", "Actorchat-Device: d")
        out = tmp_path / "out"
        await asyncio.to_thread(curl, "-o", str(out), *who, url)
        assert out.read_bytes() == body
        await asyncio.to_thread(curl, "-r", "1000-1999", "-o", str(out), *who, url)
        assert out.read_bytes() == body[1_000:2_000]
        granted = await grant(ann, body + b"x")
        chunked = ("-H", "Transfer-Encoding: chunked", "-T", str(source), "-w", "%{http_code}")
        given = ("-H", f"Actorchat-Ticket: {granted['ticket']}", "-H", "Content-Type: image/png")
        url = f"{granted['base']}{granted['path']}"
        said = await asyncio.to_thread(curl, *chunked, *given, url)
        assert said.endswith("422")
        assert json.loads(said[:-3])["code"] == "size_mismatch"
    assert len(left(node)) == 1


async def test_a_kill_in_the_middle_leaves_nothing_half(node: Node) -> None:
    token = (await sign_up(node, "ann"))["ann"]
    body = Random(2).randbytes(2 * MIB)
    async with client(node, "ann", token) as ann:
        writer = await half(await grant(ann, body), len(body), body[:MIB])
        await until(lambda: any(path.stat().st_size for path in left(node)))
        await asyncio.to_thread(node.kill)
        assert len(left(node)) == 1
        await asyncio.to_thread(node.start)
        assert left(node) == []
        writer.close()
        source = node.data / "cat.png"
        source.write_bytes(body)
        stored = await ann.upload(source)
        assert await ann.download(stored.hash, node.data / "out") == len(body)
    assert await asyncio.to_thread(node.stop) == 0


async def test_what_was_acked_is_there_after_kills(node: Node, tmp_path: Path) -> None:
    node._settings["gateway.http.listen"] = address(node).removeprefix("http://")
    tokens = await sign_up(node, "ann", "bob")
    rng = Random(3)
    acked: dict[str, set[bytes]] = {"ann": set(), "bob": set()}
    is_over = False

    def total() -> int:
        return sum(map(len, acked.values()))

    async def bring(user: str) -> None:
        number = 0
        async with client(node, user, tokens[user], timeout_s=3.0) as chat:
            while not is_over:
                number += 1
                source = tmp_path / f"{user}-{number}"
                source.write_bytes(rng.randbytes(rng.randint(0, 300_000)))
                with contextlib.suppress(Unavailable, Refusal):
                    acked[user].add((await chat.upload(source)).hash)

    tasks = [asyncio.create_task(bring(user)) for user in acked]
    for _ in range(3):
        least = total() + 5
        await until(lambda: total() >= least)  # noqa: B023 (it is awaited here)
        await asyncio.to_thread(node.kill)
        await asyncio.to_thread(node.start)
    is_over = True
    await asyncio.gather(*tasks)
    assert await asyncio.to_thread(node.stop) == 0
    engine = RocksEngine(node.data / "store")
    try:
        assert verify(engine).problems == []
    finally:
        engine.close()
    blobs = Blobs(node.data / "files")
    assert all(blobs.is_sound(sha256) for found in acked.values() for sha256 in found)
    print(f"{total()} files acked through three kills")


def address(node: Node) -> str:
    return str(json.loads((node.data / "node.json").read_text(encoding="utf-8"))["http"])


async def test_a_full_disk_refuses_the_file_and_keeps_the_talk(disk: Path, tmp_path: Path) -> None:
    settings = {
        **HTTP,
        "files.disk_free_bytes_min": 0,
        "store.write_buffer_bytes": 2 * MIB,
        "store.write_buffer_total_bytes": 4 * MIB,
        "store.wal_bytes_max": 8 * MIB,
    }
    with running(disk / "node", settings, tmp_path / "node.stderr") as node:
        tokens = await sign_up(node, "ann", "bob")
        body = Random(4).randbytes(30 * MIB)
        source = tmp_path / "large"
        source.write_bytes(body)
        async with client(node, "ann", tokens["ann"]) as ann:
            granted = await grant(ann, body)
            (disk / "ballast").write_bytes(bytes(20 * MIB))
            writer = await half(granted, len(body), body)
            await until(lambda: not any(path.stat().st_size for path in left(node)))
            with pytest.raises(Refusal, match="store_full"):
                await ann.upload(source)
            assert left(node) == []
            writer.close()
            await ann.send("bob", "still here")
            (disk / "ballast").unlink()
            await ann.upload(source)
            assert len(left(node)) == 1
        assert await asyncio.to_thread(node.stop) == 0
        assert "Traceback" not in node.words()


async def test_a_file_that_leaves_messages_no_space_is_refused(node: Node, tmp_path: Path) -> None:
    node.kill()
    node._settings["files.disk_free_bytes_min"] = 2**60
    node.start()
    token = (await sign_up(node, "ann"))["ann"]
    source = tmp_path / "cat"
    source.write_bytes(b"x")
    async with client(node, "ann", token) as ann:
        with pytest.raises(Refusal, match="store_full"):
            await ann.upload(source)


async def test_a_thousand_half_uploads_are_bounded(node: Node) -> None:
    users = [f"user{number}" for number in range(20)]
    tokens = await sign_up(node, *users)
    writers: list[asyncio.StreamWriter] = []
    body = bytes(MIB)
    before = node.rss_bytes()
    async with contextlib.AsyncExitStack() as stack:
        for user in users:
            chat = await stack.enter_async_context(client(node, user, tokens[user]))
            for number in range(50):
                granted = await grant(chat, number.to_bytes(4, "big") + body)
                writers.append(await half(granted, MIB + 4, bytes(100_000)))
        await until(lambda: len(left(node)) == FILE_TRANSFERS_MAX)
        grown = node.rss_bytes() - before
        print(f"{len(writers)} half uploads: {grown / MIB:.0f} MiB more")
        assert grown < 128 * MIB
        async with asyncio.timeout(2):
            await chat.send(users[0], "still here")
        operator = await Operator.sign_in(node)
        status = await operator.status()
        assert status["file_transfers"] == FILE_TRANSFERS_MAX
        assert status["files_refused"] >= len(writers) - FILE_TRANSFERS_MAX
        await operator.close()
        for writer in writers:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        await until(lambda: left(node) == [])
    assert await asyncio.to_thread(node.stop) == 0
    assert not any(alarm in node.words() for alarm in ALARMS), node.words()


async def test_a_lying_length_keeps_nothing(node: Node) -> None:
    token = (await sign_up(node, "ann"))["ann"]
    body = Random(5).randbytes(MIB)
    async with client(node, "ann", token) as ann:
        for length in (len(body) - 1, len(body) + 1, 0, 2**62):
            writer = await half(await grant(ann, body), length, body[: min(length, len(body))])
            writer.close()
        writer = await half(await grant(ann, body), len(body), body[:-1])
        writer.write_eof()
        await asyncio.sleep(0.1)
        writer.close()
        await until(lambda: left(node) == [])
        assert "stored" in await grant(ann, body)
    assert not any(alarm in node.words() for alarm in ALARMS), node.words()


async def test_a_stop_in_the_middle_is_in_order(node: Node) -> None:
    token = (await sign_up(node, "ann"))["ann"]
    body = Random(7).randbytes(2 * MIB)
    async with client(node, "ann", token) as ann:
        writer = await half(await grant(ann, body), len(body), body[:MIB])
        await until(lambda: any(path.stat().st_size for path in left(node)))
        assert await asyncio.to_thread(node.stop) == 0
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    assert left(node) == []
    assert not any(alarm in node.words() for alarm in ALARMS), node.words()


async def test_files_go_over_tls_and_not_without_it(tmp_path: Path) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    leaf.private_key_pem.write_to_path(key)
    for part in leaf.cert_chain_pems:
        part.write_to_path(certificate, append=True)
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    settings = {
        **HTTP,
        "gateway.http.tls_cert": str(certificate),
        "gateway.http.tls_key": str(key),
    }
    source = tmp_path / "cat"
    source.write_bytes(Random(6).randbytes(MIB))
    with running(tmp_path / "node", settings) as node:
        token = (await sign_up(node, "ann"))["ann"]
        async with connect(address(node), user="ann", device="d", token=token, tls=tls) as ann:
            stored = await ann.upload(source)
            await ann.download(stored.hash, tmp_path / "out")
            assert (tmp_path / "out").read_bytes() == source.read_bytes()
        assert node.stop() == 0
        assert not any(alarm in node.words() for alarm in ALARMS), node.words()
