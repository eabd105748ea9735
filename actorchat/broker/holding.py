"""Knows how the entities of a slot are held back, and let go on. Must not know why.

A held entity decides nothing and writes nothing: it puts aside what comes, in order. First the
conversations and groups are held, at once; what these told the homes of the same slot before is
still handled there, and each home is held behind it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from actorchat.chat.afar import Hold
from actorchat.errors import MailboxFull
from actorchat.ids import slot_of

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.broker.entity import EntityActor


def hold(context: Context, slot: int) -> None:
    """Begin to hold all entities of a slot, and those that are started while it is held."""
    assert context.reach is not None
    context.reach.held.add(slot)
    conversations, homes = _entities(context, slot)
    for conversation in conversations:
        conversation.hold()
    for home in homes:
        with suppress(MailboxFull):  # it is asked again
            home.ref.tell(Hold())


def is_held(context: Context, slot: int) -> bool:
    """Say whether every entity of the slot is held; ask those again that are not."""
    conversations, homes = _entities(context, slot)
    is_all = True
    for conversation in conversations:
        if not conversation.is_held:
            conversation.hold()
    for home in homes:
        if not home.is_held:
            is_all = False
            with suppress(MailboxFull):
                home.ref.tell(Hold())
    return is_all


def let_go(context: Context, slot: int) -> None:
    """Let the entities of a slot go on, here."""
    assert context.reach is not None
    context.reach.held.discard(slot)
    context.reach.closed.discard(slot)
    for entities in _entities(context, slot):
        for entity in entities:
            if entity.is_held:
                entity.go_on()


def _entities(context: Context, slot: int) -> tuple[list[EntityActor], list[EntityActor]]:
    """Return the conversations and groups of a slot that run, and the homes."""
    conversations: list[EntityActor] = []
    homes: list[EntityActor] = []
    for whose, ref, is_home in context.router.entities():
        actor = ref._actor
        if actor is not None and slot_of(whose) == slot:
            (homes if is_home else conversations).append(actor)
    return conversations, homes
