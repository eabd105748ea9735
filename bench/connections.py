"""Knows the bench of connections that are held. Must not know how a server works inside.

`python -m bench connections` starts a node on one core and the load on the other: so many
signed-in TCP connections at once, an account with one device each, and every device pings as a
client does. Through all of it a pair of users exchanges durable messages at a fixed rate, sent
when they are due or late but timed from when they were due.

* alone: the pair with nobody else, to compare with, for machines differ and are shared;
* connecting: all sign in, with their tokens, so many at once as `--in-flight` says;
* idle: nothing but pings for two rounds of them, of which one wants pongs: what they cost;
* held: pings and the pair for `--seconds`;
* leaving: all close at once; the node must have nobody left.

Each connection takes a file descriptor at both ends. A root with CAP_SYS_RESOURCE raises its limit
(the server inherits it) as far as fs.nr_open; for others `ulimit -Hn` must be enough.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import resource
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path

import uvloop

from actorchat.limits import CONNECTIONS_MAX, PING_INTERVAL_S
from bench.crowd import Crowd
from bench.load import Peer, Tally, check_pair, now_ns
from bench.operator import Operator, operator_key
from bench.peers import TcpPeer
from bench.process import LOAD_CORES, ServerProcess, fresh_node
from bench.report import Figure, percentile, print_table, write_json

SPARE_FILES = 1_024  # a store's files, pipes, the pair
IS_BOUND = 0.9  # a core that is busy for so much of the time bounds what is measured
IS_NOISE = 0.1  # and so do others who take so much of it
ROUNDS = 2  # of pings, for each second one asks for its pong
_SETTLE_S = 1.0
_ALONE_S = 10.0
_DRAIN_S = 20.0
_LEAVE_S = 60.0
_ERRORS_KEPT = 1_000


@dataclass(slots=True)
class Stretch:
    """What one part of the run took: seconds, and of the two processes' cores.

    Waited is how long a process could have run and was not let: others had its core.
    """

    took_s: float
    server_cpu_s: float
    load_cpu_s: float
    server_waited_s: float
    load_waited_s: float
    pings: int
    delivery_ns: list[int]

    @property
    def server_share(self) -> float:
        """Of its core, how much the server used."""
        return round(self.server_cpu_s / self.took_s, 3)

    @property
    def load_share(self) -> float:
        """Of its core, how much the load used."""
        return round(self.load_cpu_s / self.took_s, 3)

    @property
    def waited_share(self) -> float:
        """Of the time, how much the two were kept from running by other programs."""
        return round((self.server_waited_s + self.load_waited_s) / self.took_s, 3)

    @property
    def bound(self) -> str:
        """What kept it from going faster."""
        if self.server_share >= IS_BOUND:
            return "the server's core"
        if self.load_share >= IS_BOUND:
            return "the load's core"
        if self.waited_share >= IS_NOISE:
            return "other programs"
        return "what was asked for"


class Pair:
    """Two users who send to each other in turn, at a fixed rate, while the loop runs."""

    def __init__(self, tally: Tally, server: ServerProcess, tokens: dict[str, str]) -> None:
        self.tally = tally
        self._server = server
        self._tokens = tokens
        self._peers: list[Peer] = []
        self._task: asyncio.Task[None] | None = None

    async def sign_in(self) -> None:
        """Connect both."""
        one, other = self._tokens
        for user, to in ((one, other), (other, one)):
            port, token = self._server.port, self._tokens[user]
            peer = await TcpPeer.connect(port, self.tally, user, to, token)
            peer.sample_every = 1
            self._peers.append(peer)
        await asyncio.gather(*(peer.ready for peer in self._peers))

    def talk(self, rate: float) -> None:
        """Send `rate` messages a second from now on."""
        self._task = asyncio.ensure_future(self._talk(rate))

    async def _talk(self, rate: float) -> None:
        began_ns, number, step_ns = now_ns(), 0, round(1e9 / rate)
        while True:
            due = (now_ns() - began_ns) // step_ns
            while number <= due:
                self._peers[number % 2].post(began_ns + number * step_ns)
                number += 1
            await asyncio.sleep(0.001)

    async def speak(self, rate: float) -> None:
        """Talk for a moment: the pair does not ping, and who is silent for too long is closed."""
        self.talk(rate)
        await asyncio.sleep(1.0)
        await self.hush()

    async def hush(self) -> None:
        """Send no more; return when all that was sent has arrived, or will not."""
        if self._task is not None:
            self._task.cancel()
        until_s = time.perf_counter() + _DRAIN_S
        while time.perf_counter() < until_s:
            await asyncio.sleep(0.1)
            if self.tally.received == self.tally.acked == sum(peer.sent for peer in self._peers):
                break
        await asyncio.sleep(0.5)  # the last marks come 250 ms after the last acks

    def leave(self) -> None:
        """Hold what both saw against each other; close."""
        check_pair(self.tally, *self._peers)
        for peer in self._peers:
            peer.leave()


class Bench:
    """One run over a node of its own."""

    def __init__(self, server: ServerProcess, options: argparse.Namespace) -> None:
        self.figures: dict[str, Figure] = {}
        self.tally = Tally()
        self.failures = 0
        self._server = server
        self._options = options
        self._crowd: Crowd
        self._pair: Pair

    def fail(self, what: str) -> None:
        """Count a broken promise; keep the first ones."""
        self.failures += 1
        if len(self.tally.errors) < _ERRORS_KEPT:
            self.tally.fail(what)

    async def run(self, key: str) -> None:
        """Take all figures."""
        options, count = self._options, self._options.count
        _say(f"making {count:,} accounts")
        operator = await Operator.sign_in(self._server.port, key)
        pair = await operator.tokens(["control0", "control1"])
        tokens = await operator.tokens([f"user{number:06d}" for number in range(count)])
        await operator.leave()  # it pings nobody, and would be sent away
        self._crowd = Crowd(self._server.port, tokens, options.ping, self.fail)
        self._pair = Pair(self.tally, self._server, pair)
        await self._pair.sign_in()
        self._pair.talk(options.rate)
        await asyncio.sleep(_SETTLE_S)
        await self._alone()
        await self._connect(count)
        await self._pair.hush()
        await self._idle()
        self._pair.talk(options.rate)
        await asyncio.sleep(_SETTLE_S)
        await self._hold()
        await self._pair.hush()
        await self._leave(key)

    async def _alone(self) -> None:
        stretch = await self._stretch(asyncio.sleep(min(_ALONE_S, self._options.seconds)))
        self._show(
            f"alone: {self._options.rate:g} durable messages a second and nobody else",
            {
                "alone_delivery_ms_p50": percentile(stretch.delivery_ns, 0.5),
                "alone_delivery_ms_p99": percentile(stretch.delivery_ns, 0.99),
                "alone_waited_share": stretch.waited_share,
            },
        )

    async def _connect(self, count: int) -> None:
        before = self._server.rss_bytes()
        telling = asyncio.ensure_future(self._tell_progress())
        stretch = await self._stretch(self._crowd.sign_in(self._options.in_flight))
        telling.cancel()
        connected = self._crowd.signed_in
        kib = (self._server.rss_bytes() - before) / max(1, connected) / 1024
        self._show(
            f"connecting: {count:,} connections, an account with one device each",
            {
                "connections": connected,
                "connect_per_s": round(count / stretch.took_s),
                "connect_s": round(stretch.took_s, 1),
                "connect_server_cpu_us": round(stretch.server_cpu_s / count * 1e6),
                "connect_server_cpu_share": stretch.server_share,
                "connect_load_cpu_share": stretch.load_share,
                "connect_waited_share": stretch.waited_share,
                "connect_bound_by": stretch.bound,
                "connect_delivery_ms_p50": percentile(stretch.delivery_ns, 0.5),
                "connect_delivery_ms_p99": percentile(stretch.delivery_ns, 0.99),
                "connect_delivery_ms_max": percentile(stretch.delivery_ns, 1.0),
                "rss_kib_per_session": round(kib, 2),
                "rss_mib": self._server.rss_bytes() >> 20,
            },
        )

    async def _idle(self) -> None:
        stretch = await self._stretch(asyncio.sleep(ROUNDS * self._options.ping))
        self._show(
            f"idle: a ping a connection every {self._options.ping:g} s, nothing else",
            {
                "idle_pings_per_s": round(stretch.pings / stretch.took_s),
                "server_cpu_share": stretch.server_share,
                "server_cpu_us_per_ping": round(
                    stretch.server_cpu_s / max(1, stretch.pings) * 1e6, 1
                ),
                "load_cpu_share": stretch.load_share,
                "waited_share": stretch.waited_share,
            },
        )

    async def _hold(self) -> None:
        stretch = await self._stretch(asyncio.sleep(self._options.seconds))
        samples = stretch.delivery_ns
        self._show(
            f"held: pings, and {self._options.rate:g} durable messages a second",
            {
                "held_s": round(stretch.took_s, 1),
                "held_connections": self._crowd.signed_in,
                "pings_per_s": round(stretch.pings / stretch.took_s),
                "messages_per_s": round(len(samples) / stretch.took_s),
                "delivery_ms_p50": percentile(samples, 0.5),
                "delivery_ms_p99": percentile(samples, 0.99),
                "delivery_ms_p999": percentile(samples, 0.999),
                "delivery_ms_max": percentile(samples, 1.0),
                "held_server_cpu_share": stretch.server_share,
                "held_load_cpu_share": stretch.load_share,
                "held_waited_share": stretch.waited_share,
                "held_bound_by": stretch.bound,
            },
        )

    async def _leave(self, key: str) -> None:
        """Close all at once; the node must notice everybody."""
        began_s = time.perf_counter()
        self._crowd.leave()
        operator = await Operator.sign_in(self._server.port, key)
        while (left := (await operator.status())["sessions"]) > 3:  # the pair, this one
            if time.perf_counter() - began_s > _LEAVE_S:
                self.fail(f"{left - 3} sessions are left after {_LEAVE_S:g} s")
                break
            await asyncio.sleep(0.2)
        took_s = time.perf_counter() - began_s
        self._pair.leave()
        await operator.leave()
        self._show("leaving: all closed at once", {"leave_s": round(took_s, 1)})

    async def _stretch(self, during: Coroutine[object, object, None]) -> Stretch:
        """Await `during`; return what it took."""
        server, crowd, tally = self._server, self._crowd, self.tally
        tally.delivery_ns.clear()
        began_s, pings = time.perf_counter(), crowd.pings
        server_s, load_s = server.cpu_s(), time.process_time()
        server_waited_s, load_waited_s = waited_s(server.pid), waited_s(os.getpid())
        await during
        return Stretch(
            took_s=time.perf_counter() - began_s,
            server_cpu_s=server.cpu_s() - server_s,
            load_cpu_s=time.process_time() - load_s,
            server_waited_s=waited_s(server.pid) - server_waited_s,
            load_waited_s=waited_s(os.getpid()) - load_waited_s,
            pings=crowd.pings - pings,
            delivery_ns=list(tally.delivery_ns),
        )

    async def _tell_progress(self) -> None:
        while True:
            await asyncio.sleep(10)
            _say(f"{self._crowd.signed_in:,} are signed in")

    def _show(self, title: str, rows: dict[str, Figure]) -> None:
        print_table(title, list(rows.items()))
        self.figures |= rows


def waited_s(pid: int) -> float:
    """Return how long a process's first thread has waited for a core since it began."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9


