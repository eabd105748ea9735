"""Registries that crash, stop, come late or say things twice; a cluster's services over each."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from actorchat.actor import ActorSystem, LoopDispatcher
from actorchat.cluster.controller import Controller
from actorchat.cluster.controller_actor import CONTROLLERS, ControllerActor
from actorchat.cluster.member import Registration, read_members
from actorchat.cluster.registry import (
    NotAllowed,
    Registry,
    RegistryAway,
    create,
    ensure,
    put,
)
from actorchat.cluster.registry_client import RegistryClient
from actorchat.cluster.registry_machine import proof
from actorchat.cluster.slots import Member
from actorchat.cluster.table_cache import TableCache
from actorchat.protocol import codec
from actorchat.protocol.framing import FrameSplitter, frame
from tests.conformance.registry_peers import (
    KEY,
    ActorPeer,
    Bell,
    Diary,
    Peer,
    ZooKeeperPeer,
    until,
)
from tests.conformance.test_registries import AsyncOpen, ensemble_of, opening, peer
from tests.zookeeper import Ensemble

__all__ = ["ensemble_of", "opening", "peer"]  # fixtures


# -- a cluster over each --------------------------------------------------------------------------


async def test_members_controller_and_tables_work_over_every_registry(
    peer: Peer, opening: AsyncOpen
) -> None:
    system = ActorSystem(LoopDispatcher())
    registries = [await opening() for _ in range(3)]
    registrations, caches = [], []
    for number, registry in enumerate(registries):
        member = Member(f"n{number}", zone=f"z{number}", address=f"tcp://127.0.0.1:{number}")
        registrations.append(Registration(registry, member, lambda _: None))
        registrations[-1].start()
        caches.append(TableCache(registry))
        caches[-1].start()
    # All are there before the first table is made, or it would be the first one's alone.
    await until(lambda: all(registration.incarnation for registration in registrations))
    for number, registry in enumerate(registries):
        system.spawn(ControllerActor, registry, f"n{number}", Controller(300, 2))
    await until(lambda: all(len({s.leader for s in c.table.slots}) == 3 for c in caches))
    await until(lambda: caches[0].table == caches[1].table == caches[2].table)
    names = await registries[1].children(CONTROLLERS)
    elected = await registries[1].get(f"{CONTROLLERS}/{names[0]}")
    assert elected is not None
    gone = int(elected.value.decode()[1])
    await registries[gone].close()
    left = [cache for number, cache in enumerate(caches) if number != gone]
    # Another is elected, and every slot of the one that went has a leader that had its copy.
    await until(lambda: all(c.table.controller == 2 for c in left))
    await until(lambda: all(f"n{gone}" not in {s.leader for s in c.table.slots} for c in left))
    there = await read_members(registries[(gone + 1) % 3])
    assert sorted(member.name for member in there) == sorted({"n0", "n1", "n2"} - {f"n{gone}"})
    for service in (*registrations, *caches):
        await service.close()
    await system.stop()


# -- our own, in this process ---------------------------------------------------------------------


def is_replaced(peer: ActorPeer, actor: object) -> bool:
    return peer.system.names.whereis("registry") not in {None, actor}


async def test_registry_that_crashes_is_built_again_and_sessions_go_on(tmp_path: Path) -> None:
    peer = await ActorPeer(tmp_path / "registry").start()
    client = peer.client()
    diary = Diary(client)
    await client.start()
    await create(client, "/kept", b"1")
    await create(client, "/mine", ephemeral=True)
    bell = Bell()
    await client.watch("/kept", bell)
    for _ in range(2):
        actor = peer.system.names.whereis("registry")
        assert actor is not None
        actor.tell(object)  # not a message: nothing happens
        actor.kill()
        await until(partial(is_replaced, peer, actor))
        found = await client.get("/mine")
        assert found is not None and found.owner == client.session
        await bell.ring()
    await put(client, "/kept", b"2")
    await bell.ring()
    assert diary.kinds == ["Connected"] + ["Suspended", "Recovered"] * 2
    await client.close()
    await peer.stop()


async def test_everything_is_there_after_a_restart_and_the_absent_are_given_up(
    tmp_path: Path,
) -> None:
    peer = await ActorPeer(tmp_path / "registry").start()
    stays, leaves = peer.client(timeout_s=2.0), peer.client(timeout_s=2.0)
    await stays.start()
    await leaves.start()
    await ensure(stays, "/members/deep")
    await create(stays, "/members/stays", ephemeral=True)
    await create(leaves, "/members/leaves", ephemeral=True)
    port = peer.addresses["bound"][1]
    await peer.stop()
    await leaves._end()  # its process has gone meanwhile, without a word
    again = ActorPeer(tmp_path / "registry")
    again.addresses["bound"] = ("127.0.0.1", port)
    await again.start()
    assert await stays.children("/members") == ["deep", "leaves", "stays"]
    bell = Bell()
    await stays.watch("/members", bell, children=True)
    await bell.ring()
    assert await stays.children("/members") == ["deep", "stays"]
    await stays.close()
    await again.stop()


async def test_stranger_and_strange_bytes_are_sent_away(tmp_path: Path) -> None:
    peer = await ActorPeer(tmp_path / "registry").start()
    host, port = peer.addresses["bound"]
    stranger = RegistryClient(host, port, key=b"a guess", call_timeout_s=1.0)
    with pytest.raises(NotAllowed):
        await stranger.start()
    for said in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, frame(b"\xff"), frame(b"x" * 5_000)):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(said)
        async with asyncio.timeout(20):
            await reader.read()  # the challenge, then the end
            assert reader.at_eof() or await reader.read() == b""
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    client = peer.client()
    await client.start()
    await client.close()
    await peer.stop()


# -- a registry that answers late, or twice, or something else ------------------------------------


class Trickster:
    """Speaks the registry's protocol, and answers requests as a test says."""

    def __init__(self, answers: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> None:
        self._answers = answers
        self.writers: list[asyncio.StreamWriter] = []
        self.key = KEY
        self._server: asyncio.Server

    async def start(self) -> RegistryClient:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        return RegistryClient("127.0.0.1", port, key=KEY, timeout_s=3.0, call_timeout_s=0.4)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.say(writer, {"nonce": b"n" * 16, "version": 1})
        splitter = FrameSplitter()
        while data := await reader.read(65_536):
            for payload in splitter.feed(data, 1 << 20):
                said = codec.decode(payload)
                if said["do"] == "hello":
                    mine = proof(self.key, b"registry", said["nonce"], b"n" * 16)
                    granted = {"session": 7, "secret": b"s", "timeout_s": 3.0, "proof": mine}
                    self.say(writer, {"re": said["id"], "ok": granted})
                elif said["do"] in {"ping", "close"}:
                    self.say(writer, {"re": said["id"], "ok": {}})
                else:
                    for answer in self._answers(said):
                        self.say(writer, answer)
        writer.close()

    def say(self, writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
        writer.write(frame(codec.encode(message)))

    async def stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()
        await asyncio.sleep(0.05)


async def test_answer_that_comes_twice_counts_once() -> None:
    def twice(said: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"re": said["id"], "ok": {"results": [said["id"]]}}] * 2

    trickster = Trickster(twice)
    client = await trickster.start()
    await client.start()
    results = [await put(client, "/a", b"") for _ in range(5)]
    assert len(set(results)) == 5
    await until(lambda: client.strays == 5)
    await client.close()
    await trickster.stop()


async def test_answer_that_comes_late_is_not_taken_for_another() -> None:
    late: list[dict[str, Any]] = []

    def lagging(said: dict[str, Any]) -> list[dict[str, Any]]:
        late.append({"re": said["id"], "ok": {"results": [said["id"]]}})
        return late if len(late) > 1 else []

    trickster = Trickster(lagging)
    client = await trickster.start()
    await client.start()
    with pytest.raises(RegistryAway) as unknown:
        await put(client, "/a", b"")
    assert unknown.value.outcome == "unknown"
    assert await put(client, "/a", b"") == late[1]["re"]
    assert client.strays == 1
    assert client.state == "connected"
    await client.close()
    await trickster.stop()


@pytest.mark.parametrize(
    "answer",
    [
        {"ok": {"results": "?"}},
        {"ok": 7},
        {"err": 7},
        {"err": {"code": "unheard of"}},
    ],
)
async def test_answer_that_is_none_leaves_the_outcome_open(answer: dict[str, Any]) -> None:
    trickster = Trickster(lambda said: [{"re": said["id"], **answer}])
    client = await trickster.start()
    await client.start()
    with pytest.raises(Exception, match=r".") as failed:
        await put(client, "/a", b"")
    assert getattr(failed.value, "code", "") in {"registry_away", "bad_frame"}
    await client.close()
    await trickster.stop()


async def test_registry_that_does_not_prove_itself_is_not_believed() -> None:
    trickster = Trickster(lambda _: [])
    trickster.key = b"another"
    client = await trickster.start()
    with pytest.raises(NotAllowed):
        await client.start()
    await trickster.stop()


async def test_nobody_there_is_said_so_in_time() -> None:
    client = RegistryClient("127.0.0.1", 9, call_timeout_s=0.3)
    with pytest.raises(RegistryAway) as away:
        await client.start()
    assert away.value.outcome == "none"


# -- a real ZooKeeper -----------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def opened(
    ensemble: Ensemble, timeout_s: float, call_timeout_s: float = 15.0
) -> AsyncIterator[tuple[Registry, Diary]]:
    registry = ZooKeeperPeer(ensemble).client(timeout_s, call_timeout_s)
    diary = Diary(registry)
    await registry.start()
    try:
        yield registry, diary
    finally:
        await registry.close()


