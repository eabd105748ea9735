"""The data directory, the running node and its key are found where they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nodes.cli import place
from nodes.cli.failure import CommandFailed, Exit


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("ACTORCHAT_DATA", "ACTORCHAT_CONFIG_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def describe(data: Path, pid: int, tcp: str = "tcp://127.0.0.1:4711") -> None:
    data.mkdir(exist_ok=True)
    (data / "node.json").write_text(json.dumps({"pid": pid, "tcp": tcp}), encoding="utf-8")


def test_the_data_directory_is_given_or_the_environments_or_the_users(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert place.data_dir() == tmp_path / "home/.local/share/actorchat"
    monkeypatch.setenv("XDG_DATA_HOME", "relative/is/ignored")
    assert place.data_dir() == tmp_path / "home/.local/share/actorchat"
    monkeypatch.setenv("XDG_DATA_HOME", "/xdg")
    assert place.data_dir() == Path("/xdg/actorchat")
    monkeypatch.setenv("ACTORCHAT_DATA", "/own")
    assert place.data_dir() == Path("/own")
    assert place.data_dir(Path("given")) == Path("given")


def test_the_config_directory_likewise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert place.config_dir() == tmp_path / "home/.config/actorchat"
    monkeypatch.setenv("XDG_CONFIG_HOME", "/xdg")
    assert place.config_dir() == Path("/xdg/actorchat")
    monkeypatch.setenv("ACTORCHAT_CONFIG_DIR", "/own")
    assert place.config_dir() == Path("/own")


def test_a_living_node_is_found_by_what_it_wrote(tmp_path: Path) -> None:
    describe(tmp_path, os.getpid())
    assert place.server_address(None, tmp_path) == "tcp://127.0.0.1:4711"


def test_what_a_killed_node_wrote_is_passed_over(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    describe(tmp_path, gone.pid)
    assert place.running_node(tmp_path) is None
    assert place.server_address(None, tmp_path) == place.DEFAULT_SERVER


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": "x", "tcp": ""}', '{"pid": 1'])
def test_a_broken_description_is_no_node(tmp_path: Path, text: str) -> None:
    (tmp_path / "node.json").write_text(text, encoding="utf-8")
    assert place.running_node(tmp_path) is None


def test_a_server_that_is_given_wins(tmp_path: Path) -> None:
    describe(tmp_path, os.getpid())
    assert place.server_address("tls://there:1", tmp_path) == "tls://there:1"
    assert place.server_address("there:1", tmp_path) == "tcp://there:1"


def test_the_operators_key_is_read_from_the_data_directory(tmp_path: Path) -> None:
    (tmp_path / "operator.key").write_text("sesame\n", encoding="ascii")
    assert place.operator_key(tmp_path) == "sesame"


def test_without_the_key_nobody_is_operator(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"operator\.key: No such file") as caught:
        place.operator_key(tmp_path)
    assert caught.value.status == Exit.REFUSED
    assert "--data" in caught.value.hint


def test_login_is_good_for_all_nodes_of_a_cluster(tmp_path: Path) -> None:
    for name, port in (("n1", 1), ("n2", 2)):
        describe(tmp_path / name, os.getpid(), f"tcp://127.0.0.1:{port}")
        node = json.loads((tmp_path / name / "node.json").read_text(encoding="utf-8"))
        described = json.dumps({**node, "cluster": "zk://h:2181"})
        (tmp_path / name / "node.json").write_text(described, encoding="utf-8")
        assert place.realm(None, tmp_path / name) == "cluster zk://h:2181"
    assert place.realm("tcp://127.0.0.1:1", tmp_path / "n1") == "tcp://127.0.0.1:1"
    describe(tmp_path / "alone", os.getpid())
    assert place.realm(None, tmp_path / "alone") == "tcp://127.0.0.1:4711"
