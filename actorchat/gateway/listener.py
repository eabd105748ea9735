"""Knows all connections of one listening socket, from start to drain. Must not know framing."""

from __future__ import annotations

import asyncio
import random
import ssl
from asyncio import AbstractEventLoop, Server
from collections.abc import Callable
from typing import ClassVar

from actorchat.gateway.base import Bounds, Counters, OpenSession
from actorchat.gateway.endpoint import Endpoint
from actorchat.gateway.outbox import Outbox
from actorchat.gateway.sweep import Sweep
from actorchat.limits import DRAIN_SPREAD_EACH_MS
from actorchat.protocol.codec import encode_push
from actorchat.protocol.ops import Bye, Reconnect

# A connection refused politely lingers like any other; so many may do so, the rest are just cut.
REFUSED_LINGER_MAX = 256
# A drain says so many byes before the loop has its turn.
BYES_A_TURN = 500


class Listener:
    """A `Gateway` over connections of asyncio: accept, bound, drain, stop.

    Each transport derives one from it that makes its own endpoints. All methods belong to the
    loop's thread.
    """

    schemes: ClassVar[tuple[str, str]]  # without TLS, with TLS

    def __init__(
        self,
        open_session: OpenSession,
        host: str,
        port: int,
        ssl_context: ssl.SSLContext | None = None,
        bounds: Bounds | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.open_session = open_session
        self.bounds = bounds = bounds or Bounds()
        self.room = bounds.room
        self.counters = Counters()
        self.due: list[Outbox] = []  # of its connections, those with something to flush
        self.sweep = Sweep(bounds.tick_s)
        self.handshake_ticks = self.sweep.ticks(bounds.handshake_timeout_s)
        self.idle_ticks = self.sweep.ticks(bounds.idle_timeout_s)
        self.linger_ticks = self.sweep.ticks(bounds.close_linger_s)
        self.loop: AbstractEventLoop
        self._host = host
        self._port = port
        self._ssl_context = ssl_context
        self._rng = rng or random.Random()
        self._endpoints: set[Endpoint] = set()
        self._server: Server | None = None
        self._is_leaving = False
        self._sent_off = 0  # how many are, by a drain
        self._emptied = asyncio.Event()
        self._emptied.set()

    @property
    def address(self) -> str:
        """The bound address as clients dial it, `scheme://host:port`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self.schemes[self._ssl_context is not None]}://{host}:{self.port}"

    @property
    def port(self) -> int:
        """The bound port; where 0 was asked for, the one that was given."""
        if self._server is not None and self._server.sockets:
            self._port = self._server.sockets[0].getsockname()[1]
        return self._port

    async def start(self) -> None:
        """Bind and accept.

        Raises:
            OSError: The address can't be bound.
        """
        assert self._server is None, "a gateway starts once"
        self.loop = asyncio.get_running_loop()
        self._server = await self.loop.create_server(
            self._make_endpoint,
            self._host,
            self._port,
            ssl=self._ssl_context,
            backlog=self.bounds.accept_backlog,
            ssl_handshake_timeout=self.bounds.handshake_timeout_s if self._ssl_context else None,
        )
        _ = self.port  # known for good, also after the close
        self.sweep.start(self.loop)

    async def drain(self) -> int:
        """Accept no more, let requests under way be answered, send everybody off with a bye.

        Returns how many connections had to be cut, because they did not take their last bytes.
        """
        self._close_server()
        self._sent_off = len(self._endpoints)
        await self._send_off(Endpoint.leave)
        await self._wait_empty(self.bounds.drain_answer_s)
        await self._send_off(Endpoint.dismiss)
        await self._wait_empty(self.bounds.close_linger_s)
        cut = len(self._endpoints)
        await self.stop()
        return cut

    async def stop(self) -> None:
        """Stop accepting and cut every connection; harmless at any time, and twice."""
        self._close_server()
        for endpoint in tuple(self._endpoints):
            endpoint.cut("stop")
        await self._emptied.wait()
        self.sweep.stop()

    def is_full(self) -> bool:
        """Say whether the endpoint added last is one too many."""
        is_full = len(self._endpoints) > self.bounds.connections_max or self.room.is_over
        return self._is_leaving or is_full

    def add(self, endpoint: Endpoint) -> None:
        """Count `endpoint` among the open ones."""
        self._endpoints.add(endpoint)
        self.room.enter()
        self._emptied.clear()
        self.counters.open = count = len(self._endpoints)
        beyond = max(count - self.bounds.connections_max, self.room.taken - self.room.places)
        if beyond > REFUSED_LINGER_MAX:
            endpoint.cut("")

    def discard(self, endpoint: Endpoint) -> None:
        """Forget `endpoint`, whose transport is gone."""
        if endpoint in self._endpoints:
            self._endpoints.remove(endpoint)
            self.room.leave()
        self.sweep.forget(endpoint)
        self.counters.open = len(self._endpoints)
        if not self._endpoints:
            self._emptied.set()

    def bye(self, code: str, reconnect: Reconnect) -> bytes:
        """Encode a bye; with `after` its delay is spread, so that not all come back at once.

        Over how long, after a drain, depends on how many there are: few are back at once.
        """
        after_ms = None
        if reconnect == "after":
            bounds = self.bounds
            spread_ms = bounds.overload_spread_ms
            if code == "drain":
                spread_ms = min(bounds.drain_spread_ms, self._sent_off * DRAIN_SPREAD_EACH_MS)
            after_ms = self._rng.randint(0, spread_ms)
        return encode_push(Bye(code, reconnect, after_ms))

    def _make_endpoint(self) -> asyncio.Protocol:
        raise NotImplementedError

    def _close_server(self) -> None:
        self._is_leaving = True
        if self._server is not None:
            self._server.close()

    async def _send_off(self, how: Callable[[Endpoint, bytes], None]) -> None:
        for position, endpoint in enumerate(tuple(self._endpoints), 1):
            if not endpoint.is_closing:
                how(endpoint, self.bye("drain", "after"))
            if position % BYES_A_TURN == 0:
                await asyncio.sleep(0)

    async def _wait_empty(self, timeout_s: float) -> None:
        try:
            await asyncio.wait_for(self._emptied.wait(), timeout_s)
        except TimeoutError:
            pass
