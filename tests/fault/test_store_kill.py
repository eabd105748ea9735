"""A killed process: everything that was completed is there, and nothing that was not appended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from actorchat.store.rocks import MIB, RocksEngine

pytestmark = pytest.mark.fault

# Appends in rounds on a real loop; each completed number is told before it is counted.
WRITER = """
import asyncio, os, sys
from actorchat.store.committer import Committer, ThreadSyncer
from actorchat.store.rocks import RocksEngine

def die(error):
    os._exit(3)

async def main():
    loop = asyncio.get_running_loop()
    engine = RocksEngine(sys.argv[1])
    syncer = ThreadSyncer(engine.sync, loop.call_soon_threadsafe)
    committer = Committer(engine, syncer, loop.call_soon, die, die)
    history, sent = engine.family("history"), engine.family("sent")
    def completed(number):
        os.write(1, b"%d\\n" % number)
        append(number + 32)
    def append(number):
        key = number.to_bytes(8, "big")
        committer.append(((history, key, b"v" * 100), (sent, key, b"")), completed, number)
    for number in range(32):
        append(number)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("alive_s", [0.15, 0.4, 0.8])
def test_a_killed_writer_loses_nothing_that_it_completed(tmp_path: Path, alive_s: float) -> None:
    acks = tmp_path / "acks"
    with acks.open("wb") as out:
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "store")], stdout=out
        )
        deadline = time.monotonic() + 20
        while acks.stat().st_size == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(alive_s)
        os.kill(writer.pid, signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
    # The last line may be half written.
    completed = [int(line) for line in acks.read_bytes().split(b"\n")[:-1]]
    assert completed == list(range(len(completed)))
    assert len(completed) > 32
    engine = RocksEngine(tmp_path / "store", block_cache_bytes=4 * MIB)
    stop = b"\xff" * 9
    history = [key for key, _ in engine.scan(engine.family("history"), b"", stop)]
    sent = [key for key, _ in engine.scan(engine.family("sent"), b"", stop)]
    engine.close()
    assert history == [number.to_bytes(8, "big") for number in range(len(history))]
    assert sent == history
    assert len(completed) <= len(history) <= len(completed) + 64
