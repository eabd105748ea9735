"""Knows what a user may see and set of devices and conversations. Must not know rows or bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from actorchat.chat.block import Blocking
from actorchat.chat.event import Address, Answer, Refused
from actorchat.chat.signin_event import Erasing
from actorchat.limits import (
    BLOCKS_MAX,
    CONTACTS_MAX,
    CONVERSATION_ITEMS,
    CONVERSATIONS_ITEMS_MAX,
    HISTORY_PAGE_BYTES_MAX,
    UNREAD_COUNTED_MAX,
)
from actorchat.protocol.ops.account import DeleteAccount
from actorchat.protocol.ops.block import Block, Blocks
from actorchat.protocol.ops.group import Groups
from actorchat.protocol.ops.people import (
    Contact,
    Contacts,
    Conversations,
    Describe,
    Devices,
    Flag,
    Profile,
    Rename,
)
from actorchat.protocol.ops.search import Search

PeopleOp = (
    Devices
    | Rename
    | Conversations
    | Flag
    | Profile
    | Describe
    | Contact
    | Contacts
    | Block
    | Blocks
    | DeleteAccount
    | Groups
    | Search
)
NOBODY = "there is no such user"
FLAGS = ("muted", "archived", "pinned")  # the bits of a row, from the lowest


class DeviceFacts(msgspec.Struct, gc=False):
    """What the store knows of a device; `cursor` None: it was never here."""

    device: str
    created_at_wall_ms: int
    seen_at_wall_ms: int
    title: str
    cursor: int | None


class ConversationFacts(msgspec.Struct, gc=False):
    """What the store knows of a conversation: `record` is the newest, encoded and opaque.

    `unread_senders` are those of the records above the user's read mark, at most
    `UNREAD_COUNTED_MAX` of them and one more. `is_gone`: the other's account has ended. A group has
    `title`, the user's `role` and `size`; `items` are those that its record has beyond a message's.
    """

    conv: str
    head: int
    record: bytes
    unread_senders: list[str]
    marks: dict[str, dict[str, int]]
    flags: int
    is_gone: bool = False
    title: str | None = None
    role: str = ""
    size: int = 0
    items: int = 0


class Card(msgspec.Struct, gc=False):
    """What a user says of oneself."""

    title: str = ""
    about: str = ""


class Asked(msgspec.Struct, gc=False):
    """A session asks for `op`; the shell fills in what the answer needs.

    `devices` for `Devices` and `Rename`; `conversations`, one more than the limit if there are so
    many, for `Conversations` and `Groups`; `flags` for `Flag`, None if there is no such
    conversation; `card` for `Profile` and `Describe`, `is_bot` for both, with `is_gone` if that
    account has ended; `is_known` for `Contact`: whether there is such a user; `contacts` for it
    and `Contacts`; `is_known` and `blocked`, whom the user blocks, for `Block` and `Blocks`.
    """

    session: Address
    user: str
    device: str
    op: PeopleOp
    devices: list[DeviceFacts] = []
    conversations: list[ConversationFacts] = []
    flags: int | None = None
    card: Card | None = None
    is_known: bool = False
    is_gone: bool = False
    contacts: list[str] = []
    is_bot: bool = False
    blocked: list[str] = []


class KeepCard(msgspec.Struct, gc=False):
    """Effect: keep what a user says of oneself, and when synced tell `session` the `answer`."""

    session: Address
    user: str
    card: Card
    answer: Answer


class KeepContact(msgspec.Struct, gc=False):
    """Effect: keep a contact, or drop it, and when synced tell `session` the `answer`."""

    session: Address
    user: str
    contact: str
    keep: bool
    answer: Answer


class KeepTitle(msgspec.Struct, gc=False):
    """Effect: keep the title of a device, and when synced tell `session` the `answer`."""

    session: Address
    user: str
    device: str
    title: str
    answer: Answer


class KeepFlags(msgspec.Struct, gc=False):
    """Effect: keep the flags of a conversation; when synced tell `session` the `answer`.

    The user's devices other than `device` are told the same.
    """

    session: Address
    user: str
    device: str
    conv: str
    flags: int
    answer: Answer


class TellConversation(msgspec.Struct, gc=False):
    """Effect: tell the user's conversation with `conv`; it answers."""

    conv: str
    event: Blocking


