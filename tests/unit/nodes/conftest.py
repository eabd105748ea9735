"""A node in a process of its own, and the command line as programs see it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nodes.replay.child import ChildNode

ROOT = Path(__file__).resolve().parents[3]
COMMAND_TIMEOUT_S = 60.0


class Shell:
    """Runs commands for one user of the machine, who has a directory of settings of their own."""

    def __init__(self, home: Path, data: Path) -> None:
        self.data = data
        self.config = home / "config"
        self.environment = {
            **{name: value for name, value in os.environ.items() if "ACTORCHAT" not in name},
            "ACTORCHAT_CONFIG_DIR": str(self.config),
            "ACTORCHAT_DATA": str(data),
            "COLUMNS": "100",
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "nodes.cli", *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        with self.start(*arguments) as process:
            try:
                out, err = process.communicate(typed, COMMAND_TIMEOUT_S)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def json(self, *arguments: str, typed: str = "") -> list[Any]:
        """Return the objects that a command prints; it must do well."""
        done = self.run(*arguments, "--json", typed=typed)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildNode]:
    """A node that all tests share; each makes its own users."""
    child = ChildNode(tmp_path_factory.mktemp("node") / "data")
    child.start()
    try:
        yield child
    finally:
        assert child.stop() == 0, child.words()


@pytest.fixture
def shell(node: ChildNode, tmp_path: Path) -> Shell:
    """The command line next to the shared node."""
    return Shell(tmp_path, node.data)


@pytest.fixture
def make_shell(tmp_path: Path) -> Callable[[Path], Shell]:
    """The command line next to a data directory."""
    return lambda data: Shell(tmp_path, data)
