"""Commands that change a cluster say what they can't do, and why."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actorchat.cluster.memory_registry import MemoryStore
from actorchat.cluster.registry import RegistryAway
from nodes.cli import app
from nodes.cli.failure import Exit
from nodes.cluster.layout import Wish, lay_out
from nodes.cluster.town import DESCRIPTION


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """Return the folder of a cluster that says that it runs; nothing does."""
    lay_out(tmp_path, Wish(1))
    process = {"name": "n1", "pid": None, "starts": 1, "region": "eu", "addresses": {}}
    keeper = {"name": "registry", "pid": None, "starts": 1, "region": "", "addresses": {}}
    described = {
        "pid": os.getpid(),
        "registry": "tcp://h:1",
        "desk": str(tmp_path / "links" / "supervisor"),
        "processes": [keeper, process],
    }
    (tmp_path / DESCRIPTION).write_text(json.dumps(described), encoding="utf-8")
    return tmp_path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], list[Any]]:
    """Return what has the supervisor answer so, and notes what it is asked."""

    def answer(given: dict[str, Any]) -> list[Any]:
        requests: list[Any] = []

        async def ask(path: Path, request: dict[str, Any]) -> dict[str, Any]:
            requests.append((path.name, request))
            return given

        monkeypatch.setattr("nodes.cluster.desk.ask", ask)
        return requests

    return answer


@pytest.mark.parametrize("command", [["add"], ["drain", "1"], ["undrain", "1"], ["remove", "1"]])
def test_where_no_cluster_runs_it_is_said_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert app.run(["cluster", *command, "--data", str(tmp_path)]) == Exit.UNREACHABLE
    assert "cluster up" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["drain", "undrain", "remove"])
@pytest.mark.parametrize("which", ["2", "registry", "../n1"])
def test_node_that_is_not_there_is_refused(
    town: Path, capsys: pytest.CaptureFixture[str], command: str, which: str
) -> None:
    assert app.run(["cluster", command, which, "--data", str(town)]) == Exit.USAGE
    assert "there are n1" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["drain", "undrain", "remove"])
def test_registry_that_is_away_is_said_so(
    town: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    registry = MemoryStore().client(call_timeout_s=0.0)

    async def start() -> None:
        raise RegistryAway("nobody is there", "none")

    registry.start = start  # type: ignore[method-assign]
    monkeypatch.setattr("nodes.roles.membership.make_registry", lambda _: registry)
    assert app.run(["cluster", command, "1", "--data", str(town)]) == Exit.UNREACHABLE
    assert "nobody is there" in capsys.readouterr().err


def test_supervisor_that_is_away_is_said_so(town: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["cluster", "add", "--data", str(town)]) == Exit.UNREACHABLE
    assert "supervisor" in capsys.readouterr().err


def test_node_that_was_added_is_shown(
    town: Path, capsys: pytest.CaptureFixture[str], asked: Callable[[dict[str, Any]], list[Any]]
) -> None:
    added = {"name": "n2", "region": "eu", "addresses": {"tcp": "tcp://h:2"}}
    requests = asked(added)
    assert app.run(["cluster", "add", "--data", str(town)]) == Exit.OK
    assert capsys.readouterr().out == "n2 (eu): tcp://h:2\n"
    assert app.run(["cluster", "add", "--json", "--data", str(town)]) == Exit.OK
    assert json.loads(capsys.readouterr().out) == added
    assert requests == [("supervisor", {"do": "add"})] * 2


@pytest.mark.parametrize(
    ("state", "status"),
    [((True, 0), Exit.OK), ((True, 7), Exit.REFUSED), ((False, 0), Exit.REFUSED)],
)
def test_node_is_removed_only_when_it_is_drained_and_empty(
    town: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: Callable[[dict[str, Any]], list[Any]],
    state: tuple[bool, int],
    status: Exit,
) -> None:
    async def read_state(_: object, name: str) -> tuple[bool, int]:
        await asyncio.sleep(0)
        assert name == "n1"
        return state

    requests = asked({"name": "n1"})
    monkeypatch.setattr("nodes.cli.cluster_change.read_state", read_state)
    assert app.run(["cluster", "remove", "n1", "--data", str(town)]) == status
    assert len(requests) == (status is Exit.OK)
