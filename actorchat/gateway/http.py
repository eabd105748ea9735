"""Knows HTTP: which requests are heard, how long and how slow they may be, what answers carry.

Must not know what any path is for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpProcessingError, RawRequestMessage
from aiohttp.web_protocol import RequestHandler

from actorchat import limits
from actorchat.gateway.base import Bounds
from actorchat.gateway.sweep import Sweep

log = logging.getLogger(__name__)

Handler = Callable[["Request"], Awaitable[web.StreamResponse]]
# By path, then by method; a path that ends with / stands for all that is one step below it.
Routes = Mapping[str, Mapping[str, Handler]]

SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# Connections beyond two for each session, one that waits and one that brings something.
SPARE_DOORS = 256


class Refused(Exception):
    """A request that gets a status and a reason instead of what it asked for."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = dict(headers or {})


def plain(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return an answer of one line of text."""
    return web.Response(status=status, text=f"{text}\n", headers=headers)


class Request(web.BaseRequest):
    """A request whose answer says no more of the server than it must."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        response.headers.popall("Server", None)
        for name, value in SAFE_HEADERS.items():
            response.headers.setdefault(name, value)


def _new_request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> Request:
    return Request(message, payload, protocol, writer, task, protocol._loop)


class Door(RequestHandler):
    """One connection that speaks HTTP, with a deadline whenever it is the peer's turn.

    While a handler has the turn there is none: it bounds its own time.
    """

    __slots__ = ("due", "_server", "_socket", "_is_asked")

    def __init__(self, server: HttpServer, **options: Any) -> None:
        super().__init__(server, **options)
        self.due = 0
        self._server = server
        self._socket: asyncio.Transport | None = None
        self._is_asked = False  # the first bytes of a request are here, its handler has not begun

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._socket = cast(asyncio.Transport, transport)
        self._is_asked = True  # who connects, asks
        self._server.opened(self)

    def data_received(self, data: bytes) -> None:
        if not self._is_asked:
            self._is_asked = True
            self._server.asked(self)
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._server.lost(self)
        super().connection_lost(exc)

    def begin(self) -> None:
        """Note that a request has come, head and all: it is the handler's turn."""
        self._is_asked = True
        self._server.sweep.forget(self)

    def end(self) -> None:
        """Note that the handler is done: the answer is to be read, another request may come."""
        self._is_asked = False
        self._server.rests(self)

    def on_due(self) -> None:
        """Cut a peer that keeps the server waiting."""
        self.cut()

    def cut(self) -> None:
        """Close at once."""
        if self._socket is not None:
            self._socket.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, or what no handler could answer.

        Raises:
            ConnectionError: Nobody is there any more.
        """
        if isinstance(exc, ConnectionError):
            raise exc
        if request._payload_writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        if status >= 500 and exc is not None:
            log.error("request failed", exc_info=exc)
        # What the parser says quotes the request, which may be anything.
        is_ours = status >= 500 or not isinstance(exc, HttpProcessingError)
        answer = plain(status, "failed" if is_ours else "not HTTP, or longer than is taken here")
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log what the server did not expect; a peer that goes while its body is read is not."""
        if not isinstance(kw.get("exc_info"), ConnectionError):
            super().log_exception(*args, **kw)


class HttpServer(web.Server):
    """All HTTP connections of one socket; as it is called for each, it makes their `Door`.

    Only a path of `routes` as it stands there is known, spelt in no other way, so nothing needs to
    be decoded or normalised; what is below one that ends with /, its handler must know likewise.

    Thread: the loop's.
    """

    def __init__(self, routes: Routes, bounds: Bounds, sweep: Sweep) -> None:
        super().__init__(
            self._handle,  # type: ignore[arg-type]
            request_factory=_new_request,
        )
        self.sweep = sweep
        self._routes = routes
        self._bounds = bounds
        self._head_ticks = sweep.ticks(bounds.handshake_timeout_s)
        self._rest_ticks = sweep.ticks(bounds.idle_timeout_s)
        self._doors_max = 2 * bounds.connections_max + SPARE_DOORS
        self._doors: set[Door] = set()

    def __call__(self) -> Door:
        """Make what serves a connection that is about to be accepted."""
        return Door(
            self,
            loop=self._loop,
            keepalive_timeout=self._bounds.idle_timeout_s,
            lingering_time=self._bounds.close_linger_s,
            access_log=None,
            auto_decompress=False,
            max_line_size=limits.HTTP_LINE_BYTES_MAX,
            max_field_size=limits.HTTP_HEADER_BYTES_MAX,
            max_headers=limits.HTTP_HEADERS_MAX,
        )

    def opened(self, door: Door) -> None:
        """Count `door` in, or cut it: there are too many."""
        self._doors.add(door)
        room = self._bounds.room
        room.enter()
        if len(self._doors) > self._doors_max or room.is_over:
            door.cut()
        else:
            self.asked(door)

    def asked(self, door: Door) -> None:
        """Give `door` the time in which a request's head must have come."""
        self.sweep.watch(door, self.sweep.now + self._head_ticks)

    def rests(self, door: Door) -> None:
        """Give `door` the time in which an answer must be read, or another request begin."""
        if door in self._doors:
            self.sweep.watch(door, self.sweep.now + self._rest_ticks)

    def lost(self, door: Door) -> None:
        """Forget `door`."""
        if door in self._doors:
            self._doors.remove(door)
            self._bounds.room.leave()
        self.sweep.forget(door)

    @property
    def doors(self) -> int:
        """Say how many connections are open."""
        return len(self._doors)

    async def read_body(self, request: Request, bytes_max: int) -> bytes:
        """Return the whole body.

        Raises:
            Refused: It is longer, packed, or too slow to come.
        """
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise Refused(415, "no content encoding is taken")
        too_long = Refused(413, f"a body of at most {bytes_max} bytes is taken now")
        if (request.content_length or 0) > bytes_max:
            raise too_long
        body = bytearray()
        try:
            async with asyncio.timeout(self._bounds.handshake_timeout_s):
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > bytes_max:
                        raise too_long
        except TimeoutError:
            raise Refused(408, "the body did not come in time") from None
        return bytes(body)

    async def close(self) -> None:
        """Let handlers that are about to answer do so, then close every connection."""
        self.pre_shutdown()  # those who are not asking anything go at once
        await self.shutdown(self._bounds.close_linger_s)
        for door in tuple(self._doors):
            door.cut()

    async def _handle(self, request: Request) -> web.StreamResponse:
        door = request.protocol
        assert isinstance(door, Door)
        door.begin()
        try:
            return await self._find(request)(request)
        except Refused as error:
            answer = plain(error.status, error.reason, error.headers)
            if error.status in {408, 413}:
                answer.force_close()
            return answer
        finally:
            door.end()

    def _find(self, request: Request) -> Handler:
        path = request.raw_path.partition("?")[0]
        methods = self._routes.get(path) or self._routes.get(path[: path.rfind("/") + 1])
        if methods is None:
            raise Refused(404, "not found")
        # What answers GET answers HEAD, without the body.
        method = "GET" if request.method == "HEAD" else request.method
        if method not in methods:
            allowed = [*methods, "HEAD"] if "GET" in methods else [*methods]
            raise Refused(405, "not that method", {"Allow": ", ".join(sorted(allowed))})
        return methods[method]
