from __future__ import annotations

from actorchat.store import kinds


def test_kinds_of_state_are_one_printable_byte_and_differ() -> None:
    named = [
        value for name, value in vars(kinds).items() if name.isupper() and isinstance(value, bytes)
    ]
    assert sorted(named) == sorted(kinds.STATE_KINDS)
    assert len(set(named)) == len(named)
    assert all(len(kind) == 1 and kind.isascii() and kind.decode().isprintable() for kind in named)
