"""People spread over the nodes of a cluster get all that was sent, whoever is killed on the way."""

from __future__ import annotations

import pytest

from nodes.replay import traffic
from nodes.replay.run import Outcome, Plan, Replay
from tests.recording import made_up, real_recording
from tests.zookeeper import install

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(300)]

NODES = 3
FEW = traffic.gather(made_up(people=120, messages=3_000, seed=11))


def unseen(phase: str, done: int, total: int) -> None:
    assert done <= total, phase


async def play(recording: traffic.Traffic, kills: int, seed: int, zookeeper: str = "") -> Outcome:
    plan = Plan(
        recording, offline=0.5, check=True, kills=kills, seed=seed, nodes=NODES, zookeeper=zookeeper
    )
    outcome = await Replay(plan, unseen).run()
    assert [str(one) for one in outcome.ledger.differences] == []
    assert outcome.ledger.delivered == len(recording.lines)
    assert outcome.conversations_across > 0
    assert outcome.kills == kills
    assert outcome.updates_skipped == 0
    return outcome


async def test_messages_cross_between_all_nodes() -> None:
    outcome = await play(FEW, 0, seed=1)
    assert outcome.reconnects == 0


async def test_messages_survive_the_death_of_each_node_and_of_the_registry() -> None:
    outcome = await play(FEW, NODES + 1, seed=2)  # each in its turn, the registry last
    assert outcome.reconnects > 0


async def test_messages_survive_with_zookeeper_as_the_registry_and_its_death() -> None:
    install()
    await play(FEW, NODES + 1, seed=3, zookeeper="local")


async def test_real_messages_survive_kills_of_a_cluster() -> None:
    file = real_recording()
    if file is None:
        pytest.skip("the recording of real messages is not here; name it in ACTORCHAT_SMS")
    await play(traffic.read(file, 5_000), NODES + 1, seed=4)
