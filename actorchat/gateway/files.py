"""Knows how files are brought and fetched by HTTP. Must not know where they are kept, or whose.

    PUT  /v1/files/<sha256>   brings one; wants a ticket, and the media type that it was given for
    GET  /v1/files/<sha256>   fetches one, or a range of it; wants a ticket, or a device's token

The hash is 64 lower-case hexadecimal digits. A refusal is `{code, reason, retry, outcome,
after_ms?}` in JSON, as in the protocol.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import IO, Any, Protocol

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from actorchat import limits
from actorchat.errors import Refusal
from actorchat.gateway.http import Request, Routes

PATH = "/v1/files/"
STATUSES = {
    "bad_request": 400,
    "unauthenticated": 401,
    "no_such_file": 404,
    "timeout": 408,
    "too_large": 413,
    "type_mismatch": 415,
    "hash_mismatch": 422,
    "size_mismatch": 422,
    "quota_exceeded": 403,
    "busy": 503,
    "unavailable": 503,
    "store_full": 507,
}
# Nothing of a file may run, wherever it is opened; what it is, is said and not guessed.
SAFE_HEADERS = {
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_HASH = re.compile(r"[0-9a-f]{64}")


class Incoming(Protocol):
    """A file that is being brought: what was declared, and where its bytes go."""

    @property
    def size(self) -> int:
        """How many bytes were declared."""
        ...

    @property
    def type(self) -> str:
        """Which media type was declared."""
        ...

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes; raises `Refusal`."""
        ...

    async def finish(self) -> Any:
        """Keep the file; durable when this returns; raises `Refusal`."""
        ...


class Outgoing(Protocol):
    """A file that may be fetched."""

    @property
    def path(self) -> Path:
        """Where it is."""
        ...

    @property
    def size(self) -> int:
        """How many bytes it has."""
        ...

    @property
    def type(self) -> str:
        """Its media type, as it was declared."""
        ...


class Depot(Protocol):
    """Who takes and gives files; entering a context raises `Refusal`."""

    def upload(self, ticket: str, sha256: bytes) -> AbstractAsyncContextManager[Incoming]:
        """Let the owner of `ticket` bring a file; without `finish` nothing is left of it."""
        ...

    def download(
        self, sha256: bytes, ticket: str, user: str, device: str, token: str
    ) -> AbstractAsyncContextManager[Outgoing]:
        """Let somebody fetch a file, by ticket or as a device."""
        ...


class _FileAnswer(web.FileResponse):
    """A file as an answer, which is sent while a place among the transfers is held for it.

    Not by sendfile, which does not tell whether the peer takes anything, and which uvloop has not.
    """

    stall_s = limits.FILE_STALL_S

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        if self.prepared:  # the server asks again, once the handler is done
            return None
        return await super().prepare(request)

    async def _sendfile(
        self, request: web.BaseRequest, fobj: IO[Any], offset: int, count: int
    ) -> AbstractStreamWriter:
        writer = await web.StreamResponse.prepare(self, request)
        assert writer is not None
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, fobj.seek, offset)
        while count:
            chunk = await loop.run_in_executor(None, fobj.read, min(self._chunk_size, count))
            if not chunk:
                raise ConnectionResetError("the file ends before its size")
            count -= len(chunk)
            async with asyncio.timeout(self.stall_s):
                await writer.write(chunk)
                await writer.drain()
        return writer


