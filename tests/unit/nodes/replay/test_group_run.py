"""A recording is played as groups through a real node by real clients, and nothing differs."""

from __future__ import annotations

import pytest

from actorchat.ids import is_group
from nodes.replay import traffic
from nodes.replay.group_run import GroupReplay, circles
from nodes.replay.run import Outcome, Plan
from nodes.replay.traffic import Line
from tests.recording import made_up

FEW = traffic.gather(made_up(people=30, messages=300))


def unseen(phase: str, done: int, total: int) -> None:
    assert done <= total, phase


def test_group_is_made_of_a_person_and_all_they_wrote_to() -> None:
    lines = [Line("ann", "bob", "1"), Line("ann", "ann", "2"), Line("ann", "cid", "3")]
    lines += [Line("bob", "bob", "4"), Line("ann", "bob", "5")]
    made = circles(traffic.gather(lines))
    assert set(made) == {"ann"}
    assert made["ann"].members == ["bob", "cid"]
    assert is_group(made["ann"].address)


async def play(**options: object) -> Outcome:
    plan = Plan(FEW, check=True, **options)  # type: ignore[arg-type]
    outcome = await GroupReplay(plan, unseen).run()
    assert outcome.ledger.differences == []
    assert outcome.ledger.acked == sum(line.sender in circles(FEW) for line in FEW.lines)
    assert outcome.ledger.delivered > outcome.ledger.acked
    assert outcome.histories >= outcome.conversations
    return outcome


@pytest.mark.slow
async def test_groups_are_played_through_a_node() -> None:
    outcome = await play(offline=0.5)
    assert outcome.people_offline > 0
    assert outcome.reconnects == 0


@pytest.mark.slow
@pytest.mark.parametrize("group_inline_max", [0, 3])
async def test_groups_are_played_where_they_are_told_of_the_head(group_inline_max: int) -> None:
    sizes = {len(circle.members) + 1 for circle in circles(FEW).values()}
    assert min(sizes) > 0 and max(sizes) > 3
    outcome = await play(offline=0.5, group_inline_max=group_inline_max)
    assert outcome.people_offline > 0
    assert outcome.reconnects == 0


@pytest.mark.slow
@pytest.mark.fault
async def test_big_groups_are_played_through_a_node_that_is_killed() -> None:
    outcome = await play(offline=0.5, kills=2, group_inline_max=3)
    assert outcome.kills == 2


@pytest.mark.slow
@pytest.mark.fault
async def test_groups_are_played_through_a_node_that_is_killed() -> None:
    outcome = await play(offline=0.5, kills=2)
    assert outcome.kills == 2
