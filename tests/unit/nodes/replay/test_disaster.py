"""A node is killed at the points that were asked for, each once, and always brought back."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from nodes.replay.child import ChildNode, NodeFailed
from nodes.replay.disaster import Disaster, points


class FakeChild:
    def __init__(self) -> None:
        self.did: list[str] = []
        self.fails = False

    def kill(self) -> None:
        self.did.append("kill")

    def start(self) -> None:
        if self.fails:
            raise NodeFailed("it did not come back")
        self.did.append("start")


def disaster(child: FakeChild, kills: int, *, has_drain: bool = True) -> Disaster:
    return Disaster(cast(ChildNode, child), kills, has_drain=has_drain)


@pytest.mark.parametrize("kills", range(1, 12))
def test_kills_are_spread_and_none_is_at_an_end(kills: int) -> None:
    acked, drained = points(kills, has_drain=True)
    assert len(acked) + len(drained) == kills
    assert bool(drained) is (kills >= 2)
    for at in (acked, drained):
        assert at == sorted(set(at))
        assert all(0 < share < 1 for share in at)


def test_where_nobody_is_absent_all_kills_come_while_sending() -> None:
    assert points(3, has_drain=False) == ([0.25, 0.5, 0.75], [])


async def test_each_point_strikes_once() -> None:
    child = FakeChild()
    watched = disaster(child, 3)
    watched.start()
    for percent in range(101):
        watched.on_acked(percent / 100)
        await asyncio.sleep(0)
    watched.on_drained(0.2)
    watched.on_drained(1.0)
    await watched.end()
    assert child.did == ["kill", "start"] * 3
    assert not watched.is_striking


async def test_without_progress_nothing_is_killed() -> None:
    child = FakeChild()
    watched = disaster(child, 2)
    watched.start()
    watched.on_acked(0.1)
    await watched.end()
    assert child.did == []


async def test_points_passed_while_the_node_was_down_are_made_up_for() -> None:
    child = FakeChild()
    watched = disaster(child, 3, has_drain=False)
    watched.start()
    watched.on_acked(1.0)
    await watched.end()
    assert child.did == ["kill", "start"] * 3


async def test_cancelled_means_no_further_kill() -> None:
    child = FakeChild()
    watched = disaster(child, 3)
    watched.start()
    watched.on_acked(0.01)
    await watched.cancel()
    assert child.did == []


async def test_a_node_that_stays_away_is_told() -> None:
    child = FakeChild()
    child.fails = True
    watched = disaster(child, 1)
    watched.start()
    watched.on_acked(1.0)
    await watched.end()
    assert isinstance(watched.error, NodeFailed)
