"""Knows how a pure machine is played: an event in, exactly these effects out.
Must not know any machine, event or effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import ndiff
from typing import Any, Protocol


class Machine(Protocol):
    """What can be played."""

    def handle(self, event: Any, now: int, /) -> Sequence[object]:
        """Take `event` in; return what must be done, in this order."""
        ...


class Playbook:
    """Plays events to a machine: `assert Playbook(machine) >> event << effect << effect`.

    The effects of an event must be exactly those that follow it, in their order; none, where none
    follows. They are compared at the next event and at the end, which is `done()` or, in an
    `assert`, the truth of the play.

    Args:
        machine: What is played; the caller may look at it between events.
        now: The time that the machine is shown, in its own unit; may be set between events.

    Raises:
        AssertionError: With a diff, where the effects are others than expected.
    """

    def __init__(self, machine: Machine, now: int = 0) -> None:
        self.machine = machine
        self.now = now
        self._event: object = None
        self._found: list[object] = []
        self._expected: list[object] = []

    def __rshift__(self, event: object) -> Playbook:
        """Compare what the last event led to, and play the next."""
        self.done()
        self._event = event
        self._found, self._expected = list(self.machine.handle(event, self.now)), []
        return self

    def __lshift__(self, effect: object) -> Playbook:
        """Expect `effect` next."""
        self._expected.append(effect)
        return self

    def __bool__(self) -> bool:
        """Return True, having compared what the last event led to."""
        self.done()
        return True

    def done(self) -> None:
        """Compare what the last event led to with what was expected of it."""
        if self._found != self._expected:
            lines = ndiff([repr(e) for e in self._expected], [repr(e) for e in self._found])
            diff = "\n".join(f"  {line.rstrip()}" for line in lines)
            raise AssertionError(f"after {self._event!r} (- expected, + found):\n{diff}")
