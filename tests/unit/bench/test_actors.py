"""The bench of actors knows its sizes, reads what it measures and shows what it found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import actors, actors_beam, actors_cost
from bench.actors_child import HOMES
from bench.actors_plan import FIGURES, OURS, PLANS, Size, json_name, plan_for


def test_every_runtime_has_a_size_or_a_reason_for_every_figure() -> None:
    assert set(PLANS) == set(HOMES)
    for runtime, plan in PLANS.items():
        assert list(plan) == list(FIGURES), runtime
        assert all(isinstance(size, Size) or size for size in plan.values())
    assert all(isinstance(size, Size) for size in PLANS[OURS].values())


@pytest.mark.parametrize("runtime", list(PLANS))
def test_quick_sizes_are_small_and_give_every_pair_a_hop(runtime: str) -> None:
    plan = plan_for(runtime, is_quick=True)
    for figure, size in plan.items():
        if isinstance(size, Size):
            assert 0 < size.count <= 5_000
            assert size.live <= 20
            if figure.startswith("hop"):
                assert size.count >= size.live
    stop = plan["stop_us_100k"]
    assert isinstance(stop, str) or stop.count < stop.live


def test_figures_of_rivals_are_told_apart_in_the_json() -> None:
    names = [json_name(runtime, figure) for runtime in PLANS for figure in FIGURES]
    assert len(set(names)) == len(names)
    assert {"hop_us", "erlang_hop_us", "threading_hop_us"} <= set(names)


def test_json_has_the_minimum_and_the_median() -> None:
    flat = actors.flatten({"hop_us": [0.5, 0.4, 0.9], "bytes_per_actor_10k": [444.4, 400.2]})
    assert flat["hop_us"] == 0.4
    assert flat["hop_us_median"] == 0.5
    assert flat["bytes_per_actor_10k"] == 400


def test_table_shows_medians_and_a_dash_for_what_is_missing() -> None:
    lines = actors.table({"hop_us": [1.0, 2.0, 9.0], "erlang_spawn_us": [1234.5]}, [OURS, "erlang"])
    assert lines[0].split() == [OURS, "erlang"]
    assert lines[1].split()[-2:] == ["2.00", "-"]
    assert lines[4].split()[-2:] == ["-", "1,234"]
    assert len({len(line) for line in lines}) == 1


def test_reasons_for_dashes_are_told() -> None:
    (line,) = actors.dashes(["threading"])
    assert "a thread an actor" in line
    assert "stop_us_100k" in line


def test_runtime_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors, "is_installed", lambda _runtime: False)
    assert actors.dashes(["erlang"]) == [f"  erlang: {actors.NOT_INSTALLED}"]
    bench = actors.Bench(["erlang"], is_quick=True)
    bench.round(["hop_us"])
    assert not bench.samples
    assert not bench.errors


def test_measurement_that_fails_is_an_error_of_the_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> dict[str, float]:
        raise RuntimeError("not as promised")

    monkeypatch.setattr(actors, "run_child", fail)
    bench = actors.Bench([OURS], is_quick=True)
    bench.round(["hop_us"])
    bench.pauses()
    assert bench.errors[0] == "not as promised"
    assert len(bench.errors) == 4


def test_result_of_erlang_is_found_among_what_it_prints() -> None:
    assert actors_beam.parse_result("=INFO\nresult 0.250000 12\n") == (0.25, 12)
    with pytest.raises(SystemExit, match="no result"):
        actors_beam.parse_result("crash")


def test_all_that_descends_from_a_process_is_found() -> None:
    parents = {2: 1, 3: 2, 4: 3, 5: 1, 6: 9}
    assert sorted(actors_cost.descendants(parents, 2)) == [3, 4]
    assert sorted(actors_cost.descendants(parents, 1)) == [2, 3, 4, 5]
    assert actors_cost.descendants(parents, 7) == []


def test_ticks_of_a_process_include_children_it_waited_for() -> None:
    fields = " ".join(["S", "41", *["0"] * 9, "1", "2", "30", "40", *["0"] * 10])
    assert actors_cost.parse_stat(f"7 (a name) with) {fields}") == (41, 73)


def test_broken_promise_ends_a_measurement() -> None:
    actors_cost.must(True, "fine")
    with pytest.raises(SystemExit, match="not as promised: all arrive"):
        actors_cost.must(False, "all arrive")


@pytest.mark.slow
def test_quick_bench_measures_ours_and_asyncio(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    args = ["--quick", "--rounds", "1", "--only", OURS, "--only", "asyncio", "--json", str(file)]
    assert actors.main(args) == 0
    figures = json.loads(file.read_text(encoding="utf-8"))
    wanted = {json_name(runtime, name) for runtime in (OURS, "asyncio") for name in FIGURES}
    assert wanted <= set(figures)
    assert {"gc_pause_ms_1m", "gc_pause_ms_1m_tuned", "gc_pause_ms_1m_collector"} <= set(figures)
    assert figures["errors"] == 0
    assert figures["checked"] > 0
