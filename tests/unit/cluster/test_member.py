"""A node's entry is there whenever its session is, and says what it said."""

from __future__ import annotations

import pytest

from actorchat.cluster.member import MEMBERS, Registration, member_in, member_out, read_members
from actorchat.cluster.memory_registry import MemoryStore
from actorchat.cluster.registry import create, ensure
from actorchat.cluster.slots import Member
from actorchat.errors import MalformedFrame
from actorchat.protocol import codec
from tests.unit.cluster.registry_world import opened, turns

ANN = Member(
    "node-1", zone="a", region="eu", capacity=2.0, address="tcp://127.0.0.1:7", key="k", leads=False
)


def test_member_comes_back_with_its_incarnation() -> None:
    back = member_in("node-1", member_out(ANN), 77)
    assert (back.zone, back.region, back.capacity, back.address) == ("a", "eu", 2.0, ANN.address)
    assert (back.name, back.incarnation, back.is_up) == ("node-1", 77, True)
    assert (back.key, back.leads) == ("k", False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("node-1", b""),
        ("node-1", codec.encode({"capacity": 0})),
        ("node-1", codec.encode({"capacity": -1.0})),
        ("node-1", codec.encode({"capacity": float("nan")})),
        ("node-1", codec.encode({"capacity": float("inf")})),
        ("node-1", codec.encode({"zone": 7})),
        ("NODE", member_out(ANN)),
    ],
)
def test_what_describes_no_member_is_refused(name: str, value: bytes) -> None:
    with pytest.raises(MalformedFrame):
        member_in(name, value, 1)


async def test_entry_is_made_and_made_again_with_a_higher_incarnation() -> None:
    store = MemoryStore()
    registry = await opened(store)
    told: list[int] = []
    registration = Registration(registry, ANN, told.append)
    registration.start()
    await turns()
    (member,) = await read_members(registry)
    assert member == member_in("node-1", member_out(ANN), told[0])
    registry.suspend()
    registry.recover()
    await turns()
    assert told == [registration.incarnation]
    registry.expire()
    await turns()
    assert len(told) == 2
    assert told[1] > told[0]
    # The process is the same, and so are its links.
    (member,) = await read_members(registry)
    assert member.incarnation == registration.process == told[0]
    await registration.close()
    await registry.close()
    assert await read_members(await opened(store)) == []


async def test_name_that_an_older_session_holds_is_waited_for() -> None:
    store = MemoryStore()
    old, new = await opened(store), await opened(store)
    await ensure(old, MEMBERS)
    await create(old, "/members/node-1", member_out(ANN), ephemeral=True)
    told: list[int] = []
    registration = Registration(new, ANN, told.append)
    registration.start()
    await turns()
    assert told == []
    await old.close()
    await turns()
    assert len(told) == 1
    await registration.close()


async def test_entry_that_describes_no_member_hides_nobody() -> None:
    store = MemoryStore()
    registry = await opened(store)
    await ensure(registry, MEMBERS)
    await create(registry, "/members/broken", b"?")
    await create(registry, "/members/whole", member_out(ANN))
    assert [member.name for member in await read_members(registry)] == ["whole"]
