"""Knows a client's connection over ZeroMQ: a DEALER, an op a message. Must not know the session.

What libzmq does not do by itself, and how it is done here:

- It would connect again for ever, and hide that the server was away: here it connects once, and a
  monitor tells how that went and when it is over.
- Its descriptor tells of changes, not of states: a pass sends, then reads until there is no more,
  or asks for another pass.
- It keeps what it is given by the message: few, and the rest waits here.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import ssl
import weakref
from collections import deque
from collections.abc import Callable
from typing import cast

import zmq

from actorchat import limits
from actorchat.client.curve import CurveIdentity
from actorchat.client.link import Address
from actorchat.client.tcp import NONSENSE
from actorchat.client.watched import (
    Socket,
    discard,
    forsake,
    next_event,
    watched_dealer,
    why_no_handshake,
)
from actorchat.errors import ProtocolError
from actorchat.protocol.connection import Connection, Side
from actorchat.protocol.ops import ServerOp

CLOSED = "the server closed the connection"
READ_BUDGET = 128  # messages before the loop has its turn


class DealerLink:
    """The `Link` of `zmq://`; guarded by CURVE if it is given a `CurveIdentity`.

    An empty message of the server says that nothing follows.
    """

    def __init__(
        self,
        on_open: Callable[[], None],
        on_ops: Callable[[list[ServerOp]], None],
        on_end: Callable[[str], None],
        curve: CurveIdentity | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection = Connection(Side.CLIENT)
        self._curve = curve
        self._on_open: Callable[[], None] | None = on_open
        self._on_ops: Callable[[list[ServerOp]], None] | None = on_ops
        self._on_end: Callable[[str], None] | None = on_end
        self._opening: asyncio.Task[None] | None = None
        self._where = ""
        self._candidates: deque[str] = deque()  # endpoints; the first is being tried
        self._dealer: Socket | None = None
        self._monitor: Socket | None = None
        self._discard: weakref.finalize[..., DealerLink] | None = None
        self._out: deque[bytes] = deque()
        self._over: str | None = None  # why it ends, when what came is read
        self._is_connected = self._is_open = False
        self._is_due = self._is_paused = self._is_closing = False
        self._gone: asyncio.Future[None] = self._loop.create_future()

    # -- the client's calls ----------------------------------------------------------------------
    def open(self, address: Address, context: ssl.SSLContext | None) -> None:
        """Begin to connect; `on_open` or `on_end` tells how it went. There is no TLS here."""
        self._where = f"{address.host}:{address.port}"
        try:
            ipaddress.ip_address(address.host)
        except ValueError:
            # A name is looked up here: libzmq would have all its links wait for the answer.
            self._opening = self._loop.create_task(self._find(address))
        else:
            self._connect([address.host], address.port)

    def write(self, payload: bytes) -> None:
        """Send `payload` as a message, with all else of this turn of the loop."""
        if not self._is_closing:
            self._out.append(payload)
            self._pass_soon()

    def pause(self) -> None:
        """Stop reading; an end is not noticed either."""
        self._is_paused = True

    def resume(self) -> None:
        """Go on reading."""
        if self._is_paused and not self._is_closing:
            self._is_paused = False
            self._pass_soon()

    def drop(self) -> None:
        """Give up the connection at once; nothing of it is heard any more."""
        self._silence()
        self._cut()

    def close(self) -> None:
        """End the connection after all that was written; nothing of it is heard any more.

        What the server does not take within `CLOSE_LINGER_S` is given up.
        """
        self._silence()
        if not self._is_open or self._dealer is None or self._over is not None:
            self._cut()
        elif not self._is_closing:
            self._is_closing = self._is_paused = True
            self._work()

    async def wait_gone(self, timeout_s: float) -> None:
        """Return when nothing of a dropped or closed link is left, by force after `timeout_s`.

        Of one that was dropped libzmq's threads close the descriptors, within milliseconds.
        """
        if self._opening is not None and not self._opening.done():
            await asyncio.wait({self._opening})
        if self._monitor is not None:
            await asyncio.wait({self._gone}, timeout=timeout_s)
            self._cut()

    # -- how it begins ---------------------------------------------------------------------------
    async def _find(self, address: Address) -> None:
        try:
            found = await self._loop.getaddrinfo(
                address.host, address.port, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError) as error:  # the latter: no host can have this name
            self._end(str(error) or type(error).__name__)
        else:
            self._connect([str(sockaddr[0]) for *_, sockaddr in found], address.port)

    def _connect(self, hosts: list[str], port: int) -> None:
        self._candidates.extend(
            f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}" for host in hosts
        )
        try:
            self._dealer, self._monitor = watched_dealer(self._curve)
        except zmq.ZMQError as error:  # too many
            self._loop.call_soon(self._end, str(error))
            return
        # A link that its loop forgot is closed in the right order all the same.
        self._discard = weakref.finalize(self, discard, os.getpid(), self._dealer, self._monitor)
        self._discard.atexit = False
        self._loop.add_reader(int(self._dealer.getsockopt(zmq.FD)), self._work)
        self._loop.add_reader(int(self._monitor.getsockopt(zmq.FD)), self._on_news)
        # Whom nobody has tried to read yet does not tell that there is something to read.
        self._loop.call_soon(self._on_news)
        self._try()

    def _try(self) -> None:
        """Connect to the first endpoint that can be tried; the monitor tells how that goes."""
        assert self._dealer is not None
        while self._candidates:
            try:
                self._dealer.ipv6 = "[" in self._candidates[0]
                self._dealer.connect(self._candidates[0])
                return
            except zmq.ZMQError:
                self._candidates.popleft()  # the machine has no such family, say
        self._loop.call_soon(self._end, f"can't connect to {self._where}")

    def _try_next(self) -> None:
        """Connect to another endpoint than the one that was tried."""
        if self._dealer is not None and self._candidates:
            # Or a part of what is written would wait for it.
            self._dealer.disconnect(self._candidates.popleft())
            self._try()

    # -- what the monitor tells ------------------------------------------------------------------
    def _on_news(self) -> None:
        while self._monitor is not None:
            try:
                kind, value = next_event(self._monitor)
            except zmq.Again:
                return
            self._hear(kind, value)

    def _hear(self, kind: int, value: int) -> None:
        match kind:
            case zmq.EVENT_CONNECTED:
                self._is_connected = True
            case zmq.EVENT_CLOSED if not self._is_connected:
                self._try_next()
            case zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._is_open = True
                on_open, self._on_open = self._on_open, None
                if on_open is not None:
                    on_open()
            case zmq.EVENT_DISCONNECTED if not self._is_open and self._dealer is not None:
                # By ZMTP's ERROR, of which libzmq tells nothing else.
                self._end(why_no_handshake(kind, value, has_curve=self._curve is not None))
            case zmq.EVENT_DISCONNECTED:
                self._over = CLOSED
                self._work()
                if self._dealer is None:
                    self._tell_gone()  # what libzmq was given at the close goes nowhere
            case zmq.EVENT_MONITOR_STOPPED:
                self._gone_at_last()
            case _ if kind != zmq.EVENT_CLOSED:
                self._end(why_no_handshake(kind, value, has_curve=self._curve is not None))

    # -- what the descriptor tells ---------------------------------------------------------------
    def _pass_soon(self) -> None:
        if not self._is_due and self._dealer is not None:
            self._is_due = True
            self._loop.call_soon(self._work)

    def _work(self) -> None:
        """Send and read what can be; leave nothing of which the descriptor would not tell."""
        self._is_due = False
        if self._dealer is None:
            return
        if self._out:
            self._send()
        if self._is_closing and (self._over is not None or not self._out):
            self._hang_up()
        elif self._is_paused:
            # To ask is to take up what libzmq's thread told, or the descriptor would go on.
            if self._events() & zmq.POLLOUT and self._out:
                self._pass_soon()
        elif not self._read():
            self._pass_soon()
        elif self._over is not None:
            self._end(self._over)
        elif self._out and self._events() & (zmq.POLLIN | zmq.POLLOUT):
            self._pass_soon()

    def _events(self) -> int:
        return 0 if self._dealer is None else int(self._dealer.getsockopt(zmq.EVENTS))

    def _send(self) -> None:
        assert self._dealer is not None
        out, send = self._out, self._dealer.send
        while out:
            try:
                send(out[0], zmq.NOBLOCK)
            except zmq.Again:
                return
            out.popleft()

    def _read(self) -> bool:
        """Hand on what came; say whether there is nothing more, which may be of a dropped link."""
        assert self._dealer is not None
        receive, to_op = self._dealer.recv, self._connection.receive_payload
        received: list[ServerOp] = []
        fault: str | None = None
        is_dry = False
        for _ in range(READ_BUDGET):
            try:
                payload = receive(zmq.NOBLOCK)
            except zmq.Again:
                is_dry = True
                break
            if not payload:
                fault = CLOSED
                break
            try:
                received.append(cast(ServerOp, to_op(payload)))
            except ProtocolError as error:
                fault = f"{NONSENSE}: {error}"
                break
        if received and self._on_ops is not None:
            self._on_ops(received)
        if fault is not None:
            self._end(fault)
        return is_dry or self._dealer is None

    # -- how it ends -----------------------------------------------------------------------------
    def _silence(self) -> None:
        self._on_open = self._on_ops = self._on_end = None

    def _end(self, reason: str) -> None:
        on_end = self._on_end
        self._silence()
        self._cut()
        if on_end is not None:
            on_end(reason)

    def _cut(self) -> None:
        """Let go of all at once; but what libzmq was given at the close, it gives up by itself."""
        self._out.clear()
        self._candidates.clear()
        if self._opening is not None and self._opening is not asyncio.current_task(self._loop):
            self._opening.cancel()
        if self._dealer is None or self._monitor is None or self._discard is None:
            return
        self._loop.remove_reader(int(self._dealer.getsockopt(zmq.FD)))
        self._loop.remove_reader(int(self._monitor.getsockopt(zmq.FD)))
        self._dealer = self._monitor = None
        self._discard()
        self._tell_gone()

    def _hang_up(self) -> None:
        """Have libzmq send what it has and close; its monitor tells when that is done."""
        assert self._dealer is not None
        assert self._monitor is not None
        assert self._discard is not None
        dealer, self._dealer = self._dealer, None
        self._loop.remove_reader(int(dealer.getsockopt(zmq.FD)))
        # libzmq has more to tell: the monitor must stay even if this link does not.
        self._discard.detach()
        self._discard = weakref.finalize(self, forsake, os.getpid(), self._monitor)
        self._discard.atexit = False
        dealer.close(0 if self._over else int(limits.CLOSE_LINGER_S * 1000))

    def _gone_at_last(self) -> None:
        assert self._monitor is not None
        monitor, self._monitor = self._monitor, None
        self._loop.remove_reader(int(monitor.getsockopt(zmq.FD)))
        assert self._discard is not None
        self._discard.detach()
        monitor.close()
        self._tell_gone()

    def _tell_gone(self) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
