"""Knows how a file travels over HTTP, by a ticket. Must not know who wants it, or messages."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import aiohttp
from msgspec import Struct

from actorchat.client.dial import OVER_TLS
from actorchat.client.link import Address
from actorchat.errors import InvalidOp, Refusal
from actorchat.limits import FILE_CHUNK_BYTES, FILE_STALL_S

UNKNOWN_TYPE = "application/octet-stream"
_FAILURES = (aiohttp.ClientError, TimeoutError, ConnectionError)
_ANY_HOST = frozenset({"0.0.0.0", "::"})  # noqa: S104 (what a server says that listens everywhere)
_REFUSAL_BYTES_MAX = 65_536

# Called with (bytes that went, bytes in all).
Progress = Callable[[int, int], object]
Door = tuple[Address, ssl.SSLContext | None]


class Grant(Struct):
    """The server's answer to `upload` and `download`."""

    base: str
    path: str
    ticket: str
    expires: int
    stored: bool = False
    size: int = 0
    type: str = UNKNOWN_TYPE


class Broken(Exception):
    """The bytes did not get through; another try is safe."""


def hash_of(path: Path) -> tuple[bytes, int]:
    """Return (SHA-256, size) of a file, which is read once. Blocks.

    Raises:
        OSError: It can't be read.
    """
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(FILE_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return digest.digest(), size


def url_of(grant: Grant, address: Address) -> str:
    """Return where the server that was dialled at `address` takes and gives the file.

    A server that listens everywhere names no host; then it is the one that was dialled.

    Raises:
        InvalidOp: It is no such place, or one without TLS where the server was dialled with it.
    """
    base = urlsplit(grant.base)
    if base.scheme not in {"http", "https"} or not base.hostname:
        raise InvalidOp(f"the server names no place for files: {grant.base!r}")
    if base.scheme == "http" and address.scheme in OVER_TLS:
        raise InvalidOp("the server takes files without TLS only")
    if base.hostname not in _ANY_HOST:
        return grant.base.rstrip("/") + grant.path
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{base.scheme}://{host}:{base.port}{grant.path}"


async def bring(
    door: Door, grant: Grant, source: Path, size: int, type: str, on_progress: Progress | None
) -> None:
    """PUT the file at `source`; return when the server has it for good.

    Raises:
        OSError: It can't be read. Broken: it did not get through. Refusal: the server's.
    """
    headers = {
        "Actorchat-Ticket": grant.ticket,
        "Content-Type": type,
        "Content-Length": str(size),
    }
    url = url_of(grant, door[0])
    with await asyncio.to_thread(source.open, "rb") as file:
        chunks = _chunks(file, size, on_progress)
        try:
            async with (
                _session(door) as http,
                http.put(url, data=chunks, headers=headers, expect100=True) as answer,
            ):
                if answer.status != 201:
                    raise await _refusal(answer)
        except _FAILURES as error:
            raise Broken(str(error) or error.__class__.__name__) from error


async def _chunks(file: BinaryIO, size: int, on_progress: Progress | None) -> AsyncIterator[bytes]:
    sent = 0
    while chunk := await asyncio.to_thread(file.read, FILE_CHUNK_BYTES):
        yield chunk
        sent += len(chunk)
        if on_progress is not None:
            on_progress(sent, size)


async def fetch(
    door: Door, grant: Grant, sha256: bytes, target: Path, on_progress: Progress | None
) -> None:
    """GET the file; go on where a former try broke off; put it in its place when it is right.

    Raises:
        OSError: It can't be written. Broken: it did not get through, or came wrong. Refusal.
    """
    part = target.with_name(target.name + ".part")
    url = url_of(grant, door[0])
    with await asyncio.to_thread(part.open, "ab+") as file:
        had = file.tell() if file.tell() < grant.size else 0
        headers = {"Actorchat-Ticket": grant.ticket}
        if had:
            headers["Range"] = f"bytes={had}-"
        try:
            async with _session(door) as http, http.get(url, headers=headers) as answer:
                if answer.status not in {200, 206}:
                    raise await _refusal(answer)
                if answer.status == 200:
                    had = 0
                await asyncio.to_thread(file.truncate, had)
                async for chunk in answer.content.iter_chunked(FILE_CHUNK_BYTES):
                    await asyncio.to_thread(file.write, chunk)
                    had += len(chunk)
                    if had > grant.size:
                        raise Broken("more came than the file has")
                    if on_progress is not None:
                        on_progress(had, grant.size)
        except _FAILURES as error:
            raise Broken(str(error) or error.__class__.__name__) from error
        await asyncio.to_thread(_sync, file)
    if (await asyncio.to_thread(hash_of, part))[0] != sha256:
        await asyncio.to_thread(part.unlink)
        raise Broken("what came has another SHA-256")
    await asyncio.to_thread(part.replace, target)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _session(door: Door) -> aiohttp.ClientSession:
    context = door[1]
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=True if context is None else context),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=FILE_STALL_S, sock_read=60.0),
    )


async def _refusal(answer: aiohttp.ClientResponse) -> Exception:
    """Return what a server's answer that is no success stands for."""
    said: Any = None
    with contextlib.suppress(*_FAILURES, ValueError):
        said = json.loads(await answer.content.read(_REFUSAL_BYTES_MAX))
    if not isinstance(said, dict) or not isinstance(said.get("code"), str):
        return Broken(f"HTTP status {answer.status}")
    after_ms = said.get("after_ms")
    return Refusal(
        said["code"],
        str(said.get("reason")),
        said.get("retry", "never"),
        said.get("outcome", "none"),
        after_ms if isinstance(after_ms, int) else None,
    )
