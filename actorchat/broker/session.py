"""Knows how to do what a session decides: between a connection and the actors behind it.
Must not know transports.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from actorchat.actor import LocalRef, Mailbox
from actorchat.broker.acting import acting, pair_of
from actorchat.broker.asking import Asking, why
from actorchat.broker.moderating import NO_MODERATOR
from actorchat.broker.plain import SessionRef, take_ops
from actorchat.broker.watching import Watching
from actorchat.chat.act import Hide
from actorchat.chat.afar import NodeLost, TableTurned
from actorchat.chat.concealing import Conceal
from actorchat.chat.effect import (
    Admit,
    AttachHome,
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
    Ended,
    Fetch,
    Marked,
    Page,
    Post,
    Reached,
    Refused,
    SignInRefused,
    Update,
)
from actorchat.chat.group_event import AskReceipts, Changing, Describe
from actorchat.chat.history import Wanted
from actorchat.chat.renewal import shown_lifetime
from actorchat.chat.roster import NO_GROUP
from actorchat.chat.session import PRESENCE_EVENTS, Session, State
from actorchat.errors import Unavailable
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
    from actorchat.broker.outlet import Connection
    from actorchat.broker.place import Place

DISCONNECTED = "disconnected"
NOBODY = "there is no such user"
NO_SUCH_FILE = "a file that the message refers to is not stored, or has another size"
NODE_LOST = "a part of the server is gone; sign in again"
NO_SLOTS: frozenset[int] = frozenset()
NO_PLACES: dict[str, Any] = {}  # of all sessions that have not posted yet; never filled


class SessionActor(Asking):
    """One device's live session. It lives beside its connection and ends with it."""

    mailbox: ClassVar[Mailbox] = Mailbox(limit=SESSION_MAILBOX_MAX, overflow="fail")
    is_ephemeral: ClassVar[bool] = True  # it ends with its connection, whatever is under way
    _loose: frozenset[int] = NO_SLOTS  # of what was told something and has no place kept here
    ref_class: ClassVar[type[LocalRef]] = SessionRef
    take = take_ops

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
                if self._context.reach is not None:
                    self._loose |= {place.slot for place in places.values()}
                places.clear()
            router = self._context.router
            place = places[peer] = router.conversation_with(self._machine.user, peer)
            if self._context.reach is not None:
                self._uses(place.node)
        return place

    def _is_there(self, peer: str) -> bool:
        if not self._context.has(peer):
            return True  # its conversation asks, its group knows
        if peer[0] == GROUP_MARK:
            return self._context.groups.has(peer)
        return self._context.archive.has_account(peer) or self._context.tombs.has(peer)

    # -- requests ----------------------------------------------------------------------------------
    def _send(self, op: ops.Send) -> None:
        place = self._conversations.get(op.to) or self._conversation(op.to)
        if place is None:
            self._refused(_nobody(op.id, op.to))
            return
        rid, extra = op.id, op.extra
        if extra is not None and extra.files and not self._has_files(op, extra.files):
            return
        try:
            machine = self._machine
            user, company = machine.user, machine.has_company
            place.tell(Post(user, self._me, rid, op.cid, op.body, None, b"", company, extra))
        except Unavailable as error:
            self._untold(rid, error)

    def _has_files(self, op: ops.Send, files: list[ops.FileRef]) -> bool:
        """Say whether a message may refer to `files`; refuse it if not."""
        if not self._is_not_yet(op):
            if self._context.shelf.has(files):
                return True
            self._refused(Refused(op.id, "no_such_file", NO_SUCH_FILE))
        return False

    def _ask(self, place: Place, event: object, rid: int) -> None:
        try:
            place.tell(event)
        except Unavailable as error:
            self._untold(rid, error)

    def _untold(self, rid: int, error: Unavailable) -> None:
        self._refused(Refused(rid, error.code, why(error), error.retry, "none", 1_000))

    def _ack(self, op: ops.Ack) -> None:
        assert self._home is not None
        self._home.tell(Acked(self._machine.device, op.upd))

    def _mark(self, op: ops.Mark) -> None:
        place = self._conversation(op.conv)
        if place is not None:
            with suppress(Unavailable):  # a hint
                place.tell(Reached(self._machine.user, 0, op.read))

    def _history(self, op: ops.History) -> None:
        place = self._conversation(op.conv)
        if place is None:
            self._refused(_nobody(op.id, op.conv))
            return
        user = self._machine.user
        wanted = Wanted(op.around, op.forward, op.bytes, frozenset(op.kinds))
        fetch = Fetch(user, self.ref, op.id, op.after, op.before, op.limit, wanted)
        self._ask(place, fetch, op.id)

    def _change(self, op: ops.Change) -> None:
        # Whether there is such a group is looked up there: it may be about to be made.
        place = self._context.router.conversation(op.conv)
        if self._context.reach is not None:
            self._uses(place.node)
            self._loose |= {place.slot}
        event = Changing(self._machine.user, self._me, op.id, op.cid, op.change)
        self._ask(place, event, op.id)

    def _act(self, op: Any) -> None:
        event = acting(self._machine, self._me, op)
        if type(op) is ops.Delete and op.scope == "moderate":
            self._moderate(op, event)
        elif type(event) is not Hide:
            self._ask_group(op, event)
        elif self._is_apart(event.pair):
            self._ask_group(op, Conceal(self._machine.user, event.seqs, self._me, op.id))
        else:
            self._ask_group(op, event, self._home)

    def _moderate(self, op: ops.Delete, event: object) -> None:
        pair = pair_of(op)
        where: Any = op.conv if pair is None else tuple(pair)
        if self._context.reach is not None:
            self._moderate_afar(op, where)
            return
        if not self._context.moderators.has(self._machine.user):
            self._refused(Refused(op.id, "forbidden", NO_MODERATOR))
            return
        for name in pair or (op.conv,):
            if not self._is_there(name):
                self._refused(_nobody(op.id, name))
                return
        self._ask(self._context.router.conversation(where), event, op.id)

    def _describe(self, op: ops.Group) -> None:
        self._ask_group(op, Describe(self._machine.user, self._me, op.id, op.after))

    def _receipts(self, op: ops.Receipts) -> None:
        asked = AskReceipts(self._machine.user, self._me, op.id, op.after)
        self._ask_group(op, asked)

    def _ask_group(self, op: Any, event: object, place: Place | None = None) -> None:
        place = place or self._conversation(op.conv)
        if place is None:
            self._refused(_nobody(op.id, op.conv))
        else:
            self._ask(place, event, op.id)

    # -- home --------------------------------------------------------------------------------------
    def _attach_home(self, effect: AttachHome) -> None:
        context = self._context
        if self._home is None:
            self._home = context.router.user(effect.user, is_quiet=True)
        attach = Attach(effect.device, self.ref, effect.resume)
        if context.reach is None:
            self._home.tell(attach)
            return
        try:
            self._uses(self._home.node)
            self._home.ref().tell(attach)
        except Unavailable:
            self._me.tell(Ended("drain", "after"))

    def _confirm_company(self, effect: ConfirmCompany) -> None:
        if self._home is not None:
            self._home.tell(Aware(self.ref))

    def _detach_home(self, effect: DetachHome) -> None:
        if self._home is not None:
            self._home.tell(Detach(effect.device, self.ref))

    def _on_presence(self, event: object) -> None:
        if self._watching is not None:
            self._watching.handle(event)

    def _on_table_turned(self, event: TableTurned) -> None:
        if self._connection.in_flight:
            told = self._loose.union(place.slot for place in self._conversations.values())
            if not told.isdisjoint(event.slots):
                # What went the old way may come behind what would go the new one.
                self.on_receive(Ended("drain", "now"))
                return
        else:
            self._loose = NO_SLOTS
        if self._watching is not None:
            self._watching.turned()

    def _on_node_lost(self, event: NodeLost) -> None:
        """End, if anything was told that node: nobody knows what of it has arrived."""
        places = [*self._conversations.values(), self._home]
        is_used = any(place is not None and place.node == event.node for place in places)
        if event.node not in self._nodes and not is_used:
            if self._watching is not None:
                self._watching.node_lost(event.node)
            return
        if self._machine.state is State.CHECKING:
            self.on_receive(SignInRefused(Unavailable.code, NODE_LOST, "after", 1_000))
        else:
            self.on_receive(Ended("drain", "now"))

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
        payload = codec.encode_page(
            event.rid, event.records, event.head, event.more, event.marks, *event.place
        )
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
        if effect.is_too_old:
            ok["too_old"] = True
        if effect.lifetime is not None:
            ok["lifetime"] = shown_lifetime(effect.lifetime)
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
        **Asking.ASKED,
        ops.Send: _send,
        ops.Ack: _ack,
        ops.Mark: _mark,
        ops.History: _history,
        ops.Change: _change,
        **dict.fromkeys((ops.Edit, ops.Delete, ops.React), _act),
        ops.Group: _describe,
        ops.Receipts: _receipts,
        **dict.fromkeys(PRESENCE_EVENTS, _on_presence),
        NodeLost: _on_node_lost,
        TableTurned: _on_table_turned,
        Accepted: _accepted,
        Refused: _refused,
        Update: _update,
        Marked: _marked,
        Page: _page,
        Answer: _answer,
        AttachHome: _attach_home,
        ConfirmCompany: _confirm_company,
        DetachHome: _detach_home,
        Welcome: _welcome,
        Pong: _pong,
        Admit: _admit,
        Hangup: _hang_up,
        Stop: _end,
    }


def _nobody(rid: int, peer: str) -> Refused:
    if peer[0] == GROUP_MARK:
        return Refused(rid, "no_such_group", NO_GROUP)
    return Refused(rid, "no_such_user", NOBODY)
