"""An operator sees what the actors of a real node do, and it goes on serving meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fault.node import ALARMS, ROOT, Node, Operator, Wire, control_pair, running, until

pytestmark = pytest.mark.fault

SIGNALS = 5
BURST = 50


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running(tmp_path_factory.mktemp("actors") / "node") as node:
        yield node
        assert node.stop() == 0
        assert not any(alarm in node.words() for alarm in ALARMS)


def look(node: Node, *arguments: str) -> list[dict[str, Any]]:
    """Run `actorchat actors …`; return the objects it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "nodes.cli", "actors", *arguments, "--json"],
        cwd=ROOT,
        env={**os.environ, "ACTORCHAT_DATA": str(node.data)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def logged(words: str) -> list[dict[str, Any]]:
    """Return the log lines among what a node said."""
    return [json.loads(line) for line in words.splitlines() if line.startswith("{")]


async def test_tree_top_and_info_agree_while_users_talk(node: Node) -> None:
    async with control_pair(node) as pair:
        await until(lambda: len(pair.acked) > 0)
        tree = look(node, "tree", "--count", "50")
        labels = [line["label"] for line in tree]
        assert labels[0] == "Root"
        assert {"Supervisor 'broker'", "NamedSupervisor 'sessions'"} <= set(labels)
        assert labels.count("SessionActor") >= 3  # the pair's two and the one that asks
        assert labels.count("UserActor") == 2 and "ConversationActor" in labels
        for by, field in (
            ("queue", "queued"),
            ("reductions", "handled"),
            ("memory", "memory_bytes"),
        ):
            values = [actor[field] for actor in look(node, "top", "--by", by)]
            assert values == sorted(values, reverse=True), by
        busiest = look(node, "top", "--by", "reductions", "-n", "1")[0]
        (info,) = look(node, "info", str(busiest["id"]))
        assert (info["label"], info["supervisor"]) == (busiest["label"], busiest["supervisor"])
        assert info["handled"] >= busiest["handled"]
        (sessions,) = look(node, "info", "sessions")
        assert (sessions["name"], sessions["supervisor"]) == ("sessions", "Supervisor")


async def test_a_thousand_connections_are_cut_in_the_tree_and_cost_one_short_answer(
    node: Node,
) -> None:
    wires = [await Wire.open(node) for _ in range(1_000)]
    operator = await Operator.sign_in(node)
    shown: dict[str, Any] = {}

    async def are_all_there() -> bool:
        shown.update((await operator.ask("actors", view="tree", count=3))["ok"])
        lines = [line for line in shown["actors"] if line["label"] == "NamedSupervisor 'sessions'"]
        return lines[0]["more"] >= 998

    try:
        await until(are_all_there)
        assert len(shown["actors"]) < 40 and shown["total"] > 1_000
        top = (await operator.ask("actors", view="top", by="memory", count=50))["ok"]
        assert len(top["actors"]) == 50
    finally:
        await operator.close()
        for wire in wires:
            wire.abort()


async def test_an_operators_mistake_is_answered_and_a_user_is_shown_nothing(node: Node) -> None:
    operator = await Operator.sign_in(node)
    mallory = await Wire.open(node)
    assert "ok" in await mallory.sign_in("mallory", await operator.token("mallory"))
    for view in ("tree", "top", "info"):
        op = {"op": "actors", "id": 1, "view": view, "who": "broker"}
        reply = await mallory.ask(op)
        assert (reply["err"]["code"], reply["err"]["outcome"]) == ("forbidden", "none")
    for wrong in ({"view": "all"}, {"view": "info"}, {"view": "top", "count": 51}, {}):
        assert (await operator.ask("actors", **wrong))["err"]["code"] == "bad_request"
    reply = await operator.ask("actors", view="info", who="\x1b[2J")
    assert reply["err"]["code"] == "no_such_actor"
    await operator.close()
    await mallory.close()


async def test_sigusr1_shows_every_thread_and_then_the_actors_and_the_node_goes_on(
    node: Node,
) -> None:
    async with control_pair(node):
        node.new_words()
        words = ""
        for number in range(1, SIGNALS + 1):
            os.kill(node.pid, signal.SIGUSR1)

            def is_logged(number: int = number) -> bool:
                nonlocal words
                words += node.new_words()
                return words.count("actors at this moment") == number

            await until(is_logged)
        assert words.count("Thread MainThread (0x") == SIGNALS
        assert words.count("Thread store-sync (0x") == SIGNALS
        counts = [line for line in logged(words) if line["event"] == "actors at this moment"]
        assert all(line["actors"] > 5 and line["level"] == "warning" for line in counts)
        for _ in range(BURST):
            os.kill(node.pid, signal.SIGUSR1)
            await asyncio.sleep(0)  # the pair goes on talking meanwhile
        await until(lambda: "actors at this moment" in node.new_words())
    assert node.is_running()
