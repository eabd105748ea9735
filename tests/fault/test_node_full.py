"""A node whose disk is full: sends are refused with a time, reading goes on, it heals by itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.crowd import Crowd
from tests.fault.node import MIB, Node, Operator, Wire, hello, running, until

pytestmark = [pytest.mark.fault, pytest.mark.slow]

DISK_BYTES = 40 * MIB
RECOVERY_S_MAX = 12.0  # RocksDB looks for space each 5 s, the node each second


@pytest.fixture
def node(disk: Path, tmp_path: Path) -> Iterator[Node]:
    settings: dict[str, object] = {
        "store.write_buffer_bytes": 2 * MIB,  # so much space it wants before it goes on
        "store.write_buffer_total_bytes": 4 * MIB,
        "store.wal_bytes_max": 8 * MIB,
        "store.block_cache_bytes": 4 * MIB,
    }
    with running(disk / "node", settings, tmp_path / "node.stderr") as node:
        yield node


def fill(file: Path, leave_bytes: int) -> None:
    """Fill the disk but for so many bytes."""
    free = os.statvfs(file.parent)
    with file.open("ab", buffering=0) as ballast, contextlib.suppress(OSError):
        ballast.write(bytes(max(0, free.f_bavail * free.f_frsize - leave_bytes)))


async def test_a_full_disk_refuses_sends_and_nothing_else_and_heals_by_itself(
    node: Node, disk: Path
) -> None:
    crowd = await Crowd.gather(node, 3, seed=5)
    operator = await Operator.sign_in(node)
    await operator.token("late", password="pass")
    refusals = [talker.refusals for talker in crowd.talkers]
    try:
        crowd.start(in_flight=4)
        await crowd.more_acked(100)
        fill(disk / "ballast", MIB)
        await until(lambda: all("store_full" in codes for codes in refusals), 30)
        acked = crowd.acked

        # What it says to a send, and what goes on meanwhile.
        wire = await Wire.open(node)
        first, second = crowd.talkers[0].device, crowd.talkers[1].device
        reply = await first.send(second.user, "x", b"refused-by-disk!")
        if "err" in reply:
            error = reply["err"]
            assert (error["code"], error["retry"], error["outcome"]) == (
                "store_full",
                "after",
                "none",
            )
            assert error["after_ms"] > 0
        history = await first.history(second.user)
        assert len(history) > 0
        assert b"refused-by-disk!" not in {record["cid"] for record in history}
        first.wire.write({"op": "ping"})
        assert (await operator.status())["log_full"] in {0, 1}
        # A password would need a new token to be kept.
        said = await wire.ask(hello("late", "pass", "password"))
        assert "ok" in said or said["err"]["code"] == "store_full"
        await wire.close()

        (disk / "ballast").unlink()
        freed = time.monotonic()
        for talker in crowd.talkers:
            talker.refusals.clear()
        await crowd.more_acked(30, RECOVERY_S_MAX)
        print(f"{acked} acked when full; sends again {time.monotonic() - freed:.1f} s after space")
        await crowd.hush()
        total = await crowd.check()
        assert total >= acked
        status = await operator.status()
        assert status["log_failed_batches"] > 0 and status["log_full"] == 0
        assert status["actor_crashes"] == 0
    finally:
        await crowd.leave()
        await operator.close()
    assert await asyncio.to_thread(node.stop) == 0
    assert "Traceback" not in node.words()


async def test_a_kill_on_a_full_disk_loses_nothing_that_was_acked(node: Node, disk: Path) -> None:
    crowd = await Crowd.gather(node, 3, seed=6)
    refusals = [talker.refusals for talker in crowd.talkers]
    try:
        crowd.start(in_flight=4)
        await crowd.more_acked(100)
        fill(disk / "ballast", MIB)
        await until(lambda: all("store_full" in codes for codes in refusals), 30)
        await asyncio.to_thread(node.kill)
        (disk / "ballast").unlink()
        await asyncio.to_thread(node.start)
        await crowd.more_acked(30)
        await crowd.hush()
        await crowd.check()
    finally:
        await crowd.leave()
    assert await asyncio.to_thread(node.stop) == 0
    assert "Traceback" not in node.words()


def test_a_node_that_finds_no_space_at_its_start_says_so(node: Node, disk: Path) -> None:
    node.kill()
    fill(disk / "ballast", 0)
    node.launch()
    assert node.wait() == 70
    words = node.words()
    assert "no space" in words.strip().splitlines()[-1].lower()
    assert "Traceback" not in words
