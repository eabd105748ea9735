"""Knows how a search is put together that several nodes have parts of.
Must not know how anything is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actorchat.actor import Actor
from actorchat.broker.inquiry import NO_ANSWER
from actorchat.broker.paging import weigh_rich
from actorchat.chat.event import Answer, Refused
from actorchat.chat.people import Asked
from actorchat.chat.search import PartFound, PartsDue, SearchPart, merged
from actorchat.errors import Unavailable
from actorchat.ids import GROUP_MARK, direct_pair
from actorchat.limits import SEARCH_WAIT_S, UNAVAILABLE_AFTER_MS
from actorchat.protocol import codec, rich

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.protocol.ops.search import Search


class Wide:
    """A search that waits for its parts."""

    __slots__ = ("asked", "parts", "waiting")

    def __init__(self, asked: Asked, waiting: set[str]) -> None:
        self.asked = asked
        self.waiting = waiting  # for these nodes
        self.parts: list[PartFound] = []


class SearchesAfar(Actor):
    """The part of the search desk that is at work only where there are several nodes.

    What a node leads of the user's conversations is asked in one question, of this node, too. If
    one does not answer the search is refused: a part would look like all.
    """

    _context: Context

    def __init__(self) -> None:
        super().__init__()
        self._wide: dict[int, Wide] = {}
        self._numbers = 0

    def on_stop(self, reason: object) -> None:
        """Answer those that wait."""
        for number in list(self._wide):
            self._refuse_wide(number, Unavailable.code, NO_ANSWER)

    def _part(self, event: SearchPart) -> None:
        raise NotImplementedError

    def _spread(self, event: Asked, convs: list[str]) -> None:
        """Ask all nodes that lead any of `convs`."""
        context, op = self._context, event.op
        reach = context.reach
        assert reach is not None
        asked: Search = op  # type: ignore[assignment]
        by_node: dict[str, list[str]] = {}
        for conv in convs:
            by_node.setdefault(reach.home(_whose(event.user, conv)), []).append(conv)
        self._numbers += 1
        number = self._numbers
        self._wide[number] = Wide(event, set(by_node))
        if not all(map(reach.is_up, by_node)):
            self._refuse_wide(number, Unavailable.code, NO_ANSWER)
            return
        self.send_after(SEARCH_WAIT_S, PartsDue(number), key=(PartsDue, number))
        for node, some in by_node.items():
            about = (event.user, asked.q, some, asked.before, asked.limit)
            part = SearchPart(self.ref, number, *about)
            try:
                if node == reach.node:
                    self._part(part)
                else:
                    reach.named(node, "search").tell(part)
            except Unavailable:
                self._refuse_wide(number, Unavailable.code, NO_ANSWER)
                return

    def _is_gone(self, slot: int) -> bool:
        """Say whether another node leads a slot, as far as this one knows."""
        reach = self._context.reach
        return reach is not None and reach.leader(slot) not in ("", reach.node)

    def _leads_all(self, event: SearchPart) -> bool:
        reach = self._context.reach
        assert reach is not None
        return all(reach.is_here(_whose(event.user, conv)) for conv in event.convs)

    def _part_found(self, event: PartFound) -> None:
        wide = self._wide.get(event.number)
        if wide is None or event.node not in wide.waiting:
            return
        if event.code:
            self._refuse_wide(event.number, event.code, event.reason)
            return
        wide.waiting.discard(event.node)
        wide.parts.append(event)
        if wide.waiting:
            return
        del self._wide[event.number]
        op: Any = wide.asked.op
        parts = sorted(wide.parts, key=lambda part: part.node)
        hits = [
            {"conv": hit.conv, "record": codec.decode(hit.record)}
            for hit in merged(parts, op.limit, _weigh)
        ]
        is_partial = any(part.is_partial for part in parts)
        session: Any = wide.asked.session
        session.tell(Answer(op.id, {"hits": hits, "partial": is_partial}))

    def _parts_due(self, event: PartsDue) -> None:
        if event.number in self._wide:
            self._refuse_wide(event.number, Unavailable.code, NO_ANSWER)

    def _refuse_wide(self, number: int, code: str, reason: str) -> None:
        asked = self._wide.pop(number).asked
        retry: Any = "never" if code in {"unsupported", "bad_request"} else "after"
        after_ms = None if retry == "never" else UNAVAILABLE_AFTER_MS
        session: Any = asked.session
        session.tell(Refused(asked.op.id, code, reason, retry, "none", after_ms))


def _whose(user: str, conv: str) -> str:
    return conv if conv[0] == GROUP_MARK else direct_pair(user, conv)[0]


def _weigh(record: bytes) -> int:
    return weigh_rich(record) if rich.is_rich(record) else len(record)
