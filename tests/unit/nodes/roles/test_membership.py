"""Nodes that share a registry become one cluster in this process, and go on without it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from actorchat import ids
from actorchat.actor import ActorSystem, LoopDispatcher
from actorchat.client import connect
from actorchat.cluster.controller import Copied
from actorchat.cluster.controller_actor import CONTROLLER
from actorchat.cluster.drained import drain
from actorchat.cluster.link_key import write_node_key
from actorchat.cluster.memory_registry import MemoryRegistry, MemoryStore
from actorchat.cluster.registry import NotAllowed, RegistryAway
from actorchat.cluster.slots import SlotTable
from actorchat.errors import SettingsError
from actorchat.limits import MOVES_AT_ONCE
from actorchat.settings.cluster import ClusterSection, MemberSettings, member_contradictions
from actorchat.settings.loader import gather
from nodes.cluster.layout import Ports
from nodes.roles.membership import Membership, clients_of, make_registry
from nodes.roles.numbers import MEMBER
from nodes.roles.standalone import Standalone


class Node:
    """A whole node of a cluster in this loop, over a registry in memory."""

    def __init__(self, folder: Path, store: MemoryStore, name: str, **flags: object) -> None:
        links = folder / "links"
        links.mkdir(mode=0o700, exist_ok=True)
        overrides: dict[str, object] = {
            "node.name": name,
            "gateway.tcp.listen": "127.0.0.1:0",
            "auth.argon2_memory_kib": 64,
            "cluster.listen": f"ipc://{links}/{name}",
            "cluster.members_min": 2,
            **flags,
        }
        settings, _ = gather(MemberSettings, member_contradictions, None, {}, overrides)
        self.registry: MemoryRegistry = store.client(call_timeout_s=0.0)
        self.member = Membership(settings, ActorSystem(LoopDispatcher()), self.open_registry)
        self.ended: list[int] = []
        self._settings, self._data = settings, folder / name / settings.node.data_dir
        self.node: Standalone

    def open_registry(self) -> MemoryRegistry:
        return self.registry

    async def start(self) -> None:
        await self.member.enter()
        self._data.mkdir(parents=True)
        self.node = Standalone(
            self._settings, self._data, "key", self.ended.append, member=self.member
        )
        await self.node.start()

    @property
    def report(self) -> dict[str, int | str]:
        return self.node.report()


@contextlib.asynccontextmanager
async def running(*nodes: Node) -> AsyncIterator[None]:
    await asyncio.gather(*(node.start() for node in nodes))
    try:
        yield
    finally:
        await asyncio.gather(*(node.node.stop() for node in nodes))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20.0):
        while not condition():
            await asyncio.sleep(0)


async def write_to_each_other(at_ann: str, at_bob: str) -> None:
    """Have ann and bob sign in at two nodes, and write; the operator comes in where ann does."""
    tokens = {}
    async with connect(at_ann, user="operator", device="cli", operator="key") as operator:
        for user in ("ann", "bob"):
            tokens[user] = await operator.provision(user, device="phone")
    async with (
        connect(at_ann, user="ann", device="phone", token=tokens["ann"]) as ann,
        connect(at_bob, user="bob", device="phone", token=tokens["bob"]) as bob,
    ):
        for chat, other in ((ann, bob), (bob, ann)):
            await chat.send(other.welcome.user, "hello")
            async for message in other.messages():
                assert (message.sender, message.text) == (chat.welcome.user, "hello")
                break


async def test_two_nodes_share_the_slots_and_know_each_other(tmp_path: Path) -> None:
    store = MemoryStore()
    one, other = Node(tmp_path, store, "n1"), Node(tmp_path, store, "n2")
    async with running(one, other):
        assert one.report["cluster_slots_led"] == other.report["cluster_slots_led"] == 512
        assert one.report["cluster_links"] == "n2"
        assert one.report["cluster_registry"] == "connected"
        assert one.node.why_not_ready() == ""
        homes = [one.member.home(f"u{number}") for number in range(50)]
        assert homes == [other.member.home(f"u{number}") for number in range(50)]
        assert {home for _, home, _ in homes} == {"n1", "n2"}
        assert all(0 <= slot < ids.SLOTS and epoch == 1 for slot, _, epoch in homes)
        await until(lambda: one.member.loads.keys() == {"n2"} and one.member.loads["n2"].is_open)
        (name,) = one.member.loads
        assert one.member.loads[name].clients == other.node.tcp_address
        located = one.member.locate("ann", "", "127.0.0.1")
        assert located["node"] in {"n1", "n2"} and located["home"] == one.member.home("ann")[1]
        assert located["node"] == located["home"]  # both are as good; home is better
        assert other.member.locate("ann", "", "127.0.0.1") == located
        text = one.node._numbers.text().decode()
        for metric in MEMBER:
            assert f"\nactorchat_cluster_{metric.name}" in text
        assert "\nactorchat_cluster_slots_led 512.0" in text
    assert one.ended == other.ended == []
    assert one.registry.state == "closed"


async def test_clients_are_sent_to_their_region(tmp_path: Path) -> None:
    store = MemoryStore()
    regions = {"cluster.regions": "us=192.0.2.0/24 eu=198.51.100.0/24"}
    one = Node(tmp_path, store, "n1", **regions, **{"node.region": "eu"})
    other = Node(tmp_path, store, "n2", **regions, **{"node.region": "us"})
    async with running(one, other):
        await until(lambda: one.member.loads.keys() == {"n2"} and one.member.loads["n2"].is_open)
        at = [
            one.member.locate("ann", region, source)["node"]
            for region, source in (("eu", ""), ("us", ""), ("", "192.0.2.7"), ("", "203.0.113.1"))
        ]
        assert at == ["n1", "n2", "n2", "n1"]
        assert one.member.locate("ann", "us", "198.51.100.1")["addresses"] == [
            other.node.tcp_address
        ]


def test_address_of_every_interface_is_no_clients_address() -> None:
    assert clients_of(["tcp://0.0.0.0:1", "ws://[::]:2", "tcp://192.0.2.1:3"]) == (
        "tcp://192.0.2.1:3"
    )


async def test_they_go_on_while_the_registry_is_away_or_the_session_lost(tmp_path: Path) -> None:
    store = MemoryStore()
    one, other = Node(tmp_path, store, "n1"), Node(tmp_path, store, "n2")
    async with running(one, other):
        for node in (one, other):
            node.registry.suspend()
        assert str(one.report["cluster_registry"]).startswith("suspended; goes on")
        assert one.report["cluster_slots_led"] == 512
        for node in (one, other):
            node.registry.recover()
        one.registry.expire()
        await until(lambda: one.registry.state == "connected")
        await until(lambda: one.report["cluster_members"] == 2)
        assert one.report["cluster_links"] == "n2"  # the same link: the process is the same
        assert other.member.mesh.nodes() == {"n1": one.member.mesh.incarnation}
        assert one.member.home("ann") == other.member.home("ann")


async def test_slots_of_a_node_that_left_wait_for_it_and_status_says_so(tmp_path: Path) -> None:
    store = MemoryStore()
    one, other = Node(tmp_path, store, "n1"), Node(tmp_path, store, "n2")
    await asyncio.gather(one.start(), other.start())
    try:
        await other.node.stop()
        await until(lambda: one.report["cluster_links"] == "")
        assert one.report["cluster_slots_waiting"] == 512
        assert one.report["cluster_waits_for"] == "n2"
        again = Node(tmp_path, store, "n2", **{"node.data_dir": "again"})
        async with running(again):
            await until(lambda: one.report["cluster_slots_waiting"] == 0)
            assert again.report["cluster_slots_led"] == 512
    finally:
        await one.node.stop()


async def test_gateway_leads_nothing_and_is_found_all_the_same(tmp_path: Path) -> None:
    store = MemoryStore()
    one = Node(tmp_path, store, "n1", **{"cluster.members_min": 1})
    gate = Node(tmp_path, store, "g1", **{"cluster.role": "gateway"})
    async with running(one, gate):
        assert gate.report["cluster_slots_led"] == 0
        assert one.report["cluster_slots_led"] == ids.SLOTS
        assert gate.report["cluster_role"] == "gateway"
        assert gate.member.home("ann")[1] == "n1"
        before = gate.node._broker.counts()["log_appends"]
        await write_to_each_other(gate.node.tcp_address, one.node.tcp_address)
        counts = gate.node._broker.counts()
        assert (counts["users"], counts["conversations"]) == (0, 0)
        assert counts["log_appends"] == before <= 1  # it looks once what has gone from its index


async def test_node_that_is_told_to_end_before_there_is_a_table_can_leave(tmp_path: Path) -> None:
    one = Node(tmp_path, MemoryStore(), "n1")
    starting = asyncio.ensure_future(one.start())
    await until(lambda: one.registry.state == "connected" and hasattr(one, "node"))
    await until(lambda: one.member._root is not None)
    assert one.member._missing() == "no table of slots yet"
    assert one.node.why_not_ready() == "not listening"
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await one.node.stop()


async def test_links_over_tcp_take_a_key(tmp_path: Path) -> None:
    store = MemoryStore()
    where = f"tcp://127.0.0.1:{Ports().take(0)}"
    listen = {"cluster.listen": where}
    with pytest.raises(SettingsError, match="node key"):
        Node(tmp_path, store, "n1", **listen, **{"cluster.key_file": str(tmp_path / "none")})
    public = write_node_key(tmp_path / "n1.key")
    node = Node(tmp_path, store, "n1", **listen, **{"cluster.key_file": str(tmp_path / "n1.key")})
    assert node.member._member().key == public
    assert node.member._member().address == where
    await node.member.leave()


async def test_registry_that_refuses_this_node_ends_it(tmp_path: Path) -> None:
    one = Node(tmp_path, MemoryStore(), "n1")

    async def refuse() -> None:
        raise NotAllowed("another secret")

    one.registry.start = refuse  # type: ignore[method-assign]
    with pytest.raises(SettingsError, match="does not let this node in: another secret"):
        await one.member.enter()
    await one.member.leave()


async def test_registry_that_is_away_at_the_start_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodes.roles.membership.RETRY_S", 0)
    store = MemoryStore()
    one = Node(tmp_path, store, "n1", **{"cluster.members_min": 1})
    there = one.registry
    tried: list[MemoryRegistry] = []

    async def be_away() -> None:
        raise RegistryAway("nobody is there", "none")

    def open_registry() -> MemoryRegistry:
        registry = there if len(tried) == 3 else store.client(call_timeout_s=0.0)
        if registry is not there:
            registry.start = be_away  # type: ignore[method-assign]
        tried.append(registry)
        return registry

    one.member._open_registry = open_registry
    async with running(one):
        assert len(tried) == 4  # one that could not be started is of no more use
        assert one.report["cluster_registry"] == "connected"


async def test_node_that_never_reached_its_registry_can_leave(tmp_path: Path) -> None:
    one = Node(tmp_path, MemoryStore(), "n1")
    await one.member.leave()
    await one.member.system.stop()


async def test_nodes_of_different_machines_prove_who_they_are(tmp_path: Path) -> None:
    store, ports, nodes = MemoryStore(), Ports(), []
    for name in ("n1", "n2"):
        write_node_key(tmp_path / f"{name}.key")
        flags = {
            "cluster.listen": f"tcp://127.0.0.1:{ports.take(0)}",
            "cluster.key_file": str(tmp_path / f"{name}.key"),
        }
        nodes.append(Node(tmp_path, store, name, **flags))
    async with running(*nodes):
        one, other = nodes
        assert one.report["cluster_links"] == "n2"
        assert one.member.neighbours.members["n2"].key == other.member._member().key
        assert one.report["cluster_slots_led"] == 512


def test_registry_of_the_settings_needs_files_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="registry_ca_file"):
        make_registry(ClusterSection(registry_ca_file=str(tmp_path / "none")))
    with pytest.raises(SettingsError, match=r"registry\.key_file"):
        make_registry(ClusterSection(registry_key_file=str(tmp_path / "none")))


async def test_broker_hears_of_other_leaders_and_places_of_other_epochs(tmp_path: Path) -> None:
    store = MemoryStore()
    one, other = Node(tmp_path, store, "n1"), Node(tmp_path, store, "n2")
    async with running(one, other):
        member, heard = one.member, list[list[int]]()
        member.reach._on_table = heard.append
        table, turn = member.table.table, member.reach.turn

        def see(number: int, **changes: object) -> None:
            nonlocal table
            slots = list(table.slots)
            slots[number] = msgspec.structs.replace(slots[number], **changes)
            table = SlotTable(tuple(slots), table.version + 1, table.controller)
            member.table.table = table
            member._on_table(table, [number])

        number = next(n for n, slot in enumerate(table.slots) if slot.leader == "n1")
        see(number, coming=("n2",))  # nobody goes anywhere yet
        assert (heard, member.reach.turn) == ([], turn)
        assert one.report["cluster_slots_leaving"] == 1
        see(number, coming=(), epoch=2)  # given up
        assert (heard, member.reach.turn) == ([], turn + 1)
        see(number, leader="n2", epoch=3)
        assert (heard, member.reach.turn) == ([[number]], turn + 2)
        assert one.report["cluster_slots_leaving"] == 0


async def test_status_says_who_is_drained_and_what_moves(tmp_path: Path) -> None:
    store = MemoryStore()
    one, other = Node(tmp_path, store, "n1"), Node(tmp_path, store, "n2")
    async with running(one, other):
        assert other.report["cluster_drained"] == 0
        await drain(one.registry, "n2")
        await until(lambda: other.report["cluster_drained"] == 1)
        await until(lambda: one.report["cluster_slots_coming"] == MOVES_AT_ONCE)
        await until(lambda: other.report["cluster_slots_leaving"] == MOVES_AT_ONCE)
        assert one.report["cluster_drained"] == 0
        candidate = one.member.system.names.whereis(CONTROLLER)
        assert candidate is not None
        for number, slot in enumerate(one.member.table.table.slots):
            if slot.coming:
                candidate.tell(Copied(number, slot.epoch, "n1"))
                other.member.reach.named("n2", CONTROLLER).tell(Copied(number, slot.epoch, "n1"))
        await until(lambda: one.report["cluster_slots_led"] == 512 + MOVES_AT_ONCE)
