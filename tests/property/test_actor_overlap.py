"""What the runtime promises, where messages overlap, are put aside, or are answered late."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from actorchat.actor import Down, LocalRef, ReplyTo, interleave
from tests.property.actor_society import Citizen, Society


@dataclass(frozen=True)
class Wave:
    """A message that does not wait for a handler that waits; its numbers are its own."""

    sender: LocalRef
    number: int


class Town(Society):
    """A society whose members wave, shut their doors and put answers off."""

    def __init__(self, seed: int, haste: float, budget: int) -> None:
        self.waved: dict[tuple[LocalRef, LocalRef], int] = defaultdict(int)
        self.owed: list[tuple[ReplyTo, LocalRef]] = []
        super().__init__(seed, haste, budget)

    def spawn(self) -> None:
        self.system.spawn(Neighbour, self, supervisor=self.rng.choice([None, self.pool]))

    def look_around(self) -> None:
        super().look_around()
        for (sender, receiver), count in self.waved.items():
            actor: Any = receiver._actor
            if actor is not None and actor.seen_waves[sender] != count:
                self.breach("G3: a wave to a living actor was lost")
        if any(reply_to.is_waiting() for reply_to, _ in self.owed):
            self.breach("G6: all calls have ended and somebody waits")


@interleave(Wave)
class Neighbour(Citizen):
    """A citizen that at times puts all but waves and timers aside."""

    stash_max = 10**6
    society: Town

    def __init__(self, society: Town) -> None:
        super().__init__(society)
        self.is_shut = False
        self.seen_waves: dict[LocalRef, int] = defaultdict(int)

    async def on_receive(self, message: Any) -> Any:
        society = self.society
        if isinstance(message, Wave):
            return await self.wave_back(message)
        if message == "open":
            self.is_shut = False
            self.unstash_all()
        elif self.is_shut and (isinstance(message, Down) or message[0] != "timer"):
            self.stash()
            return None
        if message == "question" and society.rng.random() < 0.3:
            society.owed.append((self.defer(), self.ref))
        return await super().on_receive(message)

    async def wave_back(self, wave: Wave) -> None:
        if self.society.balance():
            self.society.breach(f"G7: the books are off by {self.society.balance()}")
        if wave.number != self.seen_waves[wave.sender] + 1:
            self.society.breach("G1, G2, G3: a wave came twice, out of order or not at all")
        self.seen_waves[wave.sender] = wave.number
        self.society.done["waves"] += 1
        if self.society.rng.random() < 0.5:
            await self.sleep(self.society.rng.random())
        await self.act()

    async def act(self) -> None:
        society, rng = self.society, self.society.rng
        action = rng.choice(["wave", "shut", "answer", *["other"] * 7])
        if action == "other" or society.budget <= 0:
            await super().act()
            return
        society.budget -= 1
        society.done[action] += 1
        if action == "wave":
            peer = rng.choice(society.refs)
            society.waved[self.ref, peer] += 1
            peer.tell(Wave(self.ref, society.waved[self.ref, peer]))
        elif action == "shut" and not self.is_shut:
            self.is_shut = True
            self.send_after(rng.random(), "open")
        elif action == "answer" and society.owed:
            reply_to, owner = society.owed.pop(rng.randrange(len(society.owed)))
            if reply_to.reply(("answer", owner)) and not owner.is_alive() and owner._actor is None:
                society.breach("an answer was taken for one that is dead")


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    haste=st.sampled_from([0.0, 0.05, 0.3]),
    budget=st.integers(50, 600),
)
def test_random_towns_keep_every_promise(seed: int, haste: float, budget: int) -> None:
    town = Town(seed, haste, budget)
    town.live()
    assert town.breaches == []


def test_towns_do_what_they_are_here_for() -> None:
    towns = [Town(seed, 0.05, 600) for seed in range(5)]
    for town in towns:
        town.live()
    done = sum((town.done for town in towns), start=type(towns[0].done)())
    assert all(done[action] > 100 for action in ("waves", "shut", "answer"))
