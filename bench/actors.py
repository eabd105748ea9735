"""Knows the bench of actor runtimes. Must not know how a runtime is measured.

`python -m bench actors` measures this project's actors beside pykka's ThreadingActor, asyncio
tasks with queues, xoscar, thespian and Erlang: the CPU of a tell, a call, a start, an end and a
delivery, the memory of an actor, and the pauses of Python's garbage collector.

Ours run as in a node: under supervisors, mailboxes bounded, a tenth of them monitored, accounts
kept. `erlang` are gen_servers under a supervisor, a tenth of them monitored, which is the like of
that; `erlang_raw` are bare processes. Every figure is taken in a fresh process on one core; the
runtimes take turns, because these machines drift. All that was done is counted and checked there.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from statistics import median

from bench import actors_beam
from bench.actors_child import HOMES, PAUSE
from bench.actors_plan import (
    COLLECTED,
    COLLECTORS,
    FIGURES,
    OURS,
    PLANS,
    Size,
    json_name,
    plan_for,
)
from bench.process import SERVER_CORES
from bench.report import Figure, print_table, write_json

_TIMEOUT_S = 600.0
NOT_INSTALLED = "not installed"

Samples = dict[str, list[float]]


def is_installed(runtime: str) -> bool:
    """Say whether a runtime is there to be measured."""
    if runtime.startswith("erlang"):
        return actors_beam.is_installed()
    needed, _ = HOMES[runtime]
    return needed is None or importlib.util.find_spec(needed) is not None


def run_child(runtime: str, figure: str, size: Size) -> dict[str, float]:
    """Take a figure in a process of its own, on the server's core.

    Raises:
        RuntimeError: It failed, or what it relies on did not hold.
    """
    cores = ",".join(map(str, sorted(SERVER_CORES)))
    args = [runtime, figure, str(size.count), str(size.live)]
    command = ["taskset", "-c", cores, sys.executable, "-m", "bench.actors_child", *args]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{runtime} {figure}: not done in {_TIMEOUT_S:g} s") from None
    if done.returncode:
        raise RuntimeError(f"{runtime} {figure}: {done.stderr.strip()[-300:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


class Bench:
    """Samples by the names in the JSON, and what went wrong."""

    def __init__(self, runtimes: Sequence[str], is_quick: bool) -> None:
        self.runtimes = runtimes
        self.is_quick = is_quick
        self.samples: Samples = {}
        self.errors: list[str] = []
        self.checked = 0

    def round(self, figures: Sequence[str]) -> None:
        """Take each figure of each runtime once, the runtimes in turn."""
        for figure in figures:
            for runtime in self.runtimes:
                size = plan_for(runtime, self.is_quick)[figure]
                if isinstance(size, Size) and is_installed(runtime):
                    self._take(runtime, figure, size)

    def pauses(self) -> None:
        """Take the collector's pauses once in each setting."""
        for how in COLLECTORS:
            try:
                found = run_child(PAUSE, how, COLLECTED.quick() if self.is_quick else COLLECTED)
            except RuntimeError as error:
                self.errors.append(str(error))
                continue
            for name, value in found.items():
                self.samples.setdefault(name, []).append(value)

    def _take(self, runtime: str, figure: str, size: Size) -> None:
        try:
            found = run_child(runtime, figure, size)
        except RuntimeError as error:
            self.errors.append(str(error))
            return
        self.checked += int(found["checked"])
        self.samples.setdefault(json_name(runtime, figure), []).append(found["value"])


def flatten(samples: Mapping[str, Sequence[float]]) -> dict[str, Figure]:
    """Return minima under the names, medians under `NAME_median`."""
    flat: dict[str, Figure] = {}
    for name, values in samples.items():
        digits = 0 if name.rpartition("bytes_per_actor")[1] else 3
        flat[name] = round(min(values), digits)
        flat[f"{name}_median"] = round(median(values), digits)
    return flat


def cell(samples: Mapping[str, Sequence[float]], runtime: str, figure: str) -> str:
    """Return what the table shows: the median, or a dash."""
    values = samples.get(json_name(runtime, figure))
    if not values:
        return "-"
    middle = median(values)
    return f"{middle:,.0f}" if middle >= 100 else f"{middle:.2f}"


def table(samples: Mapping[str, Sequence[float]], runtimes: Sequence[str]) -> list[str]:
    """Return the lines of the table: a row for each figure, a column for each runtime."""
    first = max(len(what) for what in FIGURES.values())
    widths = [max(8, len(runtime)) for runtime in runtimes]
    heads = "  ".join(f"{name:>{width}}" for name, width in zip(runtimes, widths, strict=True))
    lines = [f"  {'':<{first}}  {heads}"]
    for figure, what in FIGURES.items():
        cells = "  ".join(
            f"{cell(samples, runtime, figure):>{width}}"
            for runtime, width in zip(runtimes, widths, strict=True)
        )
        lines.append(f"  {what:<{first}}  {cells}")
    return lines


def dashes(runtimes: Sequence[str]) -> list[str]:
    """Return why there are dashes."""
    lines = []
    for runtime in runtimes:
        if not is_installed(runtime):
            lines.append(f"  {runtime}: {NOT_INSTALLED}")
            continue
        reasons: dict[str, list[str]] = {}
        for figure, size in PLANS[runtime].items():
            if isinstance(size, str):
                reasons.setdefault(size, []).append(figure)
        lines += [f"  {runtime}: {why}: {', '.join(what)}" for why, what in reasons.items()]
    return lines


def pause_rows(samples: Mapping[str, Sequence[float]]) -> list[tuple[str, Figure]]:
    """Return the rows of the collector's pauses."""
    kinds = {
        "gc_burst_pause_ms_1m": "longest in the burst",
        "gc_full_ms_1m": "a full collection",
        "gc_thaw_ms_1m": "a thaw, when asked for",
    }
    return [
        (f"{what}, {how}", round(median(samples[f"{name}{ending}"]), 1))
        for ending, how in COLLECTORS.items()
        for name, what in kinds.items()
        if samples.get(f"{name}{ending}")
    ]


def parse(args: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench actors",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3, help="median and minimum are told")
    parser.add_argument("--only", action="append", choices=list(PLANS), help="a runtime")
    parser.add_argument("--figure", action="append", choices=list(FIGURES), help="a figure")
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that it works")
    parser.add_argument("--no-pauses", action="store_true", help="leave out the collector's pauses")
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args(args)
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


def main(args: list[str]) -> int:
    """Run the bench; 1 if anything did not hold on the way."""
    options = parse(args)
    bench = Bench(options.only or list(PLANS), options.quick)
    for _ in range(options.rounds):
        bench.round(options.figure or list(FIGURES))
        if not options.no_pauses and OURS in bench.runtimes:
            bench.pauses()
    print(f"CPU of all threads and processes, medians of {options.rounds}")
    print("\n".join([*table(bench.samples, bench.runtimes), *dashes(bench.runtimes)]))
    if rows := pause_rows(bench.samples):
        print_table("pauses of the garbage collector, 1 M actors that come and go (ms)", rows)
    verified: list[tuple[str, Figure]] = [
        ("checked", bench.checked),
        ("errors", len(bench.errors)),
    ]
    print_table("verified: all counted, all answered, accounts balance", verified)
    for error in bench.errors[:5]:
        print(f"  {error}")
    write_json(options.json, {**flatten(bench.samples), **dict(verified)})
    return 1 if bench.errors else 0