@pytest.mark.slow
async def test_leader_of_the_ensemble_is_killed_and_the_session_goes_on(
    ensemble_of: Callable[[int], Ensemble],
) -> None:
    ensemble = ensemble_of(3)
    async with opened(ensemble, 6.0) as (registry, diary):
        await create(registry, "/mine", ephemeral=True)
        await create(registry, "/n", b"0")
        bell = Bell()
        await registry.watch("/n", bell)
        leader = ensemble.leader
        leader.kill()
        try:
            while True:
                try:
                    await put(registry, "/n", b"1")
                    break
                except RegistryAway:
                    await asyncio.sleep(0.1)
            await bell.ring()
            found = await registry.get("/mine")
            assert found is not None and found.owner == registry.session
            assert "Lost" not in diary.kinds
            assert registry.lease_end_s > asyncio.get_running_loop().time()
        finally:
            leader.start()
            await asyncio.to_thread(leader.wait_until_ready)


@pytest.mark.slow
async def test_zookeeper_that_stops_is_suspended_and_its_lease_runs_out(
    ensemble_of: Callable[[int], Ensemble],
) -> None:
    ensemble = ensemble_of(1)
    loop = asyncio.get_running_loop()
    async with opened(ensemble, 2.0, call_timeout_s=5.0) as (registry, diary):
        await create(registry, "/mine", ephemeral=True)
        ensemble.servers[0].signal(signal.SIGSTOP)
        try:
            await until(lambda: registry.lease_end_s < loop.time())
            await until(lambda: registry.state == "suspended")
            with pytest.raises(RegistryAway):
                async with asyncio.timeout(20.0):
                    await registry.get("/mine")
        finally:
            ensemble.servers[0].signal(signal.SIGCONT)
        await until(lambda: registry.state == "connected")
        assert diary.kinds[:2] == ["Connected", "Suspended"]
        # Whether the session lived through it is the server's to say; both are told rightly.
        found = await registry.get("/mine")
        assert (found is None) == ("Lost" in diary.kinds)


