"""Knows how a test gets an actor system and what must hold of it when the test is over. Must not
know which actors run in it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar

from actorchat.actor import ActorSystem, Crash, LocalRef, LoopDispatcher, SeededDispatcher
from actorchat.limits import CALL_TIMEOUT_S
from actorchat.testing.probe import STEPS_MAX, WITHIN_S, AsyncProbe, Probe, run_until

if TYPE_CHECKING:
    from types import TracebackType

    from actorchat.actor import Actor, Reply

T = TypeVar("T")


@dataclass(slots=True)
class _Expected:
    kind: type[BaseException]
    times: int | None
    found: list[Crash] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.kind.__name__}{'' if self.times is None else f', {self.times} times'}"

    def is_met(self) -> bool:
        if self.times is None:
            return bool(self.found)
        return len(self.found) == self.times


class _Kit:
    """What both kits have: a system, its crashes, its books."""

    def __init__(self, system: ActorSystem, origin: str) -> None:
        self.system = system
        self.crashes: list[tuple[LocalRef, Crash]] = []
        self._expected: list[_Expected] = []
        self._origin = origin
        self._probes = 0
        system.on_crash(lambda ref, crash, _text: self.crashes.append((ref, crash)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}{f', {self._origin}' if self._origin else ''}>"

    def spawn(self, cls: type[Actor], *args: Any, **kwargs: Any) -> LocalRef:
        """Start an actor; see `ActorSystem.spawn`."""
        return self.system.spawn(cls, *args, **kwargs)

    def expects_crash(self, kind: type[BaseException], times: int | None = None) -> None:
        """Let actors crash with `kind`: `times` times, or at least once; before or after it."""
        self._expected.append(_Expected(kind, times))

    def problems(self) -> list[str]:
        """Return what is wrong by now: unexpected crashes, missing ones, books out of balance."""
        found = []
        for expected in self._expected:
            expected.found.clear()
        for ref, crash in self.crashes:
            # The last that was declared and still lacks one: a narrow kind after a wide one.
            fitting = [known for known in self._expected if isinstance(crash.error, known.kind)]
            lacking = [known for known in fitting if not known.is_met()]
            open_ended = [known for known in fitting if known.times is None]
            if lacking or open_ended:
                (lacking or open_ended)[-1].found.append(crash)
            else:
                trace = crash.traceback.rstrip().replace("\n", "\n    ")
                found.append(f"{ref} crashed with {crash}\n    {trace}")
        found += [
            f"expected a crash with {known}; there were {len(known.found)}"
            for known in self._expected
            if not known.is_met()
        ]
        return found + self._imbalance()

    def _imbalance(self) -> list[str]:
        counts = self.system.counts()
        told, handled, dead, queued = (
            counts[name] for name in ("told", "handled", "dead", "queued")
        )
        if told == handled + dead + queued:
            return []
        text = f"told {told}, but handled {handled} + dead {dead} + queued {queued}"
        return [f"the accounts don't balance: {text}"]

    def _probe_label(self, name: str | None) -> str:
        self._probes += 1
        return f"probe {self._probes if name is None else repr(name)}"

    def _raise_if_any(self, problems: list[str]) -> None:
        if problems:
            raise AssertionError("\n  ".join([f"{self!r} found at its end:", *problems]))

    def _annotate(self, error: BaseException) -> None:
        # What failed is most often the consequence of a crash, and the crash is not seen.
        for text in [*self.problems(), self._origin]:
            if text:
                error.add_note(text)


class ActorTestKit(_Kit):
    """A seeded actor system for one test: `with ActorTestKit(seed=7) as kit:`.

    One thread, virtual time, and nothing moves but in `run`, `advance`, `call`, `result` and the
    expectations of probes; the seed decides who is next. At its end it lets what is ready run,
    stops all actors, and raises AssertionError if an actor crashed unexpectedly or the accounts
    don't balance. When the test itself fails, the error gets notes instead: the seed, and the
    crashes that may explain it.

    Args:
        seed: Decides order and randomness; failures print it.
        haste: How likely time passes although somebody is ready, see `SeededDispatcher`.
    """

    def __init__(self, seed: int = 0, haste: float = 0.0) -> None:
        self.dispatcher = SeededDispatcher(seed, haste)
        system = ActorSystem(self.dispatcher, rng=random.Random(seed))
        super().__init__(system, f"seed={seed}{f', haste={haste}' if haste else ''}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self._annotate(error)

    def probe(self, name: str | None = None) -> Probe:
        """Start a probe, registered as `name` if one is given."""
        return Probe(self.system, self._probe_label(name), name, self._origin)

    def now_s(self) -> float:
        """Return virtual time in seconds."""
        return self.dispatcher.now_s()

    def run(self) -> None:
        """Run all that is ready; time stands still."""
        self.advance(0.0)

    def advance(self, seconds: float) -> None:
        """Let virtual time pass, and run all that is due in it.

        Raises RuntimeError when actors keep each other busy so that time can't pass.
        """
        self.dispatcher.run(until=self.now_s() + seconds, steps_max=STEPS_MAX)

    def call(self, ref: LocalRef, message: Any, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        """Call an actor, run until it has answered, return the answer; raises as the call does."""
        return self.result(ref.call(message, timeout_s), timeout_s)

    def result(self, reply: Reply[T], within_s: float = WITHIN_S) -> T:
        """Run until `reply` is settled and return the result, or raise its error.

        Raises AssertionError when it is still pending after `within_s` virtual seconds.
        """
        if not run_until(self.dispatcher, reply.done, within_s):
            raise AssertionError(f"no answer within {within_s:g} s\n  {self._origin}")
        return reply.result()

    def close(self) -> None:
        """Let what is ready run, stop all actors, and check what must hold."""
        self.run()
        problems = self._imbalance()
        ended = self.system.shutdown()
        self.dispatcher.run(ended.done, steps_max=STEPS_MAX)
        if not ended.done():
            problems.append("the actors could not be stopped")
        self._raise_if_any([*problems, *self.problems()])


class AsyncActorTestKit(_Kit):
    """An actor system on the running loop for one test: `async with AsyncActorTestKit() as kit:`.

    Real time, real scheduling. At its end it stops all actors and raises AssertionError if one
    crashed unexpectedly or the accounts don't balance; a test's own error gets notes instead.
    """

    def __init__(self) -> None:
        super().__init__(ActorSystem(LoopDispatcher()), "")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._annotate(error)
        # In any case: the loop, and threads of `system.pinned`, outlive the test.
        await self.system.stop()
        if error is None:
            self._raise_if_any(self.problems())

    def probe(self, name: str | None = None) -> AsyncProbe:
        """Start a probe, registered as `name` if one is given."""
        return AsyncProbe(self.system, self._probe_label(name), name)
