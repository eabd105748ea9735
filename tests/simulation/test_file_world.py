"""Files that were acked are there, and nothing else is said to be, whatever happens."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from actorchat.broker import depot
from actorchat.errors import Refusal
from tests.simulation.file_world import FileWorld

SEEDS = 40


@pytest.mark.slow
@pytest.mark.parametrize("share", range(4))
async def test_promises_hold_in_every_world_of_files(share: int) -> None:
    counts: Counter[str] = Counter()
    for seed in range(share, SEEDS, 4):
        world = FileWorld(seed)
        await world.run()
        world.sweep()
        assert not world.problems, f"seed {seed}: {world.problems}"
        assert world.disk.partials == 0
        counts += world.counts
    assert min(counts[what] for what in ("cuts", "acked", "stored", "hash_mismatch")) > 10
    assert counts["store_full"] > 10


async def test_calm_world_of_files_takes_what_is_right() -> None:
    world = FileWorld(1, trouble=False)
    await world.run(500)
    world.sweep()
    assert world.problems == []
    assert world.stage.crashes == []
    assert world.counts["acked"] > 10
    assert world.counts["cuts"] == 0


async def test_a_record_before_its_file_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def finish(self: depot.Upload) -> Any:
        partial = self._partial
        if partial is None or partial.digest() != self.granted.sha256:
            raise Refusal("hash_mismatch", "another")
        answer = await self._depot.record(self.granted)
        await self._depot.run(partial.keep)
        return answer

    monkeypatch.setattr(depot.Upload, "finish", finish)
    worlds = [FileWorld(seed) for seed in range(5)]
    for world in worlds:
        await world.run()
    assert any("missing" in problem for world in worlds for problem in world.problems)
