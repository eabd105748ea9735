"""Groups keep what is promised, whatever happens: everybody sees one order, once, and no more."""

from __future__ import annotations

import pytest

from tests.simulation.group_world import group_world

SEEDS = 60
SHARES = 6


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_promises_hold_in_every_world_of_groups(share: int) -> None:
    for seed in range(share, SEEDS, SHARES):
        with group_world(seed) as world:
            world.run()
            assert not world.problems, f"seed {seed}: {world.problems}"


def test_calm_world_of_groups_crashes_nothing_and_delivers() -> None:
    with group_world(1, trouble=False) as world:
        world.run()
        assert not world.problems
        assert world.stage.crashes == []
        assert world.acked
        assert world.refused["no_such_group"]
        assert sum(len(phone.held) for phone in world.phones.values()) > len(world.acked)


def test_world_of_groups_has_crashes_in_it() -> None:
    with group_world(3) as world:
        world.run()
        assert world.crashes
        assert not world.problems
