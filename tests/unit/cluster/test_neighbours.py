"""Neighbours stay while the registry is away, and while somebody needs them."""

from __future__ import annotations

from actorchat.cluster.drained import DRAINED
from actorchat.cluster.link import PeerAddress
from actorchat.cluster.member import MEMBERS, Registration, member_out
from actorchat.cluster.memory_registry import MemoryStore
from actorchat.cluster.neighbours import Neighbours
from actorchat.cluster.registry import child_of, create, delete, ensure
from actorchat.cluster.slots import Member
from tests.unit.cluster.registry_world import opened, turns

KEY = "k" * 40


class Seen:
    def __init__(self) -> None:
        self.needed = {"b"}
        self.changes = 0

    def is_needed(self, name: str) -> bool:
        return name in self.needed

    def changed(self) -> None:
        self.changes += 1


async def test_members_are_seen_with_what_a_link_needs() -> None:
    store, seen = MemoryStore(), Seen()
    mine, other = await opened(store), await opened(store)
    registration = Registration(other, Member("b", address="ipc:///b", key=KEY), lambda _: None)
    registration.start()
    await turns()
    neighbours = Neighbours(mine, seen.is_needed, seen.changed)
    neighbours.start()
    await turns()
    assert neighbours.addresses() == {"b": PeerAddress("ipc:///b", KEY, registration.process)}
    assert seen.changes == 1
    await ensure(other, MEMBERS)
    await create(other, child_of(MEMBERS, "c"), member_out(Member("c")), ephemeral=True)
    await turns()
    assert set(neighbours.members) == {"b", "c"}
    assert set(neighbours.addresses()) == {"b"}  # where the other's links are, nobody knows
    await neighbours.close()
    await registration.close()


async def test_who_is_gone_stays_while_needed() -> None:
    store, seen = MemoryStore(), Seen()
    mine, other = await opened(store), await opened(store)
    for name in ("b", "c"):
        await ensure(other, MEMBERS)
        await create(other, child_of(MEMBERS, name), member_out(Member(name, address="ipc:///x")))
    neighbours = Neighbours(mine, seen.is_needed, seen.changed)
    neighbours.start()
    await turns()
    for name in ("b", "c"):
        await delete(other, child_of(MEMBERS, name))
    await turns()
    assert set(neighbours.addresses()) == {"b"}
    assert neighbours.up() == []
    seen.needed.clear()
    neighbours.poke()
    await turns()
    assert neighbours.members == {}
    await neighbours.close()


async def test_who_is_drained_is_seen() -> None:
    store, seen = MemoryStore(), Seen()
    mine, other = await opened(store), await opened(store)
    neighbours = Neighbours(mine, seen.is_needed, seen.changed)
    neighbours.start()
    await turns()
    assert neighbours.drained == frozenset()
    await create(other, child_of(DRAINED, "b"))
    await turns()
    assert neighbours.drained == {"b"}
    await delete(other, child_of(DRAINED, "b"))
    await turns()
    assert neighbours.drained == frozenset()
    await neighbours.close()


async def test_lost_session_and_absent_registry_change_nothing_by_themselves() -> None:
    store, seen = MemoryStore(), Seen()
    mine, other = await opened(store), await opened(store)
    await ensure(other, MEMBERS)
    await create(other, child_of(MEMBERS, "b"), member_out(Member("b", address="ipc:///x")))
    neighbours = Neighbours(mine, seen.is_needed, seen.changed)
    neighbours.start()
    await turns()
    mine.suspend()
    await create(other, child_of(MEMBERS, "d"), member_out(Member("d", address="ipc:///x")))
    await turns()
    assert set(neighbours.members) == {"b"}
    mine.recover()
    await turns()
    assert set(neighbours.members) == {"b", "d"}
    mine.expire()
    await turns()
    assert set(neighbours.members) == {"b", "d"}
    await neighbours.close()
