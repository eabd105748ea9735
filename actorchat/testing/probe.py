"""Knows an actor that keeps what it is sent for a test to look at, and how long the test waits.
Must not know what is expected of the messages.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from actorchat.actor import Actor, LocalRef, SeededDispatcher
from actorchat.actor import monitor as monitors
from actorchat.actor.mailbox import Call
from actorchat.testing.expectation import (
    ANY_REASON,
    AllOf,
    Box,
    Count,
    Ended,
    Expectation,
    Fished,
    Next,
    Silence,
    failure,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from actorchat.actor import ActorSystem, Reply

WITHIN_S = 1.0
SILENCE_S = 0.1
STEPS_MAX = 200_000


class Asked(Call):
    """A call that the runtime hands to `on_receive` as it is, so that its answer can wait.

    The runtime opens exact `Call`s only, but treats any Call as one when it is left behind.
    """

    __slots__ = ()


class ProbeRef(LocalRef):
    """The ref of a probe."""

    __slots__ = ()

    def _ask(self, message: Any, reply: Reply[Any]) -> None:
        asked = Asked(message, reply)
        if self._limit:
            self._enqueue(asked)
        else:
            self._overflow(asked)


class ProbeActor(Actor):
    """Puts all it is sent into a box; its mailbox is never shut, not even by an open call."""

    ref_class = ProbeRef

    def __init__(self, box: Box) -> None:
        self._box = box

    def on_receive(self, message: Any) -> None:
        """Keep it."""
        if type(message) is Asked:
            self._box.put(message.message, message.reply)
        else:
            self._box.put(message)

    def on_stop(self, reason: object) -> None:
        """Let nobody wait for an answer that can't come any more."""
        self._box.abandon(self.ref.dead())


class _Probe:
    """What both probes have; their difference is how they wait.

    Args:
        label: What failures call it.
        name: What it is registered as, if at all.
        origin: How to see a failure again, for its text.
    """

    def __init__(
        self, system: ActorSystem, label: str, name: str | None = None, origin: str = ""
    ) -> None:
        self._system = system
        self._box = Box(system.dispatcher.now_s)
        self._label = label
        self._origin = origin
        self._watched: set[LocalRef] = set()
        self.ref = system.spawn(ProbeActor, self._box, name=name)

    def __repr__(self) -> str:
        return f"<{self._label}>"

    @property
    def left(self) -> list[Any]:
        """What has come and was not taken yet, the oldest first."""
        return [arrival.message for arrival in self._box.waiting]

    # -- expecting -------------------------------------------------------------------------

    def expect(self, wanted: Any, within_s: float = WITHIN_S) -> Any:
        """Take the next message and return it.

        Args:
            wanted: A value that it must equal, a type that it must be an instance of, or a
                function that must return something true for it.
            within_s: How long to wait, in seconds of the dispatcher.
        Raises:
            AssertionError: It is another, or none came in time.
        """
        return self._meet(Next(wanted), within_s)

    def expect_all(self, *wanted: Any, within_s: float = WITHIN_S) -> Any:
        """Take as many messages as are wanted, in any order; return them in the order wanted.

        Raises AssertionError at the first that fits nowhere, or when some are missing.
        """
        return self._meet(AllOf(wanted), within_s)

    def expect_no_message(self, for_s: float = SILENCE_S) -> Any:
        """Let `for_s` seconds pass; raises AssertionError when a message comes or waits."""
        return self._meet(Silence(), for_s)

    def fish_for(self, wanted: Any, within_s: float = WITHIN_S) -> Any:
        """Let messages go up to one as wanted, and return it; `wanted` is as for `expect`."""
        return self._meet(Fished(wanted), within_s)

    def receive_n(self, count: int, within_s: float = WITHIN_S) -> Any:
        """Take `count` messages, whatever they are, and return them as a list."""
        return self._meet(Count(count), within_s)

    def expect_down(
        self, ref: LocalRef, reason: Any = ANY_REASON, within_s: float = WITHIN_S
    ) -> Any:
        """Take the next message, which must be the Down of `ref`, and return it.

        Watches `ref` first, if `watch` has not: of one that has ended already the reason is then
        "noproc". `reason` is a value, a type or a function, as for `expect`.
        """
        if ref not in self._watched:
            self.watch(ref)
        self._watched.discard(ref)
        return self._meet(Ended(ref, reason), within_s)

    def _meet(self, expectation: Expectation, within_s: float) -> Any:
        raise NotImplementedError

    def _judge(self, expectation: Expectation, verdict: bool | None, within_s: float) -> Any:
        if verdict is None:
            verdict = expectation.is_met_late()
        if not verdict:
            raise failure(self._label, expectation, within_s, self._box, self._origin)
        return expectation.result()

    # -- acting ----------------------------------------------------------------------------

    def watch(self, ref: LocalRef) -> int:
        """Have the Down of `ref` come as a message; returns its `mref`.

        Raises:
            ActorDead: The probe itself has ended.
        """
        if not self.ref.is_alive():
            raise self.ref.dead()
        self._watched.add(ref)
        return monitors.monitor(self._system, self.ref, ref)

    def reply(self, value: Any = None, error: BaseException | None = None) -> bool:
        """Answer the last call that was taken and is open, or let it fail with `error`.

        Returns False when its sender had given up before.

        Raises:
            AssertionError: No call was taken, or all are answered.
        """
        if not self._box.open_calls:
            calls = [arrival for arrival in self._box.waiting if arrival.reply is not None]
            hint = f"; {shown(calls[0].message)} waits to be expected first" if calls else ""
            raise AssertionError(f"{self._label} has taken no call that waits for an answer{hint}")
        reply = self._box.open_calls.pop().reply
        assert reply is not None
        return reply.settle(value, error)


