"""Keys sort as their numbers do, and everything that is packed comes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actorchat.ids import NAME_PATTERN
from actorchat.store import keys, kinds, values

names = st.from_regex(NAME_PATTERN, fullmatch=True)
numbers = st.integers(0, keys.SEQ_MAX)
epochs = st.integers(0, 2**32 - 1)
owners = st.binary(min_size=18, max_size=18)
tags = st.binary(min_size=1, max_size=1)
cids = st.binary(min_size=16, max_size=16)
records = st.binary(min_size=1, max_size=600)
state_kinds = st.sampled_from(sorted(kinds.STATE_KINDS))


@given(names, names)
def test_a_conversation_has_one_key_of_fixed_size(one: str, other: str) -> None:
    key = keys.conversation_key(one, other)
    assert key == keys.conversation_key(other, one)
    assert len(key) == len(keys.user_key(one)) == keys.OWNER_BYTES


@given(st.lists(st.tuples(names, names), max_size=20))
def test_different_pairs_have_different_keys(pairs: list[tuple[str, str]]) -> None:
    canonical = {(min(pair), max(pair)) for pair in pairs}
    assert len({keys.conversation_key(*pair) for pair in canonical}) == len(canonical)


@given(owners, numbers, numbers)
def test_rows_of_one_owner_sort_by_number(owner: bytes, one: int, other: int) -> None:
    for key in (keys.history_key, keys.inbox_key):
        assert (key(owner, one) < key(owner, other)) == (one < other)


@given(owners, owners, numbers, numbers)
def test_owners_never_interleave(one: bytes, other: bytes, low: int, high: int) -> None:
    if one < other:
        assert keys.history_key(one, high) < keys.history_key(other, low)


@given(owners, numbers)
def test_numbered_keys_come_back(owner: bytes, number: int) -> None:
    assert keys.parse_history_key(keys.history_key(owner, number)) == (owner, number)
    assert keys.parse_inbox_key(keys.inbox_key(owner, number)) == (owner, number)


@given(owners, tags, cids)
def test_sent_keys_come_back(conversation: bytes, tag: bytes, cid: bytes) -> None:
    assert keys.parse_sent_key(keys.sent_key(conversation, tag, cid)) == (conversation, tag, cid)


@given(owners, state_kinds, st.binary(max_size=70))
def test_state_keys_come_back(owner: bytes, kind: bytes, name: bytes) -> None:
    assert keys.parse_state_key(keys.state_key(owner, kind, name)) == (owner, kind, name)


@given(epochs, owners, numbers, numbers, records)
def test_values_come_back(
    epoch: int, conversation: bytes, seq: int, ts: int, record: bytes
) -> None:
    assert keys.unpack_history(keys.pack_history(epoch, record)) == (epoch, record)
    inline = keys.unpack_inbox(keys.pack_inbox(keys.INLINE, epoch, conversation, seq) + record)
    assert inline == (keys.INLINE, epoch, conversation, seq, record, 1)
    pointer = keys.unpack_inbox(keys.pack_inbox(keys.POINTER, epoch, conversation, seq))
    assert pointer == (keys.POINTER, epoch, conversation, seq, b"", 1)
    count = max(1, min(seq, 7))
    span = keys.unpack_inbox(keys.pack_span(epoch, conversation, max(1, seq), count))
    assert span == (keys.SPAN, epoch, conversation, max(1, seq), b"", count)
    moved = (min(seq, 2**64 - 2), 2**64 - 1, "#group")
    assert values.unpack_moved(values.pack_moved(*moved)) == moved
    assert keys.unpack_sent(keys.pack_sent(seq, ts)) == (seq, ts)
    assert keys.unpack_outbox(keys.pack_outbox(seq)) == seq
    assert values.unpack_position(values.pack_position(seq)) == seq
    assert values.unpack_positions(values.pack_positions(seq, ts)) == (seq, ts)


@given(names, names)
def test_members_come_back(one: str, other: str) -> None:
    assert values.unpack_members(values.pack_members((one, other))) == (one, other)


@given(st.binary(min_size=1, max_size=4), st.binary(max_size=6))
def test_a_prefix_range_holds_exactly_what_begins_with_it(prefix: bytes, key: bytes) -> None:
    if not prefix.strip(b"\xff"):
        return
    start, stop = keys.prefix_range(prefix)
    assert (start <= key < stop) == key.startswith(prefix)
    assert start <= prefix + key < stop


@given(st.integers(0, 1023), names)
def test_a_slot_range_holds_exactly_its_users(slot: int, name: str) -> None:
    start, stop = keys.slot_range(slot)
    key = keys.state_key(keys.user_key(name), kinds.ACCOUNT)
    assert (start <= key < stop) == (keys.slot_in(key) == slot)
