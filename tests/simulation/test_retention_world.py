"""What is let go is never what must stay, whatever happens to the node meanwhile."""

from __future__ import annotations

import pytest

from tests.simulation.retention_world import RetentionWorld

SEEDS = 60
SHARES = 6


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_promises_hold_in_every_world_that_keeps_little(share: int) -> None:
    failed = []
    for seed in range(share, SEEDS, SHARES):
        report = RetentionWorld(seed).run()
        if not report.is_well:
            failed.append(str(report))
    assert not failed, "\n\n".join(failed)


def test_world_that_keeps_little_lets_go_and_tells_devices_so() -> None:
    reports = [RetentionWorld(seed).run() for seed in (1, 2, 3, 4)]
    assert not any(report.violations for report in reports), [str(r) for r in reports]
    for happened in ("gone", "too_old", "crashes"):
        assert sum(report.counts[happened] for report in reports), happened
