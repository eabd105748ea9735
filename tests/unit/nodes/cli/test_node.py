"""A node is run in the foreground, looked at, and stopped."""

from __future__ import annotations

import json
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from actorchat.settings import Settings
from nodes import boot
from nodes.cli.failure import Exit
from nodes.cli.node import register
from nodes.replay.child import ChildNode

pytestmark = pytest.mark.slow


def test_status_counts_what_the_node_does(shell: Any) -> None:
    (counters,) = shell.json("status")
    assert counters["uptime_s"] >= 0
    assert counters["sessions"] >= 1  # the one that asks
    lines = shell.run("status").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == list(counters)


def test_status_without_the_key_is_refused(
    node: ChildNode, make_shell: Callable[[Path], Any], tmp_path: Path
) -> None:
    done = make_shell(tmp_path / "elsewhere").run("status", "--server", node.address)
    assert done.returncode == 2
    assert done.stderr.startswith("actorchat: no_operator_key: ")


def test_status_with_a_wrong_key_is_refused(
    node: ChildNode, make_shell: Callable[[Path], Any], tmp_path: Path
) -> None:
    (tmp_path / "operator.key").write_text("wrong", encoding="ascii")
    done = make_shell(tmp_path).run("status", "--server", node.address)
    assert done.returncode == 2
    assert done.stderr.startswith("actorchat: unauthenticated: ")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_up_tells_where_it_listens_and_stops_when_told(
    make_shell: Callable[[Path], Any], tmp_path: Path, stop: signal.Signals
) -> None:
    shell = make_shell(tmp_path / "data")
    with shell.start("up", "--tcp", "127.0.0.1:0", "--json") as process:
        try:
            described = json.loads(process.stdout.readline())
            assert described["tcp"].startswith("tcp://127.0.0.1:")
            assert described["data"] == str(tmp_path / "data")
            assert described["pid"] == process.pid
            key = tmp_path / "data/operator.key"
            assert stat.S_IMODE(key.stat().st_mode) == 0o600
            assert shell.run("status").returncode == Exit.OK  # found by its data directory
            second = shell.run("up", "--tcp", "127.0.0.1:0")
            assert second.returncode == Exit.BUSY
            process.send_signal(stop)
            assert process.wait(30) == Exit.OK
        finally:
            process.kill()
    assert not (tmp_path / "data/node.json").exists()


def test_up_shows_the_next_steps(make_shell: Callable[[Path], Any], tmp_path: Path) -> None:
    shell = make_shell(tmp_path / "data")
    with shell.start("up", "--tcp", "127.0.0.1:0") as process:
        try:
            told = ""
            while "Ctrl-C" not in told:
                line = process.stderr.readline()
                assert line, told
                told += line
            process.terminate()
            assert process.wait(30) == Exit.OK
            assert process.stdout.read() == ""  # for programs there is --json
        finally:
            process.kill()
    assert f"data in {tmp_path / 'data'}" in told
    assert "actorchat user add ann --generate\n" in told


def test_up_takes_its_settings_from_a_file(
    make_shell: Callable[[Path], Any], tmp_path: Path
) -> None:
    file = tmp_path / "node.toml"
    text = f'[node]\ndata_dir = "{tmp_path}/own"\nname = "n7"\n[gateway.tcp]\nlisten = "[::1]:0"\n'
    file.write_text(text, encoding="utf-8")
    shell = make_shell(tmp_path / "data")
    arguments = ["up", "--config", str(file), "--tcp", "127.0.0.1:0", "--json"]
    with shell.start(*arguments) as process:
        try:
            described = json.loads(process.stdout.readline())
            (counters,) = shell.json("status", "--data", str(tmp_path / "own"))
        finally:
            process.terminate()
            process.wait(30)
    assert described["data"] == str(tmp_path / "own")
    assert described["tcp"].startswith("tcp://127.0.0.1:")  # a flag wins over the file
    assert counters["node"] == "n7"


def test_up_with_a_wrong_setting_is_refused(shell: Any) -> None:
    done = shell.run("up", "--tcp", "nowhere")
    assert done.returncode == Exit.CONFIG
    assert done.stderr.startswith("actorchat: settings: ")


@pytest.mark.parametrize(
    ("given", "listens"),
    [
        ([], "127.0.0.1:7701"),
        (["--tcp", "127.0.0.1:0"], ""),
        (["--ws", "127.0.0.1:0"], "127.0.0.1:0"),
        (["--ws", ""], ""),
    ],
)
def test_websocket_is_on_unless_addresses_are_chosen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: list[str], listens: str
) -> None:
    asked = []

    def run(settings: Settings, *, on_ready: object) -> int:
        asked.append(settings.gateway.ws.listen)
        return 0

    monkeypatch.setattr(boot, "run", run)
    app = typer.Typer()
    register(app)
    done = CliRunner().invoke(app, ["up", "--data", str(tmp_path), *given])
    assert done.exit_code == 0, done.output
    assert asked == [listens]


@pytest.mark.parametrize(
    ("given", "listens"),
    [
        ([], "127.0.0.1:7780"),
        (["--tcp", "127.0.0.1:0"], ""),
        (["--http", "127.0.0.1:0"], "127.0.0.1:0"),
        (["--http", ""], ""),
    ],
)
def test_http_is_on_unless_addresses_are_chosen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: list[str], listens: str
) -> None:
    asked = []

    def run(settings: Settings, *, on_ready: object) -> int:
        asked.append(settings.gateway.http.listen)
        return 0

    monkeypatch.setattr(boot, "run", run)
    app = typer.Typer()
    register(app)
    done = CliRunner().invoke(app, ["up", "--data", str(tmp_path), *given])
    assert done.exit_code == 0, done.output
    assert asked == [listens]


@pytest.mark.parametrize(
    ("given", "listens"),
    [
        ([], "127.0.0.1:7702"),
        (["--tcp", "127.0.0.1:0"], ""),
        (["--zmq", "127.0.0.1:0"], "127.0.0.1:0"),
        (["--zmq", ""], ""),
    ],
)
def test_zeromq_is_on_unless_addresses_are_chosen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: list[str], listens: str
) -> None:
    asked = []

    def run(settings: Settings, *, on_ready: object) -> int:
        asked.append(settings.gateway.zmq.listen)
        return 0

    monkeypatch.setattr(boot, "run", run)
    app = typer.Typer()
    register(app)
    done = CliRunner().invoke(app, ["up", "--data", str(tmp_path), *given])
    assert done.exit_code == 0, done.output
    assert asked == [listens]


def test_a_killed_node_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    child = ChildNode(tmp_path / "data")
    child.start()
    child.kill()
    described = json.loads((tmp_path / "data/node.json").read_text(encoding="utf-8"))
    with pytest.raises(ProcessLookupError):
        os.kill(described["pid"], 0)
    child.start()
    assert child.stop() == Exit.OK