def _say(what: str) -> None:
    print(f"  {what}", flush=True)


def raise_file_limit(wanted: int) -> None:
    """Allow this process and its children `wanted` open files.

    Raises:
        SystemExit: The system does not let it; says what would.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if wanted <= soft:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
    except (ValueError, OSError) as error:
        highest = Path("/proc/sys/fs/nr_open").read_text(encoding="ascii").strip()
        raise SystemExit(
            f"{wanted:,} open files are needed and this process may have {hard:,} ({error}): raise "
            f"`ulimit -Hn`, or run it as a root that may (CAP_SYS_RESOURCE); fs.nr_open, the most "
            f"that there can be, is {highest}"
        ) from None


async def run(options: argparse.Namespace) -> Bench:
    """Start a node over an empty directory and take all figures."""
    with fresh_node(options.data) as (server, data):
        bench = Bench(server, options)
        await bench.run(operator_key(data))
    return bench


def parse(args: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench connections",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=200_000, help="connections held at once")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long they are held")
    parser.add_argument("--ping", type=float, default=PING_INTERVAL_S, help="seconds between pings")
    parser.add_argument("--rate", type=float, default=200.0, help="messages of the pair a second")
    parser.add_argument("--in-flight", type=int, default=128, help="sign-ins under way at once")
    parser.add_argument("--data", help="directory for scratch data, on the disk to be measured")
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args(args)
    if not 1 <= options.count <= CONNECTIONS_MAX - 3:
        parser.error(f"--count must be 1 to {CONNECTIONS_MAX - 3}: a node takes no more")
    if min(options.seconds, options.ping, options.rate, options.in_flight) <= 0:
        parser.error("--seconds, --ping, --rate and --in-flight must be above 0")
    return options


def main(args: list[str]) -> int:
    """Run the bench; 1 if a promise was broken on the way."""
    options = parse(args)
    raise_file_limit(options.count + SPARE_FILES)
    os.sched_setaffinity(0, LOAD_CORES)
    gc.set_threshold(100_000, 20, 50)
    bench = uvloop.run(run(options))
    tally = bench.tally
    promises = {
        "messages_checked": tally.received,
        "lost": tally.lost,
        "duplicated": tally.duplicated,
        "errors": max(bench.failures, len(tally.errors)),
    }
    bench.figures |= promises
    print_table(
        "verified: exactly once, order, dense sequences, every ping answered",
        list(promises.items()),
    )
    for error in tally.errors[:5]:
        print(f"  {error}")
    write_json(options.json, bench.figures)
    return 1 if tally.errors or tally.lost or tally.duplicated else 0
