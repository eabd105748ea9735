"""Files that were dropped stay so, and those that were not stay too, whatever happens."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulation.drop_world import DropWorld

SEEDS = 20


@pytest.mark.slow
@pytest.mark.parametrize("share", range(2))
async def test_what_is_dropped_stays_so_in_every_world(share: int) -> None:
    counts: Counter[str] = Counter()
    for seed in range(share, SEEDS, 2):
        world = DropWorld(seed)
        await world.run(900)
        world.sweep()
        assert not world.problems, f"seed {seed}: {world.problems}"
        counts += world.counts
    assert min(counts[what] for what in ("cuts", "acked", "dropped", "seen dropped")) > 20


async def test_calm_world_of_drops_crashes_nothing() -> None:
    world = DropWorld(1, trouble=False)
    await world.run(800)
    world.sweep()
    assert world.problems == []
    assert world.stage.crashes == []
    assert world.counts["dropped"] > 5
