"""Knows how one actor is played message by message, with nobody around it but fakes. Must not
know what the actor is for.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from actorchat.actor import NORMAL, Actor, ActorSystem, Crash, LocalRef, Reply, SeededDispatcher
from actorchat.actor.mailbox import Call, Signal, Stop
from actorchat.actor.ref import IDLE
from actorchat.actor.timer import Timer, TimerMessage, Timers
from actorchat.limits import CALL_TIMEOUT_S
from actorchat.testing.expectation import shown
from actorchat.testing.fake import (
    Called,
    Effect,
    Ended,
    Fake,
    FakeRef,
    Spawned,
    StopAsked,
    TimerCancelled,
    TimerSet,
    Told,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from actorchat.actor import Dispatcher

STEPS_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class Pending:
    """A timer that will fire in `in_s` seconds."""

    in_s: float
    message: Any
    key: Hashable | None = None


class SyncKit:
    """One actor on an empty stage, played inline: `stage = SyncKit(Counter, 10)`.

    The real runtime runs it, one message at a time; all it reaches for is fake: refs come from
    `ref`, children that it spawns are fakes too (their `__init__` does not run), and time moves
    in `advance` only. What it does is kept in `effects`. An error that a handler lets out ends
    the actor, as always, and is raised by the call on the stage that led to it.

    An actor that needs fakes from the start gets them so:

        stage = SyncKit()
        stage.start(Teller, stage.ref("bank"))

    What the actor tells itself stays in its mailbox (`waiting`) until `run` or `advance`, or
    until something told after it is to be handled. All from one thread, and not from handlers.
    """

    def __init__(self, cls: type[Actor] | None = None, *args: Any, **kwargs: Any) -> None:
        self.effects: list[Effect] = []
        self.fakes: list[FakeRef] = []
        self.children: list[FakeRef] = []
        self._dispatcher = _Dispatcher(0)
        self._timers = _Timers(self, self._dispatcher)
        self._dispatcher.timers = self._timers
        self.system: ActorSystem = _System(self, self._dispatcher)
        self._dispatcher.run()
        self._lead: LocalRef | None = None
        self._actor: Actor | None = None
        self._crashes: list[Crash] = []
        self._queue = _Queue(self)
        self._until = 0  # so many of what ever came in are to be taken before the play rests
        self._is_playing = False
        self._is_outside = False  # what comes into the mailbox is the test's, not the actor's own
        self.system.on_crash(lambda _ref, crash, _text: self._crashes.append(crash))
        if cls is not None:
            self.start(cls, *args, **kwargs)

    def start(self, cls: type[Actor], *args: Any, **kwargs: Any) -> None:
        """Start the actor, `on_start` included; raises what either raises.

        Raises:
            RuntimeError: There is an actor on this stage already.
        """
        if self._lead is not None:
            msg = f"{self._lead} is on this stage already"
            raise RuntimeError(msg)
        self._lead = lead = ActorSystem.spawn(self.system, cls, *args, **kwargs)
        self._actor = lead._actor
        early = lead._queue
        lead._queue = self._queue
        for item in early:  # what it told itself in `__init__`
            lead._queue.append(item)
        lead.ended().on_settled(lambda ended: self.note(Ended(ended.result())))
        self._play(None)

    # -- playing ---------------------------------------------------------------------------

    def tell(self, message: Any) -> None:
        """Tell the actor `message`, and have it handled unless a handler waits for something.

        Raises:
            ActorDead: The actor has ended.
        """
        lead = self.lead
        if not lead.is_alive():
            raise lead.dead()
        self._from_outside(lambda: lead.tell(message))

    def call(self, message: Any) -> Any:
        """Call the actor and return its answer.

        Raises:
            AssertionError: Its handler waits; use `start_call`, then `answer` or `advance`.
            ActorDead: The actor has ended.
        """
        reply = self.start_call(message)
        if not reply.done():
            calls = [f"{ref} {shown(ref.calls)}" for ref in self.fakes if ref.calls]
            on_what = f"answers of {', '.join(calls)}" if calls else "time, or something unknown"
            raise AssertionError(
                f"{self.lead} has no answer to {shown(message)} yet: it waits for {on_what}"
            )
        return reply.result()

    def start_call(self, message: Any, timeout_s: float = CALL_TIMEOUT_S) -> Reply[Any]:
        """Call the actor, as `tell` tells it; the reply may be pending, and can expire."""
        replies: list[Reply[Any]] = []
        self._from_outside(lambda: replies.append(self.lead.call(message, timeout_s)))
        return replies[0]

    def stop(self, reason: object = NORMAL) -> None:
        """Have the actor end for `reason`, after all that waits."""
        self._from_outside(lambda: self.lead.stop(reason))

    def run(self) -> None:
        """Have all handled that waits, what the actor tells itself included; time stands still.

        Raises RuntimeError when it never comes to rest.
        """
        self.advance(0.0)

    def advance(self, seconds: float) -> None:
        """Let virtual time pass: timers fire, sleeps and calls expire, and all is handled."""
        self._refuse_handlers()
        self._play(self.now_s() + seconds)

    def ref(self, name: str | None = None, answer: Callable[[Any], Any] | None = None) -> FakeRef:
        """Make a fake, registered as `name` if one is given; it lives until `fake.end()`.

        `answer` gives the answer to each call at once; without it they wait for `fake.answer`.
        """
        fake = FakeRef(self, Fake, None, answer)
        if name is not None:
            self.system.names.register(name, fake)
        self.fakes.append(fake)
        return fake

    # -- looking ---------------------------------------------------------------------------

    @property
    def lead(self) -> LocalRef:
        """The ref of the actor; raises RuntimeError before `start`."""
        if self._lead is None:
            raise RuntimeError("nobody is on this stage yet: start an actor first")
        return self._lead

    @property
    def actor(self) -> Any:
        """The actor itself, to look at its state; also when it has ended."""
        assert self._actor is not None, "nobody is on this stage yet"
        return self._actor

    @property
    def reason(self) -> object:
        """Why the actor ended or is ending; None while it lives."""
        return self.lead._exit

    @property
    def is_waiting(self) -> bool:
        """Whether a handler awaits something, so that the mailbox is shut."""
        return self.lead._task is not None

    @property
    def waiting(self) -> list[Any]:
        """The messages in the mailbox that were not handled yet."""
        items = [item for item in self.lead._queue if not isinstance(item, Signal)]
        return [item.message if isinstance(item, Call) else item for item in items]

    @property
    def timers(self) -> list[Pending]:
        """The timers that were set and not cancelled or handled, the next first."""
        return self._timers.pending()

    @property
    def watched(self) -> list[LocalRef]:
        """The refs that the actor monitors, the oldest monitor first."""
        bonds = self.lead._bonds
        return [] if bonds is None else list(bonds.monitors.values())

    def now_s(self) -> float:
        """Return virtual time in seconds."""
        return self._dispatcher.now_s()

    def take_effects(self) -> list[Effect]:
        """Return what the actor did so far, and forget it."""
        effects, self.effects = self.effects, []
        return effects

    # -- for fakes and the stage's own runtime ---------------------------------------------

    def note(self, effect: Effect) -> None:
        """Keep what the actor did."""
        self.effects.append(effect)

    def act(self, deed: Callable[[], object]) -> None:
        """Do what comes from a fake and let the actor go on, unless it is at it already."""
        if self._is_playing:
            deed()
        else:
            self._from_outside(deed)

    def enters(self, item: Any) -> None:
        """Take note of what comes into the mailbox, before it is there."""
        if isinstance(item, Stop) and not self._is_outside:
            self.note(StopAsked(self.lead, item.reason))
        if isinstance(item, Signal) or self._is_outside:
            self._until = self._queue.came + 1
        elif isinstance(item, Call):
            self.note(Called(self.lead, item.message))
        else:
            self.note(Told(self.lead, item))

    def spawned(
        self, cls: type[Actor], recipe: tuple[Any, ...], parent: LocalRef | None
    ) -> LocalRef:
        """Make the fake that stands for a child; see `ActorSystem.spawn`."""
        _, args, kwargs, name, _ = recipe
        if parent is not None and not parent.is_alive():
            raise parent.dead()
        child = FakeRef(self, cls, parent)
        owner = None if parent is None else parent._actor
        if owner is not None:
            owner.adopt(child, recipe)
        try:
            if name is not None:
                self.system.names.register(name, child)
        except BaseException:
            if owner is not None:
                owner.disown(child)
            raise
        self.fakes.append(child)
        self.children.append(child)
        self.note(Spawned(child, cls, args, kwargs))
        return child

    def _from_outside(self, deed: Callable[[], object]) -> None:
        self._refuse_handlers()
        self._is_outside = True
        try:
            deed()
        finally:
            self._is_outside = False
        self._play(None)

    def _refuse_handlers(self) -> None:
        if self._is_playing:
            raise RuntimeError("the stage is played by the test, not by what is on it")

    def _play(self, until_s: float | None) -> None:
        self._is_playing = True
        try:
            self._dispatcher.run(self._is_at_rest if until_s is None else until_s, STEPS_MAX)
        finally:
            self._is_playing = False
        if self._crashes:
            crashes, self._crashes = self._crashes, []
            error = crashes[0].error
            for crash in crashes:
                error.add_note(crash.traceback)
            raise error

    def _is_at_rest(self) -> bool:
        # While this says no, something is ready: so time never leaps.
        if self._dispatcher._soon:
            return False
        if self._lead is None or self._lead._task is not None:
            return not self._dispatcher.run_queue
        queue = self._queue
        # What goes back to the front, put aside before, counts as not taken.
        return not queue or queue.came - len(queue) >= self._until


class _Dispatcher(SeededDispatcher):
    """Starts or resumes a handler in a step of its own, and leaves the mailbox for the next."""

    def drain(self, ref: LocalRef) -> int:
        if ref._task is None:
            return super().drain(ref)
        if self._go_on(ref):
            if ref._queue:
                self.run_queue.append(ref)
            else:
                ref._state = IDLE
        return 1


class _Queue(list[Any]):
    """A mailbox that tells its stage what comes in."""

    __slots__ = ("_stage", "came")

    def __init__(self, stage: SyncKit) -> None:
        super().__init__()
        self._stage = stage
        self.came = 0

    def append(self, item: Any) -> None:
        self._stage.enters(item)
        self.came += 1
        super().append(item)


class _Timers:
    """Virtual timers, those that an actor sets for itself noted."""

    def __init__(self, stage: SyncKit, dispatcher: SeededDispatcher) -> None:
        self._stage = stage
        self._now_s = dispatcher.now_s
        self._timers: Timers = dispatcher.timers
        self._due_s: dict[TimerMessage, float] = {}

    def add(self, timer: Timer, delay_s: float) -> None:
        if isinstance(timer, TimerMessage) and not timer.is_over:
            self._due_s[timer] = self._now_s() + max(0.0, delay_s)
            self._stage.note(TimerSet(delay_s, timer.message, timer.key))
        self._timers.add(timer, delay_s)

    def discard(self, timer: Timer) -> None:
        if isinstance(timer, TimerMessage) and not timer.is_over and timer.ref._limit:
            self._stage.note(TimerCancelled(timer.message, timer.key))
        self._timers.discard(timer)

    def pending(self) -> list[Pending]:
        now_s = self._now_s()
        self._due_s = {timer: due_s for timer, due_s in self._due_s.items() if not timer.is_over}
        waiting = sorted(self._due_s.items(), key=lambda item: item[1])
        return [Pending(max(0.0, due_s - now_s), t.message, t.key) for t, due_s in waiting]


class _System(ActorSystem):
    """A system in which only the stage can start a real actor."""

    def __init__(self, stage: SyncKit, dispatcher: SeededDispatcher) -> None:
        self._stage = stage
        super().__init__(dispatcher, rng=random.Random(0))

    def spawn(
        self,
        cls: type[Actor],
        *args: Any,
        name: str | None = None,
        dispatcher: Dispatcher | None = None,
        supervisor: LocalRef | None = None,
        **kwargs: Any,
    ) -> LocalRef:
        return self._stage.spawned(cls, (cls, args, kwargs, name, dispatcher), supervisor)
