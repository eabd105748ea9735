"""A node's HTTP door: who watches it is told the truth, a full disk included; chat goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from actorchat.client import connect
from nodes.cluster.layout import Ports
from tests.fault.crowd import Crowd
from tests.fault.node import MIB, Node, Operator, running, until

pytestmark = [pytest.mark.fault, pytest.mark.slow]

DISK_BYTES = 40 * MIB
RECOVERY_S_MAX = 12.0
HTTP = {"gateway.http.listen": "127.0.0.1:0", "gateway.http.poll_wait_s": 2.0}


def address(node: Node) -> str:
    return str(json.loads((node.data / "node.json").read_text(encoding="utf-8"))["http"])


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with running(tmp_path / "node", dict(HTTP)) as node:
        yield node


async def page(node: Node, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(address(node) + path) as answer:
        return answer.status, await answer.text()


async def numbers(node: Node) -> dict[str, float]:
    """Return every sample of `/metrics`, as Prometheus's own parser reads it."""
    status, text = await page(node, "/metrics")
    assert status == 200
    return {
        sample.name + "".join(f".{value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_messages_go_over_http_and_are_counted(node: Node) -> None:
    operator = await Operator.sign_in(node)
    anns, bobs = await operator.token("ann"), await operator.token("bob")
    assert await page(node, "/livez") == (200, "alive\n")
    assert await page(node, "/readyz") == (200, "ready\n")
    at = address(node)
    async with (
        connect(at, user="ann", device="d", token=anns) as ann,
        connect(f"tcp://127.0.0.1:{node.port}", user="bob", device="d", token=bobs) as bob,
    ):
        for number in range(50):
            await ann.send("bob", f"{number}")
        got = []
        async for message in bob.messages():
            got.append(message.text)
            await bob.send("ann", message.text)
            if len(got) == 50:
                break
        back = []
        async for message in ann.messages():
            back.append(message.text)
            if len(back) == 50:
                break
        assert got == back == [f"{number}" for number in range(50)]
        seen = await numbers(node)
    assert seen["actorchat_gateway_open.http"] == 1
    assert seen["actorchat_gateway_frames_in_total.http"] > 50
    assert seen["actorchat_node_log_appends_total"] >= 100
    assert seen["actorchat_node_log_full"] == 0
    status = await operator.status()
    assert status["http_accepted"] == 1
    await operator.close()
    assert await asyncio.to_thread(node.stop) == 0
    assert "Traceback" not in node.words()


async def test_client_comes_back_over_http_after_a_kill(tmp_path: Path) -> None:
    listen = f"127.0.0.1:{Ports().take(0)}"
    with running(tmp_path / "node", {**HTTP, "gateway.http.listen": listen}) as node:
        operator = await Operator.sign_in(node)
        anns = await operator.token("ann")
        await operator.token("bob")
        await operator.close()
        at = address(node)
        async with connect(at, user="ann", device="d", token=anns, reconnect_cap_s=0.5) as ann:
            assert (await ann.send("bob", "1")).seq == 1
            node.kill()
            await asyncio.to_thread(node.start)
            async with asyncio.timeout(20):
                assert (await ann.send("bob", "2")).seq == 2
        assert await asyncio.to_thread(node.stop) == 0


async def test_full_disk_makes_a_node_unready_and_not_dead(disk: Path, tmp_path: Path) -> None:
    settings: dict[str, object] = {
        **HTTP,
        "store.write_buffer_bytes": 2 * MIB,
        "store.write_buffer_total_bytes": 4 * MIB,
        "store.wal_bytes_max": 8 * MIB,
        "store.block_cache_bytes": 4 * MIB,
    }
    with running(disk / "node", settings, tmp_path / "node.stderr") as node:
        crowd = await Crowd.gather(node, 3, seed=5)
        refusals = [talker.refusals for talker in crowd.talkers]
        try:
            crowd.start(in_flight=4)
            await crowd.more_acked(50)
            assert await page(node, "/readyz") == (200, "ready\n")
            free = os.statvfs(disk)
            with (
                (disk / "ballast").open("ab", buffering=0) as ballast,
                contextlib.suppress(OSError),
            ):
                ballast.write(bytes(free.f_bavail * free.f_frsize - MIB))
            await until(lambda: all("store_full" in codes for codes in refusals), 30)
            assert await page(node, "/readyz") == (503, "the store is full\n")
            assert (await page(node, "/livez"))[0] == 200
            assert (await numbers(node))["actorchat_node_log_full"] == 1

            (disk / "ballast").unlink()
            await crowd.more_acked(30, RECOVERY_S_MAX)
            assert await page(node, "/readyz") == (200, "ready\n")
            assert (await numbers(node))["actorchat_node_log_failed_batches_total"] > 0
            await crowd.hush()
        finally:
            await crowd.leave()
        assert await asyncio.to_thread(node.stop) == 0
