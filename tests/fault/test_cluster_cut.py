"""A cluster is cut in two: both parts go on, nothing is lost, and it is whole when it heals."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from actorchat.client import Chat, Sent, connect
from actorchat.ids import SLOTS
from actorchat.limits import LINK_SILENT_S
from nodes.cli.failure import Exit
from nodes.cluster.network import Network, missing
from tests.fault.node import Wire, send
from tests.fault.test_cluster_up import Cluster, cluster
from tests.zookeeper import install

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(180)]

WAIT_S = 30.0
SLACK_S = 3.0  # for cores that are busy
POLL_S = 0.1
KNOCK_S = 0.5
KNOCK = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 7700), float(sys.argv[2]))
except TimeoutError:
    print("silence")
"""


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    if why := missing():
        pytest.skip(why)
    probe = "actorchat-probe"
    done = subprocess.run(
        ["ip", "netns", "add", probe], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no network namespace can be made here: {done.stderr.strip()}")
    subprocess.run(["ip", "netns", "del", probe], check=True)


def left(folder: Path) -> set[str]:
    """Return what there is of a cluster's network: namespaces, and links of the host."""
    network = Network(folder)
    said = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for command in (["ip", "netns", "list"], ["ip", "-o", "link", "show"])
    ]
    return set(re.findall(f"{network.namespace('')}[a-z0-9]+|{network.link}", " ".join(said)))


def is_silent(folder: Path, here: str, there: str) -> bool:
    network = Network(folder)
    knock = [sys.executable, "-c", KNOCK, network.address(there), str(KNOCK_S)]
    done = subprocess.run(network.within(here, knock), capture_output=True, text=True, check=True)
    return done.stdout == "silence\n"


class People:
    """One user at home on each node, connected there, and all that they send each other."""

    def __init__(self, found: Cluster, folder: Path) -> None:
        self.addresses = {name: at["tcp"] for name, at in found.described["nodes"].items()}
        self.operators: dict[str, Chat] = {}
        self.users: dict[str, str] = {}  # by node
        self.tokens: dict[str, str] = {}  # of a second device, by node
        self._key = (folder / "n1" / "operator.key").read_text().strip()
        self._chats: dict[str, Chat] = {}
        self._sent: dict[tuple[str, str], list[str]] = {}
        self._heard: dict[tuple[str, str], list[str]] = {}
        self._ears: list[asyncio.Task[None]] = []

    @contextlib.asynccontextmanager
    async def come(self) -> AsyncIterator[People]:
        async with contextlib.AsyncExitStack() as stack:
            for node, address in self.addresses.items():
                chat = connect(address, user="operator", device=node, operator=self._key)
                self.operators[node] = await stack.enter_async_context(chat)
            for number in range(100):
                # The first by name is whose node has the conversation: n1 has all of its user's.
                user = f"{'a' if 'n1' not in self.users else 'b'}{number}"
                node = (await self.operators["n1"].whereis(user)).home
                if node in self.users or (node != "n1" and "n1" not in self.users):
                    continue
                self.users[node] = user
                token = await self.operators[node].provision(user, device="d")
                self.tokens[node] = str(await self.operators[node].provision(user, device="raw"))
                chat = connect(self.addresses[node], user=user, device="d", token=token)
                self._chats[node] = await stack.enter_async_context(chat)
                self._ears.append(asyncio.create_task(self._listen(node)))
                if len(self.users) == len(self.addresses):
                    break
            try:
                yield self
            finally:
                for ear in self._ears:
                    ear.cancel()
                await asyncio.gather(*self._ears, return_exceptions=True)

    async def _listen(self, node: str) -> None:
        async for message in self._chats[node].messages():
            nodes = {user: name for name, user in self.users.items()}
            heard = self._heard.setdefault((nodes[message.sender], node), [])
            heard.append(message.text)

    def post(self, here: str, there: str) -> asyncio.Future[Sent]:
        """Have the user of one node write to that of another."""
        sent = self._sent.setdefault((here, there), [])
        sent.append(f"{len(sent)} from {here}")
        return self._chats[here].post(self.users[there], sent[-1])

    async def all_heard(self) -> None:
        """See that everybody was told all, once and in order."""
        await until(lambda: all(
            len(self._heard.get(pair, ())) >= len(sent) for pair, sent in self._sent.items()
        ))  # fmt: skip
        assert self._heard == self._sent

    async def refusal(self, here: str, there: str) -> dict[str, Any]:
        """Send as a client that takes a refusal for an answer; return the reply's error."""
        host, port = self.addresses[here].removeprefix("tcp://").split(":")
        wire = Wire(*await asyncio.open_connection(host, int(port)))
        hello = {"op": "hello", "id": 0, "version": 1, "mech": "token", "device": "raw"}
        greeting = await wire.ask({**hello, "user": self.users[here], "secret": self.tokens[here]})
        assert "ok" in greeting, greeting
        reply = await wire.ask(send(1, self.users[there], "refused", bytes(16)))
        wire.abort()
        return dict(reply["err"])

    async def say(self, field: str) -> dict[str, Any]:
        """Return what each node says of one of its numbers."""
        said = await asyncio.gather(*(chat.status() for chat in self.operators.values()))
        return {node: each[field] for node, each in zip(self.operators, said, strict=True)}

    async def until_say(self, field: str, expected: dict[str, Any], wait_s: float = WAIT_S) -> None:
        deadline_s = time.monotonic() + wait_s
        while (said := await self.say(field)) != expected:
            assert time.monotonic() < deadline_s, (field, said)
            await asyncio.sleep(POLL_S)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(POLL_S)


