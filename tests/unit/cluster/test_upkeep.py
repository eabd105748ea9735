"""Work that is kept up runs one at a time, again when poked, and again when it failed."""

from __future__ import annotations

import asyncio

from actorchat.cluster.registry import NoEntry, RegistryAway
from actorchat.cluster.upkeep import Upkeep
from tests.unit.cluster.registry_world import turns


async def test_pokes_during_a_run_make_one_more_run() -> None:
    gate, runs, at_once = asyncio.Event(), [0], [0]

    async def work() -> None:
        runs[0] += 1
        at_once[0] += 1
        assert at_once[0] == 1
        await gate.wait()
        at_once[0] -= 1

    upkeep = Upkeep("it", work)
    for _ in range(3):
        upkeep.poke("whatever")
        await turns(3)
    assert runs == [1]
    gate.set()
    await turns()
    assert runs == [2]
    await upkeep.close()
    await upkeep.close()


async def test_failed_work_is_tried_again() -> None:
    errors: list[Exception] = [RegistryAway("away"), NoEntry("/a")]
    done = []

    async def work() -> None:
        if errors:
            raise errors.pop()
        done.append(True)

    upkeep = Upkeep("it", work, retry_s=0.0)
    upkeep.poke()
    await turns()
    assert done == [True]
    assert upkeep.failures == 2
    await upkeep.close()
