"""Knows how a client stays signed in, sends once, receives once. Must not know sockets or clocks.

IDLE ──Start──▶ CONNECTING ──Opened──▶ SIGNING_IN ──welcome──▶ OPEN
                    ▲                       │                    │
                    │ its time has come     │ Lost, timeout,     │
                    └────── WAITING ◀───────┴── bye, gap ────────┘
                               any state ──Close, or a refusal for good──▶ ENDED
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from actorchat.client.effect import (
    Accepted,
    Answered,
    Effect,
    Failed,
    Jumped,
    SignedIn,
)
from actorchat.client.event import (
    Ask,
    Close,
    Event,
    Lost,
    MarkRead,
    Opened,
    Paused,
    Post,
    Received,
    Resumed,
    Start,
    State,
    Taken,
    Tick,
)
from actorchat.client.incoming import Verdict
from actorchat.client.life import Life
from actorchat.client.line import Duty
from actorchat.client.message import conversation_of, own_cid
from actorchat.client.outgoing import NEVER
from actorchat.client.signin import (
    Welcome,
    end_by_bye,
    refusal,
)
from actorchat.protocol import ops

# What comes back as a record, which who asked for it knows already.
_RECORDED = (ops.Change, ops.Edit, ops.Delete, ops.React)


class Machine(Life):
    """One client: feed it events, perform its effects in order, send `Tick` at its deadline."""

    __slots__ = ()

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Return what `event` leads to, to be performed in this order; `now` is monotonic.

        Raises:
            Overloaded: A `Post` that finds the queue full; nothing was queued.
        """
        if self.error is None:
            _HANDLERS[type(event)](self, event, now)
        elif isinstance(event, Post | Ask):
            self._out.append(Failed(event.key, self.error))
        out = self._out
        if out:
            self._out = []
        return out

    def deadline(self) -> float | None:
        """Return when to send `Tick`; None when nothing waits for the time."""
        at = self._line.deadline()
        if (time := self._questions.deadline()) is not None and (at is None or time < at):
            at = time
        if self._line.state is State.OPEN and at is not None:
            if (time := self.incoming.ack_at) is not None and time < at:
                at = time
            if (time := self._sends.oldest_sent_at()) is not None:
                at = min(at, time + self._timeout_s)
            if (time := self._sends.retry_at()) is not None and time < at:
                at = time
        return at

    # -- what the server says --------------------------------------------------------------------
    def _on_received(self, event: Received, now: float) -> None:
        self._line.heard(now)
        for op in event.ops:
            if self._line.state is not State.OPEN and self._line.state is not State.SIGNING_IN:
                return  # the rest came over a connection that was just given up
            handler = _OPS.get(type(op))
            if handler is not None:
                handler(self, op, now)
        if self._line.state is State.OPEN:
            self._pump(now)

    def _on_reply(self, reply: ops.Reply, now: float) -> None:
        rid = reply.re
        if self._line.state is State.SIGNING_IN:
            if reply.ok is not None:
                self._on_welcome(reply.ok, now)
            elif reply.err is not None:
                self._on_hello_refused(reply.err, now)
        elif rid is None:
            return  # it answers nothing that can be named; what went unanswered runs out of time
        elif rid in self._sends.in_flight:
            self._on_send_answered(rid, reply, now)
        elif (question := self._questions.answered(rid)) is not None:
            if reply.err is None:
                self._out.append(Answered(question.key, reply.ok or {}))
            else:
                self._out.append(Failed(question.key, refusal(reply.err)))

    def _on_send_answered(self, rid: int, reply: ops.Reply, now: float) -> None:
        err = reply.err
        ok = reply.ok or {}
        if err is None:
            if "seq" not in ok or "ts" not in ok:
                # No answer that means anything: ask again by the same cid.
                self._drop(now, "an answer to a send without a seq")
                return
        elif err.retry in {"reconnect", "elsewhere"}:
            self._drop(now, err.code, err.after_ms, err.retry)
            return
        outgoing = self._sends.answered(rid)
        assert outgoing is not None
        if err is None:
            self._sends.done(outgoing, now)
            self._out.append(Accepted(outgoing.key, ok["seq"], ok["ts"], ok.get("dup") is True))
        elif err.retry == "never":
            self._sends.done(outgoing, now)
            self._out.append(Failed(outgoing.key, refusal(err)))
        else:
            self._sends.refused(outgoing, err.retry, err.after_ms, now)

    def _on_welcome(self, ok: dict[str, object], now: float) -> None:
        try:
            welcome = msgspec.convert(ok, Welcome)
        except msgspec.ValidationError as error:
            self._drop(now, f"the welcome makes no sense: {error}")
            return
        self._line.welcomed(welcome.ping_s, now)
        self.identity.keep(welcome.token)
        granted = welcome.limits.get("in_flight", self._window_max)
        self._sends.window = max(1, min(self._window_max, granted))
        self._out.append(SignedIn(welcome))
        held = self.incoming.begin(welcome.cursor, welcome.head, now, welcome.too_old)
        if held is not None:
            self._out.append(Jumped(held, welcome.cursor))
        self._out.extend(ops.Mark(conv, read) for conv, read in self._marks.again())
        self._put_questions()

    def _on_hello_refused(self, err: ops.Failure, now: float) -> None:
        if (end := self.identity.refused(err)) is not None:
            self._end(end)
        else:
            self._drop(now, f"sign-in refused: {err.code}", err.after_ms, err.retry)

    def _on_bye(self, bye: ops.Bye, now: float) -> None:
        if (end := end_by_bye(bye)) is not None:
            self._end(end)
        else:
            self._drop(now, f"bye: {bye.code}", bye.after_ms, bye.reconnect)

    def _on_msg(self, op: ops.Msg, now: float) -> None:
        if self._line.state is not State.OPEN:
            self._drop(now, "an update before the welcome")
            return
        own = own_cid(op, self.identity.user)
        verdict = self.incoming.accept(
            op.upd, conversation_of(op, self.identity.user), op.msg.seq, now, own
        )
        if verdict is Verdict.NEW:
            self._out.append(op)
        elif verdict is Verdict.GAP:
            self._drop(now, f"updates are missing before {op.upd}")

    def _on_hint(self, op: Effect, now: float) -> None:
        self._out.append(op)

    def _on_pong(self, _: ops.Pong, now: float) -> None:
        self._marks.ponged()

    # -- what the application says ---------------------------------------------------------------
    def _on_post(self, event: Post, now: float) -> None:
        is_open = self._line.state is State.OPEN
        refused_at = NEVER if is_open else now
        self._sends.post(event.key, event.to, event.cid, event.body, event.extra, refused_at)
        if is_open:
            self._pump(now)

    def _pump(self, now: float) -> None:
        sends = self._sends
        sends.wake(now)
        while (outgoing := sends.next()) is not None:
            self._ack()
            rid = self._next_rid()
            sends.sent(outgoing, rid, now)
            self.incoming.wrote(outgoing.cid)
            self._out.append(
                ops.Send(rid, outgoing.to, outgoing.cid, outgoing.body, outgoing.extra)
            )

    def _on_ask(self, event: Ask, now: float) -> None:
        self._questions.ask(event.key, event.request, now)
        if self._line.state is State.OPEN:
            self._put_questions()

    def _put_questions(self) -> None:
        for question in self._questions.unsent():
            self._questions.sent(question, self._next_rid())
            if isinstance(question.request, _RECORDED):
                self.incoming.wrote(question.request.cid)
            self._out.append(question.request)

    def _on_mark_read(self, event: MarkRead, now: float) -> None:
        if self._marks.advance(event.conv, event.read) and self._line.state is State.OPEN:
            self._out.append(ops.Mark(event.conv, event.read))

    def _on_taken(self, event: Taken, now: float) -> None:
        incoming = self.incoming
        if incoming.received is None:
            return
        incoming.take(event.upd, now)
        if self._line.state is State.OPEN and incoming.is_ack_due(now):
            self._ack()

    def _ack(self) -> None:
        if self.incoming.ack_at is not None:
            self._out.append(ops.Ack(self.incoming.ack()))

    def _on_paused(self, _: Paused, now: float) -> None:
        self._line.pause()

    def _on_resumed(self, _: Resumed, now: float) -> None:
        self._line.resume(now)

    # -- what the time brings --------------------------------------------------------------------
    def _on_tick(self, _: Tick, now: float) -> None:
        self._fail(self._questions.expire(now))
        duty = self._line.duty(now)
        if duty is Duty.CONNECT:
            self._connect(now)
        elif duty is Duty.GIVE_UP:
            self._drop(now, "the server is silent")
        elif self._line.state is State.OPEN:
            sent_at = self._sends.oldest_sent_at()
            if sent_at is not None and now >= sent_at + self._timeout_s:
                self._drop(now, "a send was not answered in time")
                return
            if self.incoming.is_ack_due(now):
                self._ack()
            if duty in {Duty.PING, Duty.ASK}:
                self._ping(duty is Duty.ASK or self._marks.is_unsure)
            self._pump(now)

    def _ping(self, asks: bool) -> None:
        if asks:
            self._marks.pinged()
        self._out.append(ops.Ping(noreply=not asks))


_HANDLERS: dict[type, Callable[[Machine, Any, float], None]] = {
    Start: Machine._on_start,
    Opened: Machine._on_opened,
    Lost: Machine._on_lost,
    Received: Machine._on_received,
    Post: Machine._on_post,
    Ask: Machine._on_ask,
    MarkRead: Machine._on_mark_read,
    Taken: Machine._on_taken,
    Paused: Machine._on_paused,
    Resumed: Machine._on_resumed,
    Tick: Machine._on_tick,
    Close: Machine._on_close,
}
# An op that is not here, one of a later version say, is passed over.
_OPS: dict[type, Callable[[Machine, Any, float], None]] = {
    ops.Reply: Machine._on_reply,
    ops.Msg: Machine._on_msg,
    **dict.fromkeys((ops.MarkPush, ops.Presence, ops.SignalPush, ops.FlagPush), Machine._on_hint),
    ops.Pong: Machine._on_pong,
    ops.Bye: Machine._on_bye,
}
