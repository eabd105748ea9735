"""Knows the bench of messages between nodes. Must not know how a node works inside.

`python -m bench cluster --nodes 2` starts a node that is alone and, beside it on the same core, the
nodes of a cluster, and loads them in turn: closed loop and open loop of `direct`. Of each pair one
is at home on a node and connected to it, and the other to the next: every message and every mark
crosses once. CPU is that of all nodes together, so that the ratio is one of messages a core. With
`--nodes 1` the cluster has one node, which shows what being ready for others costs.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvloop

from actorchat import ids
from actorchat.client import connect
from bench.load import Peer, Tally
from bench.operator import Operator, operator_key
from bench.peers import TCP, Gateway
from bench.process import LOAD_CORES, ServerProcess
from bench.report import Figure, middle, percentile, print_table, write_json
from bench.stand import Bench, Figures, Round, start_node
from nodes.cluster.layout import Wish, lay_out
from nodes.replay.child import ChildProcess

READY = r'"tcp": "tcp://[^"]*:(\d+)"'


class Servers:
    """The nodes of a cluster, as one server whose CPU is theirs together."""

    def __init__(self, folder: Path, count: int) -> None:
        layout = lay_out(folder, Wish(count, more={"log.level": "warning"}))
        self.data = layout.places[0].data
        self.keeper = ChildProcess(
            ["registry", "up", "--json", "--config", str(layout.registry_config)],
            folder / "registry.log",
        )
        self.keeper.start()
        commands = [
            ["-m", "nodes.cli", "node", "--json", "--config", str(place.config)]
            for place in layout.places
        ]
        with ThreadPoolExecutor(count) as threads:  # a node is ready when all are there
            self.nodes = list(threads.map(lambda each: ServerProcess(each, READY), commands))

    @property
    def port(self) -> int:
        """The port of the first."""
        return self.nodes[0].port

    def cpu_s(self) -> float:
        """Return the CPU seconds of all."""
        return sum(node.cpu_s() for node in self.nodes)

    def rss_bytes(self) -> int:
        """Return the resident memory of all."""
        return sum(node.rss_bytes() for node in self.nodes)

    def stop(self) -> None:
        """End them, and their registry."""
        with ThreadPoolExecutor(len(self.nodes)) as threads:
            list(threads.map(lambda node: node.stop(), self.nodes))
        self.keeper.stop()


class ClusterBench(Bench):
    """A cluster that runs; users are at home, and connected, on the nodes by turns."""

    def __init__(self, servers: Servers, tokens: dict[str, str]) -> None:
        super().__init__(servers, servers.data, tokens)  # type: ignore[arg-type]
        self._servers = servers

    async def connect(self, tally: Tally, count: int, gateway: Gateway = TCP) -> list[Peer]:
        """Sign in the first `count` users, in pairs, each at home."""
        nodes = self._servers.nodes
        peers = []
        for number, user in enumerate(self.users[:count]):
            port, partner = nodes[number % len(nodes)].port, self.users[number ^ 1]
            peers.append(await gateway.connect(port, tally, user, partner, self.token(user)))
        await asyncio.gather(*(peer.ready for peer in peers))
        return peers


def by_turns(homes: Iterable[tuple[str, str]], nodes: list[str], count: int) -> Iterator[str]:
    """Yield `count` users, at home on each of `nodes` in turn, of `(user, home)` pairs."""
    waiting: dict[str, list[str]] = {node: [] for node in nodes}
    given = 0
    for user, home in homes:
        waiting[home].append(user)
        while given < count and waiting[nodes[given % len(nodes)]]:
            yield waiting[nodes[given % len(nodes)]].pop(0)
            given += 1
        if given == count:
            return


async def start_cluster(folder: Path, count: int, users: int) -> ClusterBench:
    """Start a cluster over an empty directory; make accounts."""
    servers = await asyncio.to_thread(Servers, folder, count)
    key = operator_key(servers.data)
    address = f"tcp://127.0.0.1:{servers.port}"
    names = [f"user{number:06d}" for number in range(users * 4)]
    homes, slots = [], {}
    async with connect(address, user="operator", device="bench", operator=key) as operator:
        for name in names:
            slot = ids.slot_of(name)
            if slot not in slots:
                slots[slot] = (await operator.whereis(name)).home
            homes.append((name, slots[slot]))
    chosen = list(by_turns(homes, [f"n{number}" for number in range(1, count + 1)], users))
    accounts = await Operator.sign_in(servers.port, key)
    tokens = await accounts.tokens(chosen)
    await accounts.leave()
    return ClusterBench(servers, tokens)


async def run(options: argparse.Namespace) -> Figures:
    """Take all figures."""
    figures = Figures()
    scratch = Path(tempfile.mkdtemp(prefix="bench-", dir=options.data))
    try:
        alone = await start_node(scratch / "alone", options.users)
        try:
            cluster = await start_cluster(scratch / "cluster", options.nodes, options.users)
            try:
                await measure(alone, cluster, figures, options)
            finally:
                cluster.server.stop()
        finally:
            alone.server.stop()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    broken = {"lost": figures.lost, "duplicated": figures.duplicated, "errors": len(figures.errors)}
    figures.flat |= broken
    return figures


async def measure(
    alone: Bench, cluster: Bench, figures: Figures, options: argparse.Namespace
) -> None:
    """Load the two in turn; keep medians and median ratios."""
    for window in options.window:
        rounds: list[tuple[Round, Round]] = []
        for _ in range(options.rounds):
            one = await alone.closed(options.users, window, options.seconds)
            many = await cluster.closed(options.users, window, options.seconds)
            rounds.append((one, many))
        title = f"closed loop: {options.users} users, {window} in flight each, every ack fsynced"
        keep(figures, title, f"_w{window}", rounds)
    if options.rate:
        opened = [
            (
                await alone.open(options.users, options.rate, options.seconds),
                await cluster.open(options.users, options.rate, options.seconds),
            )
            for _ in range(options.rounds)
        ]
        keep(figures, f"open loop: {options.rate} messages a second", "_open", opened)


def keep(figures: Figures, title: str, end: str, rounds: list[tuple[Round, Round]]) -> None:
    """Print and keep the figures of rounds, each of the node alone and of the cluster."""
    for pair in rounds:
        for each in pair:
            figures.add(each.tally)
    rows: dict[str, Figure] = {}
    for name, index in (("one_node", 0), ("cluster", 1)):
        some = [pair[index] for pair in rounds]
        deliveries = [ns for each in some for ns in each.tally.delivery_ns]
        rows[f"{name}_cpu_us"] = middle([each.cpu_us for each in some])
        rows[f"{name}_messages_per_core_s"] = round(1e6 / middle([each.cpu_us for each in some]))
        rows[f"{name}_messages_per_s"] = round(middle([each.per_s for each in some]))
        rows[f"{name}_delivery_ms_p50"] = percentile(deliveries, 0.5)
        rows[f"{name}_delivery_ms_p99"] = percentile(deliveries, 0.99)
    rows["ratio_messages_per_core"] = middle([one.cpu_us / many.cpu_us for one, many in rounds])
    p50 = [
        (percentile(many.tally.delivery_ns, 0.5) or 0.0)
        - (percentile(one.tally.delivery_ns, 0.5) or 0.0)
        for one, many in rounds
    ]
    rows["extra_delivery_ms_p50"] = middle(p50, 3)
    rows["messages_checked"] = sum(each.tally.received for pair in rounds for each in pair)
    print_table(title, list(rows.items()))
    figures.flat |= {f"{name}{end}": value for name, value in rows.items()}


def parse(args: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench cluster", description=__doc__)
    parser.add_argument("--nodes", type=int, default=2, help="of the cluster")
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--window", type=int, action="append", help="may be given several times")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measured stretch")
    parser.add_argument("--rounds", type=int, default=3, help="stretches of each, in turn")
    parser.add_argument("--rate", type=int, default=1_000, help="of the open loop; 0: leave it out")
    parser.add_argument("--data", help="directory for scratch data, on the disk to be measured")
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args(args)
    options.window = options.window or [8]
    if options.users % 2 or options.users < 2:
        parser.error("--users must be even")
    if options.nodes != 1 and options.nodes % 2:
        parser.error("--nodes must be 1 or even, or pairs would share a node")
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
