"""The battery that every registry passes unchanged: in memory, our own, ZooKeeper."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from actorchat.cluster.registry import (
    BadRequest,
    BadVersion,
    Check,
    Connected,
    Create,
    Delete,
    EntryExists,
    EphemeralParent,
    NoEntry,
    NotEmpty,
    Op,
    Put,
    Registry,
    RegistryClosed,
    RegistryRefusal,
    create,
    delete,
    ensure,
    put,
)
from actorchat.limits import REGISTRY_OPS_MAX, REGISTRY_VALUE_BYTES_MAX
from tests.conformance.registry_peers import (
    ActorPeer,
    Bell,
    Diary,
    MemoryPeer,
    Peer,
    ZooKeeperPeer,
    until,
)
from tests.zookeeper import Ensemble, running_ensemble

SERVERS = {"zookeeper": 1, "ensemble": 3}


@pytest.fixture(scope="module")
def ensemble_of() -> Iterator[Callable[[int], Ensemble]]:
    """ZooKeepers by their number of servers, each started when it is first asked for."""
    found: dict[int, Ensemble] = {}
    with ExitStack() as stack:

        def start(count: int) -> Ensemble:
            if count not in found:
                found[count] = stack.enter_context(running_ensemble(count))
            return found[count]

        yield start


@pytest_asyncio.fixture(params=["memory", "actor", *SERVERS])
async def peer(
    request: pytest.FixtureRequest, tmp_path: Path, ensemble_of: Callable[[int], Ensemble]
) -> AsyncIterator[Peer]:
    found: Peer
    if request.param == "memory":
        found = MemoryPeer()
    elif request.param == "actor":
        found = await ActorPeer(tmp_path / "registry").start()
    else:
        found = ZooKeeperPeer(ensemble_of(SERVERS[request.param]))
    yield found
    await found.stop()


class AsyncOpen:
    """Opens registries, and closes those that a test left open."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._opened: list[Registry] = []

    async def __call__(self, timeout_s: float = 4.0) -> Registry:
        registry = self._peer.client(timeout_s)
        self._opened.append(registry)
        await registry.start()
        return registry

    async def close(self) -> None:
        for registry in self._opened:
            await registry.close()


@pytest_asyncio.fixture
async def opening(peer: Peer) -> AsyncIterator[AsyncOpen]:
    found = AsyncOpen(peer)
    yield found
    await found.close()


@pytest_asyncio.fixture
async def registry(opening: AsyncOpen) -> Registry:
    return await opening()


# -- entries --------------------------------------------------------------------------------------


async def test_entry_is_made_read_changed_and_deleted(registry: Registry) -> None:
    assert await registry.get("/a") is None
    assert await create(registry, "/a", b"one") == "/a"
    first = await registry.get("/a")
    assert first is not None
    assert (first.path, first.value, first.version, first.owner) == ("/a", b"one", 0, 0)
    assert first.created == first.changed > 0
    assert await put(registry, "/a", b"two") == 1
    second = await registry.get("/a")
    assert second is not None
    assert (second.value, second.version, second.created) == (b"two", 1, first.created)
    assert second.changed > first.changed
    await delete(registry, "/a")
    assert await registry.get("/a") is None


async def test_entry_that_is_made_again_is_another_one(registry: Registry) -> None:
    await create(registry, "/a")
    first = await registry.get("/a")
    await delete(registry, "/a")
    await create(registry, "/a")
    second = await registry.get("/a")
    assert first is not None and second is not None
    assert second.created > first.created
    assert second.version == 0


async def test_children_are_sorted_names(registry: Registry) -> None:
    await ensure(registry, "/top/b")
    await ensure(registry, "/top/a/deep")
    assert await registry.children("/top") == ["a", "b"]
    assert await registry.children("/top/b") == []
    assert await registry.children("/") == ["top"]
    with pytest.raises(NoEntry):
        await registry.children("/nobody")


async def test_ensure_of_what_is_there_changes_nothing(registry: Registry) -> None:
    await ensure(registry, "/a/b")
    await put(registry, "/a/b", b"kept")
    await ensure(registry, "/a/b")
    await ensure(registry, "/")
    found = await registry.get("/a/b")
    assert found is not None and found.value == b"kept"


