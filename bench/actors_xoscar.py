"""Knows how xoscar's actors are measured: all in one pool in this process. Must not know others."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import xoscar

from bench.actors_cost import Stopwatch, must, rss_bytes
from bench.actors_plan import Size


class Gate:
    """Opens when so many parties have come."""

    def __init__(self, parties: int) -> None:
        self._left = parties
        self.open = asyncio.get_running_loop().create_future()

    def come(self) -> None:
        """Note one party."""
        self._left -= 1
        if self._left == 0:
            self.open.set_result(None)


# The actors live in this process, so what is no message may be handed over directly.
gates: list[Gate] = []


class Session(xoscar.Actor):  # type: ignore[misc]
    """Some state; the methods are the messages."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.peer: Any = None

    def meet(self, peer: Any) -> None:
        """Remember a partner, or the members of a group."""
        self.peer = peer

    def counted(self) -> int:
        """Answer with what was counted."""
        return self.count

    def echo(self, message: Any) -> Any:
        """Answer with the message."""
        self.count += 1
        return message

    def hit(self, message: Any) -> None:
        """Count a message."""
        self.count += 1
        gates[-1].come()

    async def hop(self, left: int) -> None:
        """Return the ball."""
        self.count += 1
        if left:
            await self.peer.hop.tell(left - 1)
        else:
            gates[-1].come()

    async def ask(self, count: int) -> None:
        """Call the partner so often."""
        for number in range(count):
            must(await self.peer.echo(number) == number, "the answer to a call is its own")

    async def tell_all(self, rounds: int) -> None:
        """Tell all members so often."""
        for number in range(rounds):
            gates.append(Gate(len(self.peer)))
            for ref in self.peer:
                await ref.hit.tell(number)
            await gates[-1].open


async def start(address: str, count: int) -> list[Any]:
    """Start actors."""
    return [await xoscar.create_actor(Session, address=address) for _ in range(count)]


async def hop(size: Size, address: str) -> tuple[float, int]:
    """Measure tells to and fro."""
    refs = await start(address, 2 * size.live)
    for number, ref in enumerate(refs):
        await ref.meet(refs[number ^ 1])
    each = size.count // size.live
    gates.append(Gate(size.live))
    watch = Stopwatch(has_children=True)
    for ref in refs[::2]:
        await ref.hop.tell(each - 1)
    await gates[-1].open
    us = watch.us_each(each * size.live)
    hops = sum([await ref.counted() for ref in refs])
    must(hops == each * size.live, f"all hops are counted: {hops}")
    return us, hops


async def call(size: Size, address: str) -> tuple[float, int]:
    """Measure awaited calls from one actor to another."""
    asker, callee = await start(address, 2)
    await asker.meet(callee)
    watch = Stopwatch(has_children=True)
    await asker.ask(size.count)
    return watch.us_each(size.count), await callee.counted()


async def spawn(size: Size, address: str) -> tuple[float, int]:
    """Measure a start."""
    watch = Stopwatch(has_children=True)
    refs = await start(address, size.count)
    us = watch.us_each(size.count)
    return us, sum([await ref.counted() == 0 for ref in refs])


async def stop(size: Size, address: str) -> tuple[float, int]:
    """Measure an end."""
    refs = await start(address, size.live)
    watch = Stopwatch(has_children=True)
    for ref in refs[: size.count]:
        await xoscar.destroy_actor(ref)
    us = watch.us_each(size.count)
    gone = [not await xoscar.has_actor(ref) for ref in refs[: size.count]]
    must(all(gone) and await xoscar.has_actor(refs[-1]), "those that were stopped are gone")
    return us, sum(gone)


async def fanout(size: Size, address: str) -> tuple[float, int]:
    """Measure one delivery of what an actor tells to many."""
    members = await start(address, size.live)
    (group,) = await start(address, 1)
    await group.meet(members)
    rounds = max(1, size.count // size.live)
    watch = Stopwatch(has_children=True)
    await group.tell_all(rounds)
    us = watch.us_each(rounds * size.live)
    counted = sum([await ref.counted() for ref in members])
    must(counted == rounds * size.live, f"all is delivered: {counted}")
    return us, counted


async def memory(size: Size, address: str) -> tuple[float, int]:
    """Measure the resident memory of an idle actor."""
    refs = await start(address, size.live)
    before = rss_bytes()
    refs += await start(address, size.count)
    each = (rss_bytes() - before) / size.count
    return each, sum([await ref.counted() == 0 for ref in refs])


MEASURES: dict[str, Callable[[Size, str], Coroutine[Any, Any, tuple[float, int]]]] = {
    "hop_us": hop,
    "hop_us_1000_pairs": hop,
    "call_us": call,
    "spawn_us": spawn,
    "stop_us_100k": stop,
    "fanout_us": fanout,
    "bytes_per_actor_10k": memory,
}


async def _take(figure: str, size: Size) -> tuple[float, int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    pool = await xoscar.create_actor_pool(f"127.0.0.1:{port}", n_process=0)
    async with pool:
        return await MEASURES[figure](size, pool.external_address)


def take(figure: str, size: Size) -> tuple[float, int]:
    """Return a figure and how many operations were verified."""
    return asyncio.run(_take(figure, size))
