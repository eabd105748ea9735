"""A node that is killed under load, or told to stop: what was acked is there, once, for all."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from random import Random

import pytest

from tests.fault.crowd import Crowd, pause
from tests.fault.node import ALARMS, Node, Operator, running, signal_soon, until

pytestmark = [pytest.mark.fault, pytest.mark.slow]

KILLS = 3
TALKERS = 5


async def kill_and_restart(node: Node) -> None:
    signal_soon(node, signal.SIGKILL)
    await asyncio.to_thread(node.kill)
    await asyncio.to_thread(node.start)


async def test_kills_at_random_points_lose_and_double_nothing(tmp_path: Path) -> None:
    """Three crowds one after the other on one store, each with a node that is killed thrice."""
    rng = Random(20)
    with running(tmp_path / "node", {"chat.entity_idle_s": 1.0}) as node:
        crowd = await Crowd.gather(node, TALKERS, seed=1)
        try:
            for round_number in range(3):
                crowd.start()
                for _ in range(KILLS):
                    await crowd.more_acked(20)
                    await pause(rng.uniform(0.0, 0.25))
                    await kill_and_restart(node)
                await crowd.more_acked(20)
                await crowd.hush()
                total = await crowd.check()
                resent = sum(talker.resent for talker in crowd.talkers)
                duplicates = sum(talker.device.duplicates for talker in crowd.talkers)
                print(
                    f"round {round_number}: {total} messages, {resent} resent, {duplicates} again"
                )
                await crowd.leave()
            assert resent > 0, "no kill has met a message on its way"
        finally:
            await crowd.leave()
        assert node.stop() == 0
        words = node.words()
        assert not any(alarm in words for alarm in ALARMS), words


async def test_sigterm_answers_what_is_under_way_and_says_goodbye(tmp_path: Path) -> None:
    with running(tmp_path / "node") as node:
        crowd = await Crowd.gather(node, TALKERS, seed=2)
        try:
            crowd.start()
            await crowd.more_acked(200)
            assert (node.data / "node.json").exists()
            signal_soon(node, signal.SIGTERM)
            assert await asyncio.to_thread(node.wait) == 0
            assert not (node.data / "node.json").exists()
            byes = [talker.device.bye for talker in crowd.talkers]
            for bye in byes:
                assert bye is not None and bye["code"] == "drain" and bye["reconnect"] == "after"
                assert bye["after_ms"] >= 0
            assert len({bye["after_ms"] for bye in byes if bye}) > 1, "all would come back at once"
            await asyncio.to_thread(node.start)
            await crowd.more_acked(20)
            await crowd.hush()
            assert await crowd.check() >= 200
        finally:
            await crowd.leave()
        assert node.stop() == 0
        words = node.words()
        assert not any(alarm in words for alarm in ALARMS), words


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_idle_node_stops_at_once_and_cleanly(tmp_path: Path, number: int) -> None:
    with running(tmp_path / "node") as node:
        operator = await Operator.sign_in(node)
        began = time.monotonic()
        signal_soon(node, number)
        (bye,) = await operator.wire.rest()
        assert (bye["op"], bye["code"], bye["reconnect"]) == ("bye", "drain", "after")
        await operator.close()
        assert await asyncio.to_thread(node.wait) == 0
        assert time.monotonic() - began < 3.0
        assert node.words() == ""


async def test_a_second_signal_during_the_drain_does_no_harm(tmp_path: Path) -> None:
    with running(tmp_path / "node") as node:
        crowd = await Crowd.gather(node, TALKERS, seed=3)
        try:
            crowd.start()
            await crowd.more_acked(50)
            for _ in range(3):
                signal_soon(node, signal.SIGTERM)
            assert await asyncio.to_thread(node.wait) == 0
            await until(lambda: not any(talker.device.is_open for talker in crowd.talkers))
            await asyncio.to_thread(node.start)
            await crowd.hush()
            await crowd.check()
        finally:
            await crowd.leave()
        assert node.stop() == 0
