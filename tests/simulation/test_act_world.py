"""Whatever happens, everybody has one view of what was edited, deleted and reacted to."""

from __future__ import annotations

import pytest

from tests.simulation.act_world import act_world

SEEDS = 60
SHARES = 6


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_view_is_one_in_every_world_of_acts(share: int) -> None:
    for seed in range(share, SEEDS, SHARES):
        with act_world(seed) as world:
            world.run(250)
            assert not world.problems, f"seed {seed}: {world.problems}"


def test_calm_world_of_acts_crashes_nothing_and_acts() -> None:
    with act_world(1, trouble=False) as world:
        world.run(250)
        assert not world.problems
        assert world.stage.crashes == []
        assert world.refused["no_such_message"]
        assert world.refused["forbidden"]
        assert world.refused["deleted"]
        assert len(world.acked) > 30


def test_world_of_acts_has_crashes_in_it() -> None:
    with act_world(3) as world:
        world.run(250)
        assert world.crashes
        assert not world.problems
