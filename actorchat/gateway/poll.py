"""Knows HTTP long-polling: a connection of its own kind, opened, polled and closed by requests.

Must not know ops, or how a connection treats its session.

    POST   /v1/session   opens one; the answer names its token, which every other request carries
    POST   /v1/poll      brings bytes of the peer's stream, fetches frames, waits if there are none
    DELETE /v1/session   closes it
"""

from __future__ import annotations

import asyncio
import random
import secrets
import ssl
from collections.abc import Callable

import msgspec
from aiohttp import web

from actorchat.errors import MalformedFrame
from actorchat.gateway.base import Bounds, OpenSession
from actorchat.gateway.files import Depot, FilePages
from actorchat.gateway.http import HttpServer, Refused, Request, plain
from actorchat.gateway.listener import Listener
from actorchat.gateway.pages import Health, Pages, Scrape
from actorchat.gateway.polled import Answer, Poll, PolledTransport, StalePoll
from actorchat.gateway.room import Room
from actorchat.gateway.tcp import TcpConnection
from actorchat.limits import POSITION_MAX
from actorchat.protocol import jsontext
from actorchat.protocol.codec import encode
from actorchat.protocol.framing import PREFIX_BYTES, frame

FRAMES_TYPE = "application/vnd.actorchat.v1+cbor-frames"
JSON_TYPE = "application/json"
TOKEN_BYTES = 32
# Bodies of one session that are read at the same time: the one that waits, one more, a repetition.
BODIES_MAX = 3

_split = msgspec.json.Decoder(list[msgspec.Raw]).decode
_OVER = "no such session, or it is over"


class _Line:
    """What the gateway keeps of one connection."""

    __slots__ = ("bodies", "endpoint", "transport")

    def __init__(self, endpoint: TcpConnection, transport: PolledTransport) -> None:
        self.endpoint = endpoint
        self.transport = transport
        self.bodies = 0  # being read


