"""A device that does not read waits or is closed; others notice nothing, and it loses nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from actorchat.limits import BODY_CHARS_MAX, OUTBOX_BYTES_MAX
from tests.fault.node import (
    ALARMS,
    MIB,
    Device,
    Node,
    Operator,
    Wire,
    control_pair,
    hello,
    running,
    until,
)

pytestmark = [pytest.mark.fault, pytest.mark.slow]

WINDOW = 64
KERNEL_BYTES = 64 * 1024  # what the sleeper's kernel takes for it


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    # Small buffers in the engine, so that what grows is what a consumer owes.
    settings = {"store.block_cache_bytes": 4 * MIB, "store.write_buffer_bytes": 2 * MIB}
    settings |= {"store.write_buffer_total_bytes": 8 * MIB}
    with running(tmp_path / "node", dict(settings)) as node:
        yield node
        assert node.stop() == 0
        words = node.words()
        assert not any(alarm in words for alarm in ALARMS), words


async def sleeper(node: Node, user: str, token: str) -> Wire:
    """Sign in and read nothing any more."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
    peer.setblocking(False)
    await asyncio.get_running_loop().sock_connect(peer, ("127.0.0.1", node.port))
    wire = Wire(*await asyncio.open_connection(sock=peer, limit=2_048))
    assert "ok" in await wire.ask(hello(user, token))
    wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
    return wire


async def say(sender: Device, to: str, count: int, body: str, start: int = 0) -> list[bytes]:
    """Send so many messages, some in flight at a time; return their ids by seq."""
    rng = Random(start)
    acked: dict[int, bytes] = {}
    gate = asyncio.Semaphore(WINDOW)

    async def one(number: int) -> None:
        async with gate:
            cid = rng.randbytes(16)
            reply = await sender.send(to, f"{number} {body}", cid)
            acked[reply["ok"]["seq"]] = cid

    await asyncio.gather(*(one(number) for number in range(start, start + count)))
    return [acked[seq] for seq in sorted(acked)]


async def all_arrive(device: Device, expected: list[bytes], sessions_max: int) -> int:
    """Read until all of `expected` is there, coming back if need be; return how often it came."""
    for session in range(1, sessions_max + 1):
        await device.sign_in()
        await until(
            lambda: (
                len(device.messages) >= len(expected)
                or device._reader is None
                or device._reader.done()
            )
        )
        await device.leave()
        if len(device.messages) >= len(expected):
            assert [message["cid"] for message in device.messages] == expected
            assert [message["seq"] for message in device.messages] == sorted(
                message["seq"] for message in device.messages
            )
            return session
    raise AssertionError(f"{len(device.messages)} of {len(expected)} after {sessions_max} sessions")


async def test_a_device_that_never_reads_small_messages_is_paced_and_gets_all(node: Node) -> None:
    operator = await Operator.sign_in(node)
    ann = await Device(node, "ann", await operator.token("ann")).sign_in()
    token = await operator.token("bob")
    idle = await sleeper(node, "bob", token)
    async with control_pair(node) as pair:
        acked = await say(ann, "bob", 500, "x" * 30)
        rss = node.rss_bytes()
        acked += await say(ann, "bob", 4_500, "x" * 30, 500)
        grown = node.rss_bytes() - rss
        print(f"4,500 unread: grown by {grown / MIB:.1f} MiB; median {pair.median_s() * 1000:.1f}")
        assert grown < 24 * MIB  # write buffers included
        assert pair.median_s() < 0.25
    assert (await operator.status())["tcp_slow_consumers"] == 0
    idle.abort()
    assert await all_arrive(Device(node, "bob", token), acked, 1) == 1
    await ann.leave()
    await operator.close()


async def test_a_device_that_never_reads_long_messages_is_closed_and_gets_all(node: Node) -> None:
    operator = await Operator.sign_in(node)
    ann = await Device(node, "ann", await operator.token("ann")).sign_in()
    token = await operator.token("bob")
    idle = await sleeper(node, "bob", token)
    body = "y" * 30_000
    async with control_pair(node) as pair:
        acked = await say(ann, "bob", 100, body)
        rss = node.rss_bytes()
        acked += await say(ann, "bob", 400, body, 100)
        grown = node.rss_bytes() - rss
        print(f"12 MB unread: grown by {grown / MIB:.1f} MiB; median {pair.median_s() * 1000:.1f}")
        assert grown < 24 * MIB
        assert pair.median_s() < 0.25
    assert (await operator.status())["tcp_slow_consumers"] == 1
    # When it does read, it finds what was on the way, whole, and at the end why; then nothing.
    idle.writer.transport.resume_reading()  # type: ignore[attr-defined]
    frames = await idle.rest()
    assert all(frame["op"] == "msg" for frame in frames[:-1])
    assert [frame["upd"] for frame in frames[:-1]] == list(range(1, len(frames)))
    await idle.close()
    sessions = await all_arrive(Device(node, "bob", token), acked, 1)
    print(f"caught up in {sessions} sessions")
    await ann.leave()
    await operator.close()


async def test_who_was_away_while_megabytes_came_gets_them_in_one_session(
    node: Node, alone: None
) -> None:
    """A backlog much longer than the outbox is no reason to be closed for one who reads."""
    operator = await Operator.sign_in(node)
    ann = await Device(node, "ann", await operator.token("ann")).sign_in()
    token = await operator.token("bob")
    acked = await say(ann, "bob", 300, "z" * (BODY_CHARS_MAX - 10))
    assert 300 * BODY_CHARS_MAX > 10 * OUTBOX_BYTES_MAX
    async with control_pair(node) as pair:
        rss = node.rss_bytes()
        bob = Device(node, "bob", token)
        assert await all_arrive(bob, acked, 1) == 1
        grown = node.rss_bytes() - rss
        print(f"20 MB caught up: grown by {grown / MIB:.1f} MiB")
        assert max(pair.latencies_s) < 1.0
    assert bob.bye is None
    assert (await operator.status())["tcp_slow_consumers"] == 0
    await ann.leave()
    await operator.close()


async def test_pages_of_long_messages_hold_nobody_up_and_are_complete(
    node: Node, alone: None
) -> None:
    """A page is bounded in bytes before it is read, not after."""
    operator = await Operator.sign_in(node)
    ann = await Device(node, "ann", await operator.token("ann")).sign_in()
    await operator.token("bob")
    acked = await say(ann, "bob", 150, "\u20ac" * (BODY_CHARS_MAX - 10))
    async with control_pair(node) as pair:
        await until(lambda: len(pair.acked) > 0)
        rss = node.rss_bytes()
        for limit in (200, 1, 2, 33):
            op = {"op": "history", "conv": "bob", "limit": limit}
            page = (await ann.ask(op))["ok"]
            assert (
                page["more"] and [r["cid"] for r in page["events"]] == acked[-len(page["events"]) :]
            )
        assert [record["cid"] for record in await ann.history("bob")] == acked
        grown = node.rss_bytes() - rss
        print(f"150 pages of 192 KiB: grown by {grown / MIB:.1f} MiB")
        assert grown < 24 * MIB
        assert max(pair.latencies_s) < 1.0
    await ann.leave()
    await operator.close()
