"""One of several is elected, and what it does as such is undone by nobody's sleep."""

from __future__ import annotations

import pytest

from actorchat.cluster.election import Election
from actorchat.cluster.memory_registry import MemoryRegistry, MemoryStore
from actorchat.cluster.registry import Create, NoEntry
from tests.unit.cluster.registry_world import opened, turns


class Candidate:
    def __init__(self, registry: MemoryRegistry, name: str) -> None:
        self.registry = registry
        self.told: list[bool] = []
        self.election = Election(registry, "/controllers", name, self.told.append)
        self.election.start()


async def candidates(store: MemoryStore, count: int) -> list[Candidate]:
    found = []
    for number in range(count):
        found.append(Candidate(await opened(store), f"n{number}"))
        await turns()
    return found


def elected(found: list[Candidate]) -> list[int]:
    return [number for number, one in enumerate(found) if one.election.is_elected]


async def test_first_is_elected_and_the_next_when_it_goes() -> None:
    found = await candidates(MemoryStore(), 3)
    assert elected(found) == [0]
    await found[0].registry.close()
    await turns()
    assert elected(found[1:]) == [0]
    assert found[1].told == [True] and found[2].told == []
    for one in found[1:]:
        await one.election.close()


async def test_one_in_the_middle_that_goes_elects_nobody() -> None:
    found = await candidates(MemoryStore(), 3)
    await found[1].registry.close()
    await turns()
    assert elected(found) == [0]
    await found[0].election.close()
    await turns()
    assert elected(found) == [2]
    for one in found:
        await one.election.close() if one.registry.state == "connected" else None


async def test_session_that_is_lost_stands_again_at_the_end() -> None:
    found = await candidates(MemoryStore(), 2)
    found[0].registry.expire()
    await turns()
    assert elected(found) == [1]
    assert found[0].told == [True, False]
    found[1].registry.expire()
    await turns()
    assert elected(found) == [0]
    for one in found:
        await one.election.close()


async def test_guard_fails_what_a_candidate_that_slept_does() -> None:
    store = MemoryStore()
    found = await candidates(store, 2)
    guard = found[0].election.guard
    await found[0].registry.multi([guard, Create("/a")])
    store.end(found[0].registry, found[0].registry.session)  # it does not know yet
    await turns()
    assert found[0].election.is_elected
    assert found[1].election.is_elected
    with pytest.raises(NoEntry):
        await found[1].registry.multi([guard, Create("/b")])
    await found[1].registry.multi([found[1].election.guard, Create("/b")])
    await found[1].election.close()


async def test_entry_whose_making_was_not_answered_is_found_again() -> None:
    store = MemoryStore()
    registry = await opened(store)
    await registry.multi([Create("/controllers")])
    await registry.multi([Create("/controllers/c-", b"n0", ephemeral=True, sequential=True)])
    candidate = Candidate(registry, "n0")
    await turns()
    assert candidate.election.is_elected
    assert await registry.children("/controllers") == ["c-0000000000"]
    await candidate.election.close()
    assert await registry.children("/controllers") == []


async def test_nobody_may_do_anything_before_standing() -> None:
    registry = await opened(MemoryStore())
    election = Election(registry, "/controllers", "n0", lambda _: None)
    with pytest.raises(NoEntry):
        await registry.multi([election.guard, Create("/a")])
