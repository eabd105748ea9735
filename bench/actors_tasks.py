"""Knows how asyncio tasks with queues are measured: what one writes without an actor library.

Must not know actors. A task is given what every actor here has: a bounded queue, an orderly end,
and calls with a deadline. There is no supervision and no monitor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from bench.actors_cost import Stopwatch, must, rss_bytes
from bench.actors_plan import Size

_BATCH = 1_000
_CALL_TIMEOUT_S = 5.0
_END = object()


class Worker:
    """A queue, a task that empties it, and some state."""

    __slots__ = ("count", "peer", "queue", "task")

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue(1_000)
        self.count = 0
        self.peer: Any = None
        self.task = asyncio.get_running_loop().create_task(self.run())

    async def run(self) -> None:
        """Handle messages until the end comes."""
        while True:
            message = await self.queue.get()
            if message is _END:
                return
            self.handle(message)

    def handle(self, message: Any) -> None:
        """Handle one message; a pair is a call and its answer's future."""
        self.count += 1
        if type(message) is tuple and not message[1].done():
            message[1].set_result(message[0])

    async def call(self, message: Any) -> Any:
        """Ask and wait for the answer."""
        answer = asyncio.get_running_loop().create_future()
        self.queue.put_nowait((message, answer))
        async with asyncio.timeout(_CALL_TIMEOUT_S):
            return await answer


class Player(Worker):
    """Plays ping-pong; tells a future when the last hop has come."""

    __slots__ = ("done",)

    def handle(self, message: Any) -> None:
        """Return the ball."""
        self.count += 1
        if message:
            self.peer.queue.put_nowait(message - 1)
        else:
            self.done.set_result(None)


async def start(cls: type[Worker], count: int) -> list[Any]:
    """Start workers and let each come to its first wait."""
    workers: list[Worker] = []
    while len(workers) < count:
        workers += [cls() for _ in range(min(_BATCH, count - len(workers)))]
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    return workers


async def end(workers: list[Any]) -> None:
    """End workers and wait for them."""
    for first in range(0, len(workers), _BATCH):
        for worker in workers[first : first + _BATCH]:
            worker.queue.put_nowait(_END)
        await asyncio.sleep(0)
    for worker in workers:
        await worker.task


async def hop(size: Size) -> tuple[float, int]:
    """Measure puts to and fro."""
    players = await start(Player, 2 * size.live)
    done = []
    for number, player in enumerate(players):
        player.peer = players[number ^ 1]
        player.done = asyncio.get_running_loop().create_future()
        done.append(player.done)
    each = size.count // size.live
    ends = done[::2] if each % 2 else done[1::2]
    watch = Stopwatch()
    for player in players[::2]:
        player.queue.put_nowait(each - 1)
    await asyncio.gather(*ends)
    us = watch.us_each(each * size.live)
    hops = sum(player.count for player in players)
    must(hops == each * size.live, f"all hops are counted: {hops}")
    await end(players)
    return us, hops


async def call(size: Size) -> tuple[float, int]:
    """Measure puts that are answered by a future."""
    (callee,) = await start(Worker, 1)

    async def ask() -> None:
        for number in range(size.count):
            must(await callee.call(number) == number, "the answer to a call is its own")

    watch = Stopwatch()
    await asyncio.create_task(ask())
    us = watch.us_each(size.count)
    await end([callee])
    return us, callee.count


async def spawn(size: Size) -> tuple[float, int]:
    """Measure a start, up to the first wait."""
    watch = Stopwatch()
    workers = await start(Worker, size.count)
    us = watch.us_each(size.count)
    await end(workers)
    return us, sum(worker.task.done() for worker in workers)


async def stop(size: Size) -> tuple[float, int]:
    """Measure an end by a last message."""
    workers = await start(Worker, size.live)
    going = workers[: size.count]
    watch = Stopwatch()
    await end(going)
    us = watch.us_each(len(going))
    ended = sum(worker.task.done() for worker in workers)
    must(ended == len(going), f"those that were told have ended: {ended}")
    await end(workers[size.count :])
    return us, ended


async def fanout(size: Size) -> tuple[float, int]:
    """Measure one delivery of what a task puts into many queues."""
    members = await start(Worker, size.live)
    rounds = max(1, size.count // size.live)

    async def group() -> None:
        for number in range(rounds):
            for member in members:
                member.queue.put_nowait(number)
            await asyncio.sleep(0)

    watch = Stopwatch()
    await asyncio.create_task(group())
    await end(members[-1:])
    us = watch.us_each(rounds * size.live)
    await end(members[:-1])
    counted = sum(member.count for member in members)
    must(counted == rounds * size.live, f"all is delivered: {counted}")
    return us, counted


async def memory(size: Size) -> tuple[float, int]:
    """Measure the resident memory of an idle worker."""
    workers = await start(Worker, size.live)
    before = rss_bytes()
    workers += await start(Worker, size.count)
    each = (rss_bytes() - before) / size.count
    alive = sum(not worker.task.done() for worker in workers)
    must(alive == size.live + size.count, f"all are alive: {alive}")
    await end(workers)
    return each, alive


MEASURES: dict[str, Callable[[Size], Coroutine[Any, Any, tuple[float, int]]]] = {
    "hop_us": hop,
    "hop_us_1000_pairs": hop,
    "call_us": call,
    "spawn_us": spawn,
    "stop_us_100k": stop,
    "fanout_us": fanout,
    "bytes_per_actor_10k": memory,
    "bytes_per_actor_1m": memory,
}


def take(figure: str, size: Size) -> tuple[float, int]:
    """Return a figure and how many operations were verified."""
    return uvloop.run(MEASURES[figure](size))
