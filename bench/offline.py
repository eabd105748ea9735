"""Knows the bench of messages to people who are away. Must not know how a server works inside.

`python -m bench offline` starts a node on one core and the load on the other: `--pairs` senders
write `--messages` each to somebody who is away, `--window` in flight. Then all who were away sign
in, as after a night, and get what is there, acking it as a device does. A message counts as in when
its sender has the ack (it is synced), as out when the device has it. Exactly once, order and dense
sequences are checked over all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.load import Peer, Tally, check_pair
from bench.peers import TCP
from bench.process import LOAD_CORES
from bench.report import Figure, middle, print_table, write_json
from bench.stand import Bench, start_node

_POLL_S = 0.002
_WAIT_MAX_S = 120.0
_AT_ONCE = 100  # sign-ins under way


@dataclass(slots=True)
class Stretch:
    """What so many messages took, one way."""

    per_s: float
    cpu_us: float
    load_share: float  # of its core that the load used


async def run(options: argparse.Namespace) -> tuple[dict[str, Figure], list[str]]:
    """Take all figures, each round on a node of its own."""
    ways: list[tuple[Stretch, Stretch]] = []
    tally = Tally()
    for _ in range(options.rounds):
        scratch = Path(tempfile.mkdtemp(prefix="bench-", dir=options.data))
        try:
            bench = await start_node(scratch / "node", 2 * options.pairs)
            try:
                ways.append(await take_round(bench, tally, options))
            finally:
                bench.server.stop()
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    figures: dict[str, Figure] = {"pairs": options.pairs, "messages_each": options.messages}
    for name, stretches in zip(("ingest", "drain"), zip(*ways, strict=True), strict=True):
        figures[f"{name}_per_s"] = round(middle([one.per_s for one in stretches]))
        figures[f"{name}_server_cpu_us"] = round(middle([one.cpu_us for one in stretches]), 2)
        figures[f"{name}_load_share"] = round(middle([one.load_share for one in stretches]), 2)
    figures |= {
        "messages_checked": tally.received,
        "lost": tally.lost,
        "duplicated": tally.duplicated,
        "errors": len(tally.errors),
    }
    return figures, tally.errors


async def take_round(
    bench: Bench, tally: Tally, options: argparse.Namespace
) -> tuple[Stretch, Stretch]:
    """Store messages for people who are away; let them come. Return what each took."""
    senders_of = bench.users[: 2 * options.pairs : 2]
    away = bench.users[1 : 2 * options.pairs : 2]
    for peer in await sign_in(bench, tally, away, senders_of):
        peer.leave()  # each was here once
    await asyncio.sleep(0.5)
    senders = await sign_in(bench, tally, senders_of, away)
    coming_in = Clock(bench)
    for sender in senders:
        sender.post_many(options.window)
    while any(sender.sent < options.messages for sender in senders):
        for sender in senders:
            sender.window = options.window if sender.sent < options.messages else 0
        await asyncio.sleep(_POLL_S)
    for sender in senders:
        sender.window = 0
    await until(tally, lambda: all(len(one.seqs_own) == one.sent for one in senders))
    count = sum(sender.sent for sender in senders)
    stored = coming_in.stop(count)

    await asyncio.sleep(1.0)
    going_out, before = Clock(bench), tally.received
    recipients = await sign_in(bench, tally, away, senders_of)
    await until(tally, lambda: tally.received - before >= count)
    drained = going_out.stop(tally.received - before)
    await asyncio.sleep(1.0)  # the last acks, and the marks that follow
    for sender, recipient in zip(senders, recipients, strict=True):
        check_pair(tally, sender, recipient)
        sender.leave()
        recipient.leave()
    return stored, drained


class Clock:
    """What a stretch takes: time, the server's CPU, the load's."""

    def __init__(self, bench: Bench) -> None:
        self._server = bench.server
        self._cpu_s = bench.server.cpu_s()
        self._load_s = time.process_time()
        self._began_s = time.perf_counter()

    def stop(self, count: int) -> Stretch:
        """Return what `count` messages took."""
        took_s = time.perf_counter() - self._began_s
        cpu_us = (self._server.cpu_s() - self._cpu_s) / max(1, count) * 1e6
        return Stretch(count / took_s, cpu_us, (time.process_time() - self._load_s) / took_s)


async def sign_in(bench: Bench, tally: Tally, users: list[str], others: list[str]) -> list[Peer]:
    """Sign in `users`, each to talk with one of `others`."""
    peers: list[Peer] = []
    for start in range(0, len(users), _AT_ONCE):
        some = zip(users[start : start + _AT_ONCE], others[start : start + _AT_ONCE], strict=True)
        port, token = bench.server.port, bench.token
        coming = [TCP.connect(port, tally, user, other, token(user)) for user, other in some]
        fresh = await asyncio.gather(*coming)
        await asyncio.gather(*(peer.ready for peer in fresh))
        peers += fresh
    return peers


async def until(tally: Tally, is_so: Callable[[], bool]) -> None:
    """Return when it is so; what is not so after two minutes is an error."""
    end_s = time.perf_counter() + _WAIT_MAX_S
    while not is_so():
        if time.perf_counter() > end_s:
            tally.fail("messages are missing")
            return
        await asyncio.sleep(_POLL_S)


def parse(args: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench offline", description=__doc__)
    parser.add_argument("--pairs", type=int, default=500, help="senders, and people away")
    parser.add_argument("--messages", type=int, default=100, help="of each sender, at least")
    parser.add_argument("--window", type=int, default=8, help="in flight, of each sender")
    parser.add_argument("--rounds", type=int, default=3, help="each on a new node")
    parser.add_argument("--data", help="directory for scratch data, on the disk to be measured")
    parser.add_argument("--json", help="file for the figures")
    return parser.parse_args(args)


def main(args: list[str]) -> int:
    """Run the bench; 1 if a promise was broken on the way."""
    options = parse(args)
    os.sched_setaffinity(0, LOAD_CORES)
    gc.set_threshold(100_000, 20, 50)
    figures, errors = uvloop.run(run(options))
    title = f"{options.pairs} senders to {options.pairs} who are away, every message synced"
    print_table(title, list(figures.items()))
    for error in errors[:5]:
        print(f"  {error}")
    write_json(options.json, figures)
    return 1 if errors or figures["lost"] or figures["duplicated"] else 0
