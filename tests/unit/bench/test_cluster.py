"""The bench of clusters compares rounds with those of one node beside them."""

from __future__ import annotations

import pytest

from bench.cluster import by_turns, keep, parse
from bench.load import Tally
from bench.stand import Figures, Round


def round_of(cpu_us: float, ms: int) -> Round:
    return Round(cpu_us, 1_000.0, Tally(received=5, delivery_ns=[ms * 1_000_000]), 0.25)


def test_ratio_is_that_of_messages_a_core_and_the_median_of_the_rounds() -> None:
    figures = Figures()
    rounds = [(round_of(10, 2), round_of(20, 3)), (round_of(12, 2), round_of(20, 4))]
    keep(figures, "title", "_w8", [*rounds, (round_of(9, 2), round_of(10, 2))])
    assert figures.flat["ratio_messages_per_core_w8"] == 0.6
    assert figures.flat["extra_delivery_ms_p50_w8"] == 1.0
    assert figures.flat["one_node_messages_per_core_s_w8"] == 100_000
    assert figures.flat["messages_checked_w8"] == 30


def test_neighbours_are_at_home_on_different_nodes() -> None:
    homes = [("a", "n1"), ("b", "n1"), ("c", "n2"), ("d", "n1"), ("e", "n2"), ("f", "n2")]
    assert list(by_turns(homes, ["n1", "n2"], 4)) == ["a", "c", "b", "e"]
    assert list(by_turns(homes, ["n1", "n2"], 3)) == ["a", "c", "b"]


@pytest.mark.parametrize("args", [["--nodes", "3"], ["--users", "3"]])
def test_what_makes_no_pairs_is_refused(args: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse(args)
    assert parse([]).window == [8]
