"""Knows the bench of links between nodes. Must not know how a link works.

`python -m bench link` measures what it costs to tell an actor of another process: CPU over both
ends in batches and alone, the time of a round trip, bytes a second; over `ipc` and over TCP with
CURVE, in turn. Every message is counted at the far end, every answer checked.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from actorchat.cluster.mesh import Mesh
from actorchat.cluster.remote import RemoteRef
from bench.link_child import COUNTERS, FAR, POLL_S, Ask, Blob, Words, mesh_of, pin
from bench.report import Figure, middle, percentile, print_table, write_json

BATCH = 64
BLOB_BYTES = 65_536
_START_S = 20.0
WAYS = {"ipc": False, "curve": True}


class Stand:
    """Two nodes with a link between them, this process being one."""

    def __init__(self, mesh: Mesh, counters: list[RemoteRef]) -> None:
        self.mesh = mesh
        self.desk = mesh.named(FAR, "desk")
        self.counters = counters
        self.told = 0

    async def _far_cpu_s(self) -> float:
        return float(await self.desk.call("cpu", timeout_s=30))

    async def tells(self, count: int, batch: int) -> tuple[float, float]:
        """Tell `count` messages, `batch` a turn of the loop; return µs of CPU here and there."""
        far_s, near_s = await self._far_cpu_s(), time.process_time()
        counters = self.counters
        for first in range(0, count, batch):
            for number in range(first, first + batch):
                body = Words("ann", ("ann", "bob"), number, 1_712_345_678_901, _CID, _BODY)
                counters[number % len(counters)].tell(body)
            await asyncio.sleep(0)
            if first % 16_384 < batch:
                await self.desk.call("total", timeout_s=30)  # not faster than the far end
        self.told += count
        far_s = await self._far_cpu_s() - far_s
        return (time.process_time() - near_s) / count * 1e6, far_s / count * 1e6

    async def round_trips(self, count: int) -> list[int]:
        """Call and wait, one after the other; return nanoseconds each."""
        samples = []
        for number in range(count):
            begun = time.perf_counter_ns()
            if await self.desk.call(number, timeout_s=30) != number:
                raise RuntimeError("a call got another's answer")
            samples.append(time.perf_counter_ns() - begun)
        return samples

    async def blobs(self, count: int) -> float:
        """Tell `count` blobs; return bytes a second."""
        blob, begun_s = Blob(bytes(BLOB_BYTES)), time.perf_counter()
        for number in range(count):
            self.counters[number % len(self.counters)].tell(blob)
            if number % 32 == 31:
                await self.desk.call("total", timeout_s=30)
        await self.desk.call("total", timeout_s=30)
        self.told += count
        return count * BLOB_BYTES / (time.perf_counter() - begun_s)

    async def missing(self) -> int:
        """Return how many messages of this run did not arrive."""
        return self.told - int(await self.desk.call("total", timeout_s=30))


_CID = bytes(16)
_BODY = "hello there, how are you?"


async def measure(folder: Path, has_curve: bool, scale: float) -> dict[str, float]:
    """Take all figures over one link."""
    mesh = mesh_of(folder, "near", has_curve)
    until_s = time.monotonic() + _START_S
    while FAR not in mesh.nodes():
        if time.monotonic() > until_s:
            raise RuntimeError("the far node did not come up")
        await asyncio.sleep(POLL_S)
    desk = mesh.named(FAR, "desk")
    counters = [(await desk.call(Ask(number))).ref for number in range(COUNTERS)]
    stand = Stand(mesh, counters)
    await stand.tells(BATCH * 100, BATCH)
    near, far = await stand.tells(round(300_000 * scale) // BATCH * BATCH, BATCH)
    near_1, far_1 = await stand.tells(round(20_000 * scale), 1)
    trips = await stand.round_trips(round(5_000 * scale))
    speed = await stand.blobs(round(4_000 * scale))
    missing = await stand.missing()
    await mesh.close()
    await mesh.system.stop()
    return {
        "tell_us": near + far,
        "tell_near_us": near,
        "tell_far_us": far,
        "tell_alone_us": near_1 + far_1,
        "round_trip_p50_ms": percentile(trips, 0.5) or 0.0,
        "round_trip_p99_ms": percentile(trips, 0.99) or 0.0,
        "mb_per_s": speed / 1e6,
        "missing": float(missing),
    }


def take(way: str, scale: float) -> dict[str, float]:
    """Start the far node, measure, and end both."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        mode = "curve" if WAYS[way] else "plain"
        command = [sys.executable, "-m", "bench.link_child", scratch, mode]
        with subprocess.Popen(command) as child:
            try:
                return uvloop.run(measure(Path(scratch), WAYS[way], scale))
            finally:
                try:
                    child.wait(5)
                except subprocess.TimeoutExpired:
                    child.kill()


def parse(args: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench link",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3, help="the median is told")
    parser.add_argument("--only", choices=list(WAYS), help="one way instead of all in turn")
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that it works")
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args(args)
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


def main(args: list[str]) -> int:
    """Run the bench; 1 if a message was missing."""
    options = parse(args)
    pin(is_far=False)
    ways = [options.only] if options.only else list(WAYS)
    samples: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        for way in ways:
            for name, value in take(way, 0.02 if options.quick else 1.0).items():
                samples.setdefault(f"{way}_{name}", []).append(value)
    figures: dict[str, Figure] = {name: middle(them, 3) for name, them in samples.items()}
    print_table(f"a link, medians of {options.rounds}", list(figures.items()))
    write_json(options.json, figures)
    return int(any(sum(them) for name, them in samples.items() if name.endswith("missing")))
