"""Open questions: their time, and what a lost connection means to them."""

from __future__ import annotations

from actorchat.client.request import Questions
from actorchat.errors import CallTimeout, ConnectionLost, SessionEnded
from actorchat.protocol import ops


def put(questions: Questions, first_rid: int) -> None:
    for rid, question in enumerate(questions.unsent(), first_rid):
        questions.sent(question, rid)


def test_questions_go_out_once_on_a_connection_with_the_id_they_are_given() -> None:
    questions = Questions(10.0)
    questions.ask("a", ops.Status(0), 0.0)
    put(questions, 7)
    assert questions.unsent() == []
    answered = questions.answered(7)
    assert answered is not None
    assert (answered.key, answered.request) == ("a", ops.Status(7))
    assert questions.answered(7) is None
    assert len(questions) == 0


def test_a_lost_connection_fails_only_what_must_not_be_repeated() -> None:
    questions = Questions(10.0)
    questions.ask("a", ops.Provision(0, "eve"), 0.0)
    questions.ask("b", ops.Revoke(0, "phone"), 0.0)
    put(questions, 1)
    questions.ask("c", ops.Provision(0, "eve"), 0.0)
    ((key, error),) = questions.lost()
    assert key == "a"
    assert isinstance(error, ConnectionLost)
    assert [question.key for question in questions.unsent()] == ["b", "c"]


def test_a_question_fails_when_its_time_is_up_sent_or_not() -> None:
    questions = Questions(10.0)
    questions.ask("a", ops.Status(0), 0.0)
    put(questions, 1)
    questions.ask("b", ops.Status(0), 1.0)
    assert questions.deadline() == 10.0
    assert [key for key, _ in questions.expire(10.0)] == ["a"]
    assert questions.answered(1) is None
    ((key, error),) = questions.expire(11.0)
    assert key == "b"
    assert isinstance(error, CallTimeout)
    assert questions.deadline() is None


def test_draining_tells_what_went_out_from_what_did_not() -> None:
    questions = Questions(10.0)
    questions.ask("a", ops.Status(0), 0.0)
    put(questions, 1)
    questions.ask("b", ops.Status(0), 0.0)
    unsent, sent = CallTimeout("x"), SessionEnded("y", "y")
    assert questions.drain(unsent, sent) == [("a", sent), ("b", unsent)]
    assert len(questions) == 0
