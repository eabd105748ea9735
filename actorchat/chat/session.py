"""Knows one device's live session: what it may ask in which state.
Must not know bytes, sockets or stores.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

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
    FILE_OPS,
    INVITATION_OPS,
    PEOPLE_OPS,
    Ack,
    Actors,
    Bot,
    Change,
    Delete,
    Edit,
    Events,
    Group,
    Hello,
    History,
    Hook,
    Hooks,
    Invalid,
    Locate,
    Mark,
    Password,
    Ping,
    Privacy,
    Provision,
    React,
    Receipts,
    Reconnect,
    Refresh,
    Revoke,
    Search,
    Send,
    Signal,
    SignUp,
    Status,
    Unwatch,
    Watch,
    Whereis,
)

# What the broker does about presence without asking this machine.
PRESENCE_EVENTS: tuple[type, ...] = (
    *(Watch, Unwatch, Signal, Privacy),
    *(Watched, Sighted, SignalSeen, LevelChanged, TrackerLost, PushDue),
)

OPERATOR_OPS = frozenset((Provision, Status, Actors, Bot, Hook, Hooks, *INVITATION_OPS, Whereis))


class State(Enum):
    """Where a session stands."""

    NEW = "waits for hello"
    CHECKING = "its secret is being checked"
    ATTACHING = "its home is being told"
    OPEN = "signed in"
    OPERATOR = "signed in as operator"
    CLOSED = "over"


class Session:
    """The session of one device: a table of what is accepted in each state (`ACCEPTS`).

    What a state does not accept from the client is refused if it can be answered and otherwise
    ignored; what it does not accept from inside came too late and is dropped.
    """

    __slots__ = (
        *("_accepts", "_granted", "_resume", "_rid"),
        *("device", "ended_by", "has_company", "passed", "state", "user"),
    )

    def __init__(self) -> None:
        self.state = State.NEW
        self.user = ""
        self.device = ""
        self.ended_by = ""  # the code of its end, or why its connection closed
        self.has_company = False  # other devices of the user are to get what this one sends
        self._rid = 0
        self._resume: int | None = None
        self._granted: SignedIn | None = None  # until it is shown in the welcome
        self._accepts = self.ACCEPTS[State.NEW]
        self.passed = PASSED[State.NEW]  # what `handle` would only return as it is

    def handle(self, event: object, now_wall_ms: int) -> list[object]:
        """Take an op or event in; return what must be done, in this order."""
        method = self._accepts.get(type(event))
        if method is None:
            return self._unexpected(event)
        return method(self, event)

    def _enter(self, state: State) -> None:
        self.state = state
        self._accepts = self.ACCEPTS[state]
        self.passed = PASSED[state]

    def _unexpected(self, event: object) -> list[object]:
        rid = getattr(event, "id", None)
        if rid is None or self.state is State.CLOSED:
            return []
        if self.state in (State.NEW, State.CHECKING, State.ATTACHING):
            return [Refused(rid, "unauthenticated", "sign in first", "reconnect")]
        if type(event) in OPERATOR_OPS:
            return [Refused(rid, "forbidden", "for operators only")]
        name = type(event).__name__.lower()
        return [Refused(rid, "unexpected_op", f"{name} is not allowed here")]

    # -- signing in --------------------------------------------------------------------------------
    def _on_hello(self, op: Hello) -> list[object]:
        if op.version != PROTOCOL_VERSION:
            return self._other_version(op)
        self._rid = op.id
        self._resume = op.resume
        self._enter(State.CHECKING)
        return [CheckSecret(op.user, op.device, op.mech, op.secret)]

    def _on_sign_up(self, op: SignUp) -> list[object]:
        if op.version != PROTOCOL_VERSION:
            return self._other_version(op)
        self._rid = op.id
        self._enter(State.CHECKING)
        return [MakeAccount(op.user, op.device, op.password, op.code)]

    def _other_version(self, op: Hello | SignUp) -> list[object]:
        reason = f"this server speaks version {PROTOCOL_VERSION}, not {op.version}"
        return [Refused(op.id, "version", reason), *self._hang_up("protocol", "never")]

    def _on_signed_in(self, event: SignedIn) -> list[object]:
        self.user, self.device, self._granted = event.user, event.device, event
        self._enter(State.ATTACHING)
        return [AttachHome(event.user, event.device, self._resume)]

    def _on_operator(self, event: SignedInOperator) -> list[object]:
        self._enter(State.OPERATOR)
        return [Admit(), Welcome(self._rid, "", "", None, 0, 0)]

    def _on_sign_in_refused(self, event: SignInRefused) -> list[object]:
        refused = Refused(self._rid, event.code, event.reason, event.retry, "none", event.after_ms)
        return [refused, *self._hang_up("", "never")]

    def _on_attached(self, event: Attached) -> list[object]:
        self._enter(State.OPEN)
        self.has_company = event.has_company
        granted, self._granted = self._granted, None
        assert granted is not None
        place = (event.head, event.cursor, event.is_too_old)
        names = (self._rid, self.user, self.device)
        return [Admit(), Welcome(*names, granted.token, *place, granted.lifetime)]

    # -- signed in -------------------------------------------------------------------------------
    def _pass(self, event: object) -> list[object]:
        return [event]

    def _on_attached_again(self, event: Attached) -> list[object]:
        if event.is_too_old:
            return self._hang_up("slow_consumer", "now")  # it is told when it comes again
        self.has_company = event.has_company
        return []

    def _on_company(self, event: Company) -> list[object]:
        self.has_company = event.has_company
        return [ConfirmCompany()] if event.has_company else []

    def _on_ping(self, op: Ping) -> list[object]:
        return [] if op.noreply else [Pong()]

    def _on_invalid(self, op: Invalid) -> list[object]:
        return [Refused(op.id, op.code, op.reason)]

    def _on_home_lost(self, event: HomeLost) -> list[object]:
        # The home is rebuilt from the log when it is told something; it delivers again from this
        # device's cursor on, and the device drops what it has.
        # Attached once, it goes on from the cursor that its home keeps.
        resume = self._resume if self.state is State.ATTACHING else None
        return [AttachHome(self.user, self.device, resume)]

    # -- the end ---------------------------------------------------------------------------------
    def _hang_up(self, code: str, reconnect: Reconnect) -> list[object]:
        self._enter(State.CLOSED)
        return [Hangup(code, reconnect)]

    def _on_ended(self, event: Ended) -> list[object]:
        self.ended_by = event.code
        return self._hang_up(event.code, event.reconnect)

    def _on_disconnected(self, event: Disconnected) -> list[object]:
        self.ended_by = self.ended_by or event.reason
        is_attached = self.state in (State.ATTACHING, State.OPEN)
        self._enter(State.CLOSED)
        return [DetachHome(self.user, self.device), Stop()] if is_attached else [Stop()]

    ACCEPTS: dict[State, dict[type, Callable[[Any, Any], list[object]]]] = {
        State.NEW: {
            Hello: _on_hello,
            SignUp: _on_sign_up,
            Locate: _pass,
            Invalid: _on_invalid,
            Disconnected: _on_disconnected,
        },
        State.CHECKING: {
            SignedIn: _on_signed_in,
            SignedInOperator: _on_operator,
            SignInRefused: _on_sign_in_refused,
            NodeLost: _pass,
            Invalid: _on_invalid,
            Ping: _on_ping,
            Disconnected: _on_disconnected,
        },
        State.ATTACHING: {
            Attached: _on_attached,
            HomeLost: _on_home_lost,
            NodeLost: _pass,
            Invalid: _on_invalid,
            Ping: _on_ping,
            Ended: _on_ended,
            Disconnected: _on_disconnected,
        },
        State.OPEN: {
            Send: _pass,
            Ack: _pass,
            Mark: _pass,
            History: _pass,
            Change: _pass,
            Edit: _pass,
            Delete: _pass,
            React: _pass,
            Group: _pass,
            Receipts: _pass,
            Revoke: _pass,
            **dict.fromkeys(PRESENCE_EVENTS, _pass),
            Password: _pass,
            Refresh: _pass,
            **dict.fromkeys(PEOPLE_OPS, _pass),
            **dict.fromkeys(FILE_OPS, _pass),
            Events: _pass,
            Search: _pass,
            Locate: _pass,
            Ping: _on_ping,
            Invalid: _on_invalid,
            Accepted: _pass,
            Refused: _pass,
            Update: _pass,
            Marked: _pass,
            Page: _pass,
            Answer: _pass,
            Attached: _on_attached_again,
            Company: _on_company,
            HomeLost: _on_home_lost,
            NodeLost: _pass,
            TableTurned: _pass,
            Ended: _on_ended,
            Disconnected: _on_disconnected,
        },
        State.OPERATOR: {
            Provision: _pass,
            Status: _pass,
            Actors: _pass,
            **dict.fromkeys((Bot, Hook, Hooks, *INVITATION_OPS, Locate, Whereis), _pass),
            Ping: _on_ping,
            Invalid: _on_invalid,
            Answer: _pass,
            Refused: _pass,
            NodeLost: _pass,
            Ended: _on_ended,
            Disconnected: _on_disconnected,
        },
        State.CLOSED: {
            Disconnected: _on_disconnected,
        },
    }


PASSED: dict[State, frozenset[type]] = {
    state: frozenset(kind for kind, method in accepted.items() if method is Session._pass)
    for state, accepted in Session.ACCEPTS.items()
}
