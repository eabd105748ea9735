"""An operator drains a node by its cluster's registry, and is told what can't be."""

from __future__ import annotations

import asyncio
import json

import pytest

from actorchat.cluster.drained import NoSuchNode, read_drained
from actorchat.cluster.member import MEMBERS, member_out
from actorchat.cluster.memory_registry import MemoryRegistry, MemoryStore
from actorchat.cluster.place import place
from actorchat.cluster.registry import NotAllowed, RegistryAway, child_of, create, ensure
from actorchat.cluster.slots import Member, empty_table
from actorchat.cluster.table_store import load_table, save_table
from actorchat.settings.cluster import ClusterSection
from nodes.cli import drain
from nodes.cli.failure import CommandFailed, Exit

SECTION = ClusterSection()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """Return a registry in which a and b lead four slots each."""
    found = MemoryStore()

    def opened(_: ClusterSection) -> MemoryRegistry:
        return found.client(call_timeout_s=0.0)

    async def fill() -> None:
        registry = opened(SECTION)
        await registry.start()
        await ensure(registry, MEMBERS)
        members = [Member("a"), Member("b")]
        for member in members:
            await create(registry, child_of(MEMBERS, member.name), member_out(member))
        _, version = await load_table(registry)
        await save_table(registry, place(members, empty_table(8), 1), None, version, [])

    monkeypatch.setattr("nodes.roles.membership.make_registry", opened)
    asyncio.run(fill())
    return found


def drained(store: MemoryStore) -> frozenset[str]:
    async def read() -> frozenset[str]:
        registry = store.client(call_timeout_s=0.0)
        await registry.start()
        return await read_drained(registry)

    return asyncio.run(read())


def test_node_is_drained_and_undrained(
    store: MemoryStore, capsys: pytest.CaptureFixture[str]
) -> None:
    drain.say_drained(SECTION, "a", waits=False, json=False)
    assert "the 4 slots that it leads go to others" in capsys.readouterr().out
    assert drained(store) == {"a"}
    assert asyncio.run(drain.read_state(SECTION, "a")) == (True, 4)
    drain.say_drained(SECTION, "a", waits=False, json=True)
    assert json.loads(capsys.readouterr().out) == {"node": "a", "drained": True, "slots_led": 4}
    drain.say_undrained(SECTION, "a", json=False)
    assert "gets its share" in capsys.readouterr().out
    drain.say_undrained(SECTION, "a", json=True)
    assert json.loads(capsys.readouterr().out) == {"node": "a", "drained": False}
    drain.say_undrained(SECTION, "a", json=False)
    assert "was not drained" in capsys.readouterr().out
    assert drained(store) == frozenset()


def test_who_waits_is_told_when_it_leads_nothing(
    store: MemoryStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [4, 3, 3, 0]

    async def count_led(registry: MemoryRegistry, name: str) -> int:
        assert (registry.state, name) == ("connected", "a")
        return left.pop(0)

    monkeypatch.setattr("actorchat.cluster.drained.count_led", count_led)
    monkeypatch.setattr(drain, "LOOK_S", 0)
    drain.say_drained(SECTION, "a", waits=True, json=False)
    said = capsys.readouterr()
    assert "may be stopped for good" in said.out
    assert said.err.splitlines() == ["a leads 3 slots", "a leads 0 slots"]


def test_last_leader_and_strangers_are_refused(store: MemoryStore) -> None:
    drain.say_drained(SECTION, "a", waits=False, json=False)
    with pytest.raises(CommandFailed) as refused:
        drain.say_drained(SECTION, "b", waits=False, json=False)
    assert (refused.value.status, refused.value.code) == (Exit.REFUSED, "last_leader")
    with pytest.raises(NoSuchNode):
        drain.say_drained(SECTION, "c", waits=False, json=False)
    with pytest.raises(NoSuchNode):
        drain.say_undrained(SECTION, "c", json=False)


@pytest.mark.parametrize(
    ("error", "expected"),
    [(RegistryAway("nobody is there", "none"), RegistryAway), (NotAllowed("key"), CommandFailed)],
)
def test_registry_that_is_away_or_refuses_is_said_so(
    monkeypatch: pytest.MonkeyPatch, error: Exception, expected: type[Exception]
) -> None:
    class Closed:
        async def start(self) -> None:
            raise error

    monkeypatch.setattr("nodes.roles.membership.make_registry", lambda _: Closed())
    with pytest.raises(expected):
        drain.say_drained(SECTION, "a", waits=False, json=False)
