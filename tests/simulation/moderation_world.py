"""The world of acts, and a bot that deletes what others wrote, in groups and between two of them.

What it did is told to each of them once, in the conversation in which it was.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from actorchat.actor import tell_all
from actorchat.broker import group as broker_group
from actorchat.broker import moved as broker_moved
from actorchat.protocol import ops
from actorchat.testing.knob import tight_bounds
from tests.simulation.act_world import USERS, ActPhone, ActWorld
from tests.simulation.group_world import GroupWorld, Phone

ROBOT = "robot"
DEEDS = 0.15  # of all that happens


class ModeratedPhone(ActPhone):
    """A device that knows by an act whose conversation it is about."""

    def _take(self, upd: int, record: dict[str, Any], world: GroupWorld) -> None:
        between = record.get("act", {}).get("between")
        if not between:
            super()._take(upd, record, world)
            return
        if upd == self.cursor + 1:
            self.records[between[between[0] == self.user]].append(record)
        Phone._take(self, upd, {"conv": "", **record}, world)


class ModerationWorld(ActWorld):
    """One run: three people, and a bot that is no member of anything."""

    def __init__(self, seed: int, *, trouble: bool = True) -> None:
        super().__init__(seed, trouble=trouble)
        self.stage.add_users(ROBOT)
        context = self.stage.broker.context
        context.log.append((context.moderators.row(ROBOT, True),))
        self.stage.run()
        self.stage.engine.sync()
        self.phones = {user: ModeratedPhone(user) for user in (*USERS, ROBOT)}
        self.devices = [*self.phones.values()]
        self.deeds = 0

    def _step(self) -> None:
        if self.rng.random() < DEEDS:
            self._moderate()
        else:
            super()._step()

    def _moderate(self) -> None:
        robot, rng = self.phones[ROBOT], self.rng
        assert isinstance(robot, ActPhone)
        if robot.line is None:
            robot.connect(self.stage.connect(), 0)
        seqs = rng.sample(range(1, 25), rng.randint(1, 2))
        conv, of = rng.choice([(self.groups[0], None), tuple(rng.sample(USERS, 2))])
        self._put(robot, lambda rid, cid: ops.Delete(rid, conv, cid, seqs, "moderate", of))

    def _judge_user(self, user: str, other: str, records: list[ops.Record]) -> None:
        super()._judge_user(user, other, records)
        phone = self.phones[user]
        assert isinstance(phone, ActPhone)
        told = [one["seq"] for one in phone.records[other] if one["from"] == ROBOT]
        stored = [record.seq for record in records if record.sender == ROBOT]
        self.deeds += len(stored)
        if told != stored:
            self.fail(f"{user} was told of {told} with {other}, stored are {stored}")


@contextmanager
def moderation_world(seed: int, *, trouble: bool = True) -> Iterator[ModerationWorld]:
    """Yield a world with tight bounds of its own, in which what is told to many gets lost."""
    with tight_bounds(random.Random(f"{seed}/knobs")):
        world = ModerationWorld(seed, trouble=trouble)
        broker_group.tell_all = world.tell_all  # type: ignore[assignment]
        broker_moved.tell_all = world.tell_all  # type: ignore[assignment]
        try:
            yield world
        finally:
            broker_group.tell_all = broker_moved.tell_all = tell_all
