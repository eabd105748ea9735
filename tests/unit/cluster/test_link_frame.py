"""Frames come back as they were packed; what is no frame is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorchat.cluster import link_frame as wire
from actorchat.cluster.link_frame import (
    Head,
    pack_frame,
    pack_item,
    pack_named,
    pack_spread,
    parse_head,
    parse_items,
    split_spread,
)
from actorchat.errors import MalformedFrame, VersionMismatch

U64 = st.integers(0, 2**64 - 1)
HEAD = Head(wire.ITEMS, "ann-1", 7, 3, 12, 6, 2, 11)


@given(U64, U64, U64, U64, U64, U64, st.binary(max_size=50))
def test_frame_comes_back_as_it_was_packed(
    incarnation: int, lane: int, seq: int, one: int, two: int, three: int, body: bytes
) -> None:
    head = Head(wire.BYE, "a", incarnation, lane, seq, one, two, three)
    frame = pack_frame(head, body)
    found, at = parse_head(frame)
    assert (found, frame[at:]) == (head, body)


def test_items_come_back_in_their_order() -> None:
    body = b"".join(
        (
            pack_item(wire.TELL, 9, 0, 64, b"one", 5),
            pack_named(wire.CALL, b"desk", 3, 65, b"two"),
            pack_spread([1, 2, 3], 66, b"all", 8),
        )
    )
    one, two, three = parse_items(b"head" + body, 4)
    assert one == (wire.TELL, 64, 5, 9, 0, b"one")
    assert two == (wire.CALL | wire.NAMED, 65, 0, 4, 3, b"desktwo")
    assert three[:5] == (wire.SPREAD, 66, 8, 3, 0)
    assert split_spread(3, three[5]) == ((1, 2, 3), b"all")


@given(st.binary(max_size=200))
def test_garbage_is_refused_as_malformed_or_of_another_version(frame: bytes) -> None:
    try:
        head, at = parse_head(frame)
    except (MalformedFrame, VersionMismatch):
        return
    assert frame[0] == wire.MAGIC
    assert at <= len(frame)
    assert head.node


@pytest.mark.parametrize("size", range(len(pack_frame(HEAD, b""))))
def test_half_a_head_is_refused(size: int) -> None:
    with pytest.raises(MalformedFrame):
        parse_head(pack_frame(HEAD, b"")[:size])


def test_another_version_is_told_apart_from_garbage() -> None:
    with pytest.raises(VersionMismatch):
        parse_head(bytes((wire.MAGIC, wire.VERSION + 1)) + b"whatever it will be")


@pytest.mark.parametrize("kind", [0, 4, 255])
def test_unknown_kind_of_frame_is_refused(kind: int) -> None:
    frame = bytearray(pack_frame(HEAD, b""))
    frame[2] = kind
    with pytest.raises(MalformedFrame):
        parse_head(bytes(frame))


@pytest.mark.parametrize("size", [1, 26, 27, 29])
def test_half_an_item_is_refused(size: int) -> None:
    item = pack_item(wire.TELL, 1, 0, 0, b"abc")
    with pytest.raises(MalformedFrame):
        list(parse_items(item[:size], 0))


def test_spread_that_claims_more_receivers_than_it_names_is_refused() -> None:
    with pytest.raises(MalformedFrame):
        split_spread(2**61, b"12345678")
