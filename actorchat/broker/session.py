"""Knows how to do what a session decides: between a connection and the actors behind it.
Must not know transports.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from actorchat.actor import Actor, Mailbox
from actorchat.broker.authenticator import AUTHENTICATOR
from actorchat.broker.inspection import show
from actorchat.broker.people import PEOPLE
from actorchat.broker.watching import Watching
from actorchat.chat.effect import (
    Admit,
    AttachHome,
    CheckSecret,
    ConfirmCompany,
    DetachHome,
    Hangup,
    Pong,
    Stop,
    Welcome,
)
from actorchat.chat.event import (
    Accepted,
    Acked,
    Answer,
    Attach,
    Aware,
    Detach,
    Disconnected,
    Fetch,
    Marked,
    Page,
    Post,
    Reached,
    Refused,
    SignInRefused,
    Update,
)
from actorchat.chat.group import NO_GROUP
from actorchat.chat.group_event import AskReceipts, Changing, Describe
from actorchat.chat.people import Asked
from actorchat.chat.session import PRESENCE_EVENTS, Session
from actorchat.chat.signin import Attempt, PasswordChange, Provisioning, Revocation
from actorchat.errors import MailboxFull
from actorchat.ids import GROUP_MARK
from actorchat.limits import (
    BODY_CHARS_MAX,
    FRAME_BYTES_MAX,
    REQUESTS_IN_FLIGHT_MAX,
    SESSION_MAILBOX_MAX,
)
from actorchat.protocol import codec, ops

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.broker.router import Place

DISCONNECTED = "disconnected"
BUSY = "too much at once; send again a little later"
NOBODY = "there is no such user"
NO_ACTOR = "no actor has this name or id"
NO_PLACES: dict[str, Any] = {}  # of all sessions that have not posted yet; never filled


class Connection(Protocol):
    """What a session needs of its connection; the gateways' `Outlet`."""

    def push(self, payload: bytes) -> None:
        """Send what answers nothing."""
        ...

    def reply(self, payload: bytes) -> None:
        """Send the answer to one request."""
        ...

    def admit(self) -> None:
        """Lift the limits for strangers."""
        ...

    def close(self, payload: bytes | None = None) -> None:
        """Send `payload` last, and close."""
        ...


