"""Nodes are drained by every registry alike, and two at once never leave nobody."""

from __future__ import annotations

import asyncio

from actorchat.cluster.drained import DRAINED, LastLeader, drain, read_drained, undrain
from actorchat.cluster.member import MEMBERS, member_out
from actorchat.cluster.registry import Registry, child_of, create, ensure
from actorchat.cluster.slots import Member
from tests.conformance.registry_peers import Bell
from tests.conformance.test_registries import AsyncOpen, ensemble_of, opening, peer, registry

__all__ = ["ensemble_of", "opening", "peer", "registry"]  # fixtures


async def enter(registry: Registry, *names: str) -> None:
    await ensure(registry, MEMBERS)
    for name in names:
        await create(registry, child_of(MEMBERS, name), member_out(Member(name)), ephemeral=True)


async def test_node_is_drained_seen_elsewhere_and_put_back(
    registry: Registry, opening: AsyncOpen
) -> None:
    await enter(registry, "a", "b")
    other, bell = await opening(), Bell()
    await ensure(other, DRAINED)
    await other.watch(DRAINED, bell, children=True)
    assert await drain(registry, "a")
    await bell.ring()
    assert await read_drained(other) == {"a"}
    assert not await drain(other, "a")
    assert await undrain(other, "a")
    assert await read_drained(registry) == frozenset()


async def test_of_all_that_are_drained_at_the_same_moment_one_is_refused(
    registry: Registry, opening: AsyncOpen
) -> None:
    await enter(registry, "a", "b", "c")
    sessions = [registry, await opening(), await opening()]
    outcomes = await asyncio.gather(
        *(drain(one, name) for one, name in zip(sessions, "abc", strict=True)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, LastLeader) for outcome in outcomes) == 1
    assert sum(outcome is True for outcome in outcomes) == 2
    assert len(await read_drained(registry)) == 2
