from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodes import boot


def test_operator_key_is_made_once_and_private(tmp_path: Path) -> None:
    key = boot.operator_key(tmp_path)
    assert len(key) >= 40
    assert boot.operator_key(tmp_path) == key
    assert (tmp_path / "operator.key").stat().st_mode & 0o777 == 0o600


def test_empty_key_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "operator.key").write_text("\n")
    assert boot.operator_key(tmp_path)


def test_description_says_where_the_node_is(tmp_path: Path) -> None:
    boot.describe(boot.NodeInfo("tcp://127.0.0.1:1", tmp_path, os.getpid()))
    described = json.loads((tmp_path / "node.json").read_text())
    assert described["tcp"] == "tcp://127.0.0.1:1"
    assert described["pid"] == os.getpid()
    assert [path.name for path in tmp_path.iterdir()] == ["node.json"]


@pytest.fixture
def dump() -> Iterator[boot._Dump]:
    former = signal.getsignal(signal.SIGUSR1)
    dump = boot._Dump()
    dump.install()
    yield dump
    faulthandler.unregister(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, former)


async def test_sigusr1_shows_stacks_at_once_and_the_actors_in_a_turn_of_the_loop(
    dump: boot._Dump, capfd: pytest.CaptureFixture[str]
) -> None:
    turns: list[str] = []
    dump.install()  # a second time changes nothing
    os.kill(os.getpid(), signal.SIGUSR1)
    assert capfd.readouterr().err.count("Current thread 0x") == 1
    dump.begin(asyncio.get_running_loop(), lambda: turns.append("actors"))
    os.kill(os.getpid(), signal.SIGUSR1)
    assert capfd.readouterr().err.count("Current thread 0x") == 1
    assert turns == []
    await asyncio.sleep(0)
    assert turns == ["actors"]
    dump.end()
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.sleep(0)
    assert capfd.readouterr().err.count("Current thread 0x") == 1
    assert turns == ["actors"]