class SessionActor(Actor):
    """One device's live session. It lives beside its connection and ends with it."""

    mailbox: ClassVar[Mailbox] = Mailbox(limit=SESSION_MAILBOX_MAX, overflow="fail")
    is_ephemeral: ClassVar[bool] = True  # it ends with its connection, whatever is under way

    def __init__(self, context: Context, connection: Connection) -> None:
        super().__init__()
        self._context = context
        self._connection = connection
        self._machine = Session()
        self._me = self.ref
        self._home: Place | None = None
        self._conversations: dict[str, Place] = NO_PLACES
        self._watching: Watching | None = None

    def on_receive(self, event: Any) -> None:
        """Feed the machine; perform its effects."""
        perform, machine, kind = self._PERFORM, self._machine, type(event)
        if kind in machine.passed:
            perform[kind](self, event)
            return
        for effect in machine.handle(event, 0):
            perform[type(effect)](self, effect)

    def on_stop(self, reason: object) -> None:
        """Close the connection, if this actor ends before it does; leave the home after a crash."""
        self._connection.close()
        if self._home is not None and reason != DISCONNECTED:
            self._home.tell(Detach(self._machine.device, self.ref))
        if self._watching is not None:
            self._watching.end(self._machine.ended_by)

    def _conversation(self, peer: str) -> Place | None:
        """Return the place of the conversation with `peer`, or of that group; None if none.

        So names that somebody tries never become actors.
        """
        places = self._conversations
        place = places.get(peer)
        if place is None and self._is_there(peer):
            if places is NO_PLACES:
                places = self._conversations = {}
            elif len(places) >= REQUESTS_IN_FLIGHT_MAX:
                places.clear()
            router = self._context.router
            place = places[peer] = router.conversation_with(self._machine.user, peer)
        return place

    def _is_there(self, peer: str) -> bool:
        if peer[0] == GROUP_MARK:
            return self._context.groups.has(peer)
        return self._context.archive.has_account(peer)

    # -- requests ----------------------------------------------------------------------------------
    def _send(self, op: ops.Send) -> None:
        place = self._conversations.get(op.to) or self._conversation(op.to)
        if place is None:
            self._refused(_nobody(op.id, op.to))
            return
        rid = op.id
        try:
            machine = self._machine
            user, company = machine.user, machine.has_company
            place.tell(Post(user, self._me, rid, op.cid, op.body, None, b"", company))
        except MailboxFull as error:
            self._busy(rid, error)

    def _ask(self, place: Place, event: object, rid: int) -> None:
        try:
            place.tell(event)
        except MailboxFull as error:
            self._busy(rid, error)

    def _busy(self, rid: int, error: MailboxFull) -> None:
        self._refused(Refused(rid, error.code, BUSY, error.retry, "none", 1_000))

    def _ack(self, op: ops.Ack) -> None:
        assert self._home is not None
        self._home.tell(Acked(self._machine.device, op.upd))

    def _mark(self, op: ops.Mark) -> None:
        place = self._conversation(op.conv)
        if place is not None:
            place.tell(Reached(self._machine.user, 0, op.read))

    def _history(self, op: ops.History) -> None:
        place = self._conversation(op.conv)
        if place is None:
            self._refused(_nobody(op.id, op.conv))
            return
        user = self._machine.user
        fetch = Fetch(user, self.ref, op.id, op.after, op.before, op.limit)
        self._ask(place, fetch, op.id)

    def _change(self, op: ops.Change) -> None:
        # Whether there is such a group is looked up there: it may be about to be made.
        place = self._context.router.conversation(op.conv)
        event = Changing(self._machine.user, self._me, op.id, op.cid, op.change)
        self._ask(place, event, op.id)

    def _describe(self, op: ops.Group) -> None:
        self._ask_group(op, Describe(self._machine.user, self._me, op.id))

    def _receipts(self, op: ops.Receipts) -> None:
        self._ask_group(op, AskReceipts(self._machine.user, self._me, op.id))

    def _ask_group(self, op: ops.Group | ops.Receipts, event: object) -> None:
        place = self._conversation(op.conv)
        if place is None:
            self._refused(_nobody(op.id, op.conv))
        else:
            self._ask(place, event, op.id)

    def _revoke(self, op: ops.Revoke) -> None:
        user = self._machine.user
        self._tell_authenticator(Revocation(self.ref, op.id, user, op.device), op.id)

    def _change_password(self, op: ops.Password) -> None:
        user, device = self._machine.user, self._machine.device
        change = PasswordChange(self.ref, op.id, user, device, op.old, op.new, op.revoke_others)
        self._tell_authenticator(change, op.id)

    def _ask_people(self, op: Any) -> None:
        machine = self._machine
        if not self._reach(PEOPLE, Asked(self.ref, machine.user, machine.device, op)):
            self._refused(Refused(op.id, "busy", BUSY, "after", "none", 1_000))

    def _provision(self, op: ops.Provision) -> None:
        asked = Provisioning(self.ref, op.id, op.user, op.password, op.device)
        self._tell_authenticator(asked, op.id)

    def _status(self, op: ops.Status) -> None:
        self._answer(Answer(op.id, dict(self._context.report())))

    def _actors(self, op: ops.Actors) -> None:
        shown = show(self._context.system, op)
        if shown is None:
            self._refused(Refused(op.id, "no_such_actor", NO_ACTOR))
        else:
            self._answer(Answer(op.id, shown))

    def _check_secret(self, effect: CheckSecret) -> None:
        attempt = Attempt(self.ref, effect.user, effect.device, effect.mech, effect.secret)
        if not self._reach_authenticator(attempt):
            self.ref.tell(SignInRefused("busy", BUSY, "after", 1_000))

    def _tell_authenticator(self, event: object, rid: int) -> None:
        if not self._reach_authenticator(event):
            self._refused(Refused(rid, "busy", BUSY, "after", "none", 1_000))

    def _reach_authenticator(self, event: object) -> bool:
        return self._reach(AUTHENTICATOR, event)

    def _reach(self, name: str, event: object) -> bool:
        desk = self._context.system.names.whereis(name)
        if desk is None:
            return False
        try:
            desk.tell(event)
        except MailboxFull:
            return False
        return True

    # -- home --------------------------------------------------------------------------------------
    def _attach_home(self, effect: AttachHome) -> None:
        if self._home is None:
            self._home = self._context.router.user(effect.user)
        self._home.tell(Attach(effect.device, self.ref, effect.resume))

    def _confirm_company(self, effect: ConfirmCompany) -> None:
        if self._home is not None:
            self._home.tell(Aware(self.ref))

    def _detach_home(self, effect: DetachHome) -> None:
        if self._home is not None:
            self._home.tell(Detach(effect.device, self.ref))

    def _on_presence(self, event: object) -> None:
        if self._watching is not None:
            self._watching.handle(event)

    # -- what the client is told -------------------------------------------------------------------
    def _accepted(self, event: Accepted) -> None:
        if event.dup:
            again: dict[str, object] = {"seq": event.seq, "ts": event.ts, "dup": True}
            self._connection.reply(codec.encode_reply(event.rid, again))
        else:
            self._connection.reply(codec.encode_accepted(event.rid, event.seq, event.ts))

    def _refused(self, event: Refused) -> None:
        error = codec.encode_error(
            event.rid, event.code, event.reason, event.retry, event.outcome, event.after_ms
        )
        self._connection.reply(error)

    def _update(self, event: Update) -> None:
        self._connection.push(event.payload)

    def _marked(self, event: Marked) -> None:
        self._connection.push(
            codec.encode_mark(event.conv, event.user, event.delivered, event.read)
        )

    def _page(self, event: Page) -> None:
        payload = codec.encode_page(event.rid, event.records, event.head, event.more, event.marks)
        self._connection.reply(payload)

    def _answer(self, event: Answer) -> None:
        self._connection.reply(codec.encode_reply(event.rid, event.ok))

    def _welcome(self, effect: Welcome) -> None:
        terms = self._context.terms
        ok: dict[str, object] = {
            "user": effect.user,
            "device": effect.device,
            "head": effect.head,
            "cursor": effect.cursor,
            "ping_s": terms.ping_s,
            "time_ms": self._context.clock.wall_ms(),
            "durability": terms.durability,
            "limits": {
                "frame_bytes": FRAME_BYTES_MAX,
                "body_chars": BODY_CHARS_MAX,
                "in_flight": terms.in_flight_max,
            },
        }
        if effect.token is not None:
            ok["token"] = effect.token
        self._connection.reply(codec.encode_reply(effect.rid, ok))
        if effect.user:
            later = self.send_after
            self._watching = Watching(self._context, self._connection, effect.user, self._me, later)

    def _pong(self, effect: Pong) -> None:
        self._connection.push(codec.PONG)

    def _admit(self, effect: Admit) -> None:
        self._connection.admit()

    def _hang_up(self, effect: Hangup) -> None:
        if effect.code:
            bye = ops.Bye(effect.code, effect.reconnect)
            self._connection.close(codec.encode_push(bye))
        else:
            self._connection.close()

    def _end(self, effect: Stop) -> None:
        self.stop(DISCONNECTED)

    _PERFORM: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        ops.Send: _send,
        ops.Ack: _ack,
        ops.Mark: _mark,
        ops.History: _history,
        ops.Change: _change,
        ops.Group: _describe,
        ops.Receipts: _receipts,
        ops.Revoke: _revoke,
        **dict.fromkeys(ops.PEOPLE_OPS, _ask_people),
        ops.Password: _change_password,
        ops.Provision: _provision,
        ops.Status: _status,
        ops.Actors: _actors,
        **dict.fromkeys(PRESENCE_EVENTS, _on_presence),
        Accepted: _accepted,
        Refused: _refused,
        Update: _update,
        Marked: _marked,
        Page: _page,
        Answer: _answer,
        CheckSecret: _check_secret,
        AttachHome: _attach_home,
        ConfirmCompany: _confirm_company,
        DetachHome: _detach_home,
        Welcome: _welcome,
        Pong: _pong,
        Admit: _admit,
        Hangup: _hang_up,
        Stop: _end,
    }


class SessionInlet:
    """A session as its connection sees it; the gateways' `Inlet`."""

    __slots__ = ("_ref", "receive")

    def __init__(self, ref: Any) -> None:
        self._ref = ref
        self.receive = ref.tell

    def closed(self, reason: str) -> None:
        """Tell the session that its connection is over."""
        if self._ref.is_alive():
            self._ref.tell(Disconnected(reason))


def _nobody(rid: int, peer: str) -> Refused:
    if peer[0] == GROUP_MARK:
        return Refused(rid, "no_such_group", NO_GROUP)
    return Refused(rid, "no_such_user", NOBODY)
