"""Knows how a machine's effects are performed on a loop. Must not know how they are decided."""

from __future__ import annotations

import asyncio
import functools
import logging
import random
import ssl
from collections.abc import Callable, Sequence
from typing import Any, cast

from actorchat.client import effect, event
from actorchat.client.curve import CurveIdentity
from actorchat.client.dial import OVER_TLS, default_tls, new_link
from actorchat.client.feed import Inbox, ProgressBoard
from actorchat.client.flagged import FlagBoard
from actorchat.client.life import Options
from actorchat.client.link import Address, Link
from actorchat.client.locate import best_first
from actorchat.client.machine import Machine
from actorchat.client.message import Message, Progress, Sent
from actorchat.client.presence import Sightings, watched_states
from actorchat.client.signin import Identity, Welcome
from actorchat.errors import CallTimeout, SessionEnded
from actorchat.protocol import ops
from actorchat.protocol.codec import encode, encode_ack, encode_send

log = logging.getLogger(__name__)

_encode_name = functools.lru_cache(65_536)(encode)


class Shell:
    """One machine with its link, its timer and what waits for the application.

    No task runs for it, but while a transport is being opened.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        identity: Identity,
        options: Options,
        *,
        is_auto: bool,
        inbox_max: int,
        tls: ssl.SSLContext | None,
        curve: CurveIdentity | None = None,
    ) -> None:
        self.machine = Machine(identity, options, random.random)
        self.inbox = Inbox(inbox_max, self._on_fetched)
        self.progress = ProgressBoard()
        self.sightings = Sightings()
        self.flagged = FlagBoard()
        self.loop: asyncio.AbstractEventLoop
        self.link: Link | None = None
        self.welcome: Welcome | None = None
        self.trouble = ""  # why the last connection failed
        self.reconnects = 0
        self.updates_skipped = 0
        self._addresses = addresses
        self._tls = tls
        self._curve = curve
        self._is_auto = is_auto
        self._at = self._next_at = 0  # which address is in use, which is tried next
        self._is_paused = False
        self._timer: asyncio.TimerHandle | None = None
        self._is_arming = False
        self._changed: list[asyncio.Future[None]] = []  # who waits for any change of state
        self._take = self.take

    async def find_best(self, region: str) -> None:
        """Ask the server which node to go to; before `start`."""
        user = self.machine.identity.user
        known = self._addresses
        self._addresses = await best_first(known, user, region, self._tls, self._curve)

    def start(self) -> None:
        """Begin to connect, on the running loop, which owns all of this from now on."""
        self.loop = asyncio.get_running_loop()
        self.handle(event.Start())

    def take(self, upd: int) -> None:
        """Note that the application holds everything up to `upd`."""
        self.handle(event.Taken(upd))

    def expect(self, question: event.Post | event.Ask) -> None:
        """Put a question; its key, a future, will be done by the answer."""
        self.handle(question)
        if self._is_paused:
            self._read_on()

    async def wait(self, is_so: Callable[[], bool], timeout_s: float | None, what: str) -> None:
        """Return when `is_so`, which is asked at each change of state.

        Raises:
            CallTimeout: Not in time. And whatever ended the client.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not is_so():
                    if self.machine.error is not None:
                        raise self.machine.error
                    change = self.loop.create_future()
                    self._changed.append(change)
                    await change
        except TimeoutError:
            why = f": {self.trouble}" if self.trouble else ""
            raise CallTimeout(f"{what} in {timeout_s:g} s{why}") from None

    @property
    def door(self) -> tuple[Address, ssl.SSLContext | None]:
        """The address that was dialled last, and the context for TLS; for what goes beside it."""
        return self._addresses[self._at], self._tls

    # -- the machine -----------------------------------------------------------------------------
    def handle(self, happened: event.Event) -> None:
        """Tell the machine what happened and perform what it asks for."""
        machine = self.machine
        was = machine.state
        for asked in machine.handle(happened, self.loop.time()):
            _PERFORM[type(asked)](self, asked)
        if self._changed and (machine.state is not was or not machine.is_expecting):
            for change in self._changed:
                if not change.done():
                    change.set_result(None)
            self._changed.clear()
        if not self._is_arming:
            self._is_arming = True
            self.loop.call_soon(self._arm)

    def _arm(self) -> None:
        """Set the timer, once for all that happened in this turn of the loop."""
        self._is_arming = False
        at = self.machine.deadline()
        if at is not None and (self._timer is None or at < self._timer.when()):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        # The deadline has moved on in most cases: it is cheaper to look now than to move the
        # timer at each event.
        self._timer = None
        self.handle(event.Tick())

    def _on_open(self) -> None:
        self.handle(event.Opened())

    def _on_end(self, reason: str) -> None:
        self.link = None
        self._is_paused = False
        self.trouble = reason
        log.info("connection lost", extra={"reason": reason})
        self.handle(event.Lost(reason))

    def _on_ops(self, received: list[ops.ServerOp]) -> None:
        self.handle(event.Received(received))
        inbox = self.inbox
        if self._is_auto and inbox.held() > (self.machine.incoming.taken or 0):
            self.handle(event.Taken(inbox.held()))
        if inbox.is_full and self.link is not None and not self.machine.is_expecting:
            # Whoever waits for an answer may be the one who is to fetch the messages, so reading
            # only pauses when no answer is to come. Until then, withheld acks stop the server.
            self._is_paused = True
            self.link.pause()
            self.handle(event.Paused())

    def _on_fetched(self) -> None:
        inbox = self.inbox
        if self._is_auto and inbox.held() > (self.machine.incoming.taken or 0):
            self.handle(event.Taken(inbox.held()))
        if self._is_paused and inbox.is_half_empty:
            self._read_on()

    def _read_on(self) -> None:
        self._is_paused = False
        if self.link is not None:
            self.link.resume()
        self.handle(event.Resumed())

    # -- effects ---------------------------------------------------------------------------------
    def _connect(self, _: effect.Connect) -> None:
        self._at = self._next_at % len(self._addresses)
        self._next_at = self._at + 1
        address = self._addresses[self._at]
        self._is_paused = False
        is_tls = address.scheme in OVER_TLS
        context = (self._tls or default_tls()) if is_tls else None
        self.link = new_link(address.scheme, self._on_open, self._on_ops, self._on_end, self._curve)
        self.link.open(address, context)

    def _disconnect(self, asked: effect.Disconnect) -> None:
        link, self.link = self.link, None
        self._is_paused = False
        self.trouble = asked.reason
        log.info("connection dropped", extra={"reason": asked.reason})
        if asked.elsewhere:
            self._next_at = self._at + 1
        if link is not None:
            link.close() if asked.flush else link.drop()

    def _signed_in(self, asked: effect.SignedIn) -> None:
        if self.welcome is not None:
            self.reconnects += 1
        self.welcome = asked.welcome
        self._next_at = self._at  # stay with an address that works
        self.trouble = ""
        if self.sightings.users:
            self.loop.call_soon(self._watch_again)

    def _watch_again(self) -> None:
        """Ask a new session for whom the application watches; what has changed is news."""
        asked: asyncio.Future[dict[str, object]] = self.loop.create_future()
        asked.add_done_callback(self._on_watched)
        self.handle(event.Ask(asked, ops.Watch(0, list(self.sightings.users))))

    def _on_watched(self, asked: asyncio.Future[dict[str, object]]) -> None:
        if not asked.cancelled() and asked.exception() is None:
            self.sightings.take(watched_states(asked.result()))

    def hint(self, op: ops.Unwatch | ops.Signal) -> None:
        """Tell the server what is worth nothing later: dropped where no session is open."""
        if self.machine.state is event.State.OPEN and self.link is not None:
            self.link.write(encode(op))

    def _accepted(self, asked: effect.Accepted) -> None:
        future = cast("asyncio.Future[Sent]", asked.key)
        if not future.done():
            future.set_result(Sent(asked.seq, asked.ts, asked.dup))

    def _answered(self, asked: effect.Answered) -> None:
        future = cast("asyncio.Future[dict[str, object]]", asked.key)
        if not future.done():
            future.set_result(asked.ok)

    def _failed(self, asked: effect.Failed) -> None:
        future = cast("asyncio.Future[Any]", asked.key)
        if not future.done():
            future.set_exception(asked.error)
            if isinstance(asked.error, SessionEnded):
                future.exception()  # told in many ways already: no log line for each send

    def _message(self, op: ops.Msg) -> None:
        record = op.msg
        is_ours = record.conv is not None and record.sender == self.machine.identity.user
        self.inbox.put(
            Message(
                record.sender,
                record.seq,
                record.ts,
                record.cid,
                record.body,
                op.upd,
                self._take,
                record.conv,
                record.change,
                op.to,
                record.extra,
                record.act,
                record.edited,
                record.gone,
                record.hidden,
                record.reactions,
                op.to is not None or is_ours,
            )
        )

    def _mark(self, op: ops.MarkPush) -> None:
        self.progress.put(Progress(op.conv, op.user, op.delivered, op.read))

    def _presence(self, op: ops.Presence) -> None:
        self.sightings.take(op.states)

    def _signal(self, op: ops.SignalPush) -> None:
        self.sightings.signalled(op, self.loop.time())

    def _flags(self, op: ops.FlagPush) -> None:
        self.flagged.take(op)

    def _jumped(self, asked: effect.Jumped) -> None:
        skipped = max(0, asked.cursor - asked.held)
        self.updates_skipped += skipped
        log.warning("updates skipped", extra={"held": asked.held, "cursor": asked.cursor})

    def _ended(self, asked: effect.Ended) -> None:
        if self._timer is not None:
            self._timer.cancel()
        is_closed = isinstance(asked.error, SessionEnded) and asked.error.code == "closed"
        self.inbox.close(None if is_closed else asked.error)
        self.progress.close(None if is_closed else asked.error)
        self.sightings.close(None if is_closed else asked.error)
        self.flagged.close(None if is_closed else asked.error)

    def _write_send(self, op: ops.Send) -> None:
        assert self.link is not None
        if op.extra is not None:
            self.link.write(encode(op))
            return
        self.link.write(encode_send(op.id, _encode_name(op.to), op.cid, op.body))

    def _write_ack(self, op: ops.Ack) -> None:
        assert self.link is not None
        self.link.write(encode_ack(op.upd))

    def _write(self, op: ops.ClientOp) -> None:
        assert self.link is not None
        self.link.write(encode(op))


