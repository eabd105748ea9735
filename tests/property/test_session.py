"""Whatever a client and the inside tell a session, it keeps to its states and answers once."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from actorchat.chat.effect import CheckSecret, Hangup, MakeAccount, Pong, Stop
from actorchat.chat.event import (
    Accepted,
    Answer,
    Attached,
    Disconnected,
    Ended,
    HomeLost,
    Marked,
    Refused,
    SignedIn,
    SignedInOperator,
    SignInRefused,
    Update,
)
from actorchat.chat.session import Session, State
from actorchat.limits import PROTOCOL_VERSION
from actorchat.protocol.ops import (
    Ack,
    Actors,
    Hello,
    History,
    Invalid,
    Mark,
    Ping,
    Privacy,
    Provision,
    Revoke,
    Send,
    Signal,
    SignUp,
    Status,
    Unwatch,
    Watch,
)

OPS = {
    "send": lambda rid: Send(rid, "bob", bytes(16), "hi"),
    "history": lambda rid: History(rid, "bob"),
    "watch": lambda rid: Watch(rid, ["bob"]),
    "unwatch": lambda rid: Unwatch(["bob"]),
    "signal": lambda rid: Signal("bob", "typing"),
    "privacy": Privacy,
    "revoke": lambda rid: Revoke(rid, "phone"),
    "provision": lambda rid: Provision(rid, "eve"),
    "status": Status,
    "actors": lambda rid: Actors(rid, "top"),
    "invalid": lambda rid: Invalid(rid, "bad_request", "no"),
    "invalid without id": lambda rid: Invalid(None, "bad_request", "no"),
    "hello": lambda rid: Hello(rid, PROTOCOL_VERSION, "ann", "phone", "token", "t"),
    "old hello": lambda rid: Hello(rid, PROTOCOL_VERSION - 1, "ann", "phone", "token", "t"),
    "sign up": lambda rid: SignUp(rid, PROTOCOL_VERSION, "ann", "phone", "password"),
    "ping": lambda rid: Ping(),
    "quiet ping": lambda rid: Ping(noreply=True),
    "ack": Ack,
    "mark": lambda rid: Mark("bob", rid),
}
EVENTS = {
    "signed in": lambda: SignedIn("ann", "phone"),
    "operator": SignedInOperator,
    "wrong secret": lambda: SignInRefused("unauthenticated", "wrong"),
    "attached": lambda: Attached(3, 2),
    "home lost": HomeLost,
    "update": lambda: Update(b""),
    "marked": lambda: Marked("bob", "bob", 1, 1),
    "ended": lambda: Ended("drain", "now"),
    "disconnected": lambda: Disconnected("eof"),
}
ANSWERS = {
    "accepted": lambda rid: Accepted(rid, 1, 1),
    "answer": lambda rid: Answer(rid, {}),
    "refused": lambda rid: Refused(rid, "busy", "later"),
}
SIGNED_IN = (State.OPEN, State.OPERATOR)
WAYS_IN = (CheckSecret, MakeAccount)
# Ways in come often enough that most plays get somewhere.
WAYS = [
    [],
    ["hello"],
    ["hello", "signed in"],
    ["hello", "signed in", "attached"],
    ["hello", "operator"],
    ["sign up", "signed in", "attached"],
]
steps = st.lists(st.sampled_from([*OPS, *EVENTS, *ANSWERS]), max_size=40)


def answered(effect: object) -> int | None:
    """Return which request an effect answers, if any: welcomes, refusals and results."""
    return getattr(effect, "rid", None)


@given(st.sampled_from(WAYS), steps)
def test_any_session_answers_once_and_only_whom_it_knows(way: list[str], then: list[str]) -> None:
    session = Session()
    answers: Counter[int] = Counter()
    passed_on: list[int] = []  # requests that the inside has still to answer
    hellos: set[int] = set()
    for rid, step in enumerate([*way, *then], 1):
        before = session.state
        if step in ANSWERS:
            if not passed_on:
                continue
            event = ANSWERS[step](passed_on.pop(0))
        else:
            event = OPS[step](rid) if step in OPS else EVENTS[step]()
        effects = session.handle(event, 0)
        answers.update(a for effect in effects if (a := answered(effect)) is not None)
        if step in OPS:
            if before not in SIGNED_IN:
                allowed = (Refused, *WAYS_IN, Pong, Hangup)
                assert all(isinstance(effect, allowed) for effect in effects)
            if before is not State.NEW:
                assert not any(isinstance(effect, WAYS_IN) for effect in effects)
            if getattr(event, "id", None) is not None:
                went_on = effects == [event] or any(type(one) in WAYS_IN for one in effects)
                assert answers[event.id] == (0 if went_on or before is State.CLOSED else 1)
                if effects == [event]:
                    passed_on.append(rid)
                elif went_on:
                    hellos.add(rid)
        if before is State.CLOSED:
            assert session.state is State.CLOSED
            assert all(isinstance(effect, Stop) for effect in effects)
        if session.state in SIGNED_IN and before not in SIGNED_IN:
            assert hellos and answers[max(hellos)] == 1
    assert len(hellos) <= 1
    assert all(count == 1 for count in answers.values())