class PollGateway(Listener):
    """Listens for `http://`, or `https://` when it has a TLS context.

    The bodies of polls together are the byte stream that a TCP connection would be, and are treated
    by the same endpoint. `health` and `scrape` are what `/readyz` and `/metrics` show to who has
    `watch_token`, if they are shown here at all; and `depot` is who takes and gives files.
    """

    schemes = ("http", "https")

    def __init__(
        self,
        open_session: OpenSession,
        host: str,
        port: int,
        ssl_context: ssl.SSLContext | None = None,
        bounds: Bounds | None = None,
        rng: random.Random | None = None,
        *,
        health: Health = str,
        scrape: Scrape | None = None,
        depot: Depot | None = None,
        watch_token: str = "",
        is_watched_here: bool = True,
        token_source: Callable[[], str] = lambda: secrets.token_urlsafe(TOKEN_BYTES),
    ) -> None:
        super().__init__(open_session, host, port, ssl_context, bounds, rng)
        self.room = Room()  # no session takes a place: the connections that bring its polls do
        self._health = health
        self._token_source = token_source
        self._lines: dict[str, _Line] = {}
        self._http: HttpServer | None = None
        pages = Pages(self._why_not_ready, scrape, watch_token)
        self._routes = {
            **(pages.routes() if is_watched_here else pages.live_routes()),
            **(FilePages(depot).routes() if depot is not None else {}),
            "/v1/session": {"POST": self._open_line, "DELETE": self._close_line},
            "/v1/poll": {"POST": self._poll},
        }

    async def start(self) -> None:
        """Bind and accept.

        Raises:
            OSError: The address can't be bound.
        """
        self._http = HttpServer(self._routes, self.bounds, self.sweep)
        await super().start()

    async def stop(self) -> None:
        """Stop accepting and cut every connection; harmless at any time, and twice."""
        await super().stop()
        super()._close_server()
        if self._http is not None:
            await self._http.close()

    def _close_server(self) -> None:
        # Who is between two polls must be able to come back for the last frames, so the socket
        # stays open until nobody is left. New sessions are refused from here on.
        self._is_leaving = True

    def _make_endpoint(self) -> asyncio.Protocol:
        assert self._http is not None
        return self._http()

    def _why_not_ready(self) -> str:
        return "draining" if self._is_leaving else self._health()

    # -- requests ---------------------------------------------------------------------------------

    async def _open_line(self, request: Request) -> web.Response:
        assert self._http is not None
        await self._http.read_body(request, 0)
        token = self._token_source()
        endpoint = TcpConnection(self)
        transport = PolledTransport(
            self.loop, endpoint, request.protocol.peername, lambda: self._forget(token)
        )
        if endpoint.is_closing:
            # Sent away: the last frames go at once, so nobody needs to come for them.
            frames = transport.withdraw()
            return web.Response(
                status=503, body=b"".join(frames), headers={"Content-Type": FRAMES_TYPE}
            )
        self._lines[token] = _Line(endpoint, transport)
        granted = {"token": token, "poll_wait_s": self.bounds.poll_wait_s}
        return web.json_response(granted, status=201)

    async def _close_line(self, request: Request) -> web.Response:
        self._line_of(request).transport.leave()
        return web.Response(status=204)

    async def _poll(self, request: Request) -> web.Response:
        line = self._line_of(request)
        number = _number(request, "Actorchat-Poll", 1)
        ack = _number(request, "Actorchat-Ack", 0)
        wait_ms = _number(request, "Actorchat-Wait-Ms", 0, int(self.bounds.poll_wait_s * 1000))
        is_json = _wants_json(request)
        body = await self._body_of(request, line)
        wait_s = min(wait_ms / 1000, self.bounds.poll_wait_s)
        try:
            answer = await line.transport.poll(Poll(number, ack, body, wait_s))
        except StalePoll as error:
            raise Refused(409, str(error)) from None
        return _answered(answer, is_json=is_json)

    async def _body_of(self, request: Request, line: _Line) -> bytes:
        if not request.can_read_body:
            return b""
        if request.content_type not in {FRAMES_TYPE, JSON_TYPE}:
            raise Refused(415, f"a body is {FRAMES_TYPE} or {JSON_TYPE}")
        if line.bodies >= BODIES_MAX:
            raise Refused(429, "so many polls at once are not taken")
        assert self._http is not None
        line.bodies += 1
        try:
            bytes_max = 2 * (line.endpoint.frame_bytes_max + PREFIX_BYTES)
            body = await self._http.read_body(request, bytes_max)
        finally:
            line.bodies -= 1
        return _frames_of(body) if request.content_type == JSON_TYPE else body

    def _line_of(self, request: Request) -> _Line:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        line = self._lines.get(token.strip()) if scheme.lower() == "bearer" else None
        if line is None:
            raise Refused(401, _OVER, {"WWW-Authenticate": "Bearer"})
        return line

    def _forget(self, token: str) -> None:
        self._lines.pop(token, None)


def _number(request: Request, name: str, least: int, default: int | None = None) -> int:
    """Return the number in a header.

    Raises:
        Refused: It is missing without a default, no number, or out of bounds.
    """
    text = request.headers.get(name)
    if text is None and default is not None:
        return default
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise Refused(400, f"{name}: a number is missing")
    number = int(text)
    if not least <= number <= POSITION_MAX:
        raise Refused(400, f"{name}: from {least} to {POSITION_MAX}")
    return number


def _wants_json(request: Request) -> bool:
    """Say whether an answer is JSON: where that is asked for, or the body was."""
    accepted = request.headers.get("Accept", "")
    return JSON_TYPE in accepted or (request.can_read_body and request.content_type == JSON_TYPE)


def _frames_of(body: bytes) -> bytes:
    """Return the frames that a JSON array of ops stands for.

    Raises:
        Refused: It is no JSON array.
    """
    try:
        texts = _split(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Refused(400, "a JSON body is an array of ops") from None
    frames = []
    for text in texts:
        try:
            payload = encode(jsontext.decode(bytes(text)))
        except MalformedFrame:
            payload = b""  # refused by the endpoint like any other that is no op
        frames.append(frame(payload))
    return b"".join(frames)


def _answered(answer: Answer, *, is_json: bool) -> web.Response:
    if answer.is_over:
        return plain(410, "the session is over")
    if is_json:
        ops = [jsontext.transcode(each[PREFIX_BYTES:]) for each in answer.frames]
        body = b"[" + b",".join(ops) + b"]\n"
    else:
        body = b"".join(answer.frames)
    headers = {
        "Content-Type": JSON_TYPE if is_json else FRAMES_TYPE,
        "Actorchat-Seq": str(answer.seq),
        "Actorchat-Taken": str(answer.taken),
    }
    return web.Response(body=body, headers=headers)
