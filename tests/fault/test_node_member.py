"""A node of a cluster that can't be one says why, and one whose registry is late waits for it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodes.cluster.layout import HOST, Ports

pytestmark = [pytest.mark.fault, pytest.mark.slow]

END_S = 30.0


class Place:
    """Where a cluster's processes are; each is told by the environment who it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = Ports().take(0)
        (folder / "links").mkdir(mode=0o700)

    def node(self, name: str, **more: str) -> subprocess.Popen[str]:
        given = {
            "CLUSTER__REGISTRY": f"tcp://{HOST}:{self.port}",
            "CLUSTER__LISTEN": f"ipc://{self.folder}/links/{name}",
            "GATEWAY__TCP__LISTEN": f"{HOST}:0",
            "NODE__DATA_DIR": str(self.folder / name),
            "NODE__NAME": name,
            **more,
        }
        environment = {f"ACTORCHAT_{key}": value for key, value in given.items()}
        return self._start(["node", "--json"], environment)

    def registry(self) -> subprocess.Popen[str]:
        where = ["--data", str(self.folder / "registry"), "--listen", f"{HOST}:{self.port}"]
        return self._start(["registry", "up", "--json", *where], {})

    def _start(self, arguments: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "nodes.cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )


@contextlib.contextmanager
def running(process: subprocess.Popen[str]) -> Iterator[dict[str, str]]:
    """Wait until it is ready; yield what it says; end it in order."""
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            yield json.loads(line)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert process.returncode == 0


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return the status with which it ended by itself, and its log."""
    with process:
        try:
            _, words = process.communicate(timeout=END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return process.returncode, words


def test_registry_that_comes_late_is_waited_for_and_the_wait_can_be_ended(tmp_path: Path) -> None:
    place = Place(tmp_path)
    early, other = place.node("n1"), place.node("n2")
    with other:
        assert other.stderr is not None
        assert "out of reach" in other.stderr.readline()
        other.send_signal(signal.SIGTERM)
        other.communicate(timeout=END_S)
        assert other.returncode == 0
    with running(place.registry()), running(early) as said:
        assert said["tcp"].startswith("tcp://")


def test_node_that_stands_in_anothers_way_ends_with_the_reason(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with running(place.registry()), running(place.node("n1")) as said:
        taken = said["tcp"].removeprefix("tcp://")
        status, words = ended(place.node("n2", NODE__DATA_DIR=str(tmp_path / "n1")))
        assert (status, "another node's" in words) == (75, True), words
        status, words = ended(place.node("n3", GATEWAY__TCP__LISTEN=taken))
        assert (status, "address already in use" in words) == (71, True), words
        link = f"ipc://{tmp_path}/links/n1"
        status, words = ended(place.node("n4", CLUSTER__LISTEN=link))
        assert (status, "another node has it" in words) == (78, True), words
