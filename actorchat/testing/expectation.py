"""Knows how what an actor was sent is compared with what a test expects of it, and how a
difference is told. Must not know who runs the actor or how time passes.
"""

from __future__ import annotations

import functools
import reprlib
import types
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from actorchat.actor import Down, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from actorchat.actor import LocalRef

ANY_REASON: Final = object()
SHOWN_MAX = 20  # items of a list in a failure's text
_FUNCTIONS = (
    types.FunctionType, types.MethodType, types.BuiltinFunctionType, functools.partial
)  # fmt: skip

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 200
_short.maxtuple = _short.maxlist = _short.maxset = _short.maxdict = 12


@dataclass(slots=True)
class Arrival:
    """A message as it came; `reply` is there if its sender waits for an answer."""

    at_s: float
    message: Any
    reply: Reply[Any] | None = None

    def __str__(self) -> str:
        call = "" if self.reply is None else "a call of "
        return f"{call}{shown(self.message)} (at {self.at_s:.3f} s)"


class Box:
    """What an actor was sent and nobody has taken yet; whose calls are open. One thread.

    Args:
        now_s: The time that arrivals are marked with, in seconds.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.waiting: deque[Arrival] = deque()
        self.open_calls: list[Arrival] = []
        self._now_s = now_s
        self._bell: Reply[None] | None = None

    def put(self, message: Any, reply: Reply[Any] | None = None) -> None:
        """Take in what has come, and wake whoever waits for it."""
        self.waiting.append(Arrival(self._now_s(), message, reply))
        bell, self._bell = self._bell, None
        if bell is not None:
            bell.settle(None)

    def take(self) -> Arrival:
        """Take the oldest out; a call is open from now on. Raises IndexError when empty."""
        arrival = self.waiting.popleft()
        if arrival.reply is not None:
            self.open_calls.append(arrival)
        return arrival

    def next_arrival(self) -> Reply[None]:
        """Return a reply that is settled at the next arrival; for one waiter at a time."""
        self._bell = Reply()
        return self._bell

    def abandon(self, error: Exception) -> None:
        """Let all calls, taken or not, end with `error`."""
        for arrival in [*self.open_calls, *self.waiting]:
            if arrival.reply is not None:
                arrival.reply.settle(None, error)
        self.open_calls.clear()


# -- matching ----------------------------------------------------------------------------------


def matches(wanted: Any, message: Any) -> bool:
    """Say whether `message` is as wanted.

    `wanted` is a type (an instance of it will do), a function (it decides; what it raises goes
    through) or else a value that must be equal.
    """
    if isinstance(wanted, type):
        return message is wanted or isinstance(message, wanted)
    if isinstance(wanted, _FUNCTIONS):
        return message is wanted or bool(wanted(message))
    return message is wanted or bool(wanted == message)


def shown(message: Any) -> str:
    """Return a text of bounded length for any object, even one whose repr fails."""
    return _short.repr(message)


def described(wanted: Any) -> str:
    """Return what `wanted` stands for, in words."""
    if isinstance(wanted, type):
        return f"an instance of {wanted.__qualname__}"
    if isinstance(wanted, _FUNCTIONS):
        code = getattr(wanted, "__code__", None)
        name = getattr(wanted, "__qualname__", repr(wanted)).rpartition("<locals>.")[2]
        if code is None:
            return f"what {name} accepts"
        file = code.co_filename.replace("\\", "/").rpartition("/")[2]
        return f"what {name} accepts ({file}, line {code.co_firstlineno})"
    return shown(wanted)


def listed(items: Iterable[object]) -> str:
    """Return the items in one line, at most `SHOWN_MAX` of them; "nothing" for none."""
    texts = [item if isinstance(item, str) else str(item) for item in items]
    more = len(texts) - SHOWN_MAX
    return ", ".join(texts[:SHOWN_MAX] + ([f"and {more} more"] if more > 0 else [])) or "nothing"


# -- what can be expected ----------------------------------------------------------------------


class Expectation(Protocol):
    """Something that is wanted of a box.

    `came` are the arrivals that it took out. A difference is no error here: whoever waits makes
    one of `wanted` and `came`.
    """

    came: list[Arrival]

    def __str__(self) -> str:
        """Return what is wanted, in words."""
        ...

    def look(self, box: Box) -> bool | None:
        """Take out what is needed: True when met, False when it can't be any more, else None."""
        ...

    def is_met_late(self) -> bool:
        """Say whether it is met by the mere passing of time."""
        ...

    def result(self) -> Any:
        """Return what was asked for, once it is met."""
        ...