def whole(nodes: list[str]) -> dict[str, str]:
    return {node: " ".join(other for other in nodes if other != node) for node in nodes}


async def cut_and_heal(found: Cluster, folder: Path, majority: list[str]) -> None:
    """Cut n1 off from the others and the registry; heal it when all have seen that."""
    nodes = ["n1", *majority]
    here, there = majority[0], majority[-1]
    async with People(found, folder).come() as people:
        for node in nodes:
            for other in nodes:
                if other != node:
                    await people.post(node, other)
        await people.all_heard()
        led = await people.say("cluster_slots_led")
        assert sum(led.values()) == SLOTS

        await asyncio.to_thread(found.ask, "partition", "1", ",".join([*majority, "registry"]))
        cut_s = time.monotonic()
        crossing = [people.post(here, "n1") for _ in range(3)]
        crossing += [people.post("n1", here) for _ in range(3)]
        assert await asyncio.to_thread(is_silent, folder, "n1", here)
        assert await asyncio.to_thread(is_silent, folder, here, "n1")
        parts = {"n1": "", **whole(majority)}
        await people.until_say("cluster_links", parts, LINK_SILENT_S + SLACK_S)
        assert time.monotonic() - cut_s > LINK_SILENT_S / 2  # nobody told them
        refused = await people.refusal(here, "n1")
        assert (refused["code"], refused["outcome"]) == ("unavailable", "none"), refused
        assert refused["retry"] == "after", refused
        if here != there:
            await people.post(here, there)  # as if nothing had happened
            await people.post(there, here)
        assert not all(post.done() for post in crossing)
        # Nobody leads what another leads, and it is said who waits for whom.
        assert await people.say("cluster_slots_led") == led
        waits = {"n1": " ".join(majority), **dict.fromkeys(majority, "n1")}
        assert await people.say("cluster_waits_for") == waits
        registry = await people.say("cluster_registry")
        assert registry.pop("n1").endswith("goes on, for nobody else has a copy of what it leads")
        assert set(registry.values()) == {"connected"}

        await asyncio.to_thread(found.ask, "heal")
        async with asyncio.timeout(WAIT_S):
            await asyncio.gather(*crossing)
        await people.post(here, "n1")
        await people.post("n1", here)
        await people.all_heard()
        await people.until_say("cluster_links", whole(nodes))
        await people.until_say("cluster_registry", dict.fromkeys(nodes, "connected"))
        await people.until_say("cluster_waits_for", dict.fromkeys(nodes, ""))
        assert await people.say("cluster_slots_led") == led


def entries(found: Cluster, node: str) -> int:
    """Return how many entries a node has made in the registry: one a session."""
    words = found.words.read_text()
    return len(re.findall(f"entry in the registry .*node={node} ", words))


async def test_node_is_cut_off_from_the_others_and_the_registry(tmp_path: Path) -> None:
    with cluster(tmp_path / "c", "-n", "3", "--namespaces") as found:
        assert len(left(tmp_path / "c")) == 6  # three nodes, the registry, the bridge, a link
        await cut_and_heal(found, tmp_path / "c", ["n2", "n3"])
        assert entries(found, "n1") == 2  # its session was lost
        assert "no 'n7'" in found.refused(Exit.USAGE, "partition", "1", "7")
    assert left(tmp_path / "c") == set()


async def test_node_loses_its_session_with_zookeeper_and_comes_back(tmp_path: Path) -> None:
    install()
    folder = tmp_path / "c"
    with cluster(folder, "-n", "2", "--namespaces", "--zookeeper", "local") as found:
        await cut_and_heal(found, folder, ["n2"])
        assert entries(found, "n1") == 2
        assert entries(found, "n2") == 1


def test_nothing_is_left_of_a_cluster_whose_supervisor_was_killed(tmp_path: Path) -> None:
    found = Cluster(tmp_path / "c", "-n", "1", "--namespaces")
    found.process.kill()
    found.process.wait()
    assert found.process.stdout is not None
    found.process.stdout.close()
    assert left(tmp_path / "c")
    assert "had left" in found.ask("stop")
    assert left(tmp_path / "c") == set()
