"""Bounds of the node that a seed makes small, and that come back."""

from __future__ import annotations

import random
import sys
from collections import defaultdict

import pytest

from actorchat.chat import inbox
from actorchat.testing.knob import tight_bounds


def now(names: list[str]) -> dict[str, float]:
    """Return what the bounds are at the moment, by their dotted names."""
    parts = {name: name.rpartition(".") for name in names}
    return {name: getattr(sys.modules[home], last) for name, (home, _, last) in parts.items()}


def names() -> list[str]:
    with tight_bounds(random.Random(0)) as drawn:
        return list(drawn)


def test_bounds_are_what_was_drawn_and_are_put_back() -> None:
    before = now(names())
    changed = set()
    for seed in range(20):
        with tight_bounds(random.Random(seed)) as drawn:
            assert now(list(drawn)) == drawn
            changed |= {name for name in drawn if drawn[name] != before[name]}
        assert now(list(before)) == before
    assert changed == set(before)


def test_bounds_are_put_back_after_an_error() -> None:
    before = now(names())
    with pytest.raises(ZeroDivisionError), tight_bounds(random.Random(1)):
        inbox.TRIM_EVERY_UPDATES = -1  # type: ignore[attr-defined]
        raise ZeroDivisionError
    assert now(list(before)) == before


def test_same_seed_draws_the_same_bounds() -> None:
    drawn = []
    for seed in (3, 3):
        with tight_bounds(random.Random(seed)) as bounds:
            drawn.append(bounds)
    assert drawn[0] == drawn[1]


def test_each_bound_is_sometimes_that_of_production() -> None:
    before = now(names())
    seen: dict[str, set[float]] = defaultdict(set)
    for seed in range(50):
        with tight_bounds(random.Random(seed)) as drawn:
            for name, choice in drawn.items():
                seen[name].add(choice)
    assert {name for name in before if before[name] not in seen[name]} == set()
    assert min(map(len, seen.values())) >= 2
