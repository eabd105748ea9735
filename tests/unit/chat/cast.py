"""Who appears in the plays of the chat machines."""

from __future__ import annotations

from actorchat.chat.event import Accepted, Deliver, Pair, Record


class Peer:
    """A session, conversation or home that is told things; equal to itself alone."""

    def __init__(self, name: str = "peer") -> None:
        self.name = name
        self.told: list[object] = []

    def tell(self, event: object, /) -> None:
        self.told.append(event)

    def __repr__(self) -> str:
        return f"<{self.name}>"


PAIR: Pair = ("ann", "bob")
AWAY: Pair = ("aaa", "ann")  # a conversation that lives at another user's home


def cid(number: int) -> bytes:
    """Return a client id of 16 bytes."""
    return number.to_bytes(16, "big")


def record(
    seq: int,
    session: Peer,
    conversation: Peer,
    recipient: Peer | None = None,
    pair: Pair = PAIR,
    has_company: bool = False,
) -> Record:
    """Return a record of a conversation that lives at ann's."""
    ack = Accepted(seq, seq, 5)
    deliver = None
    if recipient is not None:
        deliver = Deliver(pair, b"key", conversation, seq, seq - 1, b"r")
    return Record(
        pair,
        b"key",
        conversation,
        seq,
        b"r",
        (),
        session,
        ack,
        recipient,
        deliver,
        is_own=recipient is not None,
        has_company=has_company,
    )
