"""Settings files are written, checked and shown."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from actorchat.settings import env_name, load, render_toml, table
from nodes.cli.app import run
from nodes.cli.failure import Exit


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in table():
        monkeypatch.delenv(env_name(key), raising=False)


def test_init_writes_a_file_that_can_be_used(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    assert run(["config", "init", str(file)]) == Exit.OK
    assert load(file) == load()
    assert run(["config", "check", str(file)]) == Exit.OK


def test_init_prints_without_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "init"]) == Exit.OK
    assert capsys.readouterr().out == render_toml()


def test_init_writes_over_a_file_only_by_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "node.toml"
    file.write_text("mine", encoding="utf-8")
    assert run(["config", "init", str(file)]) == Exit.IO
    assert file.read_text(encoding="utf-8") == "mine"
    assert "--force" in capsys.readouterr().err
    assert run(["config", "init", "--force", str(file)]) == Exit.OK
    assert file.read_text(encoding="utf-8") == render_toml()


def test_check_names_everything_that_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "node.toml"
    file.write_text('[log]\nlevle = "info"\nformat = "xml"\n', encoding="utf-8")
    assert run(["config", "check", str(file)]) == Exit.CONFIG
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert any("did you mean log.level" in line for line in lines)


def test_show_has_what_was_set_and_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "node.toml"
    file.write_text('[node]\nzone = "b"\n', encoding="utf-8")
    monkeypatch.setenv("ACTORCHAT_LOG__LEVEL", "debug")
    assert run(["config", "show", "--origin", str(file)]) == Exit.OK
    assert capsys.readouterr().out.splitlines() == [
        'node.zone = "b"  # file',
        'log.level = "debug"  # env',
    ]


def test_show_effective_is_the_whole_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "--effective"]) == Exit.OK
    shown = tomllib.loads(capsys.readouterr().out)
    assert shown == tomllib.loads(render_toml())


def test_show_of_a_bad_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", str(tmp_path / "none.toml")]) == Exit.CONFIG
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_curve_key_is_written_for_its_owner_and_its_public_half_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "node.key"
    assert run(["config", "curve-key", str(file)]) == Exit.OK
    public = capsys.readouterr().out.strip()
    secret = file.read_text(encoding="ascii").strip()
    assert len(public) == len(secret) == 40 and public != secret
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run(["config", "curve-key", str(file)]) == Exit.IO
    assert file.read_text(encoding="ascii").strip() == secret
    assert "there already" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["standalone", "chat", "gateway", "registry"])
def test_settings_of_each_kind_are_written_and_found_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    file = tmp_path / "it.toml"
    assert run(["config", "init", str(file), "--for", kind]) == Exit.OK
    said = capsys.readouterr().err
    assert f"actorchat {'registry up' if kind == 'registry' else ''}" in said
    assert run(["config", "check", str(file)]) == Exit.OK
    file.write_text(file.read_text(encoding="utf-8") + "nonsense = 1\n", encoding="utf-8")
    assert run(["config", "check", str(file)]) == Exit.CONFIG
