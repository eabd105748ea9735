"""Which updates are new, and which acks are due."""

from __future__ import annotations

import pytest

from actorchat.client.incoming import SEEN_MESSAGES, WROTE_MESSAGES, Incoming, Verdict


def begun(resume: int | None = None, cursor: int = 0, head: int = 0) -> Incoming:
    incoming = Incoming(resume)
    incoming.begin(cursor, head, 0.0)
    return incoming


def test_updates_are_new_once_and_only_without_a_gap() -> None:
    incoming = begun(cursor=4, head=9)
    assert incoming.accept(5, "bob", 1, 0.0) is Verdict.NEW
    assert incoming.accept(5, "bob", 1, 0.0) is Verdict.OLD
    assert incoming.accept(7, "bob", 3, 0.0) is Verdict.GAP
    assert incoming.accept(6, "bob", 2, 0.0) is Verdict.NEW


def test_a_message_that_comes_again_as_a_new_update_is_a_repeat() -> None:
    incoming = begun()
    assert incoming.accept(1, "bob", 1, 0.0) is Verdict.NEW
    assert incoming.accept(2, "bob", 1, 0.0) is Verdict.REPEAT
    assert incoming.accept(3, "eve", 1, 0.0) is Verdict.NEW
    incoming.take(1, 0.0)
    assert incoming.taken == 2  # nobody else will ever take the repeat
    assert incoming.accept(4, "eve", 1, 0.0) is Verdict.REPEAT
    incoming.take(3, 0.0)
    assert incoming.ack() == 4
    assert incoming.accept(5, "eve", 1, 0.0) is Verdict.REPEAT
    assert incoming.taken == 5


def test_a_later_message_with_a_lower_seq_is_no_repeat() -> None:
    incoming = begun()
    assert incoming.accept(1, "bob", 5, 0.0) is Verdict.NEW
    assert incoming.accept(2, "bob", 4, 0.0) is Verdict.NEW


def test_at_least_the_last_512_messages_are_remembered() -> None:
    incoming = begun()
    for upd in range(1, SEEN_MESSAGES + 500):
        assert incoming.accept(upd, "bob", upd, 0.0) is Verdict.NEW
    last = SEEN_MESSAGES + 499
    assert incoming.accept(last + 1, "bob", last - SEEN_MESSAGES + 1, 0.0) is Verdict.REPEAT


def test_an_ack_is_due_50_ms_after_the_first_or_at_the_32nd() -> None:
    incoming = begun()
    for upd in range(1, 40):
        incoming.accept(upd, "bob", upd, 0.0)
    incoming.take(1, 1.0)
    incoming.take(2, 1.04)
    assert not incoming.is_ack_due(1.049)
    assert incoming.is_ack_due(1.05)
    assert incoming.ack() == 2
    assert incoming.ack_at is None
    incoming.take(33, 2.0)
    assert not incoming.is_ack_due(2.0)
    incoming.take(34, 2.0)
    assert incoming.is_ack_due(2.0)


def test_no_more_is_taken_than_was_received() -> None:
    incoming = begun()
    incoming.accept(1, "bob", 1, 0.0)
    incoming.take(99, 0.0)
    assert incoming.ack() == 1
    incoming.take(0, 0.0)
    assert incoming.taken == 1


def test_a_server_that_repeats_what_was_acked_is_told_again() -> None:
    incoming = begun(resume=5, cursor=5, head=5)
    assert incoming.accept(5, "bob", 5, 1.0) is Verdict.OLD
    assert incoming.is_ack_due(1.05)
    assert incoming.ack() == 5


@pytest.mark.parametrize("cursor", [4, 7])
def test_the_server_is_told_our_place_soon_after_each_welcome(cursor: int) -> None:
    incoming = Incoming(7)
    assert incoming.begin(cursor, 9, 1.0) is None
    assert incoming.is_ack_due(1.05)
    assert incoming.ack() == 7


def test_a_server_ahead_or_with_a_shorter_log_says_where_to_go_on() -> None:
    incoming = Incoming(7)
    assert incoming.begin(9, 9, 0.0) == 7
    assert incoming.accept(10, "bob", 1, 0.0) is Verdict.NEW
    assert incoming.begin(3, 3, 0.0) == 10
    assert incoming.accept(4, "bob", 2, 0.0) is Verdict.NEW


def test_what_comes_again_is_counted_by_kind() -> None:
    incoming = Incoming(None)
    incoming.begin(0, 0, now=0.0)
    incoming.accept(1, "ann", 1, now=0.0)
    assert (incoming.resent, incoming.rewritten) == (0, 0)
    incoming.accept(1, "ann", 1, now=0.0)
    assert (incoming.resent, incoming.rewritten) == (1, 0)
    incoming.accept(2, "ann", 1, now=0.0)
    incoming.accept(3, "ann", 2, now=0.0)
    assert (incoming.resent, incoming.rewritten) == (1, 1)


def test_what_was_sent_from_here_is_not_handed_on_and_acked() -> None:
    incoming = Incoming(None)
    incoming.begin(cursor=0, head=0, now=0.0)
    incoming.wrote(b"mine")
    assert incoming.accept(1, "bob", 1, 0.0, b"mine") is Verdict.OWN
    assert incoming.accept(2, "bob", 2, 0.0, b"other") is Verdict.NEW
    assert (incoming.taken, incoming.rewritten) == (1, 0)
    assert incoming.ack_at is not None


def test_as_many_as_may_be_on_their_way_back_are_known_and_no_more_than_twice_that() -> None:
    incoming = Incoming(None)
    incoming.begin(cursor=0, head=0, now=0.0)
    cids = [number.to_bytes(16, "big") for number in range(1, 3 * WROTE_MESSAGES)]
    for cid in cids:
        incoming.wrote(cid)
    recent = cids[-WROTE_MESSAGES:]
    for upd, cid in enumerate(recent, 1):
        assert incoming.accept(upd, "bob", upd, 0.0, cid) is Verdict.OWN
    upd = len(recent) + 1
    assert incoming.accept(upd, "bob", upd, 0.0, cids[0]) is Verdict.NEW


def test_what_is_gone_is_acked_when_the_application_says_so() -> None:
    incoming = Incoming(3)
    assert incoming.begin(8, 9, 0.0, is_too_old=True) == 3
    assert (incoming.received, incoming.taken, incoming.ack_at) == (8, 7, None)
    incoming.take(8, 1.0)
    assert incoming.ack_at is not None
    assert incoming.ack() == 8


def test_what_comes_back_of_ones_own_does_not_ack_what_is_gone() -> None:
    incoming = Incoming(3)
    incoming.wrote(b"cid")
    incoming.begin(8, 9, 0.0, is_too_old=True)
    assert incoming.accept(9, "bob", 1, 0.0, b"cid") is Verdict.OWN
    assert incoming.ack_at is None
    incoming.take(8, 1.0)
    assert incoming.ack() == 9


def test_gap_is_told_again_until_it_is_taken_or_something_later_is() -> None:
    incoming = Incoming(None)
    assert incoming.begin(8, 9, 0.0, is_too_old=True) == 0
    assert incoming.begin(8, 9, 0.0, is_too_old=True) == 8
    assert incoming.accept(9, "bob", 1, 0.0) is Verdict.NEW
    incoming.take(9, 0.0)
    assert incoming.ack() == 9
