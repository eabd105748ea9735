"""A power cut: what the kernel had not yet given to the disk is gone; what was acked is not.

A loop device is the disk. Copying its image while the writer stands still takes only what has
reached the block layer, as a power cut would leave it (a kill alone never loses the page cache).
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from actorchat.store.rocks import MIB, RocksEngine

log = logging.getLogger(__name__)
pytestmark = pytest.mark.fault

IMAGE_BYTES = 96 * MIB

# Acks (on stdout) each batch of 50: after its sync, or, to show that the simulator cuts at all,
# without one.
WRITER = """
import os, sys
from actorchat.store.rocks import RocksEngine
engine = RocksEngine(sys.argv[1], block_cache_bytes=4 << 20)
family = engine.family("history")
number = 0
while True:
    batch = engine.batch()
    for _ in range(50):
        batch.put(number.to_bytes(8, "big"), b"v" * 100, family)
        number += 1
    engine.write(batch)
    if sys.argv[2] == "sync":
        engine.sync()
    os.write(1, b"%d\\n" % number)
"""


class Disk(NamedTuple):
    """A mounted image, and where its copy is mounted after the cut."""

    image: Path
    mounted: Path
    copy: Path
    mounted_copy: Path


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.skip("mounting a loop device needs root")
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("there is no mkfs.ext4")
    disk = Disk(tmp_path / "disk", tmp_path / "at", tmp_path / "copy", tmp_path / "copy_at")
    disk.mounted.mkdir()
    disk.mounted_copy.mkdir()
    with disk.image.open("wb") as image:
        image.truncate(IMAGE_BYTES)
    lazy = "lazy_itable_init=0,lazy_journal_init=0"
    assert run("mkfs.ext4", "-q", "-F", "-E", lazy, str(disk.image)).returncode == 0
    # The file system's own commits are put off, so that only syncs reach the image.
    mounted = run("mount", "-o", "loop,commit=300", str(disk.image), str(disk.mounted))
    if mounted.returncode != 0:
        pytest.skip(f"no loop device can be mounted here: {mounted.stderr.strip()}")
    yield disk
    run("umount", "-l", str(disk.mounted_copy))
    run("umount", "-l", str(disk.mounted))


def cut_power(disk: Disk, mode: str, alive_s: float) -> tuple[int, int]:
    """Run a writer, cut the power; return (rows acked, rows recovered)."""
    acks = disk.image.with_name("acks")
    with acks.open("wb") as out:
        command = [sys.executable, "-c", WRITER, str(disk.mounted / "store"), mode]
        writer = subprocess.Popen(command, stdout=out)
        deadline = time.monotonic() + 20
        while acks.stat().st_size == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(alive_s)
        os.kill(writer.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, writer.pid, os.WSTOPPED | os.WNOWAIT)
        shutil.copyfile(disk.image, disk.copy)
        acked = int(acks.read_bytes().split(b"\n")[-2])
        writer.kill()
        writer.wait()
    mounted = run("mount", "-o", "loop", str(disk.copy), str(disk.mounted_copy))
    assert mounted.returncode == 0, mounted.stderr
    engine = RocksEngine(disk.mounted_copy / "store", block_cache_bytes=4 * MIB)
    rows = engine.scan(engine.family("history"), b"", b"\xff" * 9)
    engine.close()
    assert [key for key, _ in rows] == [number.to_bytes(8, "big") for number in range(len(rows))]
    return acked, len(rows)


@pytest.mark.parametrize("alive_s", [0.1, 0.3])
def test_a_power_cut_loses_nothing_that_was_acked(disk: Disk, alive_s: float) -> None:
    acked, recovered = cut_power(disk, "sync", alive_s)
    log.info("acked %d, recovered %d", acked, recovered)
    assert 0 < acked <= recovered <= acked + 50


def test_the_simulator_does_lose_what_was_acked_without_a_sync(disk: Disk) -> None:
    acked, recovered = cut_power(disk, "nosync", 0.3)
    log.info("acked %d, recovered %d", acked, recovered)
    assert recovered < acked
