"""People delete their accounts while nodes lose their power, links are cut and desks crash, from
one seed; whom they wrote to and their groups are at home all over.

Who was told yes is gone for ever, of each node, and nobody can write to them; what others have is
as it was; nothing is left to be done.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from actorchat.chat.account import Account, token_digest
from actorchat.chat.account import Device as Known
from actorchat.cluster.slots import Slot
from actorchat.ids import SLOTS, group_address
from actorchat.protocol import ops
from actorchat.protocol.ops.group import Add, Create
from actorchat.store import keys, kinds
from actorchat.store.verify import verify
from actorchat.testing.node import Poison
from tests.unit.broker.city import City, Quarter
from tests.unit.broker.stage import Device

STAY = ("ann", "bob", "cat", "dan")
GROUP_IDS = [bytes([number]) * 16 for number in range(3)]
GROUPS = [group_address(one) for one in GROUP_IDS]
STEPS_MAX = 120
FAULTS = ("none", "power", "cut", "poison")


class EraseWorld:
    """One run; `problems` is what did not hold."""

    def __init__(self, seed: int, rounds: int = 6) -> None:
        self.rng = random.Random(f"erase {seed}")
        self.rounds = rounds
        idle_s = self.rng.choice((1.0, 60.0))
        self.city = City({}, seed=seed, idle_s=idle_s, sync_s=self.rng.choice((0.001, 0.05)))
        table = [Slot(at, 2, (at,), (at,)) for at in ("abc"[slot % 3] for slot in range(SLOTS))]
        self.city.table = table
        for node in self.city.nodes.values():
            node.turn(table)
        self.problems: list[str] = []
        self.counts: Counter[str] = Counter()
        self.gone: set[str] = set()
        self.asked: set[str] = set()
        for user in STAY:
            self._add(user)
        ann = self._hello("ann")
        for group, cid in zip(GROUPS, GROUP_IDS, strict=True):
            create = Create("all", list(STAY[1:]))
            self._expect(ann.ask(lambda rid, g=group, c=cid, m=create: ops.Change(rid, g, c, m)))

    def run(self) -> list[str]:
        """Live, heal, judge."""
        for number in range(self.rounds):
            self._round(f"user{number}")
        self.city.run(40.0)
        self._judge()
        return self.problems

    def _round(self, name: str) -> None:
        self._add(name)
        device, ann = self._hello(name), self._hello("ann")
        for group in GROUPS:
            cid = self.rng.randbytes(16)
            add = Add([name])
            self._expect(ann.ask(lambda rid, g=group, c=cid, m=add: ops.Change(rid, g, c, m)))
            self._expect(device.send(group, f"{name} is here"))
        for other in STAY:
            self._expect(device.send(other, f"hello from {name}"))
        self.city.run(self.rng.choice((0.0, 2.0)))
        rid = device.start(lambda rid: ops.DeleteAccount(rid, name))
        self.asked.add(name)
        steps = iter(range(self.rng.randint(0, STEPS_MAX)))
        self.city.dispatcher.run(lambda: next(steps, None) is None)
        (fault,) = self.rng.choices(FAULTS, (1, 6, 2, 3))
        self.counts[fault] += 1
        getattr(self, f"_{fault}")()
        self.city.run(self.rng.choice((0.0, 0.2, 4.0, 14.0)))
        if "ok" in device.connection.replies.get(rid, {}):
            self.gone.add(name)
        self.city.net.heal()
        for node in self.city.nodes.values():
            if not node.is_on:
                node.start()
        self.city.run(14.0)
        if "ok" in device.connection.replies.get(rid, {}):
            self.gone.add(name)

    def _expect(self, reply: dict[str, Any]) -> None:
        if "ok" not in reply:
            self.problems.append(f"refused: {reply}")

    def _home(self, user: str) -> Quarter:
        return self.city[self.city["a"].reach.home(user)]

    def _add(self, user: str) -> None:
        context = self._home(user).broker.context
        known = Known("phone", token_digest(f"token of {user} phone"), 0)
        rows = (context.rows.account(Account(user, 0, f"hash of {user}")),)
        context.log.append((*rows, context.rows.device(user, known)))
        self.city.run()

    def _hello(self, user: str) -> Device:
        return self.rng.choice(list(self.city.nodes.values())).hello(user)

    # -- trouble -----------------------------------------------------------------------------------
    def _none(self) -> None:
        pass

    def _power(self) -> None:
        self.rng.choice(list(self.city.nodes.values())).power_off()

    def _cut(self) -> None:
        self.city.cut(*self.rng.sample(list(self.city.nodes), 2))

    def _poison(self) -> None:
        node = self.rng.choice(list(self.city.nodes.values()))
        name = self.rng.choice(("authenticator", "eraser", "people"))
        node.system.names.whereis(name).tell(Poison())

    # -- judgement ---------------------------------------------------------------------------------
    def _judge(self) -> None:
        ended = {name for name in self.asked if self._home(name).broker.context.tombs.has(name)}
        if not self.gone <= ended:
            self.problems.append(f"{self.gone - ended} are there again")
        self.counts["ended"] += len(ended)
        there = sorted({*STAY, *(self.asked - ended)})
        ann = self._hello("ann")
        for group in GROUPS:
            shown = ann.ask(lambda rid, g=group: ops.Group(rid, g))["ok"]
            if sorted(shown["members"]) != there:
                self.problems.append(f"{sorted(shown['members'])} in the group, {there} there")
        for user in STAY:
            device = self._hello(user)
            for name in sorted(ended):
                error = device.send(name, "are you there?").get("err", {})
                if error.get("code") != "no_such_user":
                    self.problems.append(f"{user} to {name}: {error}")
        self._judge_rows(ended)

    def _judge_rows(self, ended: set[str]) -> None:
        owners = {keys.user_key(name): name for name in ended}
        for node in self.city.nodes.values():
            self.problems += map(str, verify(node.engine).problems)
            self.problems += map(str, node.failures)
            self.problems += [f"{node.name} owes {key.hex()}" for key, _ in node.rows("outbox")]
            for family in ("state", "inbox"):
                for key, _ in node.rows(family):
                    kind = key[18:19] if family == "state" else b"inbox"
                    name = owners.get(key[:18])
                    if name is not None and kind != kinds.GONE:
                        self.problems.append(f"{node.name} has {kind!r} of {name}")
                    if b"erase/" in key:
                        self.problems.append(f"{node.name} has still to do {key[18:]!r}")
