"""Whoever asked something that reaches nobody is told so; of hints nobody hears."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker.turned_away import turn_away
from actorchat.chat.concealing import Conceal, Concealed
from actorchat.chat.event import (
    Acked,
    Attach,
    Deliver,
    Ended,
    Fetch,
    Post,
    Refused,
    SignInRefused,
)
from actorchat.chat.moderating import BotWanted, Moderate, Moderated
from actorchat.chat.people import Asked
from actorchat.chat.reservation import InvitationWanted
from actorchat.chat.signin_event import Attempt, Enrolment, Revocation
from actorchat.protocol import ops
from tests.unit.chat.cast import Peer

REFUSED = Refused(7, "unavailable", "why", "after", "none", 1_000)


@pytest.mark.parametrize(
    ("make", "answer"),
    [
        (lambda s: Post("ann", s, 7, b"", "hi"), REFUSED),
        (lambda s: Fetch("ann", s, 7, 0, None, 10), REFUSED),
        (lambda s: Revocation(s, 7, "ann", "phone"), REFUSED),
        (lambda s: Conceal("ann", [1], s, 7), REFUSED),
        (
            lambda s: Concealed(("ann", "bob"), [1], s, 7),
            Refused(7, "unavailable", "why", "after", "unknown", 1_000),
        ),
        (lambda s: Moderate("robot", s, 7, b"", "#a", [1]), REFUSED),
        (lambda s: Moderated("robot", s, 7, b"", "#a", [1]), REFUSED),
        (lambda s: BotWanted(s, ops.Bot(7, "robot", "main", [])), REFUSED),
        (lambda s: InvitationWanted(s, ops.Invitation(7, "add", "c" * 16)), REFUSED),
        (
            lambda s: Enrolment(s, "ann", "phone", "password"),
            SignInRefused("unavailable", "why", "after", 1_000),
        ),
        (lambda s: Asked(s, "ann", "phone", ops.Devices(7)), REFUSED),
        (
            lambda s: Attempt(s, "ann", "phone", "token", "secret"),
            SignInRefused("unavailable", "why", "after", 1_000),
        ),
        (lambda s: Attach("phone", s), Ended("drain", "after")),
    ],
)
def test_who_asks_is_answered(make: Any, answer: object) -> None:
    session = Peer("session")
    turn_away(make(session), "unavailable", "why")
    assert session.told == [answer]


def test_hints_are_left() -> None:
    session = Peer("session")
    turn_away(Acked("phone", 1), "unavailable", "why")
    turn_away(Deliver(("ann", "bob"), b"", session, 1, 0, b""), "unavailable", "why")
    assert session.told == []
