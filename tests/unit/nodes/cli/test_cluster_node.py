"""A node's key is made once, and a node of a cluster says what its settings lack."""

from __future__ import annotations

from pathlib import Path

import pytest

from actorchat.cluster.link_key import read_node_key
from actorchat.cluster.registry import RegistryAway
from actorchat.settings.cluster import ClusterSection
from nodes.cli import app
from nodes.cli.failure import Exit


def test_key_is_written_once_and_its_public_half_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "node.key"
    assert app.run(["node", "keygen", str(file)]) == Exit.OK
    assert capsys.readouterr().out.strip() == read_node_key(file).public
    assert app.run(["node", "keygen", str(file)]) == Exit.IO
    assert "there already" in capsys.readouterr().err


def test_settings_of_a_node_are_checked_before_it_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "chat.toml"
    file.write_text('[cluster]\nlisten = "tcp://127.0.0.1:0"\nrole = "both"\n', encoding="utf-8")
    assert app.run(["node", "--config", str(file)]) == Exit.CONFIG
    said = capsys.readouterr().err
    assert "choose one" in said and "one of chat, gateway" in said


def test_node_without_its_key_ends_with_the_status_of_bad_settings(tmp_path: Path) -> None:
    file = tmp_path / "chat.toml"
    file.write_text(f'[cluster]\nkey_file = "{tmp_path}/none"\n', encoding="utf-8")
    data = str(tmp_path / "n")
    assert app.run(["node", "--config", str(file), "--data", data]) == Exit.CONFIG


@pytest.mark.parametrize("command", ["drain", "undrain"])
def test_registry_of_the_settings_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    asked: list[str] = []

    class Away:
        async def start(self) -> None:
            raise RegistryAway("nobody is there", "none")

    def make_registry(cluster: ClusterSection) -> Away:
        asked.append(cluster.registry)
        return Away()

    monkeypatch.setattr("nodes.roles.membership.make_registry", make_registry)
    file = tmp_path / "chat.toml"
    file.write_text('[cluster]\nregistry = "zk://h1:2181"\n', encoding="utf-8")
    assert app.run(["node", command, "n1", "--config", str(file)]) == Exit.UNREACHABLE
    assert asked == ["zk://h1:2181"]
    assert app.run(["node", command, "n1", "--config", str(tmp_path / "none")]) == Exit.CONFIG