@pytest.mark.slow
async def test_session_that_the_ensemble_ended_is_lost_and_a_new_one_begins(
    ensemble_of: Callable[[int], Ensemble],
) -> None:
    ensemble = ensemble_of(1)
    async with opened(ensemble, 2.0) as (registry, diary):
        await create(registry, "/mine", ephemeral=True)
        first = registry.session
        bell = Bell()
        await registry.watch("/mine", bell)
        _end_session(ensemble, registry)
        await until(lambda: "Lost" in diary.kinds and registry.state == "connected")
        assert registry.session != first
        await bell.ring()
        assert await registry.get("/mine") is None
        await create(registry, "/mine", ephemeral=True)
        await until(lambda: bell.rung >= 2)


def _end_session(ensemble: Ensemble, registry: Any) -> None:
    """End a client's session from outside, as its timeout would: by a second client of it."""
    from kazoo.client import KazooClient

    twin = KazooClient(ensemble.hosts, client_id=registry._kazoo.client_id)
    twin.start()
    twin.stop()
    twin.close()


@pytest.mark.slow
async def test_timeout_that_the_server_grants_is_the_one_that_the_lease_counts(
    ensemble_of: Callable[[int], Ensemble],
) -> None:
    loop = asyncio.get_running_loop()
    async with opened(ensemble_of(1), 1_000.0) as (registry, _):
        assert registry.lease_end_s - loop.time() <= 10.0 * 2 / 3  # 20 ticks of half a second