_PERFORM: dict[type, Callable[[Shell, Any], None]] = {
    effect.Connect: Shell._connect,
    effect.Disconnect: Shell._disconnect,
    effect.SignedIn: Shell._signed_in,
    effect.Accepted: Shell._accepted,
    effect.Answered: Shell._answered,
    effect.Failed: Shell._failed,
    effect.Jumped: Shell._jumped,
    effect.Ended: Shell._ended,
    ops.Msg: Shell._message,
    ops.MarkPush: Shell._mark,
    ops.Presence: Shell._presence,
    ops.SignalPush: Shell._signal,
    ops.FlagPush: Shell._flags,
    ops.Send: Shell._write_send,
    ops.Ack: Shell._write_ack,
    **dict.fromkeys(
        (
            *(ops.Hello, ops.Ping, ops.Mark, ops.History, ops.Revoke, ops.Provision, ops.Status),
            *(ops.Actors, ops.Change, ops.Group, ops.Receipts, ops.Watch, ops.Privacy),
            *(*ops.PEOPLE_OPS, ops.Password, *ops.FIREHOSE_OPS, ops.Search),
            *(ops.Edit, ops.Delete, ops.React, ops.Locate, ops.Whereis),
            *ops.FILE_OPS,
        ),
        Shell._write,
    ),
}
