"""Whatever happens, what a moderator did is told to everybody once, and is as they are shown."""

from __future__ import annotations

import pytest

from tests.simulation.moderation_world import moderation_world

SEEDS = 36
SHARES = 6


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_deeds_are_told_once_in_every_world(share: int) -> None:
    for seed in range(share, SEEDS, SHARES):
        with moderation_world(seed) as world:
            world.run(200)
            assert not world.problems, f"seed {seed}: {world.problems}"


def test_calm_world_of_moderators_has_deeds_in_it() -> None:
    with moderation_world(2, trouble=False) as world:
        world.run(300)
        assert not world.problems
        assert world.stage.crashes == []
        assert world.deeds > 5
        assert world.refused["deleted"]


def test_troubled_world_of_moderators_has_crashes_and_deeds() -> None:
    with moderation_world(5) as world:
        world.run(300)
        assert world.crashes
        assert world.deeds
        assert not world.problems
