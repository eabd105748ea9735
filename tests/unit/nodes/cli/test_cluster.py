"""Commands about a cluster say what they can't do, and why."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nodes.cli import app
from nodes.cli.cluster import say_line_of, state_of
from nodes.cli.failure import Exit
from nodes.cluster.town import DESCRIPTION


def described(folder: Path, pid: int | None) -> None:
    process = {"name": "n1", "pid": pid, "starts": 1, "region": "eu", "addresses": {}}
    text = json.dumps({"pid": os.getpid(), "registry": "tcp://h:1", "processes": [process]})
    (folder / DESCRIPTION).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("command", [["status"], ["kill", "1"], ["pause", "1"], ["stop"]])
def test_where_no_cluster_runs_it_is_said_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert app.run(["cluster", *command, "--data", str(tmp_path)]) == Exit.UNREACHABLE
    assert "cluster up" in capsys.readouterr().err


def test_process_is_paused_resumed_and_killed_by_its_number(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        described(tmp_path, process.pid)
        data = ["--data", str(tmp_path)]
        assert state_of(process.pid) == "up"
        assert app.run(["cluster", "pause", "1", *data]) == Exit.OK
        while state_of(process.pid) != "paused":
            os.sched_yield()
        assert app.run(["cluster", "resume", "n1", *data]) == Exit.OK
        assert app.run(["cluster", "kill", "n1", *data]) == Exit.OK
        assert process.wait() == -signal.SIGKILL
        assert app.run(["cluster", "kill", "n1", *data]) == Exit.FAILED
    assert app.run(["cluster", "kill", "2", *data]) == Exit.USAGE


def test_status_has_a_row_for_a_node_that_is_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    described(tmp_path, None)
    assert app.run(["cluster", "status", "--json", "--data", str(tmp_path)]) == Exit.OK
    (row,) = json.loads(capsys.readouterr().out)["processes"]
    assert (row["name"], row["state"], row["region"]) == ("n1", "down", "eu")


def test_second_cluster_over_one_folder_and_wrong_gateways_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(tmp_path)]
    assert app.run(["cluster", "up", "--gateways", "carrier-pigeon", *data]) == Exit.USAGE
    assert "expected some of" in capsys.readouterr().err
    described(tmp_path, None)
    assert app.run(["cluster", "up", *data]) == Exit.BUSY


def test_lines_carry_the_name_of_who_logged_them(capsys: pytest.CaptureFixture[str]) -> None:
    hear = say_line_of()
    hear("n2", "node is \x1b[31mready")
    hear("registry", "ready")
    hear("n12", "node is ready")
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("n2") and "| node is \\x1b[31mready" in said[0]
    assert said[1].startswith("registry | ready")
    assert said[2].startswith("n12      | node")
