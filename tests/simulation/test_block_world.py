"""Blocks hide all that they must, and nothing else, whatever crashes."""

from __future__ import annotations

import pytest

from tests.simulation.block_world import block_world

SEEDS = 60
SHARES = 6


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_blocks_hold_in_every_world(share: int) -> None:
    for seed in range(share, SEEDS, SHARES):
        with block_world(seed) as world:
            world.run()
            assert not world.problems, f"seed {seed}: {world.problems}"


def test_calm_world_hides_and_delivers() -> None:
    with block_world(1, trouble=False) as world:
        world.run()
        assert not world.problems
        assert world.stage.crashes == []
        assert world.hidden
        assert world.due


def test_world_of_blocks_has_crashes_in_it() -> None:
    with block_world(3) as world:
        world.run()
        assert world.crashes
        assert not world.problems


@pytest.mark.parametrize("seed", [150, 200, 243])
def test_worlds_that_once_showed_what_is_hidden_or_hid_what_is_not(seed: int) -> None:
    with block_world(seed) as world:
        world.run()
        assert not world.problems
