"""Knows how to do what the people desk decides: look up, keep. Must not know sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from actorchat.actor import Mailbox
from actorchat.broker.access import UserAccess
from actorchat.broker.authenticator import AUTHENTICATOR
from actorchat.broker.census import Census
from actorchat.broker.reach import MOVING
from actorchat.broker.reading import Reading
from actorchat.broker.roundup import PEOPLE, Roundup
from actorchat.broker.turned_away import turn_away
from actorchat.chat.attendance import Notice
from actorchat.chat.event import Answer, Refused
from actorchat.chat.people import (
    Asked,
    Card,
    ConversationFacts,
    KeepCard,
    KeepContact,
    KeepFlags,
    KeepTitle,
    PeopleDesk,
    Refuse,
    TellConversation,
    TellSignIn,
    TellWhenDurable,
    flags_shown,
)
from actorchat.errors import BUSY, MailboxFull, SlotClosed, Unavailable
from actorchat.ids import is_group
from actorchat.limits import ENTITY_MAILBOX_MAX, MOVED_AFTER_MS, UNAVAILABLE_AFTER_MS
from actorchat.protocol import codec
from actorchat.protocol.ops.block import Block, Blocks
from actorchat.protocol.ops.group import Groups
from actorchat.protocol.ops.people import (
    Contact,
    Contacts,
    Conversations,
    Describe,
    Devices,
    Flag,
    FlagPush,
    Profile,
    Rename,
)
from actorchat.store import keys

if TYPE_CHECKING:
    from actorchat.broker.context import Context


class PeopleActor(Roundup):
    """The desk where users look after devices and conversations. One a node, named `people`."""

    mailbox: ClassVar[Mailbox] = Mailbox(limit=ENTITY_MAILBOX_MAX, overflow="fail")

    def __init__(self, context: Context, census: Census) -> None:
        super().__init__()
        self._context = context
        self._census = census
        self._desk = PeopleDesk()

    def on_start(self) -> None:
        """Take the name."""
        self.system.names.register(PEOPLE, self.ref)

    def on_receive(self, event: Any) -> None:
        """Look up what the desk must know, feed it, perform its effects."""
        # What was appended a moment ago is seen; answers wait until it is synced.
        self._context.log.apply()
        if self._context.reach is None or not self._inquire(event):
            self._decide(event)

    def _decide(self, event: Asked) -> None:
        self._look_up(event)
        try:
            for effect in self._desk.handle(event, self._context.clock.wall_ms()):
                self._PERFORM[type(effect)](self, effect)
        except SlotClosed:  # since it was asked
            turn_away(event, Unavailable.code, MOVING, after_ms=MOVED_AFTER_MS)

    def _look_up(self, event: Asked) -> None:
        census, user, op = self._census, event.user, event.op
        if isinstance(op, Devices | Rename):
            event.devices = census.devices(user)
        elif isinstance(op, Conversations) and self._context.reach is None:
            now = self._context.clock.wall_ms()
            event.conversations = census.conversations(user, op.after, op.limit + 1, now)
            self._shorten(user, event.conversations)
        elif isinstance(op, Groups) and self._context.reach is None:
            now = self._context.clock.wall_ms()
            event.conversations = census.groups(user, op.after, op.limit + 1, now)
        elif isinstance(op, Flag):
            event.flags = census.flags(user, op.conv)
        elif isinstance(op, Profile | Describe):
            whose = op.user if isinstance(op, Profile) else user
            event.card = census.card(whose)
            account = self._context.archive.account(whose)
            event.is_bot = account is not None and account.is_bot
            event.is_gone = isinstance(op, Profile) and self._context.tombs.has(op.user)
            if isinstance(op, Profile) and event.card and self._is_kept_from(user, op.user):
                event.card = Card()
        elif isinstance(op, Contact | Contacts):
            event.contacts = census.contacts(user)
            if isinstance(op, Contact):  # another node may have said so
                event.is_known = event.is_known or self._context.archive.has_account(op.user)
        elif isinstance(op, Block | Blocks):
            event.blocked = self._context.blocks.blocked(user)
            if isinstance(op, Block):
                event.is_known = event.is_known or self._context.archive.has_account(op.user)

    def _is_kept_from(self, user: str, other: str) -> bool:
        """Say whether `other` blocks `user`, who then sees a profile that says nothing."""
        return self._context.blocks.has_blocked(other, user)

    def _shorten(self, user: str, found: list[ConversationFacts]) -> None:
        """Have the last messages as the user is shown them."""
        context = self._context
        access = UserAccess(user, context.blocks, context.groups)
        now_wall_ms, owner = context.clock.wall_ms(), keys.user_key(user)
        reading = Reading(context.archive, now_wall_ms, owner, access=access)
        for facts in found:
            conv = facts.conv
            key = keys.group_key(conv) if is_group(conv) else keys.conversation_key(user, conv)
            facts.record = reading.brief(key, facts.head, facts.record)

    # -- effects -----------------------------------------------------------------------------------
    def _tell_conversation(self, effect: TellConversation) -> None:
        event = effect.event
        place = self._context.router.conversation_with(event.user, effect.conv)
        self._pass_on(place, event)

    def _tell_sign_in(self, effect: TellSignIn) -> None:
        self._pass_on(self.system.names.whereis(AUTHENTICATOR), effect.event)

    def _pass_on(self, to: Any, event: Any) -> None:
        """Tell somebody else, who answers; or answer that it can't be now."""
        try:
            if to is not None:
                to.tell(event)
                return
        except MailboxFull:
            pass
        except Unavailable as error:
            about = (event.rid, error.code, str(error), error.retry)
            event.session.tell(Refused(*about, "none", UNAVAILABLE_AFTER_MS))
            return
        refused = Refused(event.rid, "busy", BUSY, "after", "none", 1_000)
        event.session.tell(refused)

    def _keep_title(self, effect: KeepTitle) -> None:
        row = self._census.title_row(effect.user, effect.device, effect.title)
        self._context.log.append((row,), effect.session.tell, effect.answer)

    def _keep_flags(self, effect: KeepFlags) -> None:
        user, conv, flags = effect.user, effect.conv, effect.flags
        row = self._census.flags_row(user, conv, flags)
        push = codec.encode_push(FlagPush(conv, **flags_shown(flags)))
        others, notice = self._context.router.user(user), Notice(effect.device, push)
        answer = effect.answer
        self._context.log.append((row,), effect.session.tell, answer, others.tell, notice)

    def _keep_card(self, effect: KeepCard) -> None:
        row = self._census.card_row(effect.user, effect.card)
        self._context.log.append((row,), effect.session.tell, effect.answer)

    def _keep_contact(self, effect: KeepContact) -> None:
        row = self._census.contact_row(effect.user, effect.contact, effect.keep)
        self._context.log.append((row,), effect.session.tell, effect.answer)

    def _tell_when_durable(self, effect: TellWhenDurable) -> None:
        answer = effect.answer
        shown = answer.ok.get("conversations")
        if isinstance(shown, list):
            for one in shown:
                one["last"] = codec.decode(one["last"])
        self._context.log.append((), effect.session.tell, Answer(answer.rid, answer.ok))

    def _refuse(self, effect: Refuse) -> None:
        effect.session.tell(effect.refused)

    _PERFORM: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        KeepTitle: _keep_title,
        KeepCard: _keep_card,
        KeepContact: _keep_contact,
        KeepFlags: _keep_flags,
        TellWhenDurable: _tell_when_durable,
        Refuse: _refuse,
        TellConversation: _tell_conversation,
        TellSignIn: _tell_sign_in,
    }
