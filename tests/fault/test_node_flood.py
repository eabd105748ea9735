"""A flood of strangers at any door takes no file from the store: who is in goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.fault.node import (
    ALARMS,
    CHEAP_HASHES,
    MIB,
    Device,
    Node,
    Operator,
    Wire,
    control_pair,
    until,
)

pytestmark = [pytest.mark.fault, pytest.mark.slow]

FILES = 400  # as many strangers as these would leave no file to the store
FLOOD = 600
DOORS = ("tcp", "ws", "http")
# Enough for the engine to begin new files again and again.
BODY = "x" * 20_000
MESSAGES = 200


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    settings: dict[str, object] = {
        "store.write_buffer_bytes": 1 * MIB,
        "limits.handshake_timeout_s": 5.0,
        **{f"gateway.{door}.listen": "127.0.0.1:0" for door in DOORS[1:]},
    }
    node = Node(tmp_path / "node", CHEAP_HASHES | settings, files_max=FILES)
    try:
        yield node.start()
        assert node.stop() == 0
    finally:
        node.kill()
    words = node.words()
    assert not any(alarm in words for alarm in ALARMS), words


def ports(node: Node) -> list[int]:
    described = json.loads((node.data / "node.json").read_text(encoding="utf-8"))
    return [int(described[door].rsplit(":", 1)[1]) for door in DOORS]


@contextlib.contextmanager
def flood(where: list[int]) -> Iterator[None]:
    """Hold connections on which nothing is ever said, some to each port."""
    held = []
    try:
        for number in range(FLOOD):
            stranger = socket.socket()
            stranger.setblocking(False)
            stranger.connect_ex(("127.0.0.1", where[number % len(where)]))
            held.append(stranger)
        yield
    finally:
        for stranger in held:
            stranger.close()


@pytest.mark.parametrize("doors", [*([door] for door in DOORS), list(DOORS)], ids="+".join)
async def test_flood_takes_no_file_from_the_store(node: Node, doors: list[str]) -> None:
    operator = await Operator.sign_in(node)
    ann = Device(node, "ann", await operator.token("ann"))
    bob = Device(node, "bob", await operator.token("bob"))
    await ann.sign_in()
    await bob.sign_in()
    known = dict(zip(DOORS, ports(node), strict=True))
    rng = Random(7)
    with flood([known[door] for door in doors]):
        cids = [rng.randbytes(16) for _ in range(MESSAGES)]
        for cid in cids:
            assert "ok" in await ann.send("bob", BODY, cid)
        await until(lambda: len(bob.messages) >= MESSAGES)
        assert node.files() < FILES
    assert [message["cid"] for message in bob.messages] == cids
    await until(lambda: node.files() < FILES // 2)  # they are gone, and there is room again
    async with control_pair(node):
        await asyncio.sleep(0.2)
    status = await operator.status()
    assert status["log_failed_batches"] == 0
    for one in (ann, bob):
        await one.leave()
    await operator.close()


async def gets_in(node: Node) -> bool:
    """Say whether the operator is let in at this moment: at a full door nobody is."""
    wire = await Wire.open(node)
    try:
        return "ok" in await wire.sign_in("operator", node.operator_key(), "operator")
    except ConnectionError:
        return False
    finally:
        await wire.close()


async def test_strangers_that_stay_are_gone_after_the_handshakes_time(node: Node) -> None:
    with flood(ports(node)):
        await until(lambda: node.files() > FILES // 2)  # they are in, and more wait at the door
        await until(lambda: gets_in(node))
