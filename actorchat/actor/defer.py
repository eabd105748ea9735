"""Knows how a call is answered after its handler has returned. Must not know why it takes long.

After OTP's `gen_server:reply/2`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actorchat.actor.future import Reply

if TYPE_CHECKING:
    from collections.abc import MutableSet


class ReplyTo:
    """The right to answer one call, to be kept or passed on. Safe from any thread.

    The first answer counts. One that comes after the deadline, after the end of the actor that
    put it off, or for a message that was told and not called, is dropped.
    """

    __slots__ = ("_answer",)

    def __init__(self) -> None:
        self._answer: Reply[Any] = Reply()

    def reply(self, value: Any = None) -> bool:
        """Answer; False if nobody waits (any more)."""
        return self._answer.settle(value)

    def fail(self, error: BaseException) -> bool:
        """Have `error` raised where the call is awaited; False if nobody waits (any more).

        Raises:
            TypeError: `error` is no exception.
        """
        if not isinstance(error, BaseException):
            msg = f"a call fails with an exception, not with {error!r}"  # type: ignore[unreachable]
            raise TypeError(msg)
        return self._answer.settle(None, error)

    def is_waiting(self) -> bool:
        """Say whether an answer would still be taken; from another thread it may be late."""
        return not self._answer.done()

    # -- for the runtime -------------------------------------------------------------------

    def bind(self, owed: MutableSet[ReplyTo], reply: Reply[Any] | None) -> None:
        """Say whose answer it is; None where nobody waits. `owed` has it until it is given."""
        answer = self._answer
        if reply is None:
            answer.settle()
            return
        reply.is_deferred = True
        owed.add(self)

        def over(_settled: Reply[Any]) -> None:  # answered, or the caller waits no more
            owed.discard(self)
            answer.settle()

        reply.on_settled(over)
        answer.on_settled(lambda given: reply.settle(given._value, given._error))