class FilePages:
    """The paths of files. Thread: the loop's.

    A transfer may pause for `stall_s`, and take `grace_s` and as long as its bytes take at
    `rate_bytes_per_s`.
    """

    def __init__(
        self,
        depot: Depot,
        stall_s: float = limits.FILE_STALL_S,
        grace_s: float = limits.FILE_GRACE_S,
        rate_bytes_per_s: int = limits.FILE_RATE_BYTES_PER_S_MIN,
    ) -> None:
        self._depot = depot
        self._stall_s = stall_s
        self._grace_s = grace_s
        self._rate_bytes_per_s = rate_bytes_per_s

    def routes(self) -> Routes:
        """Return them by path and method; the path that ends with / stands for what is below."""
        return {PATH: {"PUT": self._put, "GET": self._get}}

    async def _put(self, request: Request) -> web.StreamResponse:
        try:
            sha256 = _hash_of(request)
            if request.headers.get("Content-Encoding", "identity") != "identity":
                raise Refusal("type_mismatch", "no content encoding is taken")
            ticket = _header(request, "Actorchat-Ticket")
            async with self._depot.upload(ticket, sha256) as incoming:
                _check_head(request, incoming)
                await _go_on(request)
                async with asyncio.timeout(self._time_for(incoming.size)):
                    async for chunk in self._chunks(request):
                        await incoming.write(chunk)
                    await incoming.finish()
        except TimeoutError:
            return _refused(Refusal("timeout", "the file did not come in time", "now"))
        except Refusal as error:
            return _refused(error)
        return web.Response(status=201)

    async def _chunks(self, request: Request) -> AsyncIterator[bytes]:
        content = request.content
        while not content.at_eof():
            async with asyncio.timeout(self._stall_s):
                chunk = await content.readany()
            if chunk:
                yield chunk

    async def _get(self, request: Request) -> web.StreamResponse:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        asked = (
            request.headers.get("Actorchat-Ticket", ""),
            request.headers.get("Actorchat-User", ""),
            request.headers.get("Actorchat-Device", ""),
            token.strip() if scheme.lower() == "bearer" else "",
        )
        try:
            async with self._depot.download(_hash_of(request), *asked) as outgoing:
                headers = {**SAFE_HEADERS, "Content-Type": outgoing.type}
                answer = _FileAnswer(
                    outgoing.path, chunk_size=limits.FILE_CHUNK_BYTES, headers=headers
                )
                answer.stall_s = self._stall_s
                async with asyncio.timeout(self._time_for(outgoing.size)):
                    await answer.prepare(request)  # all of it
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()  # what it owes would never be taken
            raise ConnectionResetError("the file was not taken in time") from None
        except Refusal as error:
            return _refused(error)
        return answer

    def _time_for(self, size: int) -> float:
        return self._grace_s + size / self._rate_bytes_per_s


def _hash_of(request: Request) -> bytes:
    """Return the hash in the path.

    Raises:
        Refusal: `no_such_file`: nothing of that name can be a file.
    """
    name = request.raw_path.partition("?")[0].removeprefix(PATH)
    if _HASH.fullmatch(name) is None:
        raise Refusal("no_such_file", "a file's name is 64 lower-case hexadecimal digits")
    return bytes.fromhex(name)


def _header(request: Request, name: str) -> str:
    value = request.headers.get(name, "")
    if not value:
        raise Refusal("unauthenticated", f"the header {name} is missing")
    return value


def _check_head(request: Request, incoming: Incoming) -> None:
    """Compare what the head says with what was declared, before any byte is taken.

    Raises:
        Refusal: `size_mismatch`, `type_mismatch`.
    """
    length = request.content_length
    if length is not None and length != incoming.size:
        reason = f"the body has {length} bytes where {incoming.size} were declared"
        raise Refusal("size_mismatch", reason)
    media_type = request.headers.get("Content-Type", "")
    if media_type != incoming.type:
        raise Refusal("type_mismatch", f"Content-Type: {incoming.type} was declared")


async def _go_on(request: Request) -> None:
    """Tell a peer that waits for it that its bytes are wanted (RFC 9110, 10.1.1)."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        if request.version >= HttpVersion11:
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0  # the answer has not begun


def _refused(error: Refusal) -> web.Response:
    said: dict[str, object] = {
        "code": error.code,
        "reason": error.reason,
        "retry": error.retry,
        "outcome": error.outcome,
    }
    headers: Mapping[str, str] = {}
    if error.after_ms is not None:
        said["after_ms"] = error.after_ms
        headers = {"Retry-After": str(-(-error.after_ms // 1000))}
    elif error.code == "unauthenticated":
        headers = {"WWW-Authenticate": "Bearer"}
    answer = web.json_response(said, status=STATUSES.get(error.code, 500), headers=headers)
    # What is left of a body is not waited for longer than a close lingers.
    answer.force_close()
    return answer
