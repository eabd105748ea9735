"""Knows a client's connection by HTTP long-polling: frames out, ops in. Must not know the session.

One poll waits at the server. What is written meanwhile goes out with a second one, which makes the
server answer the first. A poll that fails is repeated under its number, so neither what it brought
nor what its answer would have brought is lost or comes twice.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from typing import cast

import aiohttp

from actorchat import limits
from actorchat.client.link import Address
from actorchat.errors import ProtocolError
from actorchat.protocol.connection import Connection, Side, frame
from actorchat.protocol.framing import FrameSplitter
from actorchat.protocol.ops import ServerOp

FRAMES_TYPE = "application/vnd.actorchat.v1+cbor-frames"
# An answer may be so late before its poll counts as failed.
GRACE_S = 10.0
# A body is no longer than this, unless a single frame is; a server takes two of the longest.
BODY_BYTES = 262_144

_FAILURES = (aiohttp.ClientError, OSError, asyncio.TimeoutError)


class _Ended(Exception):
    """The connection is over, and this is why."""


class PollLink:
    """The `Link` of `http://` and `https://`."""

    def __init__(
        self,
        on_open: Callable[[], None],
        on_ops: Callable[[list[ServerOp]], None],
        on_end: Callable[[str], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection = Connection(Side.CLIENT)
        self._on_open: Callable[[], None] | None = on_open
        self._on_ops: Callable[[list[ServerOp]], None] | None = on_ops
        self._on_end: Callable[[str], None] | None = on_end
        self._http: aiohttp.ClientSession
        self._headers: dict[str, str] = {}
        self._wait_s = limits.POLL_WAIT_S
        self._out: list[bytes] = []
        self._held: list[ServerOp] = []  # came while reading paused
        self._number = 0  # of the last poll
        self._had = self._acked = 0  # frames that came, and those that the server may forget
        self._untaken = 0  # polls of which the server said that their bytes must come again
        self._polls: set[asyncio.Task[None]] = set()
        self._life: asyncio.Task[None] | None = None
        self._over = self._loop.create_future()  # done when nothing more is to be polled for
        self._is_paused = self._is_flushing = self._is_due = False

    # -- the client's calls -----------------------------------------------------------------------
    def open(self, address: Address, context: ssl.SSLContext | None) -> None:
        """Begin to connect; `on_open` or `on_end` tells how it went."""
        self._life = self._loop.create_task(self._live(address, context))

    def write(self, payload: bytes) -> None:
        """Send `payload` as a frame, with all else of this turn of the loop."""
        if not self._over.done():
            self._out.append(frame(payload))
            self._poll_soon()

    def pause(self) -> None:
        """Hand on no more ops; those that come are held, and their frames are not acked."""
        self._is_paused = True

    def resume(self) -> None:
        """Hand on ops again."""
        if self._is_paused:
            self._is_paused = False
            self._loop.call_soon(self._hand_on_held)
            self._poll_soon()

    def drop(self) -> None:
        """Give up the connection at once; nothing of it is heard any more."""
        self._out = []
        self._silence()
        self._finish()

    def close(self) -> None:
        """End the connection after all that was written; nothing of it is heard any more."""
        self._silence()
        self._is_flushing = True
        if self._headers and self._out:
            self._poll_soon()
        else:
            self._finish()

    async def wait_gone(self, timeout_s: float) -> None:
        """Return when nothing of a dropped or closed link is left, by force after `timeout_s`."""
        life = self._life
        if life is None:
            return
        await asyncio.wait({life}, timeout=timeout_s)
        if not life.done():
            life.cancel()
            await asyncio.wait({life})

    # -- its life ---------------------------------------------------------------------------------
    async def _live(self, address: Address, context: ssl.SSLContext | None) -> None:
        host = f"[{address.host}]" if ":" in address.host else address.host
        self._http = aiohttp.ClientSession(
            f"{address.scheme}://{host}:{address.port}",
            connector=aiohttp.TCPConnector(ssl=context or True),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        reason = "the server closed the connection"
        try:
            await self._begin()
            await self._over
        except _Ended as error:
            reason = str(error)
        except (*_FAILURES, UnicodeError, ValueError) as error:
            reason = str(error) or type(error).__name__
        finally:
            for poll in self._polls:
                poll.cancel()
            await asyncio.gather(*self._polls, return_exceptions=True)
            try:
                await self._leave()
            finally:
                await self._http.close()
        on_end = self._on_end
        self._silence()
        if on_end is not None:
            on_end(reason)

    async def _begin(self) -> None:
        async with self._http.post("/v1/session", timeout=_within(limits.HANDSHAKE_TIMEOUT_S)) as r:
            body = await _read(r)
            if r.status == 503 and r.content_type == FRAMES_TYPE:
                self._open()
                self._take(body, None)  # it says why
                raise _Ended("the server sent us away")
            if r.status != 201:
                raise _Ended(f"HTTP status {r.status}")
        granted = json.loads(body)
        try:
            self._headers = {"Authorization": f"Bearer {granted['token']}"}
            self._wait_s = float(granted["poll_wait_s"])
        except (KeyError, TypeError):
            raise _Ended("the server's answer makes no sense") from None
        self._open()
        self._poll_soon()

    def _open(self) -> None:
        on_open, self._on_open = self._on_open, None
        if on_open is not None and not self._over.done():
            on_open()

    async def _leave(self) -> None:
        """Tell the server that nobody comes any more; if that fails, it will find out."""
        if self._headers:
            try:
                timeout = _within(limits.CLOSE_LINGER_S)
                async with self._http.delete(
                    "/v1/session", headers=self._headers, timeout=timeout
                ) as answer:
                    await _read(answer)
            except (*_FAILURES, _Ended):
                pass

    def _silence(self) -> None:
        self._on_open = self._on_ops = self._on_end = None

    def _finish(self, error: Exception | None = None) -> None:
        if self._over.done():
            return
        life = self._life
        if life is not None and not self._headers and life is not asyncio.current_task():
            life.cancel()  # it still opens
        if error is None:
            self._over.set_result(None)
        else:
            self._over.set_exception(error)
            self._over.exception()  # nobody may be left who awaits it

    # -- polls ------------------------------------------------------------------------------------
    def _poll_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._poll_on)

    def _poll_on(self) -> None:
        """Have a poll wait at the server, and what was written on its way."""
        self._is_due = False
        if self._over.done() or not self._headers or self._untaken:
            return
        if len(self._polls) >= limits.POLL_AHEAD_MAX or (self._polls and not self._out):
            return
        if self._is_flushing and not self._out:
            return
        if self._is_paused and self._had > self._acked and not self._out:
            return  # it would be answered with what is held, at once
        size = count = 0
        for each in self._out:
            size += len(each)
            if count and size > BODY_BYTES:
                break
            count += 1
        body = b"".join(self._out[:count])
        del self._out[:count]
        self._number += 1
        poll = self._loop.create_task(self._poll(self._number, body))
        self._polls.add(poll)
        poll.add_done_callback(self._polled)

    def _polled(self, poll: asyncio.Task[None]) -> None:
        self._polls.discard(poll)
        if poll.cancelled():
            return
        if (error := poll.exception()) is not None:
            self._finish(error if isinstance(error, Exception) else None)
        elif self._is_flushing and not self._out and not self._polls:
            self._finish()
        else:
            self._poll_on()

    async def _poll(self, number: int, body: bytes) -> None:
        """Bring `body` to the server, and whatever the answer brings to the client."""
        failures = 0
        is_untaken = False
        try:
            while True:
                try:
                    taken = await self._ask(number, body)
                except _FAILURES as error:
                    failures += 1
                    if failures == limits.POLL_TRIES_MAX:
                        raise _Ended(str(error) or type(error).__name__) from None
                    await asyncio.sleep(limits.POLL_RETRY_S * (2 ** (failures - 1) - 1))
                    continue
                if taken >= number:
                    return
                failures = 0
                if not is_untaken:
                    is_untaken = True
                    self._untaken += 1
                await asyncio.sleep(limits.BUSY_PAUSE_S)
        finally:
            self._untaken -= is_untaken

    async def _ask(self, number: int, body: bytes) -> int:
        """Poll once; return the number of the last poll whose body the server took."""
        wait_s = 0.0 if self._is_flushing else self._wait_s
        ack = self._acked
        headers = {
            **self._headers,
            "Content-Type": FRAMES_TYPE,
            "Actorchat-Poll": str(number),
            "Actorchat-Ack": str(ack),
            "Actorchat-Wait-Ms": str(int(wait_s * 1000)),
        }
        timeout = _within(wait_s + GRACE_S)
        async with self._http.post("/v1/poll", data=body, headers=headers, timeout=timeout) as r:
            if r.status == 409 and ack < self._acked:
                return number  # overtaken by one that acked more, which may be over by now
            if r.status in {401, 410}:
                raise _Ended("the server closed the connection")
            if r.status != 200:
                raise _Ended(f"HTTP status {r.status}")
            answer = await _read(r)
            try:
                last, taken = (int(r.headers[f"Actorchat-{name}"]) for name in ("Seq", "Taken"))
            except (KeyError, ValueError):
                raise _Ended("the server's answer makes no sense") from None
        self._take(answer, last)
        return taken

    def _take(self, answer: bytes, last: int | None) -> None:
        """Hand on the ops of `answer`, whose last frame has the number `last`."""
        splitter = FrameSplitter()
        payloads = splitter.feed(answer, limits.PUSH_FRAME_BYTES_MAX)
        if splitter.oversize is not None or splitter.held_bytes:
            raise _Ended("the server's bytes make no sense: a frame is too long or cut off")
        if last is not None:
            first = last - len(payloads) + 1
            if payloads and first > self._had + 1:
                raise _Ended(f"frames {self._had + 1} to {first - 1} are missing")
            payloads = payloads[max(0, self._had + 1 - first) :]
            self._had += len(payloads)
        received: list[ServerOp] = []
        fault = ""
        for payload in payloads:
            try:
                received.append(cast(ServerOp, self._connection.receive_payload(payload)))
            except ProtocolError as error:
                fault = f"the server's bytes make no sense: {error}"
                break
        if self._is_paused:
            self._held += received
        else:
            self._acked = self._had
            self._hand_on(received)
        if fault:
            raise _Ended(fault)

    def _hand_on(self, received: list[ServerOp]) -> None:
        if received and self._on_ops is not None:
            self._on_ops(received)

    def _hand_on_held(self) -> None:
        if not self._is_paused:
            held, self._held = self._held, []
            self._acked = self._had
            self._hand_on(held)


def _within(duration_s: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=duration_s)


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """Return the whole body of an answer, if that is not longer than any server's may be."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > limits.POLL_ANSWER_BYTES_MAX:
            raise _Ended("the server's answer is too long")
    return bytes(body)