class TellSignIn(msgspec.Struct, gc=False):
    """Effect: tell the sign-in desk, which has the password checked and answers."""

    event: Erasing


class TellWhenDurable(msgspec.Struct, gc=False):
    """Effect: tell `session` the `answer` once all that it was made from is synced."""

    session: Address
    answer: Answer


class Refuse(msgspec.Struct, gc=False):
    """Effect: tell `session` that its request is refused."""

    session: Address
    refused: Refused


class PeopleDesk:
    """Answers what users ask about their devices and conversations; remembers nothing."""

    __slots__ = ()

    def handle(self, event: Asked, now_wall_ms: int) -> list[object]:
        """Take `event` in; return what must be done, in this order."""
        return self._HANDLERS[type(event.op)](self, event, event.op)

    def _on_devices(self, event: Asked, op: Devices) -> list[object]:
        shown = [
            {
                "device": one.device,
                "title": one.title,
                "created": one.created_at_wall_ms,
                "seen": one.seen_at_wall_ms,
                "cursor": one.cursor,
                "current": one.device == event.device,
            }
            for one in event.devices
        ]
        return [TellWhenDurable(event.session, Answer(op.id, {"devices": shown}))]

    def _on_rename(self, event: Asked, op: Rename) -> list[object]:
        if not any(one.device == op.device for one in event.devices):
            refused = Refused(op.id, "no_such_device", "the user has no such device")
            return [Refuse(event.session, refused)]
        answer = Answer(op.id, {})
        return [KeepTitle(event.session, event.user, op.device, op.title, answer)]

    def _on_conversations(self, event: Asked, op: Conversations) -> list[object]:
        shown: list[dict[str, object]] = []
        budget, items = HISTORY_PAGE_BYTES_MAX, CONVERSATIONS_ITEMS_MAX
        for one in event.conversations[: op.limit]:
            budget -= len(one.record)
            items -= CONVERSATION_ITEMS + one.items
            if (budget < 0 or items < 0) and shown:
                break
            about = {"title": one.title, "role": one.role, "size": one.size}
            shown.append(
                {
                    "conv": one.conv,
                    "head": one.head,
                    "last": one.record,
                    "unread": _unread(one, event.user),
                    "marks": one.marks,
                    **flags_shown(one.flags),
                    **({"gone": True} if one.is_gone else {}),
                    **({} if one.title is None else about),
                }
            )
        more = len(shown) < len(event.conversations)
        ok: dict[str, object] = {"conversations": shown, "more": more}
        return [TellWhenDurable(event.session, Answer(op.id, ok))]

    def _on_groups(self, event: Asked, op: Groups) -> list[object]:
        shown = [
            {
                "conv": one.conv,
                "title": one.title,
                "role": one.role,
                "size": one.size,
                "head": one.head,
                "unread": _unread(one, event.user),
            }
            for one in event.conversations[: op.limit]
        ]
        ok = {"groups": shown, "more": len(shown) < len(event.conversations)}
        return [TellWhenDurable(event.session, Answer(op.id, ok))]

    def _on_flag(self, event: Asked, op: Flag) -> list[object]:
        if event.flags is None:
            refused = Refused(op.id, "no_such_conversation", "nobody wrote anything there")
            return [Refuse(event.session, refused)]
        flags = event.flags
        for bit, name in enumerate(FLAGS):
            wanted = getattr(op, name)
            if wanted is not None:
                flags = flags | 1 << bit if wanted else flags & ~(1 << bit)
        answer = Answer(op.id, dict(flags_shown(flags)))
        return [KeepFlags(event.session, event.user, event.device, op.conv, flags, answer)]

    def _on_profile(self, event: Asked, op: Profile) -> list[object]:
        if event.is_gone:
            gone = {**card_shown(op.user, Card()), "gone": True}
            return [TellWhenDurable(event.session, Answer(op.id, gone))]
        if event.card is None:
            return [Refuse(event.session, Refused(op.id, "no_such_user", NOBODY))]
        shown = card_shown(op.user, event.card, event.is_bot)
        return [TellWhenDurable(event.session, Answer(op.id, shown))]

    def _on_describe(self, event: Asked, op: Describe) -> list[object]:
        card = event.card or Card()
        title = card.title if op.title is None else op.title
        about = card.about if op.about is None else op.about
        now = Card(title, about)
        answer = Answer(op.id, card_shown(event.user, now, event.is_bot))
        return [KeepCard(event.session, event.user, now, answer)]

    def _on_contact(self, event: Asked, op: Contact) -> list[object]:
        if op.keep and not event.is_known:
            return [Refuse(event.session, Refused(op.id, "no_such_user", NOBODY))]
        is_new = op.user not in event.contacts
        if op.keep and is_new and len(event.contacts) >= CONTACTS_MAX:
            reason = f"a user has at most {CONTACTS_MAX} contacts"
            return [Refuse(event.session, Refused(op.id, "too_many_contacts", reason))]
        answer = Answer(op.id, {})
        return [KeepContact(event.session, event.user, op.user, op.keep, answer)]

    def _on_contacts(self, event: Asked, op: Contacts) -> list[object]:
        answer = Answer(op.id, {"contacts": event.contacts})
        return [TellWhenDurable(event.session, answer)]

    def _on_block(self, event: Asked, op: Block) -> list[object]:
        if op.user == event.user:
            refused = Refused(op.id, "bad_request", "nobody can block oneself")
        elif not event.is_known and (op.on or op.user not in event.blocked):
            refused = Refused(op.id, "no_such_user", NOBODY)
        elif op.on and op.user not in event.blocked and len(event.blocked) >= BLOCKS_MAX:
            reason = f"a user blocks at most {BLOCKS_MAX} others"
            refused = Refused(op.id, "too_many_blocks", reason)
        else:
            blocking = Blocking(event.user, event.session, op.id, op.on)
            return [TellConversation(op.user, blocking)]
        return [Refuse(event.session, refused)]

    def _on_blocks(self, event: Asked, op: Blocks) -> list[object]:
        answer = Answer(op.id, {"blocks": event.blocked})
        return [TellWhenDurable(event.session, answer)]

    def _on_delete_account(self, event: Asked, op: DeleteAccount) -> list[object]:
        erasing = Erasing(event.session, op.id, event.user, event.device, op.password)
        return [TellSignIn(erasing)]

    _HANDLERS: dict[type, Callable[[Any, Asked, Any], list[object]]] = {
        Devices: _on_devices,
        Rename: _on_rename,
        Conversations: _on_conversations,
        Flag: _on_flag,
        Profile: _on_profile,
        Describe: _on_describe,
        Contact: _on_contact,
        Contacts: _on_contacts,
        Block: _on_block,
        Blocks: _on_blocks,
        Groups: _on_groups,
        DeleteAccount: _on_delete_account,
    }


def _unread(one: ConversationFacts, user: str) -> int:
    return min(sum(sender != user for sender in one.unread_senders), UNREAD_COUNTED_MAX)


def card_shown(user: str, card: Card, is_bot: bool = False) -> dict[str, object]:
    """Return a profile's fields."""
    shown: dict[str, object] = {"user": user, "title": card.title, "about": card.about}
    return {**shown, "bot": True} if is_bot else shown


def flags_shown(flags: int) -> dict[str, bool]:
    """Return the bits of a row by their names."""
    return {name: bool(flags >> bit & 1) for bit, name in enumerate(FLAGS)}
