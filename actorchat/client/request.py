"""Knows which questions are open, and which may be repeated. Must not know the answers."""

from __future__ import annotations

from msgspec import Struct

from actorchat.client.event import Request
from actorchat.errors import ActorchatError, CallTimeout, ConnectionLost
from actorchat.protocol.ops import Bot, Hook, Invitation, Password, Provision


class Question(Struct):
    """A request on its way; `rid` is None while it waits for a connection."""

    key: object
    request: Request
    asked_at: float
    rid: int | None = None


Failures = list[tuple[object, ActorchatError]]


class Questions:
    """The open questions, oldest first; all have the same time to be answered."""

    __slots__ = ("_by_rid", "_open", "_timeout_s")

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._open: dict[int, Question] = {}  # by identity, in the order of asking
        self._by_rid: dict[int, Question] = {}

    def __len__(self) -> int:
        return len(self._open)

    def ask(self, key: object, request: Request, now: float) -> None:
        """Take a question; `unsent` gives it out."""
        question = Question(key, request, now)
        self._open[id(question)] = question

    def unsent(self) -> list[Question]:
        """Return those that are to go out, oldest first; tell `sent` for each."""
        if len(self._by_rid) == len(self._open):
            return []
        return [question for question in self._open.values() if question.rid is None]

    def sent(self, question: Question, rid: int) -> None:
        """Note that `question` went out as request `rid`."""
        question.rid = question.request.id = rid
        self._by_rid[rid] = question

    def answered(self, rid: int) -> Question | None:
        """Take out the question that request `rid` was."""
        question = self._by_rid.pop(rid, None)
        if question is not None:
            del self._open[id(question)]
        return question

    def lost(self) -> Failures:
        """Note that the connection went; return those that must not be asked again.

        A page of history, a count, a token made void: asking twice changes nothing. Provisioning
        twice would refuse an account just made, or replace a token just given out; a password just
        changed is not the old one any more.
        """
        self._by_rid.clear()
        failures: Failures = []
        for question in list(self._open.values()):
            if question.rid is None:
                continue
            question.rid = None
            if isinstance(question.request, Provision | Password | Bot | Hook | Invitation):
                del self._open[id(question)]
                error = ConnectionLost("the connection went before the answer came")
                failures.append((question.key, error))
        return failures

    def deadline(self) -> float | None:
        """Return when the oldest question's time is up."""
        for question in self._open.values():
            return question.asked_at + self._timeout_s
        return None

    def expire(self, now: float) -> Failures:
        """Take out those whose time is up."""
        failures: Failures = []
        while (deadline := self.deadline()) is not None and deadline <= now:
            question = self._open.pop(next(iter(self._open)))
            if question.rid is not None:
                del self._by_rid[question.rid]
            failures.append((question.key, CallTimeout(f"no answer in {self._timeout_s:g} s")))
        return failures

    def drain(self, unsent: ActorchatError, sent: ActorchatError) -> Failures:
        """Take out everything; those that went out fail with `sent`, the others with `unsent`."""
        failures: Failures = [
            (question.key, unsent if question.rid is None else sent)
            for question in self._open.values()
        ]
        self._open.clear()
        self._by_rid.clear()
        return failures
