"""The command line starts at once, explains itself, and tells failures in one line."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nodes.cli import app
from nodes.cli.app import run
from nodes.cli.failure import EXPLAINED, Exit

ROOT = Path(__file__).resolve().parents[4]
HEAVY = (
    "argon2", "rocksdict", "uvloop", "cryptography", "zmq", "pykka", "cbor2", "structlog",
    "prometheus_client", "asyncio", "ssl",
)  # fmt: skip
COMMANDS = (
    "up", "status", "user", "user add", "login", "logout", "whoami", "revoke", "send", "tail",
    "history", "chat", "presence", "privacy", "config", "config init", "config check",
    "config show", "store",
    "signup", "invitation", "invitation add", "invitation list", "invitation revoke",
    "store verify", "store stats", "replay", "actors", "actors tree", "actors top", "actors info",
)  # fmt: skip
START_S = 3.0  # it takes 0.2 to 0.3 s where nothing else runs


def start(*arguments: str, flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *flags, "-m", "nodes.cli", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "120"},
        check=False,
    )


@pytest.mark.parametrize("arguments", [("--help",), ("config", "show"), ("--version",)])
def test_what_needs_no_server_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    done = start(*arguments, flags=("-X", "importtime"))
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & set(HEAVY)


def test_status_of_nobody_imports_no_server_and_is_quick(tmp_path: Path) -> None:
    with socket.socket() as deaf:  # bound, so that nobody else listens there
        deaf.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{deaf.getsockname()[1]}"
        began_s = time.monotonic()
        arguments = ("status", "--data", str(tmp_path), "--server", address)
        done = start(*arguments, flags=("-X", "importtime"))
    assert time.monotonic() - began_s < START_S
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"actorchat: unreachable: {address}: ")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "actorchat.client.dial" in imported
    assert not imported & {"argon2", "rocksdict", "uvloop", "cryptography", "pykka", "zmq"}


def test_help_is_quick() -> None:
    began_s = time.monotonic()
    assert start("--help").returncode == 0
    assert time.monotonic() - began_s < START_S


def test_help_names_every_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == Exit.OK
    words = capsys.readouterr().out.split()
    for status in EXPLAINED:
        assert str(int(status)) in words


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command.split(), "--help"]) == Exit.OK
    out = capsys.readouterr().out
    assert f"actorchat {command}" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["send", "bob"],
        ["status", "--timeout", "soon"],
        ["tail", "--from-start"],
        ["tail", "--count", "0"],
        ["user", "add", "Not A Name", "--generate"],
        ["user", "add", "ann", "--generate", "--password-file", "x"],
        ["replay", "x", "--kill", "1"],
        ["replay", "x", "--self-contained", "--server", "tcp://127.0.0.1:1"],
        ["replay", "x", "--self-contained", "--join"],
        ["replay", "x", "--self-contained", "--nodes", "3", "--drain", "--kill", "1"],
        ["replay", "x", "--offline", "1.5"],
        ["send", "bob", "hi", "--cid", "12"],
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str]) -> None:
    assert run(arguments) == Exit.USAGE


def test_a_failure_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["replay", str(tmp_path / "none.jsonl"), "--self-contained"]) == Exit.IO
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("actorchat: io: ")
    assert "none.jsonl" in line


def test_a_failure_shows_its_traceback_on_demand(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run(["--debug", "replay", str(tmp_path / "none.jsonl"), "--self-contained"])


def test_a_mistake_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(app, "app", fail)
    with pytest.raises(ZeroDivisionError):
        run(["status"])


def test_an_interrupt_ends_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "app", fail)
    assert run(["tail"]) == Exit.INTERRUPTED
    assert capsys.readouterr().err == ""
