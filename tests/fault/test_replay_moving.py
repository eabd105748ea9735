"""People write to each other while a node joins and another is drained: nobody waits for long."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nodes.replay.moving import REFUSED_MAX_S
from tests.recording import made_up, write
from tests.zookeeper import install

pytest.importorskip("actorchat.cluster.handoff", reason="no slot is handed over yet")

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
    tmp_path: Path, registry: str
) -> None:
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
