"""Knows a node that is loaded by pairs of peers through a gateway, and what that costs it.
Must not know which figures are wanted, nor how a server works inside.

All that was sent in a stretch, warm-up included, is checked: exactly once, order, dense
sequences, delivered marks.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bench.load import Peer, Tally, check_pair, now_ns
from bench.operator import Operator, operator_key
from bench.peers import HOST, TCP, Gateway
from bench.process import ServerProcess
from bench.report import Figure

_WARM_UP_S = 1.0
_DRAIN_S = 20.0


@dataclass(slots=True)
class Round:
    """One measured stretch."""

    cpu_us: float
    per_s: float
    tally: Tally
    load_share: float  # of its core that the load used


@dataclass(slots=True)
class Figures:
    """All that was measured, by the name it has in the JSON."""

    flat: dict[str, Figure] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    lost: int = 0
    duplicated: int = 0

    def add(self, tally: Tally) -> None:
        """Take in what was verified."""
        self.errors += tally.errors
        self.lost += tally.lost
        self.duplicated += tally.duplicated


class Bench:
    """A node that runs, with as many accounts as are needed."""

    def __init__(self, server: ServerProcess, data: Path, tokens: dict[str, str]) -> None:
        self.server = server
        self.users = list(tokens)
        self._data = data
        self._tokens = tokens

    async def connect(self, tally: Tally, count: int, gateway: Gateway = TCP) -> list[Peer]:
        """Sign in the first `count` users, in pairs."""
        port = self._port_of(gateway)
        peers: list[Peer] = []
        for number, user in enumerate(self.users[:count]):
            partner = self.users[number ^ 1]
            peers.append(await gateway.connect(port, tally, user, partner, self._tokens[user]))
            if number % 100 == 99:
                await asyncio.gather(*(p.ready for p in peers[-100:]))
        await asyncio.gather(*(peer.ready for peer in peers))
        return peers

    def token(self, user: str) -> str:
        """Return the token of a user's device `bench`."""
        return self._tokens[user]

    def _port_of(self, gateway: Gateway) -> int:
        described = json.loads((self._data / "node.json").read_text(encoding="utf-8"))
        return int(str(described[gateway.place]).rpartition(":")[2])

    async def measure(
        self,
        users: int,
        seconds: float,
        drive: Callable[[list[Peer]], Awaitable[None]],
        gateway: Gateway = TCP,
    ) -> Round:
        """Let `drive` load the node; measure after the warm-up; verify everything."""
        tally = Tally()
        peers = await self.connect(tally, users, gateway)
        driving = asyncio.ensure_future(drive(peers))
        await asyncio.sleep(_WARM_UP_S)
        tally.ack_ns.clear()
        tally.delivery_ns.clear()
        received, cpu_s, began_s = tally.received, self.server.cpu_s(), time.perf_counter()
        load_s = time.process_time()
        await asyncio.sleep(seconds)
        count = tally.received - received
        cpu_s, took_s = self.server.cpu_s() - cpu_s, time.perf_counter() - began_s
        load_s = time.process_time() - load_s
        samples = list(tally.ack_ns), list(tally.delivery_ns)
        driving.cancel()
        for peer in peers:
            peer.window = 0
        await self._drain(tally, peers)
        tally.ack_ns, tally.delivery_ns = samples
        for number in range(0, len(peers), 2):
            check_pair(tally, peers[number], peers[number + 1])
        for peer in peers:
            peer.leave()
        return Round(cpu_s / max(1, count) * 1e6, count / took_s, tally, load_s / took_s)

    async def _drain(self, tally: Tally, peers: list[Peer]) -> None:
        until_s = time.perf_counter() + _DRAIN_S
        while time.perf_counter() < until_s:
            await asyncio.sleep(0.1)
            sent = sum(peer.sent for peer in peers)
            if tally.received == tally.acked == sent:
                break
        await asyncio.sleep(0.5)  # the last marks come 250 ms after the last acks

    async def closed(
        self, users: int, window: int, seconds: float, gateway: Gateway = TCP
    ) -> Round:
        """Keep `window` messages of each user in flight."""

        async def drive(peers: list[Peer]) -> None:
            for peer in peers:
                peer.window = window
                peer.post_many(window)

        return await self.measure(users, seconds, drive, gateway)

    async def open(self, users: int, rate: int, seconds: float) -> Round:
        """Send `rate` messages a second, evenly, whatever comes back when."""

        async def drive(peers: list[Peer]) -> None:
            for peer in peers:
                peer.sample_every = 1
            began_ns, number, step_ns = now_ns(), 0, 1_000_000_000 // rate
            while True:
                due = (now_ns() - began_ns) // step_ns
                while number <= due:
                    peers[number * 7 % len(peers)].post(began_ns + number * step_ns)
                    number += 1
                await asyncio.sleep(0.001)

        return await self.measure(users, seconds, drive)

    async def idle_kib(self, tally: Tally, sessions: int, gateway: Gateway = TCP) -> float:
        """Return the memory that each of `sessions` signed-in sessions takes in the node."""
        await asyncio.sleep(1.0)
        before = self.server.rss_bytes()
        peers = await self.connect(tally, sessions, gateway)
        await asyncio.sleep(2.0)
        kib = (self.server.rss_bytes() - before) / sessions / 1024
        for peer in peers:
            peer.leave()
        return kib


async def start_node(data: Path, users: int, places: Iterable[str] = ()) -> Bench:
    """Start a node over an empty directory, its gateways of `places` open beside TCP's; make
    accounts.
    """
    opened = [f"gateway.{place}.listen={HOST}:0" for place in places]
    server = ServerProcess(["-m", "bench.node", str(data), *opened], r"^ready (\d+)")
    operator = await Operator.sign_in(server.port, operator_key(data))
    tokens = await operator.tokens([f"user{number:06d}" for number in range(users)])
    await operator.leave()
    return Bench(server, data, tokens)
