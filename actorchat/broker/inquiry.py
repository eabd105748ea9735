"""Knows how the people desk asks other nodes of their users, and is told by their conversations.
Must not know what a desk decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actorchat.broker.moderating import Moderating
from actorchat.broker.reach import MOVING
from actorchat.broker.turned_away import turn_away
from actorchat.broker.whois import WHOIS
from actorchat.chat.afar import BlockKept, InquiryDue, Known, WhoIs
from actorchat.chat.event import Answer, Refused
from actorchat.chat.moderating import Moderate
from actorchat.chat.people import Asked
from actorchat.chat.sighting import BlockChanged
from actorchat.errors import SlotClosed, Unavailable
from actorchat.limits import MOVED_AFTER_MS, UNAVAILABLE_AFTER_MS, WHOIS_WAIT_S
from actorchat.protocol.ops.block import Block
from actorchat.protocol.ops.people import Contact

if TYPE_CHECKING:
    from actorchat.broker.context import Context

NO_ANSWER = "the node that answers for this user can't be reached now"


class Inquiry(Moderating):
    """The part of the people desk that is at work only where there are several nodes."""

    _context: Context

    def __init__(self) -> None:
        super().__init__()
        self._waiting: dict[str, list[Asked]] = {}  # by the user of another node they are about

    def _decide(self, event: Asked) -> None:
        raise NotImplementedError

    def on_stop(self, reason: object) -> None:
        """Answer those that wait."""
        for user in list(self._waiting):
            self._give_up(user)

    def _inquire(self, event: Any) -> bool:
        """Take in what has to do with other nodes; say whether it did."""
        if isinstance(event, Known):
            for asked in self._waiting.pop(event.user, ()):
                asked.is_known = event.is_here
                self._decide(asked)
        elif isinstance(event, InquiryDue):
            self._give_up(event.user)
        elif isinstance(event, BlockKept):
            self._keep_blocked(event)
        elif isinstance(event, Moderate):
            self._moderate(event)
        else:
            return self._is_about_another(event)
        return True

    def _is_about_another(self, event: Asked) -> bool:
        op, reach = event.op, self._context.reach
        assert reach is not None
        if not isinstance(op, Block) and not (isinstance(op, Contact) and op.keep):
            return False
        user = op.user
        if reach.is_here(user):
            return False
        waiting = self._waiting.setdefault(user, [])
        waiting.append(event)
        if len(waiting) == 1:
            try:
                reach.desk(user, WHOIS).tell(WhoIs(user, self.ref))
            except Unavailable:
                self._give_up(user)
            else:
                self.send_after(WHOIS_WAIT_S, InquiryDue(user), key=(InquiryDue, user))
        return True

    def _give_up(self, user: str) -> None:
        for asked in self._waiting.pop(user, ()):
            about = (Unavailable.code, NO_ANSWER, Unavailable.retry, "none", UNAVAILABLE_AFTER_MS)
            asked.session.tell(Refused(asked.op.id, *about))  # type: ignore[arg-type]

    def _keep_blocked(self, event: BlockKept) -> None:
        context = self._context
        row = context.blocks.list_row(event.user, event.other, event.on)
        changed = BlockChanged(event.user, event.other, event.on)
        answer = Answer(event.rid, {})
        follow = context.trackers.follow_block
        try:
            context.log.append((row,), event.session.tell, answer, follow, changed)
        except SlotClosed:
            turn_away(event, Unavailable.code, MOVING, after_ms=MOVED_AFTER_MS)
