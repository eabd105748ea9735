"""Knows what actors tell each other only where there are several nodes.
Must not know nodes beyond their names, or links.
"""

from __future__ import annotations

from actorchat.chat.event import Address, Event, Pair
from actorchat.chat.people import ConversationFacts


class WhoIs(Event):
    """A conversation asks whether there is a user, before the first of its messages."""

    user: str
    asker: Address


class Known(Event):
    """Whether there is an account of `user`, synced."""

    user: str
    is_here: bool


class AnswerDue(Event):
    """Time to give up waiting for a `Known`."""


class Listed(Event):
    """The conversation `key` has messages: to be listed at the home of the second of its users."""

    pair: Pair
    key: bytes


class Where(Event):
    """An operator asks a user's home by which nodes its devices are connected; an `Answer`."""

    session: Address
    rid: int


class NodeLost(Event):
    """The link to `node` ended: what was told there since it was up may not have arrived."""

    node: str


class InquiryDue(Event):
    """Time to give up waiting for a `Known` of `user`."""

    user: str


class BlockKept(Event):
    """A conversation hides from now on what `user`, at home elsewhere, wants hidden, or does not.

    The home keeps whom the user blocks, and answers request `rid`.
    """

    user: str
    other: str
    on: bool
    session: Address
    rid: int


class AskFacts(Event):
    """A people desk asks the one that leads some of `user`'s conversations what a list shows."""

    asker: Address
    number: int
    user: str
    convs: list[str]


class FactsGiven(Event):
    """What the desk of `node` knows of those conversations, synced: those that there are."""

    number: int
    node: str
    facts: list[ConversationFacts]


class RoundupDue(Event):
    """Time to give up a list that other nodes have not answered for."""

    number: int


class AskAbout(Event):
    """A group asks of which `users` there is an account, and who does not let `sender` add them."""

    asker: Address
    number: int
    sender: str
    users: list[str]


class AboutThem(Event):
    """What `node` knows of those users, synced: who is unknown, who is barred."""

    number: int
    node: str
    unknown: list[str]
    barred: list[str]


class AbroadDue(Event):
    """Time to give up a change that other nodes have not answered for."""

    number: int


class Leave(Event):
    """The slot of an entity is led by another node now: it is to go there.

    One that was held, and is led here still, goes on.
    """


class Hold(Event):
    """A home is to put aside all that comes behind this."""


class TableTurned(Event):
    """Some `slots` have another leader; a session looks anew for what it has told to stay told."""

    slots: frozenset[int] = frozenset()
