"""Knows what supervisors share: when to restart a child and how to stop one.

Must not know strategies.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Literal

from actorchat.actor.future import Reply
from actorchat.actor.reason import is_abnormal
from actorchat.actor.timer import Wake

if TYPE_CHECKING:
    from actorchat.actor.dispatcher import Dispatcher
    from actorchat.actor.ref import LocalRef
    from actorchat.actor.timer import Timers

Restart = Literal["permanent", "transient", "temporary"]

KILL_WAIT_S = 1.0  # for a thread that hangs inside a handler, where no kill gets through


def needs_restart(restart: Restart, reason: object) -> bool:
    """Say whether a child of this kind that ended for `reason` is to be started again."""
    return restart == "permanent" or (restart == "transient" and is_abnormal(reason))


class Intensity:
    """Counts restarts: more than `intensity` within `period_s` are too many."""

    __slots__ = ("_intensity", "_period_s", "_times")

    def __init__(self, intensity: int, period_s: float) -> None:
        self._intensity = intensity
        self._period_s = period_s
        self._times: deque[float] = deque()

    def allows(self, now_s: float) -> bool:
        """Note a restart; False when it is one too many."""
        times = self._times
        times.append(now_s)
        while times[0] <= now_s - self._period_s:
            times.popleft()
        return len(times) <= self._intensity


async def within(reply: Reply[Any], timers: Timers, timeout_s: float) -> bool:
    """Wait for `reply`, at most `timeout_s`; say whether it came. It is not cancelled."""
    waiting: Reply[Any] = Reply()
    timer = Wake(waiting)
    waiting.expire_with(timers, timer)
    timers.add(timer, timeout_s)
    reply.on_settled(waiting.settle)
    await waiting
    return reply.done()


async def stop_child(
    child: LocalRef, reason: object, dispatcher: Dispatcher, shutdown_s: float | None
) -> None:
    """Stop `child` and wait; kill it after `shutdown_s` (None: no limit, 0: at once).

    `dispatcher` is the supervisor's. A kill reaches a child there for certain, and is waited for;
    another thread may hang for good, and gets `KILL_WAIT_S`.
    """
    timers = dispatcher.timers
    ended = child.ended()
    if shutdown_s is None:
        child.stop(reason)
        await ended
        return
    if shutdown_s > 0:
        child.stop(reason)
        if await within(ended, timers, shutdown_s):
            return
    child.kill()
    if child._dispatcher is dispatcher:
        await ended
    else:
        await within(ended, timers, KILL_WAIT_S)
