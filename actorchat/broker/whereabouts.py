"""Knows what an operator is told of where a user is. Must not know who asks, or how it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actorchat.chat.event import Answer
from actorchat.ids import slot_of

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.chat.afar import Where
    from actorchat.chat.inbox import Inbox


def home_of(context: Context, user: str, *, is_up: bool) -> dict[str, object]:
    """Return what every node knows of where a user is at home."""
    number = slot_of(user)
    found: dict[str, object] = {"user": user, "slot": int(number), "home": "", "epoch": 0}
    if context.reach is not None:
        slot = context.reach.slot(number)
        found |= {"home": slot.leader, "epoch": slot.epoch}
    return found | {"up": is_up}


def tell_where(context: Context, event: Where, inbox: Inbox) -> bool:
    """Answer for a user's home, whose machine is `inbox`; False: it need not be told."""
    here = "" if context.reach is None else context.reach.node
    told = []
    for device, delivery in sorted(inbox.devices.items()):
        session: Any = delivery.session
        if session is not None:
            node = session.node if session.is_foreign else here
            told.append({"device": device, "node": node})
    known = {"account": context.archive.has_account(inbox.user), "devices": told}
    event.session.tell(Answer(event.rid, home_of(context, inbox.user, is_up=True) | known))
    return False