@pytest.mark.parametrize(
    ("op", "refusal"),
    [
        (Create("/there"), EntryExists),
        (Create("/nobody/below"), NoEntry),
        (Create("/mine/below"), EphemeralParent),
        (Put("/nobody", b""), NoEntry),
        (Put("/there", b"", 7), BadVersion),
        (Delete("/nobody"), NoEntry),
        (Delete("/there", 7), BadVersion),
        (Delete("/full"), NotEmpty),
        (Check("/nobody"), NoEntry),
        (Check("/there", 7), BadVersion),
    ],
    ids=lambda value: value.code if isinstance(value, type) else type(value).__name__,
)
async def test_what_can_not_be_done_is_refused_by_its_name(
    registry: Registry, op: Op, refusal: type[RegistryRefusal]
) -> None:
    await ensure(registry, "/there")
    await ensure(registry, "/full/child")
    await create(registry, "/mine", ephemeral=True)
    with pytest.raises(refusal) as refused:
        await registry.multi([op])
    assert type(refused.value) is refusal
    assert refused.value.outcome == "none"


@pytest.mark.parametrize(
    "path", ["", "a", "/a/", "//", "/a//b", "/.", "/a/../b", "/ä", "/a b", "/" + "x" * 81, "/a" * 9]
)
async def test_path_that_no_registry_would_take_is_refused(registry: Registry, path: str) -> None:
    with pytest.raises(BadRequest):
        await create(registry, path)
    with pytest.raises(BadRequest):
        await registry.get(path)


async def test_too_much_at_once_is_refused(registry: Registry) -> None:
    with pytest.raises(BadRequest):
        await create(registry, "/a", b"x" * (REGISTRY_VALUE_BYTES_MAX + 1))
    with pytest.raises(BadRequest):
        await registry.multi([Check("/")] * (REGISTRY_OPS_MAX + 1))
    with pytest.raises(BadRequest):
        await registry.multi([])
    await create(registry, "/a", b"x" * REGISTRY_VALUE_BYTES_MAX)
    found = await registry.get("/a")
    assert found is not None and len(found.value) == REGISTRY_VALUE_BYTES_MAX


# -- transactions ---------------------------------------------------------------------------------


async def test_transaction_does_all(registry: Registry) -> None:
    await create(registry, "/old", b"")
    done = await registry.multi(
        [Create("/a", b"1"), Put("/old", b"2", 0), Check("/a", 0), Create("/b"), Delete("/b")]
    )
    assert done == ["/a", 1, None, "/b", None]
    assert await registry.children("/") == ["a", "old"]


async def test_transaction_does_nothing_if_one_can_not_be_done(registry: Registry) -> None:
    await create(registry, "/old", b"was")
    ops = [Create("/a"), Put("/old", b"new"), Delete("/old"), Check("/nobody"), Create("/b")]
    with pytest.raises(NoEntry) as refused:
        await registry.multi(ops)
    assert refused.value.index == 3
    assert await registry.children("/") == ["old"]
    found = await registry.get("/old")
    assert found is not None and (found.value, found.version) == (b"was", 0)


async def test_of_those_who_change_the_same_version_one_wins(opening: AsyncOpen) -> None:
    registries = [await opening() for _ in range(4)]
    await create(registries[0], "/n", b"0")
    wins = 0

    async def count_up(registry: Registry) -> int:
        won = 0
        for _ in range(8):
            entry = await registry.get("/n")
            assert entry is not None
            try:
                await put(registry, "/n", b"%d" % (int(entry.value) + 1), entry.version)
                won += 1
            except BadVersion:
                pass
        return won

    wins = sum(await asyncio.gather(*(count_up(registry) for registry in registries)))
    end = await registries[1].get("/n")
    assert end is not None
    assert int(end.value) == end.version == wins >= 8


async def test_sequential_names_grow_in_the_order_of_making(opening: AsyncOpen) -> None:
    one, other = await opening(), await opening()
    await ensure(one, "/queue")
    makers = (one, other) * 3
    made = [await create(maker, "/queue/c-", sequential=True) for maker in makers]
    await delete(one, made[3])
    made.append(await create(one, "/queue/c-", sequential=True))
    assert made == sorted(made) and len(set(made)) == 7
    assert all(len(path) == len("/queue/c-") + 10 for path in made)


