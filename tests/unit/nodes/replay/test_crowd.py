"""Work for everybody is done once for each."""

from __future__ import annotations

import asyncio

import pytest

from actorchat.errors import ActorchatError, Refusal, Unavailable
from nodes.replay import crowd
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


@pytest.mark.parametrize("error", [Unavailable("away"), Refusal("unavailable", "away", "after")])
async def test_part_that_is_not_there_yet_is_asked_again(
    error: ActorchatError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "AGAIN_S", 0)
    answers: list[ActorchatError | None] = [error, error, None]

    async def ask() -> str | None:
        if (answer := answers.pop(0)) is not None:
            raise answer
        return "token"

    assert await crowd._patiently(ask) == "token"
    assert answers == []


async def test_refusal_for_good_is_not_asked_again() -> None:
    asked = 0

    async def ask() -> str | None:
        nonlocal asked
        asked += 1
        raise Refusal("forbidden", "no", "never")

    with pytest.raises(Refusal, match="forbidden"):
        await crowd._patiently(ask)
    assert asked == 1
