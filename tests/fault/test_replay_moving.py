"""People write to each other while a node joins and another is drained: nobody waits for long."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actorchat.cluster.drained import DRAINED
from actorchat.cluster.registry import child_of, ensure
from nodes.replay import traffic
from nodes.replay.children import ChildCluster
from nodes.replay.moving import REFUSED_MAX_S
from nodes.replay.run import Plan, Replay
from tests.recording import made_up, write
from tests.zookeeper import install

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(300)]

LINES = made_up(people=90, messages=1_500, seed=12)


def replay(file: Path, *options: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "nodes.cli", "replay", str(file), "--self-contained", "--json"]
    given = ["--nodes", "3", "--offline", "0.5", "--check", "--join", "--drain"]
    done = subprocess.run([*command, *given, *options], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == 0, summary
    return summary


@pytest.mark.parametrize("registry", ["actor", "zookeeper"])
def test_messages_flow_while_a_node_joins_and_another_is_drained(
    tmp_path: Path, registry: str, alone: None
) -> None:
    pytest.importorskip("actorchat.cluster.handoff", reason="no slot is handed over yet")
    options = []
    if registry == "zookeeper":
        install()
        options = ["--zookeeper", "local"]
    summary = replay(write(tmp_path / "few.jsonl", LINES), *options)
    assert summary["difference_count"] == 0
    assert summary["delivered"] == len(LINES)
    assert summary["slots_moved"] > 400  # a fourth of all to one, then a fourth from another
    assert summary["refused_max_s"] <= REFUSED_MAX_S
    assert set(summary["moved_in_s"]) == {"join", "empty"}


async def test_node_that_leads_nothing_is_stopped_for_good_while_messages_flow(
    monkeypatch: pytest.MonkeyPatch, alone: None
) -> None:
    start = ChildCluster.start

    async def drain_first(cluster: ChildCluster) -> None:
        registry = cluster.open_registry()
        await registry.start()
        await ensure(registry, child_of(DRAINED, "n2"))
        await registry.close()

    def start_drained(cluster: ChildCluster) -> None:
        assert cluster.keeper is not None
        cluster.keeper.start()
        asyncio.run(drain_first(cluster))  # so the first table gives n2 nothing
        start(cluster)

    monkeypatch.setattr(ChildCluster, "start", start_drained)
    plan = Plan(traffic.gather(LINES), offline=0.5, check=True, nodes=3, drains=True)
    outcome = await Replay(plan, lambda *_: None).run()
    assert outcome.ledger.differences == []
    assert outcome.ledger.delivered == len(LINES)
    assert outcome.slots_moved == 0
    assert outcome.reconnects > 0  # who had come in there came in elsewhere
    assert outcome.refused_max_s <= REFUSED_MAX_S