class Probe(_Probe):
    """An actor of a seeded system that keeps what it is sent; pass its `ref` to others.

    An expectation runs the dispatcher until it is met, or can't be met, or its virtual time is
    over, and no step further.
    """

    def __init__(
        self, system: ActorSystem, label: str, name: str | None = None, origin: str = ""
    ) -> None:
        if not isinstance(system.dispatcher, SeededDispatcher):
            msg = f"{label} can't run a {type(system.dispatcher).__name__}: use an AsyncProbe"
            raise TypeError(msg)
        self._dispatcher = system.dispatcher
        super().__init__(system, label, name, origin)

    def _meet(self, expectation: Expectation, within_s: float) -> Any:
        verdict: bool | None = None

        def is_decided() -> bool:
            nonlocal verdict
            verdict = expectation.look(self._box)
            return verdict is not None

        run_until(self._dispatcher, is_decided, within_s)
        return self._judge(expectation, verdict, within_s)


class AsyncProbe(_Probe):
    """An actor on a loop that keeps what it is sent; pass its `ref` to others.

    Each expectation is to be awaited (`await probe.expect(...)`), one at a time, on the loop that
    runs the actor; it waits in real time.
    """

    async def _meet(self, expectation: Expectation, within_s: float) -> Any:
        verdict = expectation.look(self._box)
        try:
            async with asyncio.timeout(within_s) as limit:
                while verdict is None:
                    await self._box.next_arrival()
                    verdict = expectation.look(self._box)
        except TimeoutError:
            if not limit.expired():  # what a predicate raised
                raise
            verdict = expectation.look(self._box)
        return self._judge(expectation, verdict, within_s)


def run_until(dispatcher: SeededDispatcher, is_done: Callable[[], bool], within_s: float) -> bool:
    """Run until `is_done()`, at most for `within_s` virtual seconds; say whether it is.

    What is due at the very end still counts. Raises RuntimeError when actors keep each other
    busy so that time can't pass.
    """
    has_met = is_over = False

    def look() -> bool:
        nonlocal has_met
        has_met = has_met or is_done()
        return has_met or is_over

    def end() -> None:
        nonlocal is_over
        is_over = True

    # Twice: the second fires when all that the last moment led to has been done.
    alarms = []
    alarms.append(
        dispatcher.call_later(within_s, lambda: alarms.append(dispatcher.call_later(0.0, end)))
    )
    try:
        dispatcher.run(look, steps_max=STEPS_MAX)
    finally:
        for alarm in alarms:
            alarm.cancel()
    return has_met
