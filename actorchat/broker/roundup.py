"""Knows how a list of conversations is put together that are led by several nodes.
Must not know how a list is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actorchat.broker.inquiry import NO_ANSWER, Inquiry
from actorchat.chat.afar import AskFacts, FactsGiven, RoundupDue
from actorchat.chat.event import Refused
from actorchat.chat.people import Asked, ConversationFacts
from actorchat.errors import Unavailable
from actorchat.ids import GROUP_MARK, direct_pair, is_group
from actorchat.limits import UNAVAILABLE_AFTER_MS, WHOIS_WAIT_S
from actorchat.protocol.ops.group import Groups
from actorchat.protocol.ops.people import Conversations

if TYPE_CHECKING:
    from actorchat.broker.census import Census

PEOPLE = "people"


class Page:
    """A page that is being put together, of one more than its limit."""

    __slots__ = ("after", "asked", "found", "got", "listed", "waiting", "wanted")

    def __init__(self, asked: Asked, after: bytes | None, wanted: int) -> None:
        self.asked = asked
        self.after = after
        self.wanted = wanted
        self.found: list[ConversationFacts] = []
        self.listed: list[tuple[bytes, str]] = []  # what is looked at now
        self.got: dict[str, ConversationFacts] = {}  # of these
        self.waiting: set[str] = set()  # for these nodes


class Roundup(Inquiry):
    """The part of the people desk that asks other nodes' desks what a list shows.

    What a node of them leads is asked in one question. If one can't be reached the list is refused:
    part of it would look like all.
    """

    _census: Census

    def __init__(self) -> None:
        super().__init__()
        self._pages: dict[int, Page] = {}
        self._numbers = 0

    def _shorten(self, user: str, found: list[ConversationFacts]) -> None:
        raise NotImplementedError

    def on_stop(self, reason: object) -> None:
        """Answer those that wait."""
        super().on_stop(reason)
        for number in list(self._pages):
            self._drop(number)

    def _inquire(self, event: Any) -> bool:
        if isinstance(event, AskFacts):
            self._give_facts(event)
        elif isinstance(event, FactsGiven):
            self._take_facts(event)
        elif isinstance(event, RoundupDue):
            self._drop(event.number)
        elif isinstance(event, Asked) and isinstance(event.op, Conversations | Groups):
            op = event.op
            after = None if op.after is None else self._census.key_of(event.user, op.after)
            self._numbers += 1
            self._pages[self._numbers] = Page(event, after, op.limit + 1)
            self._go_on(self._numbers)
        else:
            return super()._inquire(event)
        return True

    # -- the desk that is asked --------------------------------------------------------------------
    def _facts(self, user: str, convs: list[str]) -> list[ConversationFacts]:
        found = []
        for conv in convs:
            facts = self._census.facts(user, conv, self._context.clock.wall_ms())
            if facts is not None:
                if conv[0] != GROUP_MARK and not self._context.has(conv):
                    key = self._census.key_of(user, conv)
                    facts.is_gone = self._context.tombs.is_noted(key, conv)
                found.append(facts)
        self._shorten(user, found)
        return found

    def _give_facts(self, event: AskFacts) -> None:
        reach = self._context.reach
        assert reach is not None
        pairs = [
            conv if is_group(conv) else direct_pair(event.user, conv)[0] for conv in event.convs
        ]
        if not all(reach.is_here(whose) for whose in pairs):
            return  # some have gone elsewhere: who asks gives up, for a part would look like all
        given = FactsGiven(event.number, reach.node, self._facts(event.user, event.convs))
        self._context.log.append((), event.asker.tell, given)

    # -- the desk that asks ------------------------------------------------------------------------
    def _go_on(self, number: int) -> None:
        """Look at as many more conversations as are wanted."""
        page, reach = self._pages[number], self._context.reach
        assert reach is not None
        user = page.asked.user
        page.got.clear()
        is_of_groups = isinstance(page.asked.op, Groups)
        look_up = self._census.listed_groups if is_of_groups else self._census.listed
        page.listed = look_up(user, page.after, page.wanted - len(page.found))
        by_node: dict[str, list[str]] = {}
        for _, conv in page.listed:
            whose = conv if conv[0] == GROUP_MARK else direct_pair(user, conv)[0]
            by_node.setdefault(reach.home(whose), []).append(conv)
        page.got.update((one.conv, one) for one in self._facts(user, by_node.pop(reach.node, [])))
        page.waiting = set(by_node)
        try:
            for node, convs in by_node.items():
                if not reach.is_up(node):
                    raise Unavailable
                reach.named(node, PEOPLE).tell(AskFacts(self.ref, number, user, convs))
        except Unavailable:
            self._drop(number)
            return
        if by_node:
            self.send_after(WHOIS_WAIT_S, RoundupDue(number), key=(RoundupDue, number))
        else:
            self._end_round(number)

    def _take_facts(self, event: FactsGiven) -> None:
        page = self._pages.get(event.number)
        if page is None or event.node not in page.waiting:
            return
        page.waiting.discard(event.node)
        for one in event.facts:
            one.flags = self._census.flags(page.asked.user, one.conv) or 0
            page.got[one.conv] = one
        if not page.waiting:
            self._end_round(event.number)

    def _end_round(self, number: int) -> None:
        page = self._pages[number]
        asked_for = page.wanted - len(page.found)
        page.found += [page.got[conv] for _, conv in page.listed if conv in page.got]
        if len(page.listed) == asked_for and len(page.found) < page.wanted:
            page.after = page.listed[-1][0]
            self._go_on(number)  # blocks hide all of some
            return
        del self._pages[number]
        page.asked.conversations = page.found
        self._decide(page.asked)

    def _drop(self, number: int) -> None:
        page = self._pages.pop(number, None)
        if page is not None:
            asked = page.asked
            about = (asked.op.id, Unavailable.code, NO_ANSWER, Unavailable.retry)
            asked.session.tell(Refused(*about, "none", UNAVAILABLE_AFTER_MS))
