"""Knows how to do what the people desk decides: look up, keep. Must not know sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from actorchat.actor import Actor, Mailbox
from actorchat.broker.census import Census
from actorchat.chat.attendance import Notice
from actorchat.chat.event import Answer
from actorchat.chat.people import (
    Asked,
    KeepCard,
    KeepContact,
    KeepFlags,
    KeepTitle,
    PeopleDesk,
    Refuse,
    TellWhenDurable,
    flags_shown,
)
from actorchat.limits import ENTITY_MAILBOX_MAX
from actorchat.protocol import codec
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

if TYPE_CHECKING:
    from actorchat.broker.context import Context

PEOPLE = "people"


class PeopleActor(Actor):
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
        self._look_up(event)
        for effect in self._desk.handle(event, self._context.clock.wall_ms()):
            self._PERFORM[type(effect)](self, effect)

    def _look_up(self, event: Asked) -> None:
        census, user, op = self._census, event.user, event.op
        if isinstance(op, Devices | Rename):
            event.devices = census.devices(user)
        elif isinstance(op, Conversations):
            event.conversations = census.conversations(user, op.after, op.limit + 1)
        elif isinstance(op, Groups):
            event.conversations = census.groups(user, op.after, op.limit + 1)
        elif isinstance(op, Flag):
            event.flags = census.flags(user, op.conv)
        elif isinstance(op, Profile | Describe):
            event.card = census.card(op.user if isinstance(op, Profile) else user)
        elif isinstance(op, Contact | Contacts):
            event.contacts = census.contacts(user)
            event.is_known = isinstance(op, Contact) and self._context.archive.has_account(op.user)

    # -- effects -----------------------------------------------------------------------------------
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
    }
