from __future__ import annotations

import msgspec
import pytest

from actorchat.settings.section import MIB, Bytes, Count, Name, Seconds, Section


class Table(Section, frozen=True):
    name: Name = "one"
    size: Bytes = MIB
    count: Count = 1
    wait: Seconds = 0.5


def test_a_table_takes_what_is_within_bounds() -> None:
    assert msgspec.convert({"size": 2 * MIB, "wait": 3}, Table) == Table(size=2 * MIB, wait=3.0)


@pytest.mark.parametrize(
    "given",
    [
        {"nmae": "two"},
        {"name": "Not A Name"},
        {"size": MIB - 1},
        {"count": 0},
        {"wait": 0},
        {"wait": 86_401},
    ],
)
def test_a_table_refuses_what_it_does_not_know_or_what_is_out_of_bounds(
    given: dict[str, object],
) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(given, Table)
