"""Knows the bench of durable direct messages. Must not know how a server works inside.

`python -m bench direct` starts a node on one core and the load on the other, and in turn with it
the ceiling server, because these machines drift: only the ratio of the two means much.

* closed loop: every user keeps WINDOW messages in flight, for each `--window`;
* open loop: `--rate` messages a second, sent when they are due or late but timed from when they
  were due, so that a stall is counted in full;
* idle: so many signed-in sessions with nothing to do.

Every device acks what it gets. Exactly-once, order, dense sequences and delivered marks are
checked over all that was sent, warm-up included.
"""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import tempfile
from pathlib import Path

import uvloop

from bench.ceiling_load import ceiling_round
from bench.load import Tally
from bench.process import LOAD_CORES
from bench.report import Figure, middle, percentile, print_table, write_json
from bench.stand import Bench, Figures, Round, start_node


async def run(options: argparse.Namespace) -> Figures:
    """Take all figures."""
    figures = Figures()
    scratch = Path(tempfile.mkdtemp(prefix="bench-", dir=options.data))
    try:
        bench = await start_node(scratch / "node", max(options.users, options.idle))
        try:
            for window in options.window:
                await run_window(bench, figures, options, window)
            if options.rate:
                opened = await bench.open(options.users, options.rate, options.seconds)
                add_open(figures, options.rate, opened)
        finally:
            bench.server.stop()
        if options.idle:
            await run_idle(figures, scratch / "idle", options.idle)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    figures.flat |= {
        "lost": figures.lost,
        "duplicated": figures.duplicated,
        "errors": len(figures.errors),
    }
    return figures


async def run_window(
    bench: Bench, figures: Figures, options: argparse.Namespace, window: int
) -> None:
    """Measure the node and the ceiling in turn; keep medians, and the median ratio."""
    rounds: list[Round] = []
    ceilings: list[float] = []
    for _ in range(options.rounds):
        rounds.append(await bench.closed(options.users, window, options.seconds))
        ceilings.append(await ceiling_round(options.users, window, options.seconds))
        figures.add(rounds[-1].tally)
    ratios = [each.cpu_us / ceiling for each, ceiling in zip(rounds, ceilings, strict=True)]
    acks = [ns for each in rounds for ns in each.tally.ack_ns]
    deliveries = [ns for each in rounds for ns in each.tally.delivery_ns]
    rows: dict[str, Figure] = {
        "server_cpu_us_per_message": middle([each.cpu_us for each in rounds]),
        "ceiling_us_per_message": middle(ceilings),
        "ratio_to_ceiling": middle(ratios),
        "messages_per_s": round(middle([each.per_s for each in rounds])),
        "ack_ms_p50": percentile(acks, 0.5),
        "ack_ms_p99": percentile(acks, 0.99),
        "delivery_ms_p50": percentile(deliveries, 0.5),
        "delivery_ms_p99": percentile(deliveries, 0.99),
        "delivery_ms_p999": percentile(deliveries, 0.999),
        "messages_checked": sum(each.tally.received for each in rounds),
    }
    title = f"closed loop: {options.users} users, {window} in flight each, every ack fsynced"
    print_table(title, list(rows.items()))
    if window == options.window[0]:
        figures.flat |= rows
    figures.flat |= {f"{name}_w{window}": value for name, value in rows.items()}


def add_open(figures: Figures, rate: int, opened: Round) -> None:
    """Keep the figures of the open loop."""
    tally = opened.tally
    figures.add(tally)
    rows: dict[str, Figure] = {
        "open_rate_per_s": rate,
        "open_reached_per_s": round(opened.per_s),
        "open_cpu_us_per_message": round(opened.cpu_us, 2),
        "open_ack_ms_p50": percentile(tally.ack_ns, 0.5),
        "open_ack_ms_p99": percentile(tally.ack_ns, 0.99),
        "open_ack_ms_p999": percentile(tally.ack_ns, 0.999),
        "open_delivery_ms_p50": percentile(tally.delivery_ns, 0.5),
        "open_delivery_ms_p99": percentile(tally.delivery_ns, 0.99),
        "open_delivery_ms_p999": percentile(tally.delivery_ns, 0.999),
    }
    print_table(
        f"open loop: {rate} messages a second, timed from when they were due", list(rows.items())
    )
    figures.flat |= rows


async def run_idle(figures: Figures, data: Path, sessions: int) -> None:
    """Measure idle sessions on a node of their own, whose memory nothing else has grown."""
    bench, tally = await start_node(data, sessions), Tally()
    try:
        kib = await bench.idle_kib(tally, sessions)
    finally:
        bench.server.stop()
    figures.add(tally)
    rows: dict[str, Figure] = {"idle_sessions": sessions, "rss_kib_per_session": round(kib, 2)}
    print_table("idle sessions, signed in", list(rows.items()))
    figures.flat |= rows


def parse(args: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench direct", description=__doc__)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--window", type=int, action="append", help="may be given several times")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measured stretch")
    parser.add_argument("--rounds", type=int, default=3, help="stretches, each with its ceiling")
    parser.add_argument("--rate", type=int, default=1_000, help="of the open loop; 0: leave it out")
    parser.add_argument("--idle", type=int, default=10_000, help="sessions; 0: leave it out")
    parser.add_argument("--data", help="directory for scratch data, on the disk to be measured")
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args(args)
    options.window = options.window or [8, 1]
    if options.users % 2 or options.users < 2:
        parser.error("--users must be even")
    return options


def main(args: list[str]) -> int:
    """Run the bench; 1 if a promise was broken on the way."""
    options = parse(args)
    os.sched_setaffinity(0, LOAD_CORES)
    gc.set_threshold(100_000, 20, 50)
    figures = uvloop.run(run(options))
    print_table(
        "verified: exactly once, order, dense sequences, delivered marks",
        [(name, figures.flat[name]) for name in ("lost", "duplicated", "errors")],
    )
    for error in figures.errors[:5]:
        print(f"  {error}")
    write_json(options.json, figures.flat)
    return 1 if figures.errors or figures.lost or figures.duplicated else 0
