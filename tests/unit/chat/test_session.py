"""What a session accepts in which state, and how it ends."""

from __future__ import annotations

import pytest

from actorchat.chat.afar import NodeLost, TableTurned
from actorchat.chat.effect import (
    Admit,
    AttachHome,
    CheckSecret,
    ConfirmCompany,
    DetachHome,
    Hangup,
    MakeAccount,
    Pong,
    Stop,
    Welcome,
)
from actorchat.chat.event import (
    Accepted,
    Answer,
    Attached,
    Company,
    Disconnected,
    Ended,
    HomeLost,
    Marked,
    Page,
    Refused,
    SignedIn,
    SignedInOperator,
    SignInRefused,
    Update,
)
from actorchat.chat.session import Session, State
from actorchat.chat.sighting import (
    LevelChanged,
    PushDue,
    Sighted,
    SignalSeen,
    TrackerLost,
    Watched,
)
from actorchat.limits import PROTOCOL_VERSION
from actorchat.protocol.ops import (
    CLIENT_OPS,
    Ack,
    Actors,
    Block,
    Blocks,
    Bot,
    Change,
    Contact,
    Contacts,
    Conversations,
    Delete,
    DeleteAccount,
    Describe,
    Devices,
    Download,
    DropFile,
    Edit,
    Events,
    Files,
    Flag,
    Group,
    Groups,
    Hello,
    History,
    Hook,
    Hooks,
    Invalid,
    Invitation,
    Invitations,
    Locate,
    Mark,
    Password,
    Ping,
    PresenceState,
    Privacy,
    Profile,
    Provision,
    React,
    Receipts,
    Refresh,
    Rename,
    Revoke,
    Search,
    Send,
    Signal,
    SignUp,
    Status,
    Unwatch,
    Upload,
    Watch,
    Whereis,
)
from actorchat.protocol.ops.group import Leave
from actorchat.testing.playbook import Playbook
from tests.unit.chat.cast import cid

HELLO = Hello(1, PROTOCOL_VERSION, "ann", "phone", "token", "secret", resume=7)
CHECK = CheckSecret("ann", "phone", "token", "secret")
USER_OPS = [
    Send(2, "bob", cid(1), "hi"),
    Change(3, "#" + "A" * 22, cid(1), Leave()),
    Edit(3, "bob", cid(1), 1, "ho"),
    Delete(3, "bob", cid(1), [1]),
    React(3, "bob", cid(1), 1, "x"),
    Group(3, "#" + "A" * 22),
    Receipts(3, "#" + "A" * 22),
    History(3, "bob"),
    Revoke(4, "laptop"),
    Ack(5),
    Mark("bob", 6),
    Watch(7, ["bob"]),
    Unwatch(["bob"]),
    Signal("bob", "typing"),
    Privacy(8, "nobody"),
    Devices(7),
    Profile(7, "bob"),
    Describe(7, "Ann"),
    Contact(7, "bob"),
    Block(7, "eve"),
    Blocks(7),
    Groups(7),
    DeleteAccount(7, "secret"),
    Contacts(7),
    Password(7, "old", "new"),
    Rename(7, "phone", "x"),
    Conversations(7),
    Flag(7, "bob"),
    Upload(7, bytes(32), 1, "a/b"),
    Download(7, bytes(32)),
    Files(7),
    DropFile(7, bytes(32)),
    Events(7),
    Groups(7),
    Search(7, "word"),
    Refresh(7, "token"),
]
FIREHOSE_FOR_OPERATORS = [Bot(8, "robot", "main", []), Hook(8, "a", "test"), Hooks(8)]
INVITATIONS = [Invitation(9, "add", "c" * 16), Invitations(9)]
OPERATOR_OPS = [
    *(Provision(5, "eve"), Status(6), Actors(7, "tree"), Whereis(8, "eve")),
    *FIREHOSE_FOR_OPERATORS,
    *INVITATIONS,
]
ANSWERS = [Answer(3, {}), Refused(4, "busy", "later")]
DELIVERIES = [
    Accepted(2, 1, 5),
    Page(3, [], 0, False, {}),
    Update(b"update"),
    Marked("bob", "bob", 1, 0),
    Watched(3, None, []),
    Sighted([PresenceState("bob", True)]),
    SignalSeen("bob", "typing"),
    LevelChanged("nobody"),
    TrackerLost(3),
    PushDue(),
]
SIGN_IN_EVENTS = [
    SignedIn("ann", "phone"),
    SignedInOperator(),
    SignInRefused("unauthenticated", "wrong"),
]
BEFORE_SIGN_IN = (State.NEW, State.CHECKING, State.ATTACHING)


