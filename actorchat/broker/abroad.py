"""Knows how a group deals with members whose homes are on other nodes.
Must not know what is decided of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from actorchat.broker.reach import NODE_DOWN
from actorchat.broker.sequence import SequenceActor
from actorchat.broker.whois import WHOIS
from actorchat.chat.afar import AboutThem, AbroadDue, AskAbout
from actorchat.chat.event import Deliver, Refused
from actorchat.chat.group_event import Changing
from actorchat.chat.moved import Moved
from actorchat.errors import Unavailable
from actorchat.ids import slot_of
from actorchat.limits import UNAVAILABLE_AFTER_MS, WHOIS_WAIT_S

if TYPE_CHECKING:
    from actorchat.broker.place import Place
    from actorchat.broker.reach import Reach

ANSWERS = (AboutThem, AbroadDue)


class Held:
    """A change that waits for what these nodes know of whom it names."""

    __slots__ = ("change", "waiting")

    def __init__(self, change: Changing, waiting: set[str]) -> None:
        self.change = change
        self.waiting = waiting


class Abroad(SequenceActor):
    """The part of a group that tells and asks other nodes. Homes that are not there are owed."""

    _address: str

    def _go_abroad(self) -> None:
        self.conv = self._address
        self._held: dict[int, Held] = {}
        self._numbers = 0

    def _decide_change(self, change: Changing) -> None:
        raise NotImplementedError

    def _is_near(self, user: str) -> bool:
        """Say whether a member's home is in the group's slot."""
        return not self._context.is_apart(self._address, user)

    # -- telling -----------------------------------------------------------------------------------
    def _tell_homes(self, places: Sequence[Place], event: Any) -> None:
        reach = self._context.reach
        assert reach is not None
        _tell_everywhere(reach, places, event)

    def _tell_moved_homes(self, moved: Moved, places: Sequence[Place]) -> None:
        """Tell how far the head has moved; those who have no history here, each record of it."""
        reach = self._context.reach
        assert reach is not None
        own = slot_of(self._address)
        near = [place for place in places if place.slot == own]
        far = [place for place in places if place.slot != own]
        _tell_everywhere(reach, near, moved)
        if not far:
            return
        seq, prev = moved.first, moved.prev
        for record in self._records_of(moved):
            deliver = Deliver(self._address, self._key, self._me, seq, prev, record)
            _tell_everywhere(reach, far, deliver)
            seq, prev = seq + 1, seq

    def _records_of(self, moved: Moved) -> list[bytes]:
        count = moved.seq - moved.first + 1
        records = list(moved.records[-count:])
        lacking = count - len(records)
        if lacking:
            end = moved.first + lacking
            page = self._archive.records(self._key, moved.first - 1, end, lacking, False)
            records = [self._shown(record) for _, record in page] + records
        return records

    # -- asking ------------------------------------------------------------------------------------
    def _ask_abroad(self, change: Changing, users: Iterable[str]) -> bool:
        """Hold a change back that names users of other nodes; say whether it does."""
        reach = self._context.reach
        assert reach is not None
        by_node: dict[str, list[str]] = {}
        for user in users:
            if user != change.sender:  # who is signed in is there
                by_node.setdefault(reach.home(user), []).append(user)
        if not by_node:
            return False
        if not all(map(reach.is_up, by_node)):
            _refuse(change)
            return True
        self._numbers += 1
        number = self._numbers
        self._held[number] = Held(change, set(by_node))
        for node, some in by_node.items():
            reach.named(node, WHOIS).tell(AskAbout(self._me, number, change.sender, some))
        self.send_after(WHOIS_WAIT_S, AbroadDue(number), key=(AbroadDue, number))
        return True

    def _take_answer(self, event: AboutThem | AbroadDue) -> None:
        held = self._held.get(event.number)
        if held is None:
            return
        if isinstance(event, AbroadDue):
            del self._held[event.number]
            _refuse(held.change)
            return
        change = held.change
        change.unknown += tuple(event.unknown)
        change.barred += tuple(event.barred)
        held.waiting.discard(event.node)
        if not held.waiting:
            # Should this actor crash on the way, who asked is answered all the same.
            self._decide_change(change)
            del self._held[event.number]

    def _let_go(self) -> None:
        """Answer those that wait, at the end."""
        for held in self._held.values():
            self.discarded(held.change)


def _tell_everywhere(reach: Reach, places: Iterable[Place], event: object) -> None:
    refs = []
    for place in places:
        try:
            refs.append(place.ref())
        except Unavailable:
            continue
    reach.tell_all(refs, event)


def _refuse(change: Changing) -> None:
    about = (change.rid, Unavailable.code, NODE_DOWN, Unavailable.retry)
    change.session.tell(Refused(*about, "none", UNAVAILABLE_AFTER_MS))
