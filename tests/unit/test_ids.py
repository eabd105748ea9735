from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorchat import ids
from actorchat.ids import group_address, is_group, is_name


@pytest.mark.parametrize("name", ["a", "0", "ann", "ann-2", "a.b_c-d", "x" * 64])
def test_name_is_accepted(name: str) -> None:
    assert ids.is_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "A", "Ann", "-a", "a-", ".a", "a.", "a b", "a/b", "ä", "a\n", "a\x00", "x" * 65, "а"],
)
def test_name_that_could_deceive_or_break_a_key_is_refused(name: str) -> None:
    assert not ids.is_name(name)


def test_slot_of_a_user_never_changes() -> None:
    # On disk and in every peer's table; another value here would lose every stored message.
    assert [ids.slot_of(user) for user in ("ann", "bob", "a", "x" * 64)] == [627, 320, 579, 18]


@given(st.text(min_size=1, max_size=64))
def test_slot_is_in_the_table(user: str) -> None:
    assert 0 <= ids.slot_of(user) < ids.SLOTS


def test_slots_are_filled_evenly() -> None:
    counts = [0] * ids.SLOTS
    for number in range(100 * ids.SLOTS):
        counts[ids.slot_of(f"user-{number}")] += 1
    assert 50 < min(counts) <= max(counts) < 150


@given(st.text(), st.text())
def test_pair_does_not_depend_on_who_asks(one: str, other: str) -> None:
    pair = ids.direct_pair(one, other)
    assert pair == ids.direct_pair(other, one)
    assert sorted([one, other]) == list(pair)


def test_group_is_addressed_by_its_id_and_never_looks_like_a_user() -> None:
    address = group_address(bytes(range(16)))
    assert address == "#AAECAwQFBgcICQoLDA0ODw"
    assert is_group(address)
    assert not is_name(address)


@pytest.mark.parametrize(
    "text", ["", "#", "ann", "#" + "A" * 21, "#" + "A" * 23, "#" + "A" * 21 + "B", "#" + "ä" * 22]
)
def test_what_is_no_address_is_no_group(text: str) -> None:
    assert not is_group(text)
