"""What the runtime promises, checked on random programs under random schedules.

Each example is a small society of actors that tell, call, spawn, monitor, stop, crash and sleep
at random; all randomness and the schedule come from one seed, which Hypothesis prints.
"""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from actorchat.actor import (
    Actor,
    ActorSystem,
    Down,
    DynamicSupervisor,
    LocalRef,
    Mailbox,
    Reply,
    SeededDispatcher,
)
from actorchat.errors import ActorDead, CallTimeout, Unavailable


class Society:
    """The world of one example, and what was seen in it."""

    def __init__(self, seed: int, haste: float, budget: int) -> None:
        self.rng = random.Random(seed)
        self.dispatcher = SeededDispatcher(seed, haste)
        self.system = ActorSystem(self.dispatcher, rng=self.rng)
        self.system.on_crash(lambda *_: None)
        self.refs: list[LocalRef] = []
        self.budget = budget  # actions left; it ends the example
        self.sent: dict[tuple[LocalRef, LocalRef], int] = defaultdict(int)
        self.seen: dict[tuple[LocalRef, LocalRef], int] = defaultdict(int)
        self.monitors: dict[tuple[LocalRef, int], LocalRef] = {}
        self.downs: dict[tuple[LocalRef, int], int] = defaultdict(int)
        self.gone: set[tuple[LocalRef, LocalRef]] = set()  # watcher has seen target's Down
        self.calls: list[Reply[Any]] = []
        self.breaches: list[str] = []
        self.pool = self.system.spawn(DynamicSupervisor, "transient", 10**6)
        for _ in range(4):
            self.spawn()

    def spawn(self) -> None:
        supervisor = self.rng.choice([None, self.pool])
        self.system.spawn(Citizen, self, supervisor=supervisor)

    def balance(self) -> int:
        counts = self.system.counts()
        return counts["told"] - counts["handled"] - counts["dead"] - counts["queued"]


class Citizen(Actor):
    """Does a few random things for each message, now and then with a pause in between."""

    def __init__(self, society: Society) -> None:
        self.society = society
        self.is_busy = False
        society.refs.append(self.ref)

    async def on_receive(self, message: Any) -> Any:
        society = self.society
        if self.is_busy:
            society.breaches.append("a handler did not run alone")
        self.is_busy = True
        if society.balance():
            society.breaches.append(f"the books are off by {society.balance()}")
        self.note(message)
        for _ in range(society.rng.randrange(4)):
            await self.act()
        self.is_busy = False
        return message

    def note(self, message: Any) -> None:
        society, me = self.society, self.ref
        if isinstance(message, Down):
            society.downs[me, message.mref] += 1
            society.gone.add((me, message.ref))
        elif isinstance(message, tuple):
            sender, number = message
            if number <= society.seen[sender, me]:
                society.breaches.append("messages of one sender came out of order")
            if (me, sender) in society.gone:
                society.breaches.append("a message came after its sender's Down")
            society.seen[sender, me] = number

    async def act(self) -> None:
        society, rng = self.society, self.society.rng
        if society.budget <= 0:
            return
        society.budget -= 1
        peer = rng.choice(society.refs)
        action = rng.choices(
            ["tell", "call", "monitor", "demonitor", "spawn", "nap", "timer", "stop", "leave",
             "kill", "crash"],
            [30, 8, 10, 3, 10, 10, 5, 3, 2, 2, 3],
        )[0]  # fmt: skip
        if action == "tell":
            society.sent[self.ref, peer] += 1
            peer.tell((self.ref, society.sent[self.ref, peer]))
        elif action == "call":
            await self.ask(peer)
        elif action == "monitor":
            society.monitors[self.ref, self.monitor(peer)] = peer
        elif action == "demonitor":
            mine = [key for key in society.monitors if key[0] is self.ref]
            if mine and self.demonitor(mine[-1][1]):
                del society.monitors[mine[-1]]
        elif action == "spawn":
            society.spawn()
        elif action == "nap":
            await self.sleep(rng.random())
        elif action == "timer":
            self.send_after(rng.random(), "timer", rng.choice([None, "key"]))
        elif action == "stop":
            peer.stop("asked")
        elif action == "leave":
            self.stop("left")
        elif action == "kill":
            peer.kill()
        else:
            raise ZeroDivisionError

    async def ask(self, peer: LocalRef) -> None:
        reply = peer.call("question", timeout_s=self.society.rng.choice([0.1, 1.0]))
        self.society.calls.append(reply)
        try:
            await reply
        except (ActorDead, CallTimeout):
            pass


def check(society: Society) -> None:
    """Check what can only be judged when all is quiet."""
    assert society.breaches == []
    assert society.balance() == 0
    assert society.system.counts()["queued"] == 0
    assert all(reply.done() for reply in society.calls), "a call never ended"
    for (watcher, mref), target in society.monitors.items():
        count = society.downs[watcher, mref]
        assert count <= 1, "a Down came twice"
        if watcher.is_alive():
            assert count == (0 if target.is_alive() else 1), "a Down is missing or false"
    for key in society.downs:
        assert key in society.monitors, "a Down came after its monitor was taken back"


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    haste=st.sampled_from([0.0, 0.05, 0.3]),
    budget=st.integers(50, 600),
)
def test_random_societies_keep_every_promise(seed: int, haste: float, budget: int) -> None:
    society = Society(seed, haste, budget)
    for ref in society.refs[:]:
        ref.tell("go")
    society.dispatcher.run(steps_max=500_000)
    while society.budget > 0:
        society.spawn()
        for ref in society.refs[-3:]:
            ref.tell("go")
        society.dispatcher.run(steps_max=500_000)
        society.budget -= 1
    check(society)
    ended = society.system.shutdown()
    society.dispatcher.run(steps_max=500_000)
    assert ended.done() and society.system.counts()["actors"] == 0
    assert society.balance() == 0


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    ops=st.lists(st.sampled_from(["tell", "call", "stop", "kill", "run"]), max_size=60),
    overflow=st.sampled_from(["fail", "drop_new", "drop_old"]),
)
def test_bounded_mailboxes_keep_order_bounds_and_books(
    seed: int, ops: list[str], overflow: Any
) -> None:
    class Bounded(Actor):
        mailbox = Mailbox(3, overflow)

        def on_receive(self, message: int) -> int:
            handled.append(message)
            return message

    dispatcher = SeededDispatcher(seed)
    system = ActorSystem(dispatcher)
    ref = system.spawn(Bounded)
    handled: list[int] = []
    calls: list[Reply[Any]] = []
    for number, op in enumerate(ops):
        if op == "tell":
            try:
                ref.tell(number)
            except Unavailable:
                pass
        elif op == "call":
            calls.append(ref.call(number))
        elif op == "stop":
            ref.stop()
        elif op == "kill":
            ref.kill()
        else:
            dispatcher.run(until=dispatcher.now_s(), steps_max=10_000)
        assert sum(type(item).__name__ != "Stop" for item in ref._queue) <= 3
        counts = system.counts()
        assert counts["told"] == counts["handled"] + counts["dead"] + counts["queued"]
    dispatcher.run(steps_max=10_000)
    assert handled == sorted(handled)
    assert all(call.done() for call in calls)
