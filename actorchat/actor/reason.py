"""Knows why actors end. Must not know how they run or who is told."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Final

from actorchat import limits

NORMAL: Final = "normal"
SHUTDOWN: Final = "shutdown"
KILLED: Final = "killed"
NOPROC: Final = "noproc"


@dataclass(frozen=True, slots=True, eq=False)
class Crash:
    """An exception that a handler let out.

    `error` has lost its traceback (it would keep frames, and all they hold, alive); the
    traceback is kept as text of at most `limits.TRACEBACK_CHARS_MAX` characters.
    """

    error: BaseException
    traceback: str

    def __str__(self) -> str:
        return f"{type(self.error).__name__}: {self.error}"

    @classmethod
    def of(cls, error: BaseException) -> Crash:
        """Make a crash of a caught exception; strips its traceback."""
        text = "".join(traceback.format_exception(error))
        if len(text) > limits.TRACEBACK_CHARS_MAX:
            # The innermost frames and the error itself stand at the end: keep those.
            text = "…" + text[1 - limits.TRACEBACK_CHARS_MAX :]
        seen: set[int] = set()
        link: BaseException | None = error
        while link is not None and id(link) not in seen:
            seen.add(id(link))
            link.__traceback__ = None
            link = link.__cause__ or link.__context__
        return cls(error, text)


@dataclass(frozen=True, slots=True)
class Escalated:
    """A supervisor gave up: `child` failed to start or was restarted too often."""

    child: str
    cause: object

    def __str__(self) -> str:
        return f"child {self.child!r} gave up: {self.cause}"


def is_abnormal(reason: object) -> bool:
    """Say whether a transient child that ended for `reason` is to be restarted."""
    return not (isinstance(reason, str) and reason in {NORMAL, SHUTDOWN})
