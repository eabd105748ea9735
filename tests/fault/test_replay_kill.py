"""A node that is killed again and again loses, repeats, alters and reorders nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from nodes.replay import traffic
from nodes.replay.door import MIXED, SCHEMES, gateways_for
from nodes.replay.run import Outcome, Plan, Replay
from tests.recording import made_up, real_recording

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(300)]

KILLS = 3
FEW = traffic.gather(made_up(people=120, messages=4_000, seed=7))


def unseen(phase: str, done: int, total: int) -> None:
    assert done <= total, phase


async def play(
    recording: traffic.Traffic, kills: int, seed: int, gateways: Sequence[str] = ("tcp",)
) -> Outcome:
    plan = Plan(recording, gateways=gateways, offline=0.5, check=True, kills=kills, seed=seed)
    return await Replay(plan, unseen).run()


async def test_made_up_messages_survive_kills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    outcome = await play(FEW, KILLS, seed=1)
    assert [str(one) for one in outcome.ledger.differences] == []
    assert outcome.ledger.delivered == len(FEW.lines)
    assert outcome.kills == KILLS
    assert outcome.reconnects > 0
    assert outcome.updates_skipped == 0
    assert list(tmp_path.iterdir()) == []


async def test_made_up_messages_survive_kills_by_whatever_gateway_they_come() -> None:
    outcome = await play(FEW, KILLS, seed=3, gateways=gateways_for(MIXED))
    assert [str(one) for one in outcome.ledger.differences] == []
    assert outcome.ledger.delivered == len(FEW.lines)
    assert outcome.kills == KILLS
    assert len(outcome.people_by_gateway) == len(SCHEMES)
    assert outcome.updates_skipped == 0


async def test_real_messages_survive_kills() -> None:
    file = real_recording()
    if file is None:
        pytest.skip("the recording of real messages is not here; name it in ACTORCHAT_SMS")
    outcome = await play(traffic.read(file, 5_000), KILLS, seed=2)
    assert [str(one) for one in outcome.ledger.differences] == []
    assert outcome.ledger.delivered == 5_000
    assert outcome.kills == KILLS
