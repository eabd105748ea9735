"""Knows how the home of a bot lets it delete what others wrote, wherever that is.
Must not know what a deletion is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actorchat.actor import Actor
from actorchat.chat.event import Refused
from actorchat.chat.moderating import Moderate, Moderated
from actorchat.errors import BUSY, LinkFull, MailboxFull, Unavailable
from actorchat.limits import UNAVAILABLE_AFTER_MS

if TYPE_CHECKING:
    from actorchat.broker.context import Context

NO_MODERATOR = "only a bot that was granted to moderate deletes so"


class Moderating(Actor):
    """The part of the people desk that is asked by sessions of bots, where there are several nodes.

    The grant is looked up each time, here, so one that is taken away counts from then on.
    """

    _context: Context

    def _moderate(self, event: Moderate) -> None:
        context = self._context
        if not context.has(event.sender) or not context.moderators.has(event.sender):
            event.session.tell(Refused(event.rid, "forbidden", NO_MODERATOR))
            return
        about = (event.sender, event.session, event.rid, event.cid, event.conv, event.seqs)
        try:
            context.router.conversation(event.conv).tell(Moderated(*about))
        except Unavailable as error:
            why = BUSY if isinstance(error, MailboxFull | LinkFull) else str(error)
            refused = (event.rid, error.code, why, "after", "none", UNAVAILABLE_AFTER_MS)
            event.session.tell(Refused(*refused))  # type: ignore[arg-type]
