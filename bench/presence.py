"""Knows the bench of presence: heartbeats, and storms. Must not know how a server works inside.

`python -m bench presence` starts a node on one core and the load on the other. So many users, each
with one device that watches some others, and a control pair that exchanges durable messages at a
fixed rate through it all.

* alone: the pair with nobody else, to compare with;
* arriving: everybody signs in for the first time within `--storm` seconds, so that each watcher
  has a change of each watched user to be told;
* quiet: everybody is silent for `--ping` seconds: what a node with so many users costs by itself;
* idle: two rounds of pings, one a user in `--ping` seconds each, nothing else: what heartbeats
  cost. A client asks for the pong of every second one, so two rounds are the whole of it;
* reconnecting: all connections drop at once and all users are back within `--storm` seconds, sign
  in by token and watch again: nobody was away for long enough to be shown as offline.

In the end everybody who is here must be shown as online by everybody who watches them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import time
from collections.abc import Coroutine

import uvloop

from actorchat.limits import PING_INTERVAL_S, PRESENCE_PUSH_S, WATCHED_MAX
from bench.connections import ROUNDS, SPARE_FILES, Pair, Stretch, raise_file_limit, waited_s
from bench.load import Tally
from bench.operator import Operator, operator_key
from bench.process import LOAD_CORES, ServerProcess, fresh_node
from bench.report import Figure, percentile, print_table, write_json
from bench.watchers import Watchers

_SETTLE_S = 3.0  # pushes of a storm come up to two seconds behind it
_ALONE_S = 5.0
_DROPPED_S = 1.0
_ERRORS_KEPT = 1_000


class Bench:
    """One run over a node of its own."""

    def __init__(self, server: ServerProcess, options: argparse.Namespace) -> None:
        self.figures: dict[str, Figure] = {}
        self.tally = Tally()
        self.failures = 0
        self.mistaken = 0
        self.repeated = 0
        self._server = server
        self._options = options
        self._pair: Pair

    def fail(self, what: str) -> None:
        """Count a broken promise; keep the first ones."""
        self.failures += 1
        if len(self.tally.errors) < _ERRORS_KEPT:
            self.tally.fail(what)

    async def run(self, key: str) -> None:
        """Take all figures."""
        options = self._options
        operator = await Operator.sign_in(self._server.port, key)
        pair = await operator.tokens(["control0", "control1"])
        tokens = await operator.tokens([f"user{number:06d}" for number in range(options.users)])
        await operator.leave()
        self._pair = Pair(self.tally, self._server, pair)
        await self._pair.sign_in()
        self._pair.talk(options.rate)
        await asyncio.sleep(1.0)
        stretch = await self._stretch(asyncio.sleep(_ALONE_S))
        self._show("alone: the pair and nobody else", self._delivery("alone_", stretch))

        crowd = await self._storm("arrive", tokens)
        await self._pair.hush()
        crowd.is_quiet = True
        quiet = await self._stretch(asyncio.sleep(options.ping), crowd)
        await self._pair.speak(options.rate)
        crowd.is_quiet = False
        pongs = crowd.pongs
        stretch = await self._stretch(asyncio.sleep(ROUNDS * options.ping), crowd)
        quiet_share, share = (one.server_cpu_s / one.took_s for one in (quiet, stretch))
        self._show(
            f"idle: a ping a user every {options.ping:g} s, beside the same without pings",
            {
                "quiet_core_share": round(quiet_share, 4),
                "idle_core_share": round(share, 4),
                "idle_waited_share": stretch.waited_share,
                "heartbeat_core_share": round(share - quiet_share, 4),
                "heartbeats_per_s": round(stretch.pings / stretch.took_s),
                "heartbeats_answered_per_s": round((crowd.pongs - pongs) / stretch.took_s),
            },
        )
        self._pair.talk(options.rate)
        await asyncio.sleep(1.0)
        crowd.leave()
        await asyncio.sleep(_DROPPED_S)
        crowd = await self._storm("storm", tokens)
        await self._pair.hush()
        self._pair.leave()
        crowd.leave()
        self.figures["control_ms_p99"] = self.figures["storm_control_ms_p99"]

    async def _storm(self, name: str, tokens: dict[str, str]) -> Watchers:
        options = self._options
        crowd = Watchers(self._server.port, tokens, options.ping, self.fail, options.watched)

        async def blow() -> None:
            await crowd.sign_in_over(options.storm)
            await asyncio.sleep(_SETTLE_S)

        stretch = await self._stretch(blow(), crowd)
        if options.watched and crowd.answered != len(crowd):
            self.fail(f"{len(crowd) - crowd.answered} were not answered whom they watch")
        self.mistaken += crowd.mistaken()
        self.repeated += crowd.repeated
        pushes_max = stretch.took_s / PRESENCE_PUSH_S + 1
        if (most := max(crowd.pushed)) > pushes_max:
            self.fail(f"{most} pushes to one session in {stretch.took_s:.1f} s")
        per_user = stretch.server_cpu_s / len(crowd) * 1e6
        self._show(
            f"{name}: {len(crowd):,} users in {options.storm:g} s, each watches {options.watched}",
            {
                f"{name}_s": round(stretch.took_s - _SETTLE_S, 1),
                f"{name}_server_cpu_us_per_user": round(per_user),
                f"{name}_server_core_share": stretch.server_share,
                f"{name}_load_core_share": stretch.load_share,
                f"{name}_waited_share": stretch.waited_share,
                f"{name}_pushes": crowd.pushes,
                f"{name}_states_told": crowd.told,
                f"{name}_pushes_a_session_max": most,
                **self._delivery(f"{name}_", stretch),
            },
        )
        return crowd

    def _delivery(self, prefix: str, stretch: Stretch) -> dict[str, Figure]:
        return {
            f"{prefix}control_ms_p50": percentile(stretch.delivery_ns, 0.5),
            f"{prefix}control_ms_p99": percentile(stretch.delivery_ns, 0.99),
            f"{prefix}control_ms_max": percentile(stretch.delivery_ns, 1.0),
        }

    async def _stretch(
        self, during: Coroutine[object, object, None], crowd: Watchers | None = None
    ) -> Stretch:
        server, tally = self._server, self.tally
        tally.delivery_ns.clear()
        pings = crowd.pings if crowd else 0
        began_s, server_s, load_s = time.perf_counter(), server.cpu_s(), time.process_time()
        server_waited_s, load_waited_s = waited_s(server.pid), waited_s(os.getpid())
        await during
        return Stretch(
            took_s=time.perf_counter() - began_s,
            server_cpu_s=server.cpu_s() - server_s,
            load_cpu_s=time.process_time() - load_s,
            server_waited_s=waited_s(server.pid) - server_waited_s,
            load_waited_s=waited_s(os.getpid()) - load_waited_s,
            pings=(crowd.pings if crowd else 0) - pings,
            delivery_ns=list(tally.delivery_ns),
        )

    def _show(self, title: str, rows: dict[str, Figure]) -> None:
        print_table(title, list(rows.items()))
        self.figures |= rows


async def run(options: argparse.Namespace) -> Bench:
    """Start a node over an empty directory and take all figures."""
    with fresh_node(options.data) as (server, data):
        bench = Bench(server, options)
        await bench.run(operator_key(data))
    return bench


def parse(args: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench presence",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--users", type=int, default=10_000, help="users, a connection each")
    parser.add_argument("--watched", type=int, default=16, help="users whom each one watches")
    parser.add_argument("--storm", type=float, default=5.0, help="seconds in which all come back")
    parser.add_argument("--ping", type=float, default=PING_INTERVAL_S, help="seconds between pings")
    parser.add_argument("--rate", type=float, default=200.0, help="messages of the pair a second")
    parser.add_argument("--data", help="directory for scratch data, on the disk to be measured")
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args(args)
    if not 0 <= options.watched <= min(WATCHED_MAX, options.users):
        parser.error(f"--watched must be 0 to {WATCHED_MAX}, and no more than --users")
    return options


def main(args: list[str]) -> int:
    """Run the bench; 1 if a promise was broken on the way."""
    options = parse(args)
    raise_file_limit(options.users + SPARE_FILES)
    os.sched_setaffinity(0, LOAD_CORES)
    gc.set_threshold(100_000, 20, 50)
    bench = uvloop.run(run(options))
    tally = bench.tally
    promises = {
        "messages_checked": tally.received,
        "lost": tally.lost + bench.mistaken,
        "duplicated": tally.duplicated + bench.repeated,
        "errors": max(bench.failures, len(tally.errors)),
    }
    bench.figures |= promises
    print_table("verified: messages exactly once; all views agree with who is here",
                list(promises.items()))  # fmt: skip
    for error in tally.errors[:5]:
        print(f"  {error}")
    write_json(options.json, bench.figures)
    return 1 if promises["lost"] or promises["duplicated"] or promises["errors"] else 0
