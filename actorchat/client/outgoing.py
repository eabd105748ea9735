"""Knows which send goes out next, and what order that keeps. Must not know bytes or replies.

What is promised for the sends to one conversation:

- They go out in the order in which they were posted, on one connection, which the server keeps.
- After the loss of a connection all unanswered ones go out again, in that order, before any other.
- When one is refused with leave to try again, no send to that conversation leaves until all that
  are under way were answered and the refused ones, oldest first, were stored. The ones that were
  already under way may be stored before it: at most `window - 1` of them. When the server refuses
  them as well, as it does when a store is full or a leader away, the order is kept in full.
- With `strict` at most one send to a conversation is under way, and none ever overtakes.

Sends to different conversations never wait for each other, but for a place in the window.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable

from msgspec import Struct

from actorchat.errors import Overloaded, Retry
from actorchat.limits import RECONNECT_BASE_S, RECONNECT_CAP_S
from actorchat.protocol.ops import Extra

NEVER = -1.0


def full_jitter(attempt: int, jitter: Callable[[], float], cap_s: float = RECONNECT_CAP_S) -> float:
    """Return seconds to wait before try number `attempt`, from 0; `jitter` draws from [0, 1).

    Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
    """
    return jitter() * min(cap_s, RECONNECT_BASE_S * 2.0 ** min(attempt, 16))


class Outgoing(Struct):
    """One send on its way; `order` counts the posts, `sent_at` is when it last went out.

    `refused_at` is when it was first refused with leave to try again, lost its connection, or was
    posted where there was none.
    """

    key: object
    to: str
    cid: bytes
    body: str
    order: int
    sent_at: float = NEVER
    extra: Extra | None = None
    refused_at: float = NEVER


def _order(outgoing: Outgoing) -> int:
    return outgoing.order


class _Lane:
    """A conversation whose sends go out one at a time, until (or because) one is in the way."""

    __slots__ = ("probing", "refusals", "retry_at", "under_way", "waiting")

    def __init__(self, under_way: int) -> None:
        self.waiting: list[Outgoing] = []  # by order
        self.under_way = under_way
        self.retry_at = 0.0
        self.refusals = 0
        self.probing = False


class SendQueue:
    """Sends under way and sends that wait, in order; at most `window` are under way at once."""

    __slots__ = (
        "_jitter",
        "_lanes",
        "_posted",
        "_ready",
        "_resting",
        "_runnable",
        "_strict",
        "_unsent_max",
        "in_flight",
        "refused_max_s",
        "size",
        "window",
    )

    def __init__(
        self, *, window: int, unsent_max: int, strict: bool, jitter: Callable[[], float]
    ) -> None:
        self.window = window
        self.in_flight: dict[int, Outgoing] = {}  # by request id, oldest first
        self.size = 0  # all that were posted and are not done
        self.refused_max_s = 0.0  # the longest that one that was refused took to be stored
        self._unsent_max = unsent_max
        self._strict = strict
        self._jitter = jitter
        self._posted = 0
        self._ready: deque[Outgoing] = deque()
        self._lanes: dict[str, _Lane] = {}
        self._resting: dict[str, float] = {}  # lanes that wait for their time
        self._runnable: deque[str] = deque()  # lanes whose oldest may go out

    def post(
        self,
        key: object,
        to: str,
        cid: bytes,
        body: str,
        extra: Extra | None = None,
        refused_at: float = NEVER,
    ) -> None:
        """Take a send at the end of the queue.

        Raises:
            Overloaded: Too many wait; nothing was queued.
        """
        if self.size - len(self.in_flight) >= self._unsent_max:
            raise Overloaded(f"{self._unsent_max} sends wait already; nothing was queued")
        self._posted += 1
        self.size += 1
        self._ready.append(Outgoing(key, to, cid, body, self._posted, NEVER, extra, refused_at))

    def next(self) -> Outgoing | None:
        """Take out the send that may go out now, if any; tell `sent` when it did."""
        if len(self.in_flight) >= self.window:
            return None
        if self._runnable:
            lane = self._lanes[self._runnable.popleft()]
            assert lane.waiting
            assert not lane.under_way
            lane.probing = True
            return lane.waiting.pop(0)
        while self._ready:
            outgoing = self._ready.popleft()
            if outgoing.to in self._lanes:
                self._lanes[outgoing.to].waiting.append(outgoing)  # younger than all there
                continue
            return outgoing
        return None

    def sent(self, outgoing: Outgoing, rid: int, now: float) -> None:
        """Note that `outgoing` went out as request `rid`."""
        outgoing.sent_at = now
        self.in_flight[rid] = outgoing
        if (lane := self._lanes.get(outgoing.to)) is not None:
            lane.under_way += 1
        elif self._strict:
            self._lanes[outgoing.to] = _Lane(under_way=1)

    def answered(self, rid: int) -> Outgoing | None:
        """Take out the send that request `rid` was; tell `done` or `refused` next."""
        outgoing = self.in_flight.pop(rid, None)
        if outgoing is not None and (lane := self._lanes.get(outgoing.to)) is not None:
            lane.under_way -= 1
        return outgoing

    def done(self, outgoing: Outgoing, now: float) -> None:
        """Note that `outgoing` was stored, or refused for good."""
        self.size -= 1
        if outgoing.refused_at >= 0.0:
            self.refused_max_s = max(self.refused_max_s, now - outgoing.refused_at)
        if not self._lanes or (lane := self._lanes.get(outgoing.to)) is None:
            return
        if self._strict:
            lane.refusals = 0
            if lane.waiting:
                self._settle(outgoing.to, lane, now)
            else:
                del self._lanes[outgoing.to]
        elif lane.probing:
            # The way is free again. What waited is older than anything of its conversation in
            # the queue, so that the front keeps the order.
            self._ready.extendleft(reversed(lane.waiting))
            del self._lanes[outgoing.to]
        else:
            self._settle(outgoing.to, lane, now)

    def refused(self, outgoing: Outgoing, retry: Retry, after_ms: int | None, now: float) -> None:
        """Note that `outgoing` was refused but may be tried again, now or later."""
        if outgoing.refused_at < 0.0:
            outgoing.refused_at = now
        lane = self._lanes.get(outgoing.to)
        if lane is None:
            under_way = sum(other.to == outgoing.to for other in self.in_flight.values())
            lane = self._lanes[outgoing.to] = _Lane(under_way)
            lane.probing = True  # the first refusal counts as a round, too
        insort(lane.waiting, outgoing, key=_order)
        if after_ms is not None:
            delay_s = after_ms / 1000
        elif retry == "now" and lane.refusals == 0:
            delay_s = 0.0
        else:
            delay_s = full_jitter(lane.refusals, self._jitter)
        if lane.probing:
            lane.refusals += 1
            lane.probing = False
        lane.retry_at = max(lane.retry_at, now + delay_s)
        self._settle(outgoing.to, lane, now)

    def _settle(self, to: str, lane: _Lane, now: float) -> None:
        if lane.under_way:
            return
        if lane.retry_at > now:
            self._resting[to] = lane.retry_at
        else:
            self._runnable.append(to)

    def lost(self, now: float) -> None:
        """Note that the connection went: all that were under way must go out again, first."""
        again = []
        for outgoing in self.in_flight.values():
            if outgoing.refused_at < 0.0:
                outgoing.refused_at = now
            if (lane := self._lanes.get(outgoing.to)) is not None:
                insort(lane.waiting, outgoing, key=_order)
            else:
                again.append(outgoing)
        self.in_flight.clear()
        self._ready.extendleft(reversed(again))
        self._runnable.clear()
        for to, lane in self._lanes.items():
            lane.under_way = 0
            lane.probing = False
            self._resting[to] = lane.retry_at

    def wake(self, now: float) -> None:
        """Let those conversations go on whose time to try again has come."""
        if self._resting:
            for to in [to for to, at in self._resting.items() if at <= now]:
                del self._resting[to]
                self._runnable.append(to)

    def retry_at(self) -> float | None:
        """Return when `wake` has something to do next; None when not by time."""
        if not self._resting or len(self.in_flight) >= self.window:
            return None
        return min(self._resting.values())

    def oldest_sent_at(self) -> float | None:
        """Return when the send went out that waits longest for its answer."""
        for outgoing in self.in_flight.values():
            return outgoing.sent_at
        return None

    def drain(self) -> list[Outgoing]:
        """Take out everything, oldest first."""
        everything = [*self.in_flight.values(), *self._ready]
        for lane in self._lanes.values():
            everything.extend(lane.waiting)
        self.in_flight.clear()
        self._ready.clear()
        self._lanes.clear()
        self._resting.clear()
        self._runnable.clear()
        self.size = 0
        return sorted(everything, key=_order)
