"""The runtime under stress: `python -m tests.property.actor_stress` prints what it stood.

    --messages N   from each of 4 threads to each of 10 actors, at a 10 µs switch interval
    --asks N       blocking calls in three threads, racing the stop of whom they call
    --seeds N      random societies (see `actor_society.py`), the first of --start

Each line says how many, what did not hold, and the CPU time. A seed that failed is printed; run
it alone with `--messages 0 --asks 0 --seeds 1 --start SEED`. Exit status 1 if anything failed.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvloop

from actorchat.actor import Actor, ActorSystem, LocalRef, LoopDispatcher, tell_all
from actorchat.errors import ActorDead, CallTimeout
from tests.property.actor_society import Society

SENDERS = 4
RECEIVERS = 10
MESSAGES = 8_000  # from each sender to each receiver: 320,000 in all
ASKS = 30_000
ASKS_A_STOP = 300  # in three threads together
SEEDS = 1_000
SWITCH_S = 1e-5
PATIENCE_S = 60.0  # what takes longer hangs


@dataclass
class Outcome:
    """What one kind of stress came to."""

    what: str
    count: int = 0
    broken: list[str] = field(default_factory=list)
    cpu_s: float = 0.0
    notes: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        notes = ", ".join(f"{name} {count:,}" for name, count in sorted(self.notes.items()))
        line = f"{self.what}: {self.count:,}, violations {len(self.broken)}, {self.cpu_s:.1f} s CPU"
        return "\n  ".join([f"{line} ({notes})" if notes else line, *self.broken[:20]])


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

    def counts(self) -> dict[str, int]:
        """Read the books where they can be read, in the loop's thread."""

        async def read() -> dict[str, int]:
            return self.system.counts()

        return self.run(read())  # type: ignore[no-any-return]

    def balance(self) -> int:
        counts = self.counts()
        return counts["told"] - counts["handled"] - counts["dead"] - counts["queued"]

    def close(self) -> None:
        try:
            self.run(self.system.stop())
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join()
            self.loop.close()


@contextmanager
def two_loops() -> Iterator[tuple[Loop, Loop]]:
    """Run two systems, and have CPython switch threads as often as it can."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    pair = (Loop(), Loop())
    try:
        yield pair
    finally:
        try:
            for loop in pair:
                loop.close()
        finally:
            sys.setswitchinterval(before_s)


def in_threads(count: int, work: Callable[[int], None]) -> None:
    threads = [
        threading.Thread(target=work, args=(index,), daemon=True, name=f"stress-{index}")
        for index in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), f"{thread.name} hangs"


def send_from_threads(loops: tuple[Loop, Loop], messages: int) -> Outcome:
    """Have every sender tell every receiver its numbers; check order and number of arrivals."""
    outcome = Outcome("messages from threads", SENDERS * RECEIVERS * messages)
    refs: list[LocalRef] = []
    for loop, cls in zip(loops, (Receiver, AwaitingReceiver), strict=True):
        refs += [loop.system.spawn(cls) for _ in range(RECEIVERS // 2)]
    actors: list[Any] = [ref._actor for ref in refs]

    def send(sender: int) -> None:
        for number in range(messages):
            message = (sender, number)
            if sender % 2 and number % 3:
                tell_all(refs, message)
            else:
                for ref in refs:
                    ref.tell(message)

    in_threads(SENDERS, send)
    ended = [ref.ended() for ref in refs]
    for ref in refs:
        ref.stop()  # behind all that was told
    if not all(reply.wait(PATIENCE_S) for reply in ended):
        outcome.broken.append("an actor never came to its last message")
    for actor in actors:
        if actor.out_of_order:
            outcome.broken.append(f"{actor.out_of_order} messages came out of order or twice")
        if set(actor.last.values()) != {messages - 1}:
            outcome.broken.append(f"messages were lost: {actor.last}")
    for loop in loops:
        if loop.balance() or loop.counts()["queued"]:
            outcome.broken.append(f"the books say {loop.counts()}")
    return outcome


def ask_while_stopping(loops: tuple[Loop, Loop], asks: int, seed: int = 1) -> Outcome:
    """Call actors from three threads while another one stops them; every call must end."""
    outcome = Outcome("calls that race a stop")
    loop, rng = loops[0], random.Random(seed)
    ends: list[str] = []

    def ask(ref: LocalRef) -> None:
        for _ in range(ASKS_A_STOP // 3):
            try:
                ref.call_blocking((0, 0), timeout_s=PATIENCE_S / 3)
                ends.append("answered")
            except ActorDead:
                ends.append("dead")
            except CallTimeout:
                ends.append("hang")

    for _ in range(asks // ASKS_A_STOP):
        target = loop.system.spawn(rng.choice([Receiver, AwaitingReceiver]))
        stop_at = len(ends) + rng.randrange(ASKS_A_STOP * 5 // 6)

        def work(index: int, count: int = stop_at, ref: LocalRef = target) -> None:
            if index:
                ask(ref)
                return
            while len(ends) < count:
                time.sleep(0)
            ref.stop()

        in_threads(4, work)
    outcome.count, outcome.notes = len(ends), Counter(ends)
    if outcome.notes["hang"]:
        outcome.broken.append(f"{outcome.notes['hang']} calls hung (seed {seed})")
    if outcome.count != asks // ASKS_A_STOP * ASKS_A_STOP:
        outcome.broken.append(f"{asks - outcome.count} calls never ended (seed {seed})")
    if loop.balance():
        outcome.broken.append(f"the books say {loop.counts()}")
    return outcome


def live_in_societies(seeds: range) -> Outcome:
    """Let a random society live for each seed; name the seeds of those with a breach."""
    outcome = Outcome("random societies", len(seeds))
    for seed in seeds:
        rng = random.Random(seed)
        society = Society(seed, rng.choice([0.0, 0.05, 0.3]), rng.randint(50, 600))
        try:
            society.live()
        except Exception as error:  # noqa: BLE001  # its seed must be named
            society.breach(f"{type(error).__name__}: {error}")
        outcome.broken += [f"seed {seed}: {text}" for text in dict.fromkeys(society.breaches)]
        outcome.notes += society.done
        outcome.notes += Counter(
            messages=society.system.told,
            restarts=society.system.restarts,
            crashes=society.system.crashes,
        )
    return outcome


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.property.actor_stress",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--asks", type=int, default=ASKS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--start", type=int, default=0, help="the first seed, and the calls'")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)  # dead letters are meant
    seeds = range(asked.start, asked.start + asked.seeds)
    with two_loops() as loops:
        kinds: list[tuple[int, Callable[[], Outcome]]] = [
            (asked.messages, lambda: send_from_threads(loops, asked.messages)),
            (asked.asks, lambda: ask_while_stopping(loops, asked.asks, asked.start)),
        ]
        outcomes = [timed(kind) for count, kind in kinds if count]
    if seeds:
        outcomes.append(timed(lambda: live_in_societies(seeds)))
    return 1 if any(outcome.broken for outcome in outcomes) else 0


def timed(kind: Callable[[], Outcome]) -> Outcome:
    """Run one kind of stress and print what it came to."""
    began_s = time.process_time()
    outcome = kind()
    outcome.cpu_s = time.process_time() - began_s
    print(outcome, flush=True)
    return outcome


if __name__ == "__main__":
    sys.exit(main())
