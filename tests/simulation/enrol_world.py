"""People sign up by shared codes at nodes where neither their names nor the codes are at home, from
one seed; a node loses its power, a link is cut or a desk crashes at any step of it.

Whoever was told yes has an account for ever; each account was counted once, and nothing that came
of no account.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from actorchat.chat.invitation import invitation_id
from actorchat.chat.signup import SignUpPolicy
from actorchat.cluster.slots import Slot
from actorchat.ids import SLOTS
from actorchat.protocol import ops
from actorchat.store import keys, kinds
from actorchat.store.verify import verify
from actorchat.testing.node import Poison
from tests.unit.broker.city import City
from tests.unit.broker.stage import Device

CODES = [f"code-{number}-0123456789" for number in range(3)]
STEPS_MAX = 50  # a sign-up takes about as many
HEAL_S = 30.0
REST_S = 40.0
FAULTS = ("none", "power", "cut", "poison")


class EnrolWorld:
    """One run; `problems` is what did not hold."""

    def __init__(self, seed: int, rounds: int = 16) -> None:
        self.rng = random.Random(f"enrol {seed}")
        self.rounds = rounds
        policy = SignUpPolicy("invitation", 100_000)
        self.city = City({}, seed=seed, sign_up=policy, sync_s=self.rng.choice((0.001, 0.05)))
        table = [Slot(at, 2, (at,), (at,)) for at in ("abc"[slot % 3] for slot in range(SLOTS))]
        self.city.table = table
        for node in self.city.nodes.values():
            node.turn(table)
        self.problems: list[str] = []
        self.counts: Counter[str] = Counter()
        self.uses = {code: self.rng.randint(2, 8) for code in CODES}
        self.code_of: dict[str, str] = {}  # by who wanted an account
        self.members: set[str] = set()
        operator = self.city["a"].operator()
        for code, uses in self.uses.items():
            operator.ask(lambda rid, c=code, u=uses: ops.Invitation(rid, "add", c, "", u))

    def run(self) -> list[str]:
        """Live, heal, judge."""
        for number in range(self.rounds):
            self._round(f"user{number}")
        self.city.run(REST_S)
        self._judge()
        return self.problems

    def _round(self, name: str) -> None:
        """Have one or two sign up, and something break on the way; then heal."""
        self.code_of[name] = self.rng.choice(CODES)
        asked = [self._sign_up(name) for _ in range(self.rng.randint(1, 2))]
        steps = iter(range(self.rng.randint(0, STEPS_MAX)))
        self.city.dispatcher.run(lambda: next(steps, None) is None)
        (fault,) = self.rng.choices(FAULTS, (1, 6, 2, 3))
        self.counts[fault] += 1
        getattr(self, f"_{fault}")()
        self.city.run(self.rng.choice((0.0, 0.2, 4.0, 14.0)))
        self.city.net.heal()
        for node in self.city.nodes.values():
            if not node.is_on:
                node.start()
        for device, rid in asked:
            self._look(name, device.connection.replies.get(rid))
        self.city.run(HEAL_S)
        for device, rid in asked:
            self._look(name, device.connection.replies.get(rid))
        if self.rng.random() < 0.5 and name not in self.members:
            device, rid = self._sign_up(name)  # once more, as people do
            self.city.run(5.0)
            self._look(name, device.connection.replies.get(rid))

    def _sign_up(self, name: str) -> tuple[Device, int]:
        node = self.rng.choice(list(self.city.nodes.values()))
        device, code = node.connect(), self.code_of[name]
        about = (1, name, f"phone{self.rng.randrange(9)}", "password", code)
        return device, device.start(lambda rid: ops.SignUp(rid, *about))

    def _look(self, name: str, reply: dict[str, Any] | None) -> None:
        if reply is not None and "ok" in reply:
            self.members.add(name)

    # -- trouble -----------------------------------------------------------------------------------
    def _none(self) -> None:
        pass

    def _power(self) -> None:
        self.rng.choice(list(self.city.nodes.values())).power_off()

    def _cut(self) -> None:
        self.city.cut(*self.rng.sample(list(self.city.nodes), 2))

    def _poison(self) -> None:
        node = self.rng.choice(list(self.city.nodes.values()))
        node.system.names.whereis(self.rng.choice(("authenticator", "invitations"))).tell(Poison())

    # -- judgement ---------------------------------------------------------------------------------
    def _judge(self) -> None:
        city = self.city
        made = {name for name in self.code_of if self._has_account(name)}
        if not self.members <= made:
            self.problems.append(f"no account of {self.members - made}")
        for code, uses in self.uses.items():
            used = sum(self.code_of[name] == code for name in made)
            digest = invitation_id(code)
            rows = [node.broker.context.invitations for node in city.nodes.values()]
            left = sum(one.left for row in rows if (one := row.find(digest)) is not None)
            if sum(row.taken(digest) for row in rows):
                self.problems.append(f"{code}: a use is still taken")
            if used + left != uses:
                self.problems.append(f"{code}: {uses} uses, {used} accounts, {left} left")
            self.counts["used"] += used
        for node in city.nodes.values():
            self.problems += map(str, verify(node.engine).problems)
            self.problems += map(str, node.failures)
            for key, _ in node.rows("state"):
                owner, kind, _ = keys.parse_state_key(key)
                at = self.city.table[keys.slot_in(owner)].leader if owner[0] != 0xFF else node.name
                if at != node.name:
                    self.problems.append(f"{node.name} has a {kind!r} of a slot of {at}")
                if kind == kinds.INVITATION and owner[2:] != bytes(16):
                    self.counts["owed for nothing"] += 1

    def _has_account(self, name: str) -> bool:
        home = self.city["a"].reach.home(name)
        return self.city[home].broker.context.archive.has_account(name)