# -- sessions -------------------------------------------------------------------------------------


async def test_ephemeral_entry_goes_with_its_session(opening: AsyncOpen) -> None:
    one, other = await opening(), await opening()
    await ensure(one, "/members")
    await create(one, "/members/one", b"here", ephemeral=True)
    await create(other, "/members/other", ephemeral=True)
    seen = await other.get("/members/one")
    assert seen is not None and seen.owner == one.session != other.session
    await one.close()
    assert await other.children("/members") == ["other"]
    assert other.state == "connected"


async def test_session_is_told_of_once_and_its_lease_is_renewed(peer: Peer) -> None:
    registry = peer.client(timeout_s=1.5)
    diary = Diary(registry)
    assert registry.lease_end_s == 0.0
    await registry.start()
    loop = asyncio.get_running_loop()
    try:
        assert diary.events == [Connected(registry.session)]
        first = registry.lease_end_s
        assert loop.time() < first < loop.time() + 1.6
        await until(lambda: registry.lease_end_s > first)
        await asyncio.sleep(2.0)  # longer than the timeout: it is kept alive by itself
        assert registry.lease_end_s > loop.time()
        assert diary.kinds == ["Connected"]
    finally:
        await registry.close()
    assert registry.lease_end_s == 0.0


async def test_closed_registry_answers_nothing(registry: Registry) -> None:
    await registry.close()
    await registry.close()
    assert registry.state == "closed"
    with pytest.raises(RegistryClosed):
        await registry.get("/")
    with pytest.raises(RegistryClosed):
        await registry.multi([Create("/a")])


# -- watches --------------------------------------------------------------------------------------


async def test_watch_tells_of_making_changing_and_deleting(opening: AsyncOpen) -> None:
    one, other = await opening(), await opening()
    bell = Bell()
    await one.watch("/a", bell)
    assert bell.rung == 0
    await create(other, "/a", b"1")
    await bell.ring()
    await put(other, "/a", b"2")
    await bell.ring()
    await delete(other, "/a")
    await bell.ring()
    await create(other, "/a")
    await bell.ring()


async def test_watch_of_children_tells_of_names_only(opening: AsyncOpen) -> None:
    one, other = await opening(), await opening()
    await ensure(one, "/top/x")
    bell, value = Bell(), Bell()
    await one.watch("/top", bell, children=True)
    await one.watch("/top", value)
    await put(other, "/top", b"changed")
    await value.ring()
    assert bell.rung == 0
    await create(other, "/top/a")
    await bell.ring()
    assert await one.children("/top") == ["a", "x"]
    assert value.rung == 1
    await delete(other, "/top/a")
    await bell.ring()
    with pytest.raises(NoEntry):
        await one.watch("/nobody", bell, children=True)


async def test_what_is_read_after_a_watch_told_is_never_older_than_the_change(
    opening: AsyncOpen,
) -> None:
    one, other = await opening(), await opening()
    await create(one, "/n", b"0")
    bell, seen = Bell(), [0]
    await one.watch("/n", bell)

    async def write() -> None:
        for number in range(1, 31):
            await put(other, "/n", b"%d" % number)

    writing = asyncio.create_task(write())
    while seen[-1] < 30:
        await bell.ring()
        entry = await one.get("/n")
        assert entry is not None
        seen.append(int(entry.value))
    await writing
    assert seen == sorted(seen)


async def test_watch_that_was_ended_tells_nothing(opening: AsyncOpen) -> None:
    one, other = await opening(), await opening()
    await create(one, "/a")
    ended, kept = Bell(), Bell()
    end = await one.watch("/a", ended)
    await one.watch("/a", kept)
    end()
    end()
    await put(other, "/a", b"1")
    await kept.ring()
    assert ended.rung == 0


async def test_watch_tells_of_ephemeral_entries_that_go_with_their_session(
    opening: AsyncOpen,
) -> None:
    one, other = await opening(), await opening()
    await ensure(one, "/members")
    await create(other, "/members/other", ephemeral=True)
    bell = Bell()
    await one.watch("/members", bell, children=True)
    await other.close()
    await bell.ring()
    assert await one.children("/members") == []