class _Expectation:
    def __init__(self) -> None:
        self.came: list[Arrival] = []

    def is_met_late(self) -> bool:
        return False

    def result(self) -> Any:
        return self.came[-1].message


class Next(_Expectation):
    """The next message is as wanted."""

    def __init__(self, wanted: Any) -> None:
        super().__init__()
        self._wanted = wanted

    def __str__(self) -> str:
        return described(self._wanted)

    def look(self, box: Box) -> bool | None:
        """Judge the next message."""
        if not box.waiting:
            return None
        self.came.append(box.take())
        return matches(self._wanted, self.came[-1].message)


class Fished(_Expectation):
    """A message as wanted comes; those before it are let go."""

    def __init__(self, wanted: Any) -> None:
        super().__init__()
        self._wanted = wanted

    def __str__(self) -> str:
        return f"{described(self._wanted)} among others"

    def look(self, box: Box) -> bool | None:
        """Take messages out up to one as wanted."""
        while box.waiting:
            self.came.append(box.take())
            if matches(self._wanted, self.came[-1].message):
                return True
        return None


class Count(_Expectation):
    """So many messages come, whatever they are."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def __str__(self) -> str:
        return f"{self._count} message{'' if self._count == 1 else 's'}"

    def look(self, box: Box) -> bool | None:
        """Take out as many as are missing."""
        while box.waiting and len(self.came) < self._count:
            self.came.append(box.take())
        return True if len(self.came) == self._count else None

    def result(self) -> list[Any]:
        """Return the messages, in the order in which they came."""
        return [arrival.message for arrival in self.came]


class Silence(_Expectation):
    """No message comes."""

    def __str__(self) -> str:
        return "no message"

    def look(self, box: Box) -> bool | None:
        """Take out what ought not to be there."""
        if not box.waiting:
            return None
        self.came.append(box.take())
        return False

    def is_met_late(self) -> bool:
        """Say yes: nothing has come."""
        return True

    def result(self) -> None:
        """Return nothing."""


class AllOf(_Expectation):
    """The next messages are the wanted ones, each once, in any order.

    Wants may overlap (a type and one of its values), so that each arrival may move others to
    another want: an augmenting path of a bipartite matching.
    """

    def __init__(self, wanted: Sequence[Any]) -> None:
        super().__init__()
        self._wanted = wanted
        self._holder: dict[int, int] = {}  # the want's index -> that of what came

    def __str__(self) -> str:
        return f"in any order: {listed(described(wanted) for wanted in self._wanted)}"

    def look(self, box: Box) -> bool | None:
        """Take out as many as are missing, up to one that fits nowhere."""
        while box.waiting and len(self.came) < len(self._wanted):
            self.came.append(box.take())
            if not self._place(len(self.came) - 1, set()):
                return False
        return True if len(self.came) == len(self._wanted) else None

    def result(self) -> list[Any]:
        """Return the messages, in the order in which they were wanted."""
        return [self.came[self._holder[index]].message for index in range(len(self._wanted))]

    def _place(self, came: int, tried: set[int]) -> bool:
        for index, wanted in enumerate(self._wanted):
            if index in tried or not matches(wanted, self.came[came].message):
                continue
            tried.add(index)
            holder = self._holder.get(index)
            if holder is None or self._place(holder, tried):
                self._holder[index] = came
                return True
        return False


class Ended(_Expectation):
    """The next message is the Down of an actor."""

    def __init__(self, ref: LocalRef, reason: Any = ANY_REASON) -> None:
        super().__init__()
        self._ref = ref
        self._reason = reason

    def __str__(self) -> str:
        why = "" if self._reason is ANY_REASON else f" for {described(self._reason)}"
        return f"the Down of {self._ref}{why}"

    def look(self, box: Box) -> bool | None:
        """Judge the next message."""
        if not box.waiting:
            return None
        self.came.append(box.take())
        down = self.came[-1].message
        if not isinstance(down, Down) or down.ref is not self._ref:
            return False
        return self._reason is ANY_REASON or matches(self._reason, down.reason)


def failure(
    who: str, expectation: Expectation, within_s: float, box: Box, origin: str
) -> AssertionError:
    """Make the error of an expectation that is not met.

    Args:
        who: Whose expectation it is.
        within_s: How long it waited, in seconds.
        origin: How to see the same again; may be empty.
    """
    lines = [
        f"{who} expected {expectation} within {within_s:g} s",
        f"  came instead: {listed(expectation.came)}",
        f"  left in the mailbox: {listed(box.waiting)}",
    ]
    return AssertionError("\n".join([*lines, f"  {origin}"] if origin else lines))
