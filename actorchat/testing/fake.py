"""Knows refs behind which nobody is: they keep what they are sent, and answer what a test says.
Must not know who sends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from actorchat.actor import KILLED, NORMAL, Actor, LocalRef, Reply, lifecycle
from actorchat.actor import monitor as monitors
from actorchat.actor.mailbox import Signal, Stop
from actorchat.testing.expectation import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from actorchat.actor import ActorSystem


@dataclass(frozen=True, slots=True)
class Told:
    """The actor told `ref` a message; `ref` may be its own."""

    ref: LocalRef
    message: Any


@dataclass(frozen=True, slots=True)
class Called:
    """The actor called `ref`."""

    ref: LocalRef
    message: Any


@dataclass(frozen=True, slots=True)
class TimerSet:
    """The actor sends itself `message` in `delay_s` seconds; `key` is None for an unnamed one."""

    delay_s: float
    message: Any
    key: Hashable | None = None


@dataclass(frozen=True, slots=True)
class TimerCancelled:
    """The actor cancelled a timer, or set another with its key."""

    message: Any
    key: Hashable | None = None


@dataclass(frozen=True, slots=True)
class Spawned:
    """The actor started another: `ref` is a fake that stands for it."""

    ref: FakeRef
    cls: type[Actor]
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StopAsked:
    """The actor asked `ref` to stop for `reason`; "killed" stands for `ref.kill()`."""

    ref: LocalRef
    reason: object


@dataclass(frozen=True, slots=True)
class Ended:
    """The actor itself has ended."""

    reason: object


Effect = Told | Called | TimerSet | TimerCancelled | Spawned | StopAsked | Ended


class Stage(Protocol):
    """What a fake needs of where it stands."""

    system: ActorSystem

    def note(self, effect: Effect) -> None:
        """Keep what the actor did."""

    def act(self, deed: Callable[[], object]) -> None:
        """Do what comes from a fake, and let the actor go on."""


class Fake(Actor):
    """What a fake that stands for nothing in particular is a ref of; there is never one."""


class FakeRef(LocalRef):
    """A ref that keeps what it is sent in `told`, and whose calls wait for `answer`.

    It is made by a stage, is alive until `end`, and can be monitored, named and stopped like any
    other: a stop is kept as an effect, and the test decides whether and how it ends.

    Args:
        answer: Gives the answer to each call at once; what it raises is the call's error.
    """

    __slots__ = ("_answer", "_open", "_stage", "told")

    def __init__(
        self,
        stage: Stage,
        cls: type[Actor] = Fake,
        supervisor: LocalRef | None = None,
        answer: Callable[[Any], Any] | None = None,
    ) -> None:
        # Without a task it counts as started; without an actor nobody ever visits it.
        no_task: Any = None
        super().__init__(cls, stage.system, stage.system.dispatcher, supervisor, no_task)
        self._answer = answer
        self._open: list[tuple[Any, Reply[Any]]] = []
        self._stage = stage
        self.told: list[Any] = []

    # -- what the test does ----------------------------------------------------------------

    @property
    def calls(self) -> list[Any]:
        """The messages of the calls that wait for an answer, the oldest first."""
        return [message for message, reply in self._open if not reply.done()]

    def answer(self, value: Any = None, error: BaseException | None = None) -> None:
        """Answer the oldest open call, or let it fail with `error`; the caller goes on inline.

        Raises:
            AssertionError: No call waits for an answer.
        """
        self._open = [(message, reply) for message, reply in self._open if not reply.done()]
        if not self._open:
            raise AssertionError(f"no call waits for an answer of {self}; told: {shown(self.told)}")
        _, reply = self._open.pop(0)
        self._stage.act(lambda: reply.settle(value, error))

    def take(self) -> list[Any]:
        """Return what it was told so far, and forget it."""
        told, self.told = self.told, []
        return told

    def end(self, reason: object = NORMAL) -> None:
        """Let it be dead: calls fail, its supervisor and its watchers learn, inline."""
        if self._limit:
            self._stage.act(lambda: self._bury(reason))

    # -- what the actor does ---------------------------------------------------------------

    def tell(self, message: Any) -> None:
        """Keep `message`; as of a dead actor when it has ended, it is an effect all the same."""
        self._stage.note(Told(self, message))
        self.told.append(message)

    def kill(self) -> None:
        """End it, as a real one would be."""
        self._stage.note(StopAsked(self, KILLED))
        self._dispatcher.call_soon(self.end, KILLED)

    def spawn(self, cls: type[Actor], *args: Any, **kwargs: Any) -> LocalRef:
        """Start a child, as if this were a supervisor's ref."""
        return self._system.spawn(cls, *args, supervisor=self, **kwargs)

    def _ask(self, message: Any, reply: Reply[Any]) -> None:
        self._stage.note(Called(self, message))
        if not self._limit:
            reply.settle(None, self.dead())
        elif self._answer is None:
            self._open.append((message, reply))
        else:
            try:
                reply.settle(self._answer(message))
            except Exception as error:  # noqa: BLE001  # it is the call's, not the test's
                reply.settle(None, error)

    def _signal(self, signal: Signal) -> None:
        if isinstance(signal, Stop):
            self._stage.note(StopAsked(self, signal.reason))

    def _bury(self, reason: object) -> None:
        self._exit = reason
        lifecycle.withdraw(self)
        calls, self._open = self._open, []
        for _, reply in calls:
            reply.settle(None, self.dead())
        self._system.names.release(self)
        parent = None if self._supervisor is None else self._supervisor._actor
        if parent is not None:
            parent.child_ended(self, reason)
        ended = None if self._bonds is None else self._bonds.ended
        monitors.release(self._system, self)
        if ended is not None:
            ended.settle(reason)