def at(state: State, token: str | None = None) -> Playbook:
    """Return a play that stands in `state`."""
    play = Playbook(Session())
    if state is State.NEW:
        return play
    if state is State.CLOSED:
        return at(State.OPEN, token) >> Ended("drain", "now") << Hangup("drain", "now")
    play = play >> HELLO << CHECK
    if state is State.CHECKING:
        return play
    if state is State.OPERATOR:
        return play >> SignedInOperator() << Admit() << Welcome(1, "", "", None, 0, 0)
    play = play >> SignedIn("ann", "phone", token) << AttachHome("ann", "phone", 7)
    if state is State.ATTACHING:
        return play
    play = play >> Attached(9, 7) << Admit()
    return play << Welcome(1, "ann", "phone", token, 9, 7)


def refusal(op: object, state: State) -> Refused:
    if state in BEFORE_SIGN_IN:
        return Refused(op.id, "unauthenticated", "sign in first", "reconnect")
    if type(op) in {type(one) for one in OPERATOR_OPS}:
        return Refused(op.id, "forbidden", "for operators only")
    name = type(op).__name__.lower()
    return Refused(op.id, "unexpected_op", f"{name} is not allowed here")


@pytest.mark.parametrize("state", State)
def test_each_state_is_reached(state: State) -> None:
    play = at(state)
    assert play
    assert play.machine.state is state


# -- signing in --------------------------------------------------------------------------------
def test_token_of_a_sign_in_by_password_is_shown_in_the_welcome() -> None:
    play = at(State.OPEN, token="fresh")
    assert play
    assert (play.machine.user, play.machine.device) == ("ann", "phone")


def test_sign_up_is_a_sign_in_of_another_kind() -> None:
    sign_up = SignUp(1, PROTOCOL_VERSION, "ann", "phone", "password", "code")
    play = Playbook(Session()) >> sign_up << MakeAccount("ann", "phone", "password", "code")
    play = play >> SignedIn("ann", "phone", "t", (5, 5)) << AttachHome("ann", "phone", None)
    assert play >> Attached(0, 0) << Admit() << Welcome(1, "ann", "phone", "t", 0, 0, False, (5, 5))
    old = SignUp(1, PROTOCOL_VERSION + 1, "ann", "phone", "password")
    assert (at(State.NEW) >> old).machine.state is State.CLOSED


@pytest.mark.parametrize("state", [state for state in State if state is not State.NEW])
def test_nobody_signs_up_in_the_middle_of_a_session(state: State) -> None:
    sign_up = SignUp(1, PROTOCOL_VERSION, "ann", "phone", "password")
    play = at(state) >> sign_up
    assert play if state is State.CLOSED else play << refusal(sign_up, state)
    assert play.machine.state is state


def test_other_version_is_refused_and_hung_up() -> None:
    hello = Hello(1, PROTOCOL_VERSION + 1, "ann", "phone", "token", "secret")
    reason = f"this server speaks version {PROTOCOL_VERSION}, not {PROTOCOL_VERSION + 1}"
    play = at(State.NEW) >> hello << Refused(1, "version", reason) << Hangup("protocol", "never")
    assert play
    assert play.machine.state is State.CLOSED


