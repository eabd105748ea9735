"""Golden bytes: what is on disk must not change without a new layout version."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actorchat.errors import StoreCorrupt
from actorchat.store import keys, values


def test_values_have_their_golden_bytes() -> None:
    assert values.pack_format(1).hex() == "0001"
    assert values.pack_position(3).hex() == "0000000000000003"
    assert values.pack_positions(1, 2).hex() == "00000000000000010000000000000002"
    assert values.pack_members(("ann", "bob")) == b"ann\0bob"
    assert values.pack_moved(1, 2, "#g").hex() == "00000000000000010000000000000002" + "2367"
    assert values.pack_presence(5, 1).hex() == "000000000000000501"
    assert values.pack_file(1, 2, "a/b").hex() == "00000000000000010000000000000002" + b"a/b".hex()
    assert values.pack_spans(((1, 2), (4, 0))).hex() == "".join(f"{n:016x}" for n in (1, 2, 4, 0))


@pytest.mark.parametrize(
    ("unpack", "content"),
    [
        (values.unpack_moved, bytes(16)),  # no address
        (values.unpack_moved, bytes(16) + b"#g"),  # nothing moved
        (values.unpack_format, bytes(3)),
        (values.unpack_position, bytes(9)),
        (values.unpack_positions, bytes(8)),
        (values.unpack_members, b"ann"),
        (values.unpack_members, b"ann\0"),
        (values.unpack_members, b"\0bob"),
        (values.unpack_members, b"ann\0bob\0zoe"),
        (values.unpack_members, b"ann\0b\xffb"),
        (values.unpack_ledger, bytes(23)),
        (values.unpack_sweep, bytes(23)),
        (values.unpack_presence, bytes(8)),
        (values.unpack_presence, bytes(8) + b"\3"),  # no such level
        (values.unpack_file, bytes(15)),
        (values.unpack_spans, b""),
        (values.unpack_spans, bytes(15)),
        (values.unpack_spans, values.pack_spans(((3, 2),))),
        (values.unpack_spans, values.pack_spans(((1, 2), (2, 3)))),
        (values.unpack_spans, values.pack_spans(((1, 0), (2, 3)))),  # only the last goes on
    ],
)
def test_what_does_not_parse_is_corrupt(unpack: Callable[[bytes], object], content: bytes) -> None:
    with pytest.raises(StoreCorrupt, match="bad"):
        unpack(content)


def test_values_come_back_as_they_were() -> None:
    assert values.unpack_moved(values.pack_moved(1, 2, "#g")) == (1, 2, "#g")
    assert values.unpack_presence(values.pack_presence(5, 2)) == (5, 2)
    assert values.unpack_file(values.pack_file(1, 2, "a/b")) == (1, 2, "a/b")
    assert values.unpack_spans(values.pack_spans(((1, 2), (4, 0)))) == ((1, 2), (4, 0))
    assert values.unpack_format(values.pack_format(7)) == 7


def test_ledgers_and_sweeps_come_back_as_they_were() -> None:
    assert values.unpack_ledger(values.pack_ledger(1, 2, 3)) == (1, 2, 3)
    owner = keys.user_key("ann")
    assert values.unpack_sweep(values.pack_sweep(owner, 1, 2, 3)) == (owner, 1, 2, 3)
    assert values.unpack_sweep(values.pack_sweep(b"", 1, 2, 3)) == (b"", 1, 2, 3)
