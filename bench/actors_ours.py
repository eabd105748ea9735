"""Knows how this project's actors are measured: supervised, bounded, a tenth of them monitored.

Must not know the rivals.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from actorchat.actor import (
    Actor,
    ActorSystem,
    Child,
    Down,
    DynamicSupervisor,
    LocalRef,
    LoopDispatcher,
    Mailbox,
    Supervisor,
    tell_all,
)
from bench.actors_cost import Stopwatch, must, rss_bytes
from bench.actors_plan import Size

_BATCH = 1_000  # so many are started or stopped before the actors have their turn
_MONITORED_EVERY = 10


class House:
    """A supervised place for sessions, with a watcher, and books of what happened."""

    def __init__(self) -> None:
        self.system = ActorSystem(LoopDispatcher())
        self.crashes: list[str] = []
        self.system.on_crash(lambda _ref, _crash, trace: self.crashes.append(trace))
        self.started = self.ended = self.downs = self.monitored = 0
        self._wanted: asyncio.Future[None] | None = None

    async def open(self) -> House:
        """Start the supervisors."""
        parts = [Child("sessions", DynamicSupervisor), Child("watcher", Watcher, args=(self,))]
        top = self.system.spawn(Supervisor, "one_for_one", 3, 5.0, parts)
        await top.started()
        children = await top.call("children")
        self.sessions = children["sessions"]
        self.watcher = children["watcher"]
        return self

    async def spawn(self, cls: type[Actor], count: int) -> list[LocalRef]:
        """Start `count` sessions; wait until each has begun."""
        refs: list[LocalRef] = []
        spawn, wanted = self.sessions.spawn, self.started + count
        while len(refs) < count:
            refs += [spawn(cls, self) for _ in range(min(_BATCH, count - len(refs)))]
            await asyncio.sleep(0)
        while self.started < wanted:  # noqa: ASYNC110  # an event would cost each session
            await asyncio.sleep(0)
        return refs

    async def monitor(self, refs: list[LocalRef]) -> None:
        """Have a tenth of them watched, the first at least."""
        self.monitored += len(refs[::_MONITORED_EVERY])
        await self.watcher.call(refs[::_MONITORED_EVERY])

    async def populate(self, cls: type[Actor], count: int) -> list[LocalRef]:
        """Start sessions and have a tenth of them watched."""
        refs = await self.spawn(cls, count)
        await self.monitor(refs)
        return refs

    async def stop(self, refs: list[LocalRef]) -> None:
        """Stop sessions; wait until each has ended."""
        wanted = self.ended + len(refs)
        for start in range(0, len(refs), _BATCH):
            for ref in refs[start : start + _BATCH]:
                ref.stop()
            await asyncio.sleep(0)
        while self.ended < wanted:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0)

    def finished(self, parties: int) -> asyncio.Future[None]:
        """Return a future that is done when `finish` was called by so many."""
        self._left = parties
        self._wanted = asyncio.get_running_loop().create_future()
        return self._wanted

    def finish(self) -> None:
        """Note that one party has done its part."""
        self._left -= 1
        if self._left == 0 and self._wanted is not None:
            self._wanted.set_result(None)

    def check(self, live: int) -> None:
        """Hold the accounts against what was done."""
        counts = self.system.counts()
        sums = counts["handled"] + counts["dead"] + counts["queued"]
        must(not self.crashes, f"no crash: {self.crashes[:1]}")
        must(counts["told"] == sums, f"accounts balance: {counts}")
        must(counts["dead"] == counts["refused"] == 0, f"no message is lost: {counts}")
        must(counts["actors"] == live + 4, f"{live} sessions live: {counts}")


class Watcher(Actor):
    """Monitors the refs it is given and counts their Downs."""

    def __init__(self, house: House) -> None:
        self.house = house

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Down):
            self.house.downs += 1
            return
        for ref in message:
            self.monitor(ref)


class Session(Actor):
    """What sessions have in common: some state, a bounded mailbox, a start and an end."""

    __slots__ = ("count", "house", "peer")
    mailbox = Mailbox(limit=1_000)

    def __init__(self, house: House) -> None:
        self.house = house
        self.count = 0
        self.peer: Any = None

    def on_start(self) -> None:
        self.house.started += 1

    def on_stop(self, reason: object) -> None:
        self.house.ended += 1

    def on_receive(self, message: Any) -> Any:
        self.count += 1
        return message


class Player(Session):
    """Plays ping-pong: a ref is the partner, a number how many hops are left."""

    __slots__ = ()

    def on_receive(self, message: Any) -> Any:
        if type(message) is int:
            self.count += 1
            if message:
                self.peer.tell(message - 1)
            else:
                self.house.finish()
        elif message is None:
            return self.count
        else:
            self.peer = message
        return None


class Asker(Session):
    """Calls its partner as often as it is told, one call after the other."""

    __slots__ = ()

    async def on_receive(self, message: Any) -> Any:
        if type(message) is not int:
            self.peer = message
            return
        peer = self.peer
        for number in range(message):
            must(await peer.call(number) == number, "the answer to a call is its own")
        self.house.finish()


class Group(Session):
    """Tells all its members, as often as it is told; they handle one round before the next."""

    __slots__ = ()

    def on_receive(self, message: Any) -> Any:
        if type(message) is not int:
            self.peer = message
            return
        tell_all(self.peer, message)
        if message > 1:
            self.ref.tell(message - 1)  # its turn comes after the members'
        else:
            self.house.finish()


async def hop(size: Size) -> tuple[float, int]:
    """Measure tells to and fro."""
    house = await House().open()
    refs = await house.populate(Player, 2 * size.live)
    for number, ref in enumerate(refs):
        ref.tell(refs[number ^ 1])
    await refs[-1].call(None)
    each = size.count // size.live
    done = house.finished(size.live)
    watch = Stopwatch()
    for ref in refs[::2]:
        ref.tell(each - 1)
    await done
    us = watch.us_each(each * size.live)
    hops = sum([await ref.call(None) for ref in refs])
    must(hops == each * size.live, f"all hops are counted: {hops}")
    house.check(len(refs))
    await house.system.stop()
    return us, hops


async def call(size: Size) -> tuple[float, int]:
    """Measure calls from one actor to another, each awaited before the next."""
    house = await House().open()
    (asker,) = await house.populate(Asker, 1)
    (callee,) = await house.populate(Session, 1)
    asker.tell(callee)
    done = house.finished(1)
    watch = Stopwatch()
    asker.tell(size.count)
    await done
    us = watch.us_each(size.count)
    house.check(2)
    await house.system.stop()
    return us, size.count


async def spawn(size: Size) -> tuple[float, int]:
    """Measure a start under a supervisor, `on_start` included."""
    house = await House().open()
    watch = Stopwatch()
    refs = await house.spawn(Session, size.count)
    us = watch.us_each(size.count)
    await house.monitor(refs)
    house.check(size.count)
    await house.system.stop()
    return us, house.ended


async def stop(size: Size) -> tuple[float, int]:
    """Measure an end, `on_stop`, the supervisor's books and a tenth of a Down included."""
    house = await House().open()
    refs = await house.populate(Session, size.live)
    going = refs[: size.count]
    del refs
    watch = Stopwatch()
    await house.stop(going)
    await house.watcher.call([])  # the Downs have been handled
    us = watch.us_each(len(going))
    must(house.downs == len(going[::_MONITORED_EVERY]), "a Down comes once")
    house.check(size.live - len(going))
    return us, house.ended


async def fanout(size: Size) -> tuple[float, int]:
    """Measure one delivery of a message that one actor tells to many."""
    house = await House().open()
    members = await house.populate(Session, size.live)
    (group,) = await house.populate(Group, 1)
    group.tell(members)
    rounds = max(1, size.count // size.live)
    done = house.finished(1)
    watch = Stopwatch()
    group.tell(rounds)
    await done
    await members[-1].call(0)  # behind its last message
    us = watch.us_each(rounds * size.live)
    counts = [ref._actor.count for ref in members if ref._actor is not None]
    must(sum(counts) == rounds * size.live + 1, f"all is delivered: {sum(counts)}")
    house.check(size.live + 1)
    await house.system.stop()
    return us, sum(counts)


async def memory(size: Size) -> tuple[float, int]:
    """Measure the resident memory of an idle session, its share of monitors included."""
    house = await House().open()
    await house.populate(Session, size.live)  # fills the holes that the start left in the heap
    before = rss_bytes()
    await house.populate(Session, size.count)
    each = (rss_bytes() - before) / size.count
    house.check(size.live + size.count)
    return each, size.count


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