def test_wrong_secret_is_refused_and_closed_without_a_word() -> None:
    wrong = SignInRefused("rate_limited", "too often", "after", 500)
    refused = Refused(1, "rate_limited", "too often", "after", "none", 500)
    play = at(State.CHECKING) >> wrong << refused << Hangup("", "never")
    assert play
    assert play.machine.state is State.CLOSED


@pytest.mark.parametrize("state", [state for state in State if state is not State.NEW])
def test_second_hello_is_refused(state: State) -> None:
    play = at(state) >> HELLO
    assert play if state is State.CLOSED else play << refusal(HELLO, state)
    assert play.machine.state is state


def test_home_lost_while_attaching_is_attached_again() -> None:
    play = at(State.ATTACHING) >> HomeLost() << AttachHome("ann", "phone", 7)
    assert play >> Attached(9, 5) << Admit() << Welcome(1, "ann", "phone", None, 9, 5)


@pytest.mark.parametrize("has_company", [False, True])
def test_company_is_taken_from_the_home(has_company: bool) -> None:
    play = at(State.OPEN)
    assert not play.machine.has_company
    assert play >> Attached(9, 7, has_company)
    assert play.machine.has_company is has_company


def test_company_that_comes_is_confirmed_and_what_goes_is_noted() -> None:
    play = at(State.OPEN) >> Company(True) << ConfirmCompany()
    assert play
    assert play.machine.has_company
    assert play >> Company(False)
    assert not play.machine.has_company


# -- ops ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("op", USER_OPS, ids=lambda op: type(op).__name__)
@pytest.mark.parametrize("state", State)
def test_user_ops_pass_only_when_signed_in(op: object, state: State) -> None:
    play = at(state) >> op
    if state is State.OPEN:
        play = play << op
    elif hasattr(op, "id") and state is not State.CLOSED:
        play = play << refusal(op, state)
    assert play
    assert play.machine.state is state


@pytest.mark.parametrize("state", State)
def test_anybody_may_ask_for_the_best_node_unless_it_is_being_signed_in(state: State) -> None:
    op = Locate(9, "eve")
    play = at(state) >> op
    if state in (State.NEW, State.OPEN, State.OPERATOR):
        play = play << op
    elif state is not State.CLOSED:
        play = play << refusal(op, state)
    assert play
    assert play.machine.state is state


@pytest.mark.parametrize("op", OPERATOR_OPS, ids=lambda op: type(op).__name__)
@pytest.mark.parametrize("state", State)
def test_operator_ops_pass_only_for_the_operator(op: object, state: State) -> None:
    play = at(state) >> op
    if state is not State.CLOSED:
        play = play << (op if state is State.OPERATOR else refusal(op, state))
    assert play


@pytest.mark.parametrize("state", State)
def test_ping_is_answered_between_hello_and_the_end(state: State) -> None:
    play = at(state) >> Ping()
    assert play if state in (State.NEW, State.CLOSED) else play << Pong()


@pytest.mark.parametrize("state", State)
def test_ping_that_wants_no_reply_gets_none(state: State) -> None:
    assert at(state) >> Ping(noreply=True)


@pytest.mark.parametrize("rid", [3, None])
@pytest.mark.parametrize("state", [state for state in State if state is not State.CLOSED])
def test_invalid_op_is_refused_for_its_own_reason(state: State, rid: int | None) -> None:
    refused = Refused(rid, "unknown_op", "no such op")
    play = at(state) >> Invalid(rid, "unknown_op", "no such op") << refused
    assert play
    assert play.machine.state is state


@pytest.mark.parametrize("state", State)
def test_what_is_said_to_pass_is_what_is_only_returned(state: State) -> None:
    machine = at(state).machine
    known = [*USER_OPS, *OPERATOR_OPS, *ANSWERS, *DELIVERIES]
    known += [NodeLost("b"), TableTurned(), Locate(9, "eve")]
    returned = {type(e) for e in known if at(state).machine.handle(e, 0) == [e]}
    assert machine.passed == returned


