"""The home of a deleted account keeps nothing and holds nobody up."""

from __future__ import annotations

from actorchat.chat.effect import AppendRecord, Push
from actorchat.chat.event import (
    Accepted,
    Attach,
    Confirm,
    Deliver,
    Ended,
    FannedOut,
    OutOfOrder,
    Record,
)
from actorchat.chat.gone import GoneHome, Strayed
from actorchat.chat.moved import Moved
from actorchat.testing.playbook import Playbook
from tests.unit.chat.cast import Peer

CONVERSATION, SESSION = Peer("conversation"), Peer("session")
PAIR = ("ann", "bob")


def record(seq: int) -> Record:
    return Record(PAIR, b"k", CONVERSATION, seq, b"r", (), SESSION, Accepted(1, seq, 0))


def test_record_is_stored_for_the_other_one_alone() -> None:
    home = GoneHome("ann")
    home.recorded[PAIR] = 4
    event = record(5)
    Playbook(home) >> event << AppendRecord(event, 0, None, False)
    _, told = home.handle(record(9), 0)
    assert told == Push(CONVERSATION, OutOfOrder(5))
    assert home.head == 0


def test_delivery_is_dropped_and_confirmed() -> None:
    play = Playbook(GoneHome("ann"))
    assert play.machine.handle(Deliver(PAIR, b"k", CONVERSATION, 7, 6, b"r"), 0) == []
    assert (
        play
        >> Confirm(PAIR, b"k", CONVERSATION, 7)
        << Push(CONVERSATION, FannedOut("ann", 7))
        << Strayed(PAIR, 7)
    )
    assert play.machine.is_quiet


def test_nobody_comes_in() -> None:
    assert (
        Playbook(GoneHome("ann"))
        >> Attach("phone", SESSION)
        << Push(SESSION, Ended("revoked", "never"))
    )


def test_what_big_groups_tell_is_dropped() -> None:
    home, group = GoneHome("ann"), "#" + "A" * 22
    assert home.handle(Moved(group, b"k", CONVERSATION, 1, 7, 0, ()), 0) == []
    assert home.waiting is None
