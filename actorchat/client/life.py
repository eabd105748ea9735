"""Knows how a client comes to a connection, loses it, and ends.
Must not know what is said on it.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from actorchat.client.effect import Connect, Disconnect, Effect, Ended, Failed
from actorchat.client.event import Close, Lost, Opened, Start, State
from actorchat.client.incoming import Incoming
from actorchat.client.line import Line
from actorchat.client.mark import ReadMarks
from actorchat.client.outgoing import NEVER, SendQueue
from actorchat.client.request import Failures, Questions
from actorchat.client.signin import Identity
from actorchat.errors import ActorchatError, SessionEnded
from actorchat.limits import (
    CLIENT_TIMEOUT_S,
    CLIENT_UNSENT_MAX,
    CLIENT_WINDOW_SENDS,
    RECONNECT_CAP_S,
    REQUEST_ID_MAX,
)


class Options(Struct):
    """How a client behaves; `resume` is the last update that the application holds already."""

    window: int = CLIENT_WINDOW_SENDS
    unsent_max: int = CLIENT_UNSENT_MAX
    strict_order: bool = False
    timeout_s: float = CLIENT_TIMEOUT_S
    resume: int | None = None
    reconnect_cap_s: float = RECONNECT_CAP_S


class Life:
    """What a client has, and the part of its machine that sees to the connection."""

    __slots__ = (
        "_line",
        "_marks",
        "_out",
        "_questions",
        "_rid",
        "_sends",
        "_timeout_s",
        "_window_max",
        "error",
        "identity",
        "incoming",
    )

    def __init__(self, identity: Identity, options: Options, jitter: Callable[[], float]) -> None:
        self.identity = identity
        self.incoming = Incoming(options.resume)
        self.error: ActorchatError | None = None  # what ended it
        self._line = Line(jitter, options.reconnect_cap_s)
        self._sends = SendQueue(
            window=options.window,
            unsent_max=options.unsent_max,
            strict=options.strict_order,
            jitter=jitter,
        )
        self._questions = Questions(options.timeout_s)
        self._marks = ReadMarks()
        self._timeout_s = options.timeout_s
        self._window_max = options.window
        self._rid = 0
        self._out: list[Effect] = []

    @property
    def state(self) -> State:
        """Return where the client stands."""
        return self._line.state

    @property
    def is_expecting(self) -> bool:
        """Say whether an answer to a send or a question is to come."""
        return self._sends.size > 0 or len(self._questions) > 0

    @property
    def refused_max_s(self) -> float:
        """Return the longest time from a send's first refusal, or loss, to its answer."""
        return self._sends.refused_max_s

    def _ack(self) -> None:
        raise NotImplementedError

    # -- the connection ------------------------------------------------------------------------
    def _on_start(self, _: Start, now: float) -> None:
        if self._line.state is State.IDLE:
            self._connect(now)

    def _connect(self, now: float) -> None:
        self._line.connect(now)
        self._rid = 0
        self._out.append(Connect())

    def _on_opened(self, _: Opened, now: float) -> None:
        if self._line.state is State.CONNECTING:
            self._line.opened()
            self._out.append(self.identity.hello(self._next_rid(), self.incoming.taken))

    def _next_rid(self) -> int:
        self._rid = self._rid % REQUEST_ID_MAX + 1
        return self._rid

    def _on_lost(self, _: Lost, now: float) -> None:
        if self._line.is_up:
            self._wait(now)

    def _drop(
        self, now: float, reason: str, after_ms: int | None = None, retry: str = "reconnect"
    ) -> None:
        """Give up the connection and make another, not before `after_ms` are over."""
        self._out.append(Disconnect(reason, elsewhere=retry == "elsewhere"))
        self._wait(now, (after_ms or 0) / 1000)

    def _wait(self, now: float, after_s: float = 0.0) -> None:
        self._line.lost(now, after_s)
        self._sends.lost(now)
        self._fail(self._questions.lost())

    def _on_close(self, _: Close, now: float) -> None:
        if self._line.state is State.OPEN:
            self._ack()
        self._end(SessionEnded("closed", "the client was closed"), flush=True)

    def _end(self, error: ActorchatError, *, flush: bool = False) -> None:
        if self._line.is_up:
            self._out.append(Disconnect(str(error), flush))
        self._line.state = State.ENDED
        self.error = error
        unknown = error
        if error.outcome != "unknown":
            unknown = SessionEnded(error.code, f"unanswered when the session ended: {error}")
        for outgoing in self._sends.drain():
            never_sent = outgoing.sent_at == NEVER
            self._out.append(Failed(outgoing.key, error if never_sent else unknown))
        self._fail(self._questions.drain(error, unknown))
        self._out.append(Ended(error))

    def _fail(self, failures: Failures) -> None:
        self._out.extend(Failed(key, error) for key, error in failures)
