"""The flag protocol under real threads, switched as often as CPython can."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvloop

from actorchat.actor import Actor, ActorSystem, LocalRef, LoopDispatcher, Mailbox
from actorchat.errors import ActorDead, MailboxFull

SENDERS = 4
RECEIVERS = 10
MESSAGES = 1_000  # from each sender to each receiver: 40,000 in all


@pytest.fixture(autouse=True)
def switches_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


class Receiver(Actor):
    """Checks that each sender's numbers come in order, with none missing."""

    def __init__(self) -> None:
        self.last = dict.fromkeys(range(SENDERS), -1)
        self.out_of_order = 0

    def on_receive(self, message: tuple[int, int]) -> Any:
        sender, number = message
        self.out_of_order += number != self.last[sender] + 1
        self.last[sender] = number
        return None


class AwaitingReceiver(Receiver):
    async def on_receive(self, message: tuple[int, int]) -> Any:
        super().on_receive(message)
        if message[1] % 50 == 0:
            await asyncio.sleep(0)


class Loop:
    """A system on a uvloop of its own in a thread of its own."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="actors")
        self.thread.start()
        self.system = self.run(self._make())

    async def _make(self) -> ActorSystem:
        return ActorSystem(LoopDispatcher())

    def run(self, coro: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coro, self.loop).result(30)

    def close(self) -> None:
        self.run(self.system.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture
def loops() -> Iterator[tuple[Loop, Loop]]:
    pair = (Loop(), Loop())
    yield pair
    for loop in pair:
        loop.close()


def in_threads(count: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def balance(system: ActorSystem) -> int:
    counts = system.counts()
    return counts["told"] - counts["handled"] - counts["dead"] - counts["queued"]


async def audit(system: ActorSystem) -> int:
    return balance(system)


@pytest.mark.slow
def test_each_senders_messages_arrive_in_order_and_none_is_lost(loops: tuple[Loop, Loop]) -> None:
    refs: list[LocalRef] = []
    for loop, cls in zip(loops, (Receiver, AwaitingReceiver), strict=True):
        refs += [loop.system.spawn(cls) for _ in range(RECEIVERS // 2)]
    actors: list[Any] = [ref._actor for ref in refs]

    def send(sender: int) -> None:
        for number in range(MESSAGES):
            for ref in refs:
                ref.tell((sender, number))

    in_threads(SENDERS, send)
    ended = [ref.ended() for ref in refs]
    for ref in refs:
        ref.stop()  # behind all that was told
    assert all(reply.wait(30) for reply in ended)
    assert [actor.out_of_order for actor in actors] == [0] * RECEIVERS
    assert all(set(actor.last.values()) == {MESSAGES - 1} for actor in actors)
    for loop in loops:
        assert loop.run(audit(loop.system)) == 0
        assert loop.system.counts()["queued"] == 0


@pytest.mark.slow
def test_every_call_that_races_a_stop_is_answered(loops: tuple[Loop, Loop]) -> None:
    system = loops[0].system
    rng = random.Random(1)
    outcomes: list[str] = []

    def ask(_index: int) -> None:
        for _ in range(100):
            try:
                ref.call_blocking((0, 0), timeout_s=20.0)
                outcomes.append("answered")
            except ActorDead:
                outcomes.append("dead")

    for _ in range(15):
        ref = system.spawn(rng.choice([Receiver, AwaitingReceiver]))
        stop_at = len(outcomes) + rng.randrange(250)

        def work(index: int, count: int = stop_at, target: LocalRef = ref) -> None:
            if index:
                ask(index)
                return
            while len(outcomes) < count:
                time.sleep(0)
            target.stop()

        in_threads(4, work)
    # A CallTimeout would have ended its thread early, and the sum would tell.
    assert len(outcomes) == 15 * 300
    assert {"answered", "dead"} == set(outcomes)
    assert loops[0].run(audit(system)) == 0


@pytest.mark.slow
@pytest.mark.parametrize("overflow", ["fail", "drop_new", "drop_old"])
def test_a_full_mailbox_neither_blocks_nor_loses_count_of_a_message(
    loops: tuple[Loop, Loop], overflow: str
) -> None:
    class Full(Actor):
        mailbox = Mailbox(limit=8, overflow=overflow)  # type: ignore[arg-type]
        seen = 0

        def on_receive(self, message: Any) -> None:
            self.seen += 1

    system = loops[0].system
    ref = system.spawn(Full)
    actor: Any = ref._actor
    refused = [0] * SENDERS

    def send(sender: int) -> None:
        for number in range(2_000):
            try:
                ref.tell(number)
            except MailboxFull:
                refused[sender] += 1

    in_threads(SENDERS, send)
    ended = ref.ended()
    ref.stop()
    assert ended.wait(30)
    counts = loops[0].run(audit_all(system))
    assert actor.seen + counts["dead"] + sum(refused) == SENDERS * 2_000
    assert counts["refused"] == sum(refused)
    assert loops[0].run(audit(system)) == 0


async def audit_all(system: ActorSystem) -> dict[str, int]:
    return system.counts()
