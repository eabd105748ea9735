"""A full disk: a typed refusal, reads go on, and it ends by itself when there is space again."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from actorchat.errors import StoreFull
from actorchat.store.committer import Committer, Done
from actorchat.store.rocks import MIB, RocksEngine

log = logging.getLogger(__name__)
pytestmark = pytest.mark.fault

DISK_BYTES = 24 * MIB
RECOVERY_S_MAX = 30.0  # RocksDB looks for space each 5 s


def open_engine(disk: Path) -> RocksEngine:
    # RocksDB waits for as much space as a write buffer takes before it goes on.
    return RocksEngine(disk / "store", block_cache_bytes=4 * MIB, write_buffer_bytes=1 * MIB)


def put(engine: RocksEngine, number: int) -> None:
    batch = engine.batch()
    batch.put(number.to_bytes(4, "big"), os.urandom(4096), engine.family("history"))
    engine.write(batch)


def fill(engine: RocksEngine, number: int) -> int:
    """Put rows until the disk is full; return the number of the row that was refused."""
    with pytest.raises(StoreFull, match="No space left"):
        while number < DISK_BYTES // 1024:
            put(engine, number)
            number += 1
    return number


def numbers(engine: RocksEngine) -> list[int]:
    rows = engine.scan(engine.family("history"), b"", b"\xff" * 5)
    return [int.from_bytes(key, "big") for key, _ in rows]


def recover(engine: RocksEngine, number: int) -> float:
    """Put row `number` as soon as the engine takes it; return how long that took (s)."""
    began = time.monotonic()
    while True:
        try:
            put(engine, number)
        except StoreFull:
            waited = time.monotonic() - began
            assert waited < RECOVERY_S_MAX, "the engine does not recover"
            time.sleep(0.2)
        else:
            return time.monotonic() - began


def test_a_full_disk_refuses_writes_and_heals_when_space_returns(disk: Path) -> None:
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(DISK_BYTES // 2))
    engine = open_engine(disk)
    refused = fill(engine, 0)
    with pytest.raises(StoreFull):
        engine.sync()
    for _ in range(3):
        with pytest.raises(StoreFull):
            put(engine, refused)
    assert numbers(engine) == list(range(refused)), "reads go on, and a refused row is not there"
    ballast.unlink()
    waited = recover(engine, refused)
    engine.sync()
    log.info("recovered %.1f s after space returned", waited)
    assert numbers(engine) == list(range(refused + 1))
    engine.close()
    again = open_engine(disk)
    assert numbers(again) == list(range(refused + 1))
    again.close()


KILLED_WHEN_FULL = """
import os, signal, sys
from actorchat.errors import StoreFull
from actorchat.store.rocks import RocksEngine
engine = RocksEngine(sys.argv[1])
number = 0
try:
    while True:
        batch = engine.batch()
        batch.put(number.to_bytes(4, "big"), os.urandom(4096), engine.family("history"))
        engine.write(batch)
        engine.sync()
        number += 1
except StoreFull:
    print(number, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_on_a_full_disk_loses_no_synced_row_and_invents_none(disk: Path) -> None:
    ballast = disk / "ballast"
    # The replay at the next start needs as much space again as the log takes.
    ballast.write_bytes(bytes(DISK_BYTES * 3 // 4))
    run = subprocess.run(
        [sys.executable, "-c", KILLED_WHEN_FULL, str(disk / "store")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == -9, run.stderr
    ballast.unlink()
    engine = open_engine(disk)
    assert numbers(engine) == list(range(int(run.stdout)))
    engine.close()


class EagerSyncer:
    """Syncs on the spot; tells in a later turn."""

    def __init__(self, engine: RocksEngine, turns: deque[Callable[[], None]]) -> None:
        self._engine = engine
        self._turns = turns

    def start(self, done: Done) -> None:
        error: Exception | None = None
        try:
            self._engine.sync()
        except StoreFull as caught:
            error = caught
        self._turns.append(lambda: done(error))

    def close(self) -> None:
        """Nothing runs."""


def test_a_committer_gets_over_a_full_disk_without_a_hole(disk: Path) -> None:
    engine = open_engine(disk)
    completed = commit_over_a_full_disk(engine, disk)
    engine.close()
    again = open_engine(disk)
    assert numbers(again) == completed
    again.close()


def commit_over_a_full_disk(engine: RocksEngine, disk: Path) -> list[int]:
    """Append until the disk is full, give it space, append once more; return what was completed."""
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(DISK_BYTES // 2))
    family = engine.family("history")
    turns: deque[Callable[[], None]] = deque()
    completed: list[int] = []
    failed: list[int] = []
    fatal: list[Exception] = []
    committer = Committer(
        engine,
        EagerSyncer(engine, turns),
        turns.append,
        lambda _, lost: failed.extend(number for _, number in lost),
        fatal.append,
    )

    def append(number: int) -> None:
        row = (family, number.to_bytes(4, "big"), os.urandom(4096))
        committer.append((row,), completed.append, number)
        if number % 3 == 0:
            committer.apply()
        if number % 7 == 0:
            while turns:
                turns.popleft()()

    def settle() -> None:
        while turns:
            turns.popleft()()

    number = 0
    while not failed:
        append(number)
        number += 1
    settle()
    ballast.unlink()
    deadline = time.monotonic() + RECOVERY_S_MAX
    while committer.is_full:
        assert time.monotonic() < deadline, "the engine does not recover"
        time.sleep(0.2)
        committer.probe()
    settle()
    append(number)
    settle()
    assert fatal == []
    assert sorted(completed + failed) == list(range(number + 1))
    assert completed == sorted(completed)
    return completed


def test_a_full_disk_at_the_start_is_said_so(disk: Path) -> None:
    engine = open_engine(disk)
    put(engine, 0)
    engine.close()
    with contextlib.suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))
    with pytest.raises(StoreFull):
        open_engine(disk)
