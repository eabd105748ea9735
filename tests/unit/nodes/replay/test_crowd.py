"""Work for everybody is done once for each."""

from __future__ import annotations

import asyncio

from nodes.replay.crowd import AT_ONCE, each


async def test_everybody_has_one_turn_and_few_at_a_time() -> None:
    users = [f"u{number}" for number in range(3 * AT_ONCE + 1)]
    done: list[str] = []
    under_way = most = 0

    async def do(user: str) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        done.append(user)

    await each(users, do)
    assert sorted(done) == sorted(users)
    assert most == AT_ONCE
