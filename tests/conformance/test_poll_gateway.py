"""Nothing is lost and nothing comes twice between a polling client and its server, either way."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from actorchat.client.link import Address
from actorchat.client.poll import PollLink
from actorchat.gateway.base import Bounds, Outlet
from actorchat.gateway.poll import PollGateway
from actorchat.protocol.codec import encode, encode_accepted, encode_send
from tests.conformance.lossy import Fate, LossyProxy

TO_BOB = encode("bob")


class Session:
    """Takes down each send, and answers it."""

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet
        self.ids: list[int] = []
        self.reasons: list[str] = []
        outlet.admit()

    def receive(self, op: Any) -> None:
        self.ids.append(op.id)
        self.outlet.reply(encode_accepted(op.id, op.id, 0))

    def closed(self, reason: str) -> None:
        self.reasons.append(reason)


class Ride:
    """A gateway, a proxy that loses what `fate` says, and a link through both."""

    def __init__(
        self, fate: Callable[[str], Fate], kind: Callable[[Outlet], Session] = Session
    ) -> None:
        self.sessions: list[Session] = []
        self.heard: list[int] = []
        self.ends: list[str] = []
        self.is_open = asyncio.Event()
        self._fate = fate
        self._kind = kind

    def _open_session(self, outlet: Outlet) -> Session:
        self.sessions.append(self._kind(outlet))
        return self.sessions[-1]

    def _on_ops(self, received: list[Any]) -> None:
        self.heard += [op.re for op in received]

    async def __aenter__(self) -> Ride:
        self.gateway = PollGateway(
            self._open_session, "127.0.0.1", 0, bounds=Bounds(poll_wait_s=0.3, close_linger_s=0.2)
        )
        await self.gateway.start()
        self.proxy = LossyProxy(self.gateway.address, self._fate)
        await self.proxy.__aenter__()
        self.link = PollLink(self.is_open.set, self._on_ops, self.ends.append)
        self.link.open(Address("http", "127.0.0.1", self.proxy.port), None)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.link.drop()
        await self.link.wait_gone(5)
        await self.proxy.__aexit__()
        await self.gateway.stop()

    def send(self, request_id: int) -> None:
        self.link.write(encode_send(request_id, TO_BOB, request_id.to_bytes(16, "big"), "x"))

    async def hear(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.heard) < count and not self.ends:
                await asyncio.sleep(0.005)


def number_of(head: str) -> str:
    """Return the number of a poll, "" of another request."""
    _, _, rest = head.partition("Actorchat-Poll: ")
    return rest.split("\r\n", 1)[0]


def first_tries(lost: Fate) -> Callable[[str], Fate]:
    """Lose the first try of each poll, or its answer; the rest passes."""
    known = {""}

    def fate(head: str) -> Fate:
        number = number_of(head)
        if number in known:
            return "pass"
        known.add(number)
        return lost

    return fate


@pytest.mark.parametrize("lost", ["lose request", "lose answer"])
async def test_lost_poll_loses_nothing_and_brings_nothing_twice(lost: Fate) -> None:
    async with Ride(first_tries(lost)) as ride:
        await asyncio.wait_for(ride.is_open.wait(), 20)
        wanted = list(range(1, 21))
        for number in wanted:
            ride.send(number)
            await ride.hear(number)
        assert (ride.heard, ride.ends) == (wanted, [])
        assert ride.sessions[0].ids == wanted
        assert ride.proxy.fates.count(lost) >= 10


@pytest.mark.parametrize("seed", range(3))
async def test_any_mixture_of_losses_and_bursts_keeps_the_order(seed: int) -> None:
    rng = random.Random(seed)

    losses: Counter[str] = Counter()

    def fate(head: str) -> Fate:
        number = number_of(head)
        if not number or losses[number] == 2 or rng.random() > 0.25:
            return "pass"
        losses[number] += 1
        return rng.choice(("lose request", "lose answer"))

    async with Ride(fate) as ride:
        await asyncio.wait_for(ride.is_open.wait(), 20)
        wanted = list(range(1, 401))
        for number in wanted:
            ride.send(number)
            if rng.random() < 0.1:
                await asyncio.sleep(rng.random() * 0.01)
        await ride.hear(len(wanted))
        assert (ride.heard, ride.ends) == (wanted, [])
        assert ride.sessions[0].ids == wanted


async def test_push_whose_answer_got_lost_comes_with_the_next_poll() -> None:
    lost = False

    def fate(head: str) -> Fate:
        nonlocal lost
        if lost or not number_of(head) or not ride.is_open.is_set():
            return "pass"
        lost = True
        return "lose answer"

    ride = Ride(fate)
    async with ride:
        await asyncio.wait_for(ride.is_open.wait(), 20)
        ride.sessions[0].outlet.push(encode_accepted(7, 7, 0))
        ride.sessions[0].outlet.push(encode_accepted(8, 8, 0))
        await ride.hear(2)
        assert ride.heard == [7, 8]
        assert lost


async def test_server_that_stays_away_ends_the_link_with_a_reason() -> None:
    async with Ride(lambda head: "lose request" if number_of(head) else "pass") as ride:
        await asyncio.wait_for(ride.is_open.wait(), 20)
        async with asyncio.timeout(20):
            while not ride.ends:
                await asyncio.sleep(0.01)
        assert len(ride.ends) == 1 and ride.ends[0]
        assert ride.sessions[0].reasons == ["eof"]  # its token was given back


async def test_held_reading_keeps_ops_and_hands_them_on_once() -> None:
    async with Ride(lambda _: "pass") as ride:
        await asyncio.wait_for(ride.is_open.wait(), 20)
        ride.link.pause()
        for number in range(1, 6):
            ride.send(number)
            await asyncio.sleep(0.02)
        assert ride.sessions[0].ids == [1, 2, 3, 4, 5]
        polls = len(ride.proxy.fates)
        await asyncio.sleep(0.1)
        assert len(ride.proxy.fates) - polls < 3  # what is held is not fetched over and over
        assert ride.heard == []
        ride.link.resume()
        await ride.hear(5)
        assert ride.heard == [1, 2, 3, 4, 5]
        ride.sessions[0].outlet.push(encode_accepted(6, 6, 0))
        await ride.hear(6)
        assert ride.heard == [1, 2, 3, 4, 5, 6]


async def test_close_sends_what_was_written_first() -> None:
    async with Ride(lambda _: "pass") as ride:
        await asyncio.wait_for(ride.is_open.wait(), 20)
        ride.send(1)
        ride.link.close()
        await ride.link.wait_gone(5)
        assert ride.sessions[0].ids == [1]
        assert ride.sessions[0].reasons == ["eof"]
        assert (ride.heard, ride.ends) == ([], [])


async def test_busy_session_is_polled_until_it_takes_all() -> None:
    class Slow(Session):
        def receive(self, op: Any) -> None:
            self.ids.append(op.id)
            loop = asyncio.get_running_loop()
            loop.call_later(0.01, self.outlet.reply, encode_accepted(op.id, op.id, 0))

    async with Ride(lambda _: "pass", Slow) as ride:
        await asyncio.wait_for(ride.is_open.wait(), 20)
        wanted = list(range(1, 1001))  # four times what may be unanswered
        for number in wanted:
            ride.send(number)
            if number % 100 == 0:
                await asyncio.sleep(0)
        await ride.hear(len(wanted))
        assert sorted(ride.heard) == wanted
        assert ride.sessions[0].ids == wanted
        assert ride.gateway.counters.paused > 0
