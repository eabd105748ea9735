"""Knows how recorded messages are played as groups' messages. Must not know how it is asked for.

Of a person and all they wrote to comes a group that the person owns; what they wrote to anybody
of these is written to the group. So every message has as many copies as its sender had peers.
"""

from __future__ import annotations

import os
import secrets

import msgspec

from actorchat.client import Chat, Message, connect
from actorchat.errors import ActorchatError
from actorchat.ids import CLIENT_ID_BYTES, group_address
from actorchat.limits import GROUP_NAMED_MAX
from nodes.history import stretches
from nodes.replay.crowd import Crowd, each
from nodes.replay.door import Doors
from nodes.replay.group_ledger import GroupLedger
from nodes.replay.ledger import RUN_BYTES, Seen
from nodes.replay.run import Outcome, Plan, Progress, Replay, Server
from nodes.replay.traffic import Line, Traffic

READERS_BACK = 2  # members of each group who read its history back, beside the owner


class Circle(msgspec.Struct, frozen=True):
    """A group to be made: its id, its owner and the others."""

    id: bytes
    owner: str
    members: list[str]

    @property
    def address(self) -> str:
        """Return the group's address."""
        return group_address(self.id)


def circles(traffic: Traffic) -> dict[str, Circle]:
    """Return a group for each person who wrote to others, by the person."""
    others: dict[str, dict[str, None]] = {}
    for line in traffic.lines:
        if line.to != line.sender:
            others.setdefault(line.sender, {})[line.to] = None
    return {
        owner: Circle(secrets.token_bytes(CLIENT_ID_BYTES), owner, list(peers)[:_OTHERS_MAX])
        for owner, peers in others.items()
    }


_OTHERS_MAX = GROUP_NAMED_MAX - 1


class GroupReplay(Replay):
    """One run of a recording as groups. Use it once."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        super().__init__(plan, progress)
        self._circles = circles(plan.traffic)
        by_address = {circle.address: circle for circle in self._circles.values()}
        self._lines = [
            Line(line.sender, self._circles[line.sender].address, line.text)
            for line in plan.traffic.lines
            if line.sender in self._circles
        ]
        members = {address: circle.members for address, circle in by_address.items()}
        self._copies = GroupLedger(self._lines, os.urandom(RUN_BYTES), members)
        self._ledger = self._copies
        self._owed = sum(len(self._absent & set(members[line.to])) for line in self._lines)

    def _outcome(self, crowd: Crowd, doors: Doors, child: Server | None) -> Outcome:
        outcome = super()._outcome(crowd, doors, child)
        return msgspec.structs.replace(outcome, conversations=len(self._circles))

    # -- the phases --------------------------------------------------------------------------------
    async def _play(self, crowd: Crowd, doors: Doors, key: str, child: Server | None) -> None:
        people = self._plan.traffic.people
        with self._timed("provision"):
            operator = connect(
                doors.address("operator"), user="operator", device="cli", operator=key
            )
            async with operator:
                await crowd.provision(operator, people, self._ticker("provision", len(people)))
        present = people - self._absent
        with self._timed("sign in"):
            await crowd.sign_in(present, self._ticker("sign in", len(present)))
        with self._timed("make groups"):
            await self._make_groups(crowd)
        with self._timed("send"):
            await self._send(crowd)
        with self._timed("drain"):
            await crowd.sign_in(self._absent, lambda: None)
            await self._settle(lambda: self._copies.delivered, self._copies.copies, "drain")
        self._copies.judge_ends()
        if self._disaster is not None:
            await self._disaster.end()
        if self._plan.check:
            with self._timed("check"):
                await self._read_back(crowd)

    async def _make_groups(self, crowd: Crowd) -> None:
        tick = self._ticker("make groups", len(self._circles))

        async def make(owner: str) -> None:
            circle = self._circles[owner]
            await crowd.chat(owner).create_group(owner, circle.members, id=circle.id)
            tick()

        await each(self._circles, make)

    def _on_read(self, user: str, message: Message) -> None:
        group = message.group or message.sender
        seen = Seen(message.sender, message.seq, message.cid, message.text)
        if not self._copies.on_copy(user, group, seen):
            return
        self._moved.set()
        if user in self._absent:
            self._drained += 1
            if self._disaster is not None:
                self._disaster.on_drained(self._drained / self._owed)

    async def _read_back(self, crowd: Crowd) -> None:
        """Have the owner and some of the others read each group's history from its start."""
        readers: dict[str, list[str]] = {}
        for circle in self._circles.values():
            few = min(READERS_BACK, len(circle.members))
            for reader in [circle.owner, *self._rng.sample(circle.members, few)]:
                readers.setdefault(reader, []).append(circle.address)
        tick = self._ticker("check", sum(map(len, readers.values())))

        async def read(user: str) -> None:
            for group in readers[user]:
                try:
                    await self._read_group(crowd.chat(user), user, group)
                except ActorchatError as error:
                    self._copies.note_unread(user, group, str(error))
                self._histories += 1
                tick()

        await each(readers, read)

    async def _read_group(self, chat: Chat, user: str, group: str) -> None:
        seen: list[Seen] = []
        head = 0
        async for entries, newest in stretches(chat, group):
            head = newest
            seen += [Seen(entry.sender, entry.seq, entry.cid, entry.text) for entry in entries]
        self._copies.judge_group(user, group, head, seen)
