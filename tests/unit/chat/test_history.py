"""Which stretch a page is, and what of it fits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actorchat.chat.history import PLAIN, Wanted, bounds, fit, fit_around

seqs = st.integers(0, 40)


def test_plain_page_is_the_newest_or_bounded() -> None:
    assert bounds(0, None, 50, PLAIN, 1, 9) == (0, 10, 50, True)
    assert bounds(4, None, 50, PLAIN, 1, 9) == (4, 10, 50, False)
    assert bounds(4, 8, 999, PLAIN, 1, 9) == (4, 8, 200, True)
    assert bounds(0, None, 50, PLAIN, 3, 9) == (2, 10, 50, True)
    assert bounds(0, None, 50, Wanted(is_forward=True), 1, 9) == (0, 10, 50, False)


@given(around=seqs, limit=st.integers(1, 20), floor=st.integers(1, 12), head=seqs)
def test_page_around_is_full_where_it_can_be_and_holds_the_seq(
    around: int, limit: int, floor: int, head: int
) -> None:
    low, high, _, _ = bounds(0, None, limit, Wanted(around=around), floor, head)
    shown = range(low + 1, high)
    assert all(floor <= seq <= head for seq in shown)
    assert len(shown) == min(limit, max(0, head - floor + 1))
    if floor <= around <= head:
        assert around in shown


@given(weights=st.lists(st.integers(1, 9), max_size=9), budget=st.integers(0, 40))
def test_what_fits_is_within_the_budget_or_one(weights: list[int], budget: int) -> None:
    for newest in (True, False):
        kept = weights[fit(weights, budget, newest)]
        assert sum(kept) <= budget or len(kept) == 1
        rest = weights[: len(weights) - len(kept)] if newest else weights[len(kept) :]
        assert weights == (rest + kept if newest else kept + rest)
        if rest and kept and sum(kept) <= budget:
            assert sum(kept) + (rest[-1] if newest else rest[0]) > budget


@given(
    weights=st.lists(st.integers(1, 9), max_size=9),
    budget=st.integers(0, 40),
    anchor=st.integers(0, 9),
)
def test_what_fits_around_holds_the_anchor(weights: list[int], budget: int, anchor: int) -> None:
    kept = fit_around(weights, budget, anchor)
    shown = weights[kept]
    assert bool(shown) == bool(weights)
    assert sum(shown) <= budget or len(shown) <= 1
    if weights:
        assert kept.start <= min(anchor, len(weights) - 1) < kept.stop
