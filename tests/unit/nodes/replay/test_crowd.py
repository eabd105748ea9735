"""What is kept from an application is counted, and work for everybody is done once for each."""

from __future__ import annotations

import asyncio

from actorchat.client.incoming import Verdict
from nodes.replay.crowd import AT_ONCE, CountingIncoming, WireCount, each


def test_repeats_on_the_wire_are_counted_by_kind() -> None:
    count = WireCount()
    place = CountingIncoming(count)
    place.begin(0, 0, now=0.0)
    assert place.accept(1, "ann", 1, now=0.0) is Verdict.NEW
    assert place.accept(1, "ann", 1, now=0.0) is Verdict.OLD
    assert (count.resent, count.rewritten) == (1, 0)
    assert place.accept(2, "ann", 1, now=0.0) is Verdict.REPEAT
    assert (count.resent, count.rewritten) == (1, 1)
    assert place.accept(3, "ann", 2, now=0.0) is Verdict.NEW
    assert (count.resent, count.rewritten) == (1, 1)


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
