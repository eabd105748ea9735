"""The bench of held connections says what bounds it, what it can't have, and what was broken."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actorchat.limits import CONNECTIONS_MAX
from bench import connections
from bench.connections import Stretch, parse, raise_file_limit

ROOT = Path(__file__).resolve().parents[3]


def stretch(**seconds: float) -> Stretch:
    names = ("server_cpu_s", "load_cpu_s", "server_waited_s", "load_waited_s")
    some: Any = dict.fromkeys(names, 0.0) | seconds
    return Stretch(took_s=10.0, pings=0, delivery_ns=[], **some)


@pytest.mark.parametrize(
    ("seconds", "bound"),
    [
        ({"server_cpu_s": 9.5, "server_waited_s": 0.5}, "the server's core"),
        ({"server_cpu_s": 5.0, "load_cpu_s": 9.0}, "the load's core"),
        ({"server_cpu_s": 5.0, "load_waited_s": 1.0}, "other programs"),
        ({"server_cpu_s": 5.0}, "what was asked for"),
    ],
)
def test_bound_is_the_core_that_is_busy_or_that_others_have(
    seconds: dict[str, float], bound: str
) -> None:
    assert stretch(**seconds).bound == bound


def test_shares_are_of_the_time() -> None:
    one = stretch(server_cpu_s=2.0, load_cpu_s=1.0, server_waited_s=0.5, load_waited_s=0.25)
    assert (one.server_share, one.load_share, one.waited_share) == (0.2, 0.1, 0.075)


@pytest.mark.parametrize(
    "args",
    [["--count", "0"], ["--count", str(CONNECTIONS_MAX)], ["--ping", "0"], ["--in-flight", "0"]],
)
def test_what_makes_no_sense_is_refused(args: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse(args)


def test_two_hundred_thousand_are_held_for_a_minute_unless_told_otherwise() -> None:
    options = parse([])
    assert (options.count, options.seconds, options.ping) == (200_000, 60.0, 25.0)


def test_file_limit_is_raised_where_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_000, 2_000))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    raise_file_limit(1_000)
    assert asked == []
    raise_file_limit(1_500)
    raise_file_limit(3_000)
    assert asked == [(1_500, 2_000), (3_000, 3_000)]


def test_file_limit_that_may_not_be_raised_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("not allowed")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_000, 2_000))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    with pytest.raises(SystemExit, match=r"201,024 open files are needed .* 2,000 .*ulimit -Hn"):
        raise_file_limit(201_024)


def test_first_failures_are_kept_and_all_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_ERRORS_KEPT", 2)
    bench = connections.Bench(object(), parse([]))  # type: ignore[arg-type]
    for number in range(5):
        bench.fail(str(number))
    assert (bench.failures, bench.tally.errors) == (5, ["0", "1"])


@pytest.mark.slow
def test_small_crowd_is_held_and_nothing_is_broken(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    size = ["--count", "300", "--seconds", "1", "--ping", "1", "--rate", "100"]
    command = [sys.executable, "-m", "bench", "connections", *size]
    where = ["--data", str(tmp_path), "--json", str(file)]
    run = subprocess.run(
        [*command, *where], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100
    )
    assert run.returncode == 0, run.stdout + run.stderr
    figures = json.loads(file.read_text(encoding="utf-8"))
    assert (figures["connections"], figures["held_connections"]) == (300, 300)
    assert (figures["lost"], figures["duplicated"], figures["errors"]) == (0, 0, 0)
    assert figures["messages_checked"] > 100
    wanted = {"connect_per_s", "held_s", "pings_per_s", "server_cpu_share", "rss_kib_per_session"}
    wanted |= {"delivery_ms_p50", "delivery_ms_p99", "delivery_ms_p999", "held_bound_by"}
    assert wanted <= set(figures)
