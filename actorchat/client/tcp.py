"""Knows a client's connection over TCP: frames out, ops in. Must not know the session."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from actorchat.client.link import Address
from actorchat.protocol.connection import Connection, Received, Side, frame
from actorchat.protocol.ops import ServerOp

NONSENSE = "the server's bytes make no sense"


class TcpLink(asyncio.Protocol):
    """The `Link` of `tcp://` and `tls://`.

    What is written in one turn of the loop goes out in one call.
    """

    __slots__ = (
        "_connection",
        "_gone",
        "_loop",
        "_on_end",
        "_on_open",
        "_on_ops",
        "_opening",
        "_out",
        "_transport",
    )

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
        self._transport: asyncio.Transport | None = None
        self._opening: asyncio.Task[None] | None = None
        self._out: list[bytes] = []
        self._gone: asyncio.Future[None] = self._loop.create_future()

    def open(self, address: Address, context: ssl.SSLContext | None) -> None:
        """Begin to connect; `on_open` or `on_end` tells how it went."""
        self._opening = self._loop.create_task(self._open(address, context))

    async def _open(self, address: Address, context: ssl.SSLContext | None) -> None:
        try:
            await self._loop.create_connection(
                lambda: self, address.host, address.port, ssl=context
            )
        except (OSError, UnicodeError) as error:  # the latter: no host can have this name
            self._end(str(error) or type(error).__name__)

    def _end(self, reason: str) -> None:
        on_end = self._on_end
        self._on_open = self._on_ops = self._on_end = None
        if on_end is not None:
            on_end(reason)

    # -- the transport's calls -------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport that was opened."""
        self._transport = cast(asyncio.Transport, transport)
        if self._on_open is None:
            self._transport.abort()  # dropped just before
        else:
            self._begin()

    def data_received(self, data: bytes) -> None:
        """Hand on the ops that `data` completes."""
        if self._on_ops is None:
            return
        ops, fault = self._read(data)
        if ops and self._on_ops is not None:
            self._on_ops(cast(list[ServerOp], ops))
        if fault is not None and self._on_end is not None:
            on_end = self._on_end
            self.drop()
            on_end(fault)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell that the transport is gone."""
        self._gone.set_result(None)
        self._end(str(error) if error else "the server closed the connection")

    # -- what differs over other protocols on TCP ------------------------------------------------
    _wrap = staticmethod(frame)

    def _begin(self) -> None:
        """Go on with a fresh transport."""
        assert self._on_open is not None
        self._on_open()

    def _read(self, data: bytes) -> tuple[list[Received], str | None]:
        """Return the ops that `data` completes, and why the connection must end, if it must."""
        ops = self._connection.receive(data)
        error = self._connection.error
        return ops, None if error is None else f"{NONSENSE}: {error}"

    # -- the client's calls ----------------------------------------------------------------------
    def write(self, payload: bytes) -> None:
        """Send `payload` as a frame, with all else of this turn of the loop."""
        self._queue(self._wrap(payload))

    def _queue(self, framed: bytes) -> None:
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(framed)

    def _flush(self) -> None:
        out = self._out
        transport = self._transport
        # The loop may have closed the transport before it says so to its protocol.
        if out and transport is not None and not transport.is_closing():
            self._out = []
            transport.writelines(out)

    def pause(self) -> None:
        """Stop reading."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Go on reading."""
        if self._transport is not None:
            self._transport.resume_reading()

    def drop(self) -> None:
        """Give up the connection at once; nothing of it is heard any more."""
        self._on_open = self._on_ops = self._on_end = None
        self._out = []
        if self._transport is not None:
            self._transport.abort()
        elif self._opening is not None:
            self._opening.cancel()

    def close(self) -> None:
        """End the connection after all that was written; nothing of it is heard any more."""
        self._on_open = self._on_ops = self._on_end = None
        self._flush()
        if self._transport is not None:
            self._transport.close()
        elif self._opening is not None:
            self._opening.cancel()

    async def wait_gone(self, timeout_s: float) -> None:
        """Return when nothing of a dropped or closed link is left, by force after `timeout_s`."""
        if self._opening is not None and not self._opening.done():
            await asyncio.wait({self._opening})
        if self._transport is not None:
            await asyncio.wait({self._gone}, timeout=timeout_s)
            if not self._gone.done():
                self._transport.abort()
                await self._gone
