"""The slot table as bytes, and the steps of a hand-over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorchat.cluster.slots import (
    Copy,
    Drain,
    Drop,
    Header,
    Slot,
    Switch,
    block_in,
    block_out,
    empty_table,
    header_in,
    header_out,
    replaced,
    steps,
)
from actorchat.errors import MalformedFrame
from actorchat.limits import REGISTRY_VALUE_BYTES_MAX, SLOT_BLOCK
from actorchat.protocol import codec

NAMES = st.sampled_from(["a", "bee", "node-3", "x" * 64])
LISTS = st.lists(NAMES, max_size=4, unique=True).map(tuple)
SLOTS = st.builds(Slot, NAMES | st.just(""), st.integers(0, 2**32 - 1), LISTS, LISTS, LISTS)


@given(st.lists(SLOTS, min_size=1, max_size=8), st.integers(0, 2**40))
def test_block_comes_back_as_it_went_and_any_cut_is_refused(
    slots: list[Slot], version: int
) -> None:
    value = block_out(slots, version)
    assert block_in(value) == (tuple(slots), version)
    said = codec.decode(value)
    with pytest.raises(MalformedFrame):
        block_in(codec.encode({**said, "slots": said["slots"][:-1]}))


@pytest.mark.parametrize(
    "value",
    [b"", b"\xff", codec.encode({}), codec.encode({"version": 1, "names": 2, "slots": b""})],
)
def test_what_is_no_block_is_refused(value: bytes) -> None:
    with pytest.raises(MalformedFrame):
        block_in(value)


def test_largest_block_fits_into_an_entry() -> None:
    slots = [
        Slot(f"{n:064}", 2**32 - 1, *[tuple(f"{n + k:064}" for k in range(3))] * 2, ())
        for n in range(0, 3 * SLOT_BLOCK, 3)
    ]
    assert len(block_out(slots, 2**40)) <= REGISTRY_VALUE_BYTES_MAX


def test_header_comes_back_and_one_that_does_not_fit_is_refused() -> None:
    header = Header(1_024, 7, 3, [7, 1, 2, 7])
    assert header_in(header_out(header)) == header
    for wrong in (
        Header(1_024, 7, 3, [7]),
        Header(0, 7, 3, []),
        Header(4, 1, 1, [1], block_slots=0),
    ):
        with pytest.raises(MalformedFrame):
            header_in(header_out(wrong))
    with pytest.raises(MalformedFrame):
        header_in(codec.encode({"slots": "many"}))


def test_table_with_changes_is_the_next_version() -> None:
    table = empty_table(4)
    assert replaced(table, {}) is table
    after = replaced(table, {2: Slot("a", 1)}, controller=5)
    assert (after.version, after.controller, after.leader_of(2), after.leader_of(0)) == (
        1,
        5,
        "a",
        "",
    )


def test_hand_over_copies_first_then_drains_and_switches_then_drops() -> None:
    now = Slot("a", 4, ("a", "b"), ("a", "b"))
    then = Slot("c", 5, ("c", "b"), ("c", "b"))
    assert steps(9, now, then) == [
        Copy(9, "a", "c", 4),
        Drain(9, "a", 4),
        Switch(9, "c", 5),
        Drop(9, "a"),
    ]


def test_copy_for_another_follower_drains_nobody() -> None:
    now, then = Slot("a", 4, ("a", "b"), ("a", "b")), Slot("a", 4, ("a", "c"), ("a",))
    assert steps(1, now, then) == [Copy(1, "a", "c", 4), Drop(1, "b")]
    assert steps(1, now, now) == []
    assert steps(1, Slot(), Slot("a", 1, ("a",))) == [Copy(1, "", "a", 0), Switch(1, "a", 1)]
