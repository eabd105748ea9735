"""Knows the bench of the ways into a node. Must not know how a gateway works inside.

`python -m bench gateways` is the closed loop of `direct` through each gateway of one node in turn,
round after round: durable messages, every ack fsynced, all of them checked. What a gateway costs is
its ratio to TCP in the same round, for these machines drift.

* closed loop: every user keeps `--window` messages in flight;
* idle: so many signed-in sessions with nothing to do, for each gateway on a node of its own.

The load's share of its core is shown beside: where it is busy all the time, the figure for the
node still holds, but messages a second are what the load can do.
"""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import tempfile
from pathlib import Path

import uvloop

from bench.connections import raise_file_limit
from bench.load import Tally
from bench.peers import GATEWAYS
from bench.process import LOAD_CORES
from bench.report import Figure, middle, percentile, print_table, write_json
from bench.stand import Bench, Figures, Round, start_node

BASE = "tcp"
_SPARE_FILES = 1_024


async def run(options: argparse.Namespace) -> Figures:
    """Take all figures."""
    figures = Figures()
    scratch = Path(tempfile.mkdtemp(prefix="bench-", dir=options.data))
    try:
        bench = await start_node(scratch / "node", options.users, places_of(options.gateways))
        try:
            await run_rounds(bench, figures, options)
        finally:
            bench.server.stop()
        for name in options.gateways if options.idle else ():
            if name == "poll":
                continue  # it is never idle: each session has a request under way
            await run_idle(figures, scratch / f"idle-{name}", name, options.idle)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return figures


def places_of(names: list[str]) -> set[str]:
    """Return which gateways of the node must be opened beside TCP's."""
    return {GATEWAYS[name].place for name in names} - {BASE}


async def run_rounds(bench: Bench, figures: Figures, options: argparse.Namespace) -> None:
    """Load the node through every gateway in turn, `rounds` times."""
    rounds: dict[str, list[Round]] = {name: [] for name in options.gateways}
    for _ in range(options.rounds):
        for name, done in rounds.items():
            done.append(
                await bench.closed(options.users, options.window, options.seconds, GATEWAYS[name])
            )
            figures.add(done[-1].tally)
    figures.flat |= figures_of(rounds)
    title = f"closed loop: {options.users} users, {options.window} in flight, every ack fsynced"
    print_table(title, list(figures.flat.items()))


def figures_of(rounds: dict[str, list[Round]]) -> dict[str, Figure]:
    """Return the medians of each gateway, and of its ratios to TCP in the same round."""
    flat: dict[str, Figure] = {}
    for name, done in rounds.items():
        flat[f"{name}_us"] = middle([each.cpu_us for each in done])
    base = rounds[BASE]
    for name, done in rounds.items():
        if name != BASE:
            ratios = [one.cpu_us / other.cpu_us for one, other in zip(done, base, strict=True)]
            flat[f"{name}_ratio"] = middle(ratios)
    for name, done in rounds.items():
        acks = [ns for each in done for ns in each.tally.ack_ns]
        deliveries = [ns for each in done for ns in each.tally.delivery_ns]
        flat[f"{name}_messages_per_s"] = round(middle([each.per_s for each in done]))
        flat[f"{name}_load_cpu_share"] = middle([each.load_share for each in done])
        flat[f"{name}_ack_ms_p50"] = percentile(acks, 0.5)
        flat[f"{name}_ack_ms_p99"] = percentile(acks, 0.99)
        flat[f"{name}_delivery_ms_p50"] = percentile(deliveries, 0.5)
        flat[f"{name}_delivery_ms_p99"] = percentile(deliveries, 0.99)
        flat[f"{name}_messages_checked"] = sum(each.tally.received for each in done)
    return flat


async def run_idle(figures: Figures, data: Path, name: str, sessions: int) -> None:
    """Measure idle sessions on a node of their own, whose memory nothing else has grown."""
    gateway, tally = GATEWAYS[name], Tally()
    bench = await start_node(data, sessions, places_of([name]))
    try:
        kib = await bench.idle_kib(tally, sessions, gateway)
    finally:
        bench.server.stop()
    figures.add(tally)
    figures.flat["idle_sessions"] = sessions
    figures.flat[f"{name}_rss_kib_per_session"] = round(kib, 2)
    rows: list[tuple[str, Figure]] = [(f"{name}_rss_kib_per_session", round(kib, 2))]
    print_table(f"idle: {sessions:,} sessions, signed in by {name}", rows)


def parse(args: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench gateways",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = ", ".join(GATEWAYS)
    parser.add_argument(
        "--gateways", type=str.split, default=list(GATEWAYS), metavar="'NAME …'", help=names
    )
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--window", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measured stretch")
    parser.add_argument("--rounds", type=int, default=3, help="stretches of each gateway")
    parser.add_argument("--idle", type=int, default=10_000, help="sessions; 0: leave it out")
    parser.add_argument("--data", help="directory for scratch data, on the disk to be measured")
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args(args)
    if unknown := set(options.gateways) - set(GATEWAYS):
        parser.error(f"--gateways: no {' or '.join(sorted(unknown))}, expected some of {names}")
    options.gateways = [name for name in GATEWAYS if name in {BASE, *options.gateways}]
    if options.users % 2 or options.users < 2 or options.idle % 2:
        parser.error("--users and --idle must be even")
    return options


def main(args: list[str]) -> int:
    """Run the bench; 1 if a promise was broken on the way."""
    options = parse(args)
    raise_file_limit(options.idle + _SPARE_FILES)
    os.sched_setaffinity(0, LOAD_CORES)
    gc.set_threshold(100_000, 20, 50)
    figures = uvloop.run(run(options))
    promises: dict[str, Figure] = {
        "lost": figures.lost,
        "duplicated": figures.duplicated,
        "errors": len(figures.errors),
    }
    figures.flat |= promises
    print_table(
        "verified: exactly once, order, dense sequences, delivered marks", list(promises.items())
    )
    for error in figures.errors[:5]:
        print(f"  {error}")
    write_json(options.json, figures.flat)
    return 1 if figures.errors or figures.lost or figures.duplicated else 0
