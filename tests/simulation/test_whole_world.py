"""Whatever is done with all features at once, what is promised of each holds."""

from __future__ import annotations

import pytest

from actorchat.store.index import has_fts5
from tests.simulation.whole_world import whole_world

SEEDS = 24
SHARES = 4

pytestmark = pytest.mark.skipif(not has_fts5(), reason="this SQLite has no FTS5")


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_promises_hold_in_every_whole_world(share: int) -> None:
    for seed in range(share, SEEDS, SHARES):
        with whole_world(seed) as world:
            world.run(250)
            assert not world.problems, f"seed {seed}: {world.problems}"


def test_calm_whole_world_crashes_nothing_and_has_everything_in_it() -> None:
    with whole_world(0, trouble=False) as world:
        world.run(300)
        assert not world.problems
        assert len(world.stage.crashes) == 0
        assert world.refused["deleted"]
        assert world.refused["blocked"]
        for name in ("ended", "gone", "found", "unseen", "deleted"):
            assert world.counts[name], name


def test_whole_world_sweeps_and_crashes() -> None:
    with whole_world(2) as world:
        world.run(250)
        assert world.is_sweeping
        assert world.crashes
        assert world.counts["swept"]
        assert not world.problems
