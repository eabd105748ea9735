"""Knows the course of a replay, phase by phase. Must not know how it is asked for or shown."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct

from actorchat.client import Chat, Message, Sent, connect
from actorchat.errors import ActorchatError
from nodes.history import stretches
from nodes.replay.child import ChildNode
from nodes.replay.children import ChildCluster
from nodes.replay.crowd import Crowd, each
from nodes.replay.disaster import Disaster
from nodes.replay.door import PLACES, Doors
from nodes.replay.ledger import RUN_BYTES, Ledger, Seen
from nodes.replay.moving import Moving
from nodes.replay.traffic import Traffic

STALL_S = 15.0  # without any progress for so long a phase is given up, and the rest is lost
SENDS_UNDER_WAY_MAX = 4_096  # of all senders together
SENDS_WHILE_MOVING_MAX = 256  # or all would be sent before slots move

Server = ChildNode | ChildCluster
Progress = Callable[[str, int, int], None]  # phase, done, of how many
PHASES = ("provision", "sign in", "send", "drain", "change doors", "check")


class Plan(Struct, frozen=True):
    """What to do with a recording.

    `offline` is the share of the recipients, of those who never send, that stay away until
    everything was sent. `addresses` and `operator_key` are those of a running node; without, a node
    with these `gateways` is started for the run, and then `kills` says how often it is killed.
    Where there are several addresses, people come in by all of them, and by others for the check.
    `group_inline_max` is the setting of the node that is started, None: the default. With several
    `nodes` a cluster of so many is started, and `kills` go around among them and their registry,
    which may be a `zookeeper`: `local`, or the hosts of a running one. Instead, a node more `joins`
    while messages flow, and one of the others is drained (`drains`) and then stopped.
    """

    traffic: Traffic
    addresses: Sequence[str] = ()
    operator_key: str = ""
    gateways: Sequence[str] = ("tcp",)
    offline: float = 0.5
    check: bool = False
    kills: int = 0
    seed: int = 0
    window: int = 64
    group_inline_max: int | None = None
    nodes: int = 1
    zookeeper: str = ""
    joins: bool = False
    drains: bool = False

    @property
    def moves(self) -> bool:
        """Say whether slots move on the way."""
        return self.joins or self.drains


class Outcome(Struct, frozen=True):
    """What came of it; `seconds` by phase."""

    ledger: Ledger
    seconds: dict[str, float]
    people: int
    people_by_gateway: dict[str, int]
    people_offline: int
    conversations: int
    conversations_across: int  # between two gateways
    histories: int  # read back
    wire_duplicates: int  # updates that came again over the wire
    log_duplicates: int  # messages that came again as another update
    updates_skipped: int
    reconnects: int
    kills: int
    node_words: str  # what a node of our own logged, which is nothing if all is well
    refused_max_s: float = 0.0  # from a send's first refusal, or loss, until it was stored
    slots_moved: int = 0
    moved_in_s: dict[str, float] = {}  # how long it took to join, and to be emptied


def choose_absent(traffic: Traffic, share: float, rng: random.Random) -> frozenset[str]:
    """Return who stays away at first: a share of the recipients, who must have nothing to send."""
    free = sorted(traffic.recipients - traffic.senders)
    return frozenset(rng.sample(free, min(len(free), round(share * len(traffic.recipients)))))


class Replay:
    """One run. Use it once."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self._plan = plan
        self._lines = plan.traffic.lines
        self._progress = progress
        self._rng = random.Random(plan.seed)
        self._absent = choose_absent(plan.traffic, plan.offline, self._rng)
        self._owed = sum(line.to in self._absent for line in self._lines)
        self._drained = 0
        self._ledger = Ledger(self._lines, os.urandom(RUN_BYTES))
        self._heads: dict[tuple[str, str], int] = {}  # before the run, where they are not 0
        self._seconds: dict[str, float] = {}
        self._moved: asyncio.Event
        self._under_way = 0
        self._histories = 0
        self._disaster: Disaster | Moving | None = None

    async def run(self) -> Outcome:
        """Play everything; return what came of it.

        Raises:
            ActorchatError: The node can't be reached, started or started again.
        """
        self._moved = asyncio.Event()
        plan = self._plan
        async with self._node() as (addresses, key, child):
            doors = Doors(addresses, plan.seed)
            crowd = Crowd(
                doors,
                window=plan.window,
                on_read=self._on_read,
                on_ended=self._on_ended,
                may_go_elsewhere=plan.drains,
            )
            self._disaster = self._planned(child)
            if self._disaster is not None:
                self._disaster.start()
            try:
                await self._play(crowd, doors, key, child)
            finally:
                if self._disaster is not None:
                    await self._disaster.cancel()
                with self._timed("sign out"):
                    await crowd.close()
            kills = child.kills if child is not None else 0
            if kills < plan.kills:
                self._ledger.note_unkilled(plan.kills, kills)
            if isinstance(self._disaster, Moving):
                self._disaster.judge(self._ledger, crowd.refused_max_s)
            return self._outcome(crowd, doors, child)

    def _planned(self, child: Server | None) -> Disaster | Moving | None:
        """Return what is to happen to the server on the way."""
        plan = self._plan
        if isinstance(child, ChildCluster) and plan.moves:
            return Moving(child, joins=plan.joins, drains=plan.drains)
        if child is not None and plan.kills:
            return Disaster(child, plan.kills, has_drain=self._owed > 0)
        return None

    def _outcome(self, crowd: Crowd, doors: Doors, child: Server | None) -> Outcome:
        resent, rewritten = crowd.updates_repeated
        traffic = self._plan.traffic
        moving = self._disaster if isinstance(self._disaster, Moving) else None
        return Outcome(
            ledger=self._ledger,
            seconds=self._seconds,
            people=len(traffic.people),
            people_by_gateway=doors.count_people(traffic.people),
            people_offline=len(self._absent),
            conversations=len(traffic.conversations),
            conversations_across=doors.count_across(traffic.conversations),
            histories=self._histories,
            wire_duplicates=resent,
            log_duplicates=rewritten,
            updates_skipped=crowd.updates_skipped,
            reconnects=crowd.reconnects,
            kills=child.kills if child is not None else 0,
            node_words=child.words() if child is not None else "",
            refused_max_s=crowd.refused_max_s,
            slots_moved=moving.slots_moved if moving is not None else 0,
            moved_in_s=moving.seconds if moving is not None else {},
        )

    @contextlib.asynccontextmanager
    async def _node(self) -> AsyncIterator[tuple[Sequence[str], str, Server | None]]:
        """Give the addresses and the operator's key of the node, and the node if it is our own."""
        plan = self._plan
        if plan.addresses:
            yield plan.addresses, plan.operator_key, None
            return
        places = [PLACES[gateway] for gateway in plan.gateways]
        scratch = Path(tempfile.mkdtemp(prefix="actorchat-replay-"))
        child: Server
        if plan.nodes > 1 or plan.zookeeper:
            data, few = scratch / "cluster", plan.group_inline_max
            child = ChildCluster(data, plan.nodes, places, few, plan.zookeeper)
        else:
            child = ChildNode(scratch / "node", places, plan.group_inline_max)
        try:
            with self._timed("start"):
                await asyncio.to_thread(child.start)
            key = (child.data / "operator.key").read_text(encoding="ascii").strip()
            yield child.doors(places), key, child
        finally:
            # Not in a thread: it must also happen when the run is cancelled.
            child.stop()
            shutil.rmtree(scratch, ignore_errors=True)

    # -- the phases --------------------------------------------------------------------------------
    async def _play(self, crowd: Crowd, doors: Doors, key: str, child: Server | None) -> None:
        people = self._plan.traffic.people
        with self._timed("provision"):
            address = doors.address("operator")
            operator = connect(address, user="operator", device="cli", operator=key)
            async with operator:
                tick = self._ticker("provision", len(people))
                await crowd.provision(operator, people, tick)
        present = people - self._absent
        with self._timed("sign in"):
            await crowd.sign_in(present, self._ticker("sign in", len(present)))
            if self._plan.check and self._plan.addresses:
                await self._note_heads(crowd)
        with self._timed("send"):
            await self._send(crowd)
        with self._timed("drain"):
            await crowd.sign_in(self._absent, _nothing)
            await self._settle(lambda: self._ledger.delivered, len(self._lines), "drain")
        # Before anything is asked: a question could be what wakes a delivery that was forgotten.
        self._ledger.judge_ends()
        if self._disaster is not None:
            await self._disaster.end()
        if self._plan.check:
            if doors.can_change:
                if child is not None:
                    doors.change(child.doors([PLACES[gateway] for gateway in self._plan.gateways]))
                with self._timed("change doors"):
                    await crowd.change_doors(self._ticker("change doors", len(people)))
            with self._timed("check"):
                await self._read_back(crowd)

    async def _note_heads(self, crowd: Crowd) -> None:
        """Ask where each conversation ends now: a running node may have known it before."""
        sides = {line.sender: set[str]() for line in self._lines}
        for line in self._lines:
            if line.pair not in self._heads:
                self._heads[line.pair] = 0
                sides[line.sender].add(line.to)

        async def ask(user: str) -> None:
            for other in sides[user]:
                page = await crowd.chat(user).history(other, limit=1)
                self._heads[(user, other) if user <= other else (other, user)] = page.head

        await each(sides, ask)

    async def _send(self, crowd: Crowd) -> None:
        total = len(self._lines)
        most = SENDS_WHILE_MOVING_MAX if self._plan.moves else SENDS_UNDER_WAY_MAX
        for index, line in enumerate(self._lines):
            while self._under_way >= most:
                if not await self._wait_move():
                    return
            if self._disaster is not None and self._disaster.is_striking:
                await asyncio.sleep(self._disaster.pace_s(1 - index / total))
            self._under_way += 1
            try:
                future = crowd.chat(line.sender).post(
                    line.to, line.text, cid=self._ledger.cid(index)
                )
            except ActorchatError as error:
                self._on_refused(index, error)
            else:
                future.add_done_callback(partial(self._on_answer, index))
            if not index % 64:
                await asyncio.sleep(0)  # bytes must flow while we fill the windows
                self._progress("send", self._ledger.acked, total)
        await self._settle(lambda: total - self._under_way, total, "send")

    def _on_answer(self, index: int, future: asyncio.Future[Sent]) -> None:
        self._under_way -= 1
        self._moved.set()
        if future.cancelled():
            return
        error = future.exception()
        if error is not None:
            self._ledger.on_failed(index, str(error))
            return
        self._ledger.on_acked(index, future.result().seq)
        if self._disaster is not None:
            self._disaster.on_acked(self._ledger.acked / len(self._lines))

    def _on_refused(self, index: int, error: ActorchatError) -> None:
        self._under_way -= 1
        self._ledger.on_failed(index, str(error))

    def _on_read(self, user: str, message: Message) -> None:
        seen = Seen(message.sender, message.seq, message.cid, message.text)
        if self._ledger.on_delivered(user, seen) is None:
            return
        self._moved.set()
        if user in self._absent:
            self._drained += 1
            if self._disaster is not None:
                self._disaster.on_drained(self._drained / self._owed)

    def _on_ended(self, user: str, error: ActorchatError) -> None:
        self._ledger.note_ended(user, str(error))

    async def _settle(self, done: Callable[[], int], total: int, phase: str) -> None:
        """Wait until all is done, or nothing more comes."""
        while done() + (self._ledger.failed if phase == "drain" else 0) < total:
            self._progress(phase, done(), total)
            if not await self._wait_move():
                return
        self._progress(phase, done(), total)

    async def _wait_move(self) -> bool:
        """Return when something happened; False if nothing does for `STALL_S`."""
        self._moved.clear()
        while True:
            try:
                async with asyncio.timeout(STALL_S):
                    await self._moved.wait()
            except TimeoutError:
                if self._disaster is None or not self._disaster.is_striking:
                    return False
            if self._disaster is not None and self._disaster.error is not None:
                raise self._disaster.error
            if self._moved.is_set():
                await asyncio.sleep(0.01)  # a hundred looks a second are enough
                return True

    async def _read_back(self, crowd: Crowd) -> None:
        """Read every conversation from both ends.

        What the node still owes a client comes before the answer, so this also catches what is
        delivered once too often at the end.
        """
        others: dict[str, list[str]] = {}
        for one, other in sorted(self._plan.traffic.conversations):
            others.setdefault(one, []).append(other)
            if other != one:
                others.setdefault(other, []).append(one)
        tick = self._ticker("check", sum(map(len, others.values())))

        async def read(user: str) -> None:
            for other in others[user]:
                try:
                    await self._read_conversation(crowd.chat(user), user, other)
                except ActorchatError as error:
                    self._ledger.note_unread(user, other, str(error))
                self._histories += 1
                tick()

        await each(others, read)

    async def _read_conversation(self, chat: Chat, user: str, other: str) -> None:
        before = head = self._heads.get((user, other) if user <= other else (other, user), 0)
        seen: list[Seen] = []
        async for entries, newest in stretches(chat, other, before):
            head = newest
            seen += [Seen(entry.sender, entry.seq, entry.cid, entry.text) for entry in entries]
        self._ledger.judge_history(user, other, before, head, seen)

    # -- the time ----------------------------------------------------------------------------------
    @contextlib.contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        began_s = time.monotonic()
        try:
            yield
        finally:
            self._seconds[phase] = time.monotonic() - began_s

    def _ticker(self, phase: str, total: int) -> Callable[[], None]:
        done = 0
        self._progress(phase, 0, total)

        def tick() -> None:
            nonlocal done
            done += 1
            self._progress(phase, done, total)

        return tick


def _nothing() -> None:
    """Take no notice."""