def test_every_op_of_the_protocol_is_accepted_somewhere() -> None:
    accepted = {kind for table in Session.ACCEPTS.values() for kind in table}
    assert set(CLIENT_OPS.values()) <= accepted
    assert set(Session.ACCEPTS) == set(State)


def test_loss_of_a_node_is_passed_on_from_the_sign_in_on() -> None:
    lost = NodeLost("b")
    passing = {state for state in State if at(state).machine.handle(lost, 0) == [lost]}
    assert passing == {State.CHECKING, State.ATTACHING, State.OPEN, State.OPERATOR}


# -- events ------------------------------------------------------------------------------------
@pytest.mark.parametrize("event", [*ANSWERS, *DELIVERIES], ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("state", State)
def test_events_are_shown_to_those_signed_in(event: object, state: State) -> None:
    is_shown = state is State.OPEN or (state is State.OPERATOR and event in ANSWERS)
    play = at(state) >> event
    assert play << event if is_shown else play


@pytest.mark.parametrize("event", SIGN_IN_EVENTS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("state", [state for state in State if state is not State.CHECKING])
def test_late_answers_to_a_sign_in_are_dropped(event: object, state: State) -> None:
    play = at(state) >> event
    assert play
    assert play.machine.state is state


@pytest.mark.parametrize("state", [state for state in State if state is not State.ATTACHING])
def test_second_attached_changes_nothing(state: State) -> None:
    play = at(state) >> Attached(99, 99)
    assert play
    assert play.machine.state is state


def test_home_lost_is_attached_again_from_its_own_cursor() -> None:
    play = at(State.OPEN) >> HomeLost() << AttachHome("ann", "phone", None) >> Attached(12, 9)
    assert play
    assert play.machine.state is State.OPEN


@pytest.mark.parametrize("state", [State.NEW, State.CHECKING, State.OPERATOR, State.CLOSED])
def test_home_lost_is_nothing_to_who_has_none(state: State) -> None:
    assert at(state) >> HomeLost()


# -- the end -----------------------------------------------------------------------------------
@pytest.mark.parametrize("state", [State.ATTACHING, State.OPEN, State.OPERATOR])
def test_ended_says_why_and_hangs_up(state: State) -> None:
    play = at(state) >> Ended("takeover", "never") << Hangup("takeover", "never")
    assert play
    assert play.machine.state is State.CLOSED


@pytest.mark.parametrize("state", State)
def test_disconnected_session_stops_and_leaves_its_home(state: State) -> None:
    play = at(state) >> Disconnected("eof")
    if state in (State.ATTACHING, State.OPEN):
        play = play << DetachHome("ann", "phone")
    play = play << Stop()
    assert play
    assert play.machine.state is State.CLOSED


@pytest.mark.parametrize(
    ("event", "why"), [(Ended("revoked", "never"), "revoked"), (Disconnected("idle"), "idle")]
)
def test_it_is_known_why_a_session_ended(event: object, why: str) -> None:
    play = at(State.OPEN)
    play.machine.handle(event, 0)
    play.machine.handle(Disconnected("session"), 0)
    assert play.machine.ended_by == why


def test_device_that_was_away_too_long_is_told_so_in_its_welcome() -> None:
    machine = Session()
    machine.handle(HELLO, 0)
    machine.handle(SignedIn("ann", "phone", None), 0)
    welcome = machine.handle(Attached(9, 7, False, True), 0)[-1]
    assert isinstance(welcome, Welcome)
    assert (welcome.cursor, welcome.is_too_old) == (7, True)


def test_session_whose_place_is_gone_under_it_ends_to_be_told_so_when_it_comes_again() -> None:
    machine = Session()
    machine.handle(HELLO, 0)
    machine.handle(SignedIn("ann", "phone", None), 0)
    machine.handle(Attached(9, 7), 0)
    assert machine.handle(Attached(9, 8, False, True), 0) == [Hangup("slow_consumer", "now")]
