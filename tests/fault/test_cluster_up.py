"""A whole cluster by one command: nodes and registry are killed, and come back."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nodes.cli.failure import Exit
from tests.zookeeper import install

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(180)]

WAIT_S = 60.0
COMMAND = [sys.executable, "-m", "nodes.cli", "cluster"]


class Cluster:
    def __init__(self, folder: Path, *options: str) -> None:
        self._data = ["--data", str(folder)]
        command = [*COMMAND, "up", "--json", "--gateways", "tcp", *options, *self._data]
        self.words = folder.with_suffix(".words")
        with self.words.open("w") as words:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=words)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.words.read_text()
        self.described = json.loads(line)

    def ask(self, *arguments: str) -> str:
        done = subprocess.run(
            [*COMMAND, *arguments, *self._data], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, status: Exit, *arguments: str) -> str:
        """Run a command that is not done; return what it says."""
        done = subprocess.run(
            [*COMMAND, *arguments, *self._data], capture_output=True, text=True, check=False
        )
        assert done.returncode == status, (done.stdout, done.stderr)
        return done.stderr

    def run(self, *arguments: str) -> list[Any]:
        """Run another command; return what it prints."""
        environment = {**os.environ, "ACTORCHAT_CONFIG_DIR": str(self.words.with_suffix(".conf"))}
        command = [sys.executable, "-m", "nodes.cli", *arguments, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def status(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in json.loads(self.ask("status", "--json"))["processes"]}

    def until(self, condition: Callable[[dict[str, dict[str, Any]]], object]) -> None:
        deadline_s = time.monotonic() + WAIT_S
        while not condition(rows := self.status()):
            assert time.monotonic() < deadline_s, f"{rows}\n{self.words.read_text()}"
            time.sleep(0.2)


@contextlib.contextmanager
def cluster(folder: Path, *options: str) -> Iterator[Cluster]:
    found = Cluster(folder, *options)
    try:
        yield found
    finally:
        if found.process.poll() is None:
            found.process.send_signal(signal.SIGTERM)
        assert found.process.wait(60.0) == 0
        assert found.process.stdout is not None
        found.process.stdout.close()


def is_whole(rows: dict[str, dict[str, Any]]) -> bool:
    return all(
        row["links"] == " ".join(sorted({"n1", "n2"} - {name})) and row["registry"] == "connected"
        for name, row in rows.items()
        if name != "registry"
    )


def test_cluster_comes_back_whole_after_the_death_of_anybody(tmp_path: Path) -> None:
    with cluster(tmp_path / "c", "-n", "2", "--regions", "eu,us") as found:
        assert set(found.described["nodes"]) == {"n1", "n2"}
        rows = found.status()
        assert is_whole(rows), rows
        for user in ("ann", "bob", "cid", "dan"):
            found.run("user", "add", user, "--generate", "--data", str(tmp_path / "c" / "n1"))
            where = found.run("whereis", user, "--data", str(tmp_path / "c" / "n2"))
            assert where[0]["home"] in {"n1", "n2"} and where[0]["account"], where
        found.run("send", "bob", "hello", "--as", "ann", "--data", str(tmp_path / "c" / "n2"))
        (told,) = found.run(
            "tail", "--as", "bob", "--count", "1", "--data", str(tmp_path / "c" / "n1")
        )
        assert (told["from"], told["text"]) == ("ann", "hello")
        for region, node in (("eu", "n1"), ("us", "n2")):
            (best,) = found.run(
                "locate", "ann", "--region", region, "--data", str(tmp_path / "c" / "n1")
            )
            assert best["node"] == node
            assert best["addresses"] == [rows[node]["tcp"]]
        assert [rows[name]["leads"] for name in ("n1", "n2")] == [512, 512]
        assert rows["n2"]["region"] == "us"
        found.ask("kill", "2")
        found.until(lambda rows: is_whole(rows) and rows["n2"]["starts"] == 2)
        found.ask("pause", "registry")
        found.until(lambda rows: "suspended" in rows["n1"]["registry"])
        assert found.status()["n1"]["links"] == "n2"
        found.ask("kill", "registry")
        found.until(lambda rows: is_whole(rows) and rows["registry"]["starts"] == 2)
        assert [row["leads"] for row in found.status().values()][1:] == [512, 512]
        assert "stopped" in found.ask("stop")
    with cluster(tmp_path / "c", "-n", "2") as found:  # over the same data
        assert is_whole(found.status())


def test_node_that_stood_still_is_taken_back_with_all_that_it_led(tmp_path: Path) -> None:
    with cluster(tmp_path / "c", "-n", "2") as found:
        found.ask("pause", "2")
        found.until(lambda rows: rows["n1"]["waits for"] == "n2")
        found.ask("resume", "2")
        found.until(lambda rows: is_whole(rows) and rows["n1"]["waits for"] == "")
        rows = found.status()
        assert [rows[name]["leads"] for name in ("n1", "n2")] == [512, 512]
        assert rows["n2"]["starts"] == 1


def test_cluster_gets_one_more_node_and_one_of_them_is_drained(tmp_path: Path) -> None:
    with cluster(tmp_path / "c", "-n", "2", "--regions", "eu,us") as found:
        added = json.loads(found.ask("add", "--json"))
        assert (added["name"], added["region"]) == ("n3", "eu")
        rows = found.status()
        assert rows["n3"]["tcp"] == added["addresses"]["tcp"]
        assert rows["n3"]["links"] == "n1 n2"
        found.until(lambda rows: 300 < rows["n3"]["leads"] < 400 and not rows["n3"]["coming"])
        assert not any(row["drained"] for row in found.status().values())
        found.ask("drain", "n3")
        found.until(lambda rows: rows["n3"]["leads"] == 0 and rows["n3"]["drained"])
        config = str(tmp_path / "c" / "n1.toml")
        found.run("node", "drain", "n2", "--config", config)
        found.until(lambda rows: (rows["n1"]["leads"], rows["n2"]["leads"]) == (1024, 0))
        assert "nobody else" in found.refused(Exit.REFUSED, "drain", "1")
        assert "leads 1024 slots" in found.refused(Exit.REFUSED, "remove", "1")
        found.run("node", "undrain", "n2", "--config", config)
        found.until(lambda rows: rows["n2"]["leads"] > 400 and not rows["n2"]["drained"])
        found.ask("remove", "3")  # it leads nothing
        assert found.status().keys() == {"registry", "n1", "n2"}
        found.until(is_whole)


def test_cluster_has_a_zookeeper_of_its_own_if_that_is_asked_for(tmp_path: Path) -> None:
    install()
    with cluster(tmp_path / "c", "-n", "2", "--zookeeper", "local") as found:
        assert found.described["registry"].startswith("zk://")
        assert is_whole(found.status())
