"""Golden bytes: what is on disk must not change without a new layout version."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actorchat.errors import StoreCorrupt
from actorchat.ids import slot_of
from actorchat.store import keys, kinds

# crc32("ann") % 1024, and `printf ann | b2sum -l 128`, `printf 'ann\0bob' | b2sum -l 128`.
ANN = "0273d8963d899008cf8c05369be7b9042715"
ANN_BOB = "0273eef5fdca3a12407983c2f0f25ff9796b"
OWNER = bytes(range(18))
CID = bytes(range(16))


def test_a_user_key_is_the_slot_and_a_digest() -> None:
    assert keys.user_key("ann").hex() == ANN
    assert keys.slot_in(keys.user_key("ann")) == slot_of("ann")


def test_a_conversation_key_is_the_same_from_both_sides() -> None:
    assert keys.conversation_key("ann", "bob").hex() == ANN_BOB
    assert keys.conversation_key("bob", "ann").hex() == ANN_BOB


def test_a_conversation_lives_in_the_slot_of_its_first_user() -> None:
    assert keys.slot_in(keys.conversation_key("zoe", "ann")) == slot_of("ann")


def test_a_conversation_with_oneself_is_not_the_user() -> None:
    assert keys.conversation_key("ann", "ann") != keys.user_key("ann")


def test_names_that_run_together_make_two_conversations() -> None:
    assert keys.conversation_key("ab", "c") != keys.conversation_key("a", "bc")


def test_keys_have_their_golden_bytes() -> None:
    assert keys.history_key(OWNER, 258) == OWNER + bytes.fromhex("0000000000000102")
    assert keys.inbox_key(OWNER, 2**64 - 1) == OWNER + b"\xff" * 8
    assert keys.sent_key(OWNER, b"\1", CID) == OWNER + b"\1" + CID
    assert keys.outbox_key(OWNER) == OWNER
    assert keys.state_key(OWNER, kinds.DEVICE, b"phone") == OWNER + b"Dphone"
    assert (b"\xff\xff" + bytes(16) + b"#format") == keys.FORMAT_KEY


def test_values_have_their_golden_bytes() -> None:
    assert keys.pack_history(7, b"record").hex() == "00000007" + b"record".hex()
    inline = "0000000007" + OWNER.hex() + "0000000000000102" + b"record".hex()
    assert (keys.pack_inbox(keys.INLINE, 7, OWNER, 258) + b"record").hex() == inline
    pointer = "0100000007" + OWNER.hex() + "0000000000000102"
    assert keys.pack_inbox(keys.POINTER, 7, OWNER, 258).hex() == pointer
    assert keys.pack_sent(1, 2).hex() == "00000000000000010000000000000002"
    assert keys.pack_outbox(3).hex() == "0000000000000003"


def test_events_of_a_node_are_in_the_order_of_their_positions() -> None:
    positions = [1, 255, 256, 2**40]
    assert [keys.parse_event_key(keys.event_key(each)) for each in positions] == positions
    assert sorted(map(keys.event_key, positions)) == [keys.event_key(each) for each in positions]
    with pytest.raises(StoreCorrupt):
        keys.parse_event_key(keys.FORMAT_KEY)


def test_the_node_has_no_slot_that_an_entity_can_have() -> None:
    assert keys.slot_in(keys.FORMAT_KEY) >= 1024
    assert keys.slot_in(keys.PROBE_KEY) >= 1024


@pytest.mark.parametrize(
    ("unpack", "content"),
    [
        (keys.unpack_history, b"123"),
        (keys.unpack_inbox, bytes(30)),
        (keys.unpack_inbox, bytes(31)),  # inline, without a record
        (keys.unpack_inbox, b"\1" + bytes(30) + b"r"),  # a pointer with a record
        (keys.unpack_inbox, b"\2" + bytes(30)),  # a span, without its count
        (keys.unpack_inbox, b"\2" + bytes(34)),  # a span of nothing
        (keys.unpack_inbox, b"\3" + bytes(30)),
        (keys.unpack_sent, bytes(15)),
        (keys.unpack_sent, bytes(17)),
        (keys.unpack_outbox, bytes(7)),
        (keys.unpack_outbox, bytes(9)),
        (keys.parse_history_key, bytes(25)),
        (keys.parse_history_key, bytes(27)),
        (keys.parse_inbox_key, bytes(18)),
        (keys.parse_sent_key, bytes(34)),
        (keys.parse_outbox_key, bytes(17)),
        (keys.parse_state_key, OWNER),
        (keys.parse_state_key, OWNER + b"?id"),
    ],
)
def test_what_does_not_parse_is_corrupt(unpack: Callable[[bytes], object], content: bytes) -> None:
    with pytest.raises(StoreCorrupt, match="bad"):
        unpack(content)


def test_an_error_does_not_quote_a_body() -> None:
    with pytest.raises(StoreCorrupt) as caught:
        keys.unpack_sent(bytes(18) + b"secret")
    assert b"secret".hex() not in str(caught.value)


@pytest.mark.parametrize("prefix", [b"", b"\xff", b"\xff\xff"])
def test_a_prefix_without_end_is_refused(prefix: bytes) -> None:
    with pytest.raises(ValueError, match="no end"):
        keys.prefix_range(prefix)


def test_conversations_with_a_span_are_found_among_rows() -> None:
    one, other = keys.conversation_key("ann", "bob"), keys.conversation_key("ann", "cid")
    values = [keys.pack_inbox(keys.POINTER, 0, one, 1), keys.pack_span(0, other, 5, 2)]
    assert keys.spanned(values) == {other}
