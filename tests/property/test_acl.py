"""Not one canary ever reaches whom it is not for, whatever anybody asks."""

from __future__ import annotations

import pytest

from tests.property.acl_world import AclWorld

SEEDS = 24
STEPS = 200


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nobody_is_shown_what_is_not_for_them(seed: int) -> None:
    world = AclWorld(seed)
    world.run(STEPS)
    assert world.problems[:5] == [], f"seed {seed}"
