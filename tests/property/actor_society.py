"""A society of actors that do random things, and who notices when a promise is broken.

Its members tell, call, spawn, monitor, stop, kill, crash and sleep at random. All randomness and
the schedule come from one seed. `Society.breaches` lists what did not hold; G1 to G8 are the
promises in the table of `actorchat/actor/README.md`.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from typing import Any

from actorchat.actor import (
    Actor,
    ActorSystem,
    Down,
    DynamicSupervisor,
    LocalRef,
    Reply,
    SeededDispatcher,
)
from actorchat.errors import ActorDead, CallTimeout

STEPS_MAX = 500_000
ACTIONS = {
    "tell": 30, "call": 8, "monitor": 10, "demonitor": 3, "spawn": 10, "nap": 10, "timer": 5,
    "cancel": 2, "stop": 3, "leave": 2, "kill": 2, "crash": 3,
}  # fmt: skip


class Society:
    """The world of one seed, and what was seen in it."""

    def __init__(self, seed: int, haste: float = 0.0, budget: int = 300) -> None:
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
        self.done: Counter[str] = Counter()  # how often which action
        self.breaches: list[str] = []
        self.pool = self.system.spawn(DynamicSupervisor, "transient", 10**6)
        self.pooled: list[LocalRef] = []  # those that the pool must restart
        for _ in range(4):
            self.spawn()

    def spawn(self) -> None:
        self.system.spawn(Citizen, self, supervisor=self.rng.choice([None, self.pool]))

    def balance(self) -> int:
        counts = self.system.counts()
        return counts["told"] - counts["handled"] - counts["dead"] - counts["queued"]

    def breach(self, text: str) -> None:
        self.breaches.append(text)

    def live(self) -> None:
        """Act until the budget is spent and all is quiet, look at what is left, then stop it."""
        for ref in self.refs[:]:
            ref.tell("go")
        self.dispatcher.run(steps_max=STEPS_MAX)
        while self.budget > 0:
            self.spawn()
            for ref in self.refs[-3:]:
                ref.tell("go")
            self.dispatcher.run(steps_max=STEPS_MAX)
            self.budget -= 1
        self.look_around()
        ended = self.system.shutdown()
        self.dispatcher.run(steps_max=STEPS_MAX)
        if not ended.done() or self.system.counts()["actors"]:
            self.breach("the system did not end")
        if self.balance():
            self.breach(f"G7: the books of the end are off by {self.balance()}")

    def look_around(self) -> None:
        """Judge what can only be judged when all is quiet."""
        if self.balance() or self.system.counts()["queued"]:
            self.breach(f"G7: all is quiet and the books say {self.system.counts()}")
        if not all(reply.done() for reply in self.calls):
            self.breach("G6: a call never ended")
        for (sender, receiver), count in self.sent.items():
            if receiver.is_alive() and self.seen[sender, receiver] != count:
                self.breach("G3: a message to a living actor was lost")
        for (watcher, mref), target in self.monitors.items():
            count = self.downs[watcher, mref]
            if count > 1:
                self.breach("G4: a Down came twice")
            if watcher.is_alive() and count != (0 if target.is_alive() else 1):
                self.breach("G4: a Down is missing or false")
        if any(key not in self.monitors for key in self.downs):
            self.breach("a Down came after its monitor was taken back")
        ended = sum(not ref.is_alive() for ref in self.pooled)  # none ends normally here
        if self.system.counts()["restarts"] != ended:
            self.breach(f"{ended} ended and {self.system.counts()['restarts']} were restarted")


class Citizen(Actor):
    """Does a few random things for each message, now and then with a pause in between."""

    def __init__(self, society: Society) -> None:
        self.society = society
        self.is_busy = False
        self.is_born = False
        self.timers: dict[Any, float] = {}  # those that are set, and when they are due
        society.refs.append(self.ref)
        if self.ref._supervisor is society.pool:
            society.pooled.append(self.ref)

    def on_start(self) -> None:
        self.is_born = True

    async def on_receive(self, message: Any) -> Any:
        society = self.society
        if self.is_busy:
            society.breach("G5: a handler did not run alone")
        if not self.is_born:
            society.breach("a message was handled before on_start")
        self.is_busy = True
        if society.balance():
            society.breach(f"G7: the books are off by {society.balance()}")
        self.note(message)
        for _ in range(society.rng.randrange(4)):
            await self.act()
        self.is_busy = False
        return ("answer", self.ref)

    def note(self, message: Any) -> None:
        society, me = self.society, self.ref
        match message:
            case Down():
                society.downs[me, message.mref] += 1
                society.gone.add((me, message.ref))
            case ("timer", key):
                if self.timers.pop(key, self.now_s() + 1.0) > self.now_s():
                    society.breach("a timer came early, twice or after it was cancelled")
            case (sender, number):
                if number != society.seen[sender, me] + 1:
                    society.breach("G1, G2, G3: a message came twice, out of order or not at all")
                if (me, sender) in society.gone:
                    society.breach("G4: a message came after its sender's Down")
                society.seen[sender, me] = number

    async def act(self) -> None:
        society, rng = self.society, self.society.rng
        if society.budget <= 0:
            return
        society.budget -= 1
        peer = rng.choice(society.refs)
        action = rng.choices(list(ACTIONS), list(ACTIONS.values()))[0]
        society.done[action] += 1
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
            key, delay_s = rng.randrange(3), rng.random()
            self.send_after(delay_s, ("timer", key), key)
            self.timers[key] = self.now_s() + delay_s
        elif action == "cancel":
            key = rng.randrange(3)
            if self.cancel(key) != (self.timers.pop(key, None) is not None):
                society.breach("cancel does not know which timers are set")
        elif action == "stop":
            peer.stop("asked")
        elif action == "leave":
            self.stop("left")
        elif action == "kill":
            peer.kill()
        else:
            raise ZeroDivisionError

    async def ask(self, peer: LocalRef) -> None:
        timeout_s = self.society.rng.choice([0.1, 1.0])
        until_s = self.now_s() + timeout_s
        reply = peer.call("question", timeout_s=timeout_s)
        self.society.calls.append(reply)
        try:
            if await reply != ("answer", peer):
                self.society.breach("G6: a call got somebody else's answer")
        except ActorDead:
            if peer.is_alive():
                self.society.breach("G6: a call was told that a living actor is dead")
        except CallTimeout:
            if self.now_s() < until_s:
                self.society.breach("G6: a call timed out early")
