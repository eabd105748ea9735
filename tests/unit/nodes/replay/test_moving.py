"""A node joins and another is drained once enough was sent, and it is said what did not happen."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from actorchat.actor import ActorSystem, LoopDispatcher
from actorchat.cluster.controller import Controller, Copied
from actorchat.cluster.controller_actor import ControllerActor
from actorchat.cluster.member import MEMBERS, member_out
from actorchat.cluster.memory_registry import MemoryRegistry, MemoryStore
from actorchat.cluster.registry import child_of, create, delete, ensure
from actorchat.cluster.slots import Member, SlotTable
from actorchat.cluster.table_cache import TableCache
from nodes.replay import moving
from nodes.replay.children import ChildCluster
from nodes.replay.ledger import RUN_BYTES, Ledger
from nodes.replay.moving import Moving

SLOTS = 24


class Cluster:
    """Members of a registry in memory; whoever leads a slot copies it at once, if it may."""

    def __init__(self, *, copies: bool = True) -> None:
        self.store = MemoryStore()
        self.names = ["n1", "n2", "n3"]
        self.retired: list[str] = []
        self.copies = copies
        self.loop = asyncio.get_running_loop()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[TableCache]:
        registry = self.open_registry()
        await registry.start()
        await ensure(registry, MEMBERS)
        for name in self.names:
            await create(registry, child_of(MEMBERS, name), member_out(Member(name)))
        system = ActorSystem(LoopDispatcher())
        rules = Controller(SLOTS, 1, members_min=3, moves_at_once=2)
        candidate = system.spawn(ControllerActor, registry, "n1", rules)
        ready = asyncio.Event()

        def copy(table: SlotTable, _: list[int]) -> None:
            ready.set()
            for number, slot in enumerate(table.slots):
                for node in slot.coming:
                    if self.copies:
                        candidate.tell(Copied(number, slot.epoch, node))

        self.registry, table = registry, TableCache(registry, copy)
        table.start()
        await ready.wait()
        yield table
        await table.close()
        await system.stop()

    def open_registry(self) -> MemoryRegistry:
        return self.store.client(call_timeout_s=0.0)

    def join(self) -> str:
        self.names.append("n4")
        made = create(self.registry, child_of(MEMBERS, "n4"), member_out(Member("n4")))
        asyncio.run_coroutine_threadsafe(made, self.loop).result()
        return "n4"

    def retire(self, name: str) -> None:
        self.names.remove(name)
        self.retired.append(name)
        gone = delete(self.registry, child_of(MEMBERS, name))
        asyncio.run_coroutine_threadsafe(gone, self.loop).result()


def planned(cluster: Cluster, **what: bool) -> Moving:
    return Moving(cast(ChildCluster, cluster), **{"joins": True, "drains": True, **what})


def judged(moving: Moving, refused_max_s: float = 0.0) -> list[str]:
    ledger = Ledger([], bytes(RUN_BYTES))
    moving.judge(ledger, refused_max_s)
    return [str(one) for one in ledger.differences]


async def test_node_joins_and_another_is_drained_when_it_is_time() -> None:
    cluster = Cluster()
    async with cluster.running() as table:
        planned_moves = planned(cluster)
        planned_moves.start()
        planned_moves.on_acked(moving.AT_ACKED / 2)
        await asyncio.sleep(0)
        assert not planned_moves.is_striking and planned_moves.pace_s(0.5) == 0.0
        planned_moves.on_acked(moving.AT_ACKED)
        await asyncio.sleep(0)
        assert planned_moves.is_striking
        assert 0.0 < planned_moves.pace_s(0.5) < planned_moves.pace_s(0.01)
        await cast(Any, planned_moves)._task
        assert Counter(slot.leader for slot in table.table.slots) == {"n1": 8, "n3": 8, "n4": 8}
    assert (cluster.names, cluster.retired) == (["n1", "n3", "n4"], ["n2"])
    assert planned_moves.slots_moved == 6 + 6
    assert set(planned_moves.seconds) == {"join", "empty"}
    assert judged(planned_moves) == []
    assert judged(planned_moves, 2.5) == ["kept_waiting: a send was refused for 2.500 s, not 2 s"]
    await planned_moves.end()


@pytest.mark.parametrize("what", ["joins", "drains"])
async def test_one_of_the_two_is_possible(what: str) -> None:
    cluster = Cluster()
    async with cluster.running():
        moves = planned(cluster, **{"joins": False, "drains": False, what: True})
        moves.start()
        moves.on_acked(1.0)
        await cast(Any, moves)._task
    assert len(cluster.names) == (4 if what == "joins" else 2)
    assert judged(moves) == []


async def test_what_was_never_due_is_a_difference() -> None:
    moves = planned(Cluster())
    moves.start()
    await moves.end()
    assert judged(moves) == ["unmoved: no node joined", "unmoved: no node was drained"]


async def test_slots_that_do_not_move_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "MOVE_TIMEOUT_S", 0.05)
    cluster = Cluster(copies=False)
    async with cluster.running():
        moves = planned(cluster, drains=False)
        moves.start()
        moves.on_acked(1.0)
        await moves.end()
    assert "n4 has not got its share of slots" in str(moves.error)
    assert "n4 has not got" in judged(moves)[0]


async def test_cancelled_is_over_at_once() -> None:
    cluster = Cluster(copies=False)
    async with cluster.running():
        moves = planned(cluster, joins=False)
        moves.start()
        moves.on_acked(1.0)
        await asyncio.sleep(0)
        await moves.cancel()
        assert not moves.is_striking
    assert cluster.retired == []
