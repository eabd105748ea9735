"""Groups over TCP, from the client's own methods to a node's log and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from actorchat.client import Chat, connect
from actorchat.errors import Refusal
from actorchat.protocol.ops.group import Create
from actorchat.settings import load
from nodes.roles.standalone import Standalone

USERS = ("ann", "bob", "cid", "dan")


@pytest.fixture
async def people(tmp_path: Path) -> AsyncIterator[dict[str, Chat]]:
    """Everybody's client of a node in this loop; bob has a tablet, too."""
    overrides = {"gateway.tcp.listen": "127.0.0.1:0", "auth.argon2_memory_kib": 64}
    node = Standalone(load(None, {}, overrides), tmp_path, "key", lambda status: None)
    await node.start()
    address = node.tcp_address
    try:
        async with AsyncExitStack() as stack:
            operator = connect(address, user="operator", device="desk", operator="key")
            await stack.enter_async_context(operator)
            found = {}
            for user, device in [*((user, "phone") for user in USERS), ("bob", "tablet")]:
                token = await operator.provision(user, device=device)
                chat = connect(address, user=user, device=device, token=token)
                name = user if device == "phone" else f"{user}/{device}"
                found[name] = await stack.enter_async_context(chat)
            yield found
    finally:
        await node.stop()


async def take(chat: Chat, count: int) -> list[str]:
    feed = chat.messages()
    async with asyncio.timeout(20):
        got = [await anext(feed) for _ in range(count)]
    return [m.text or type(m.change).__name__ for m in got]


async def test_group_lives_from_its_making_to_the_last_who_leaves(people: dict[str, Chat]) -> None:
    ann, bob, cid, dan = (people[user] for user in USERS)
    group = await ann.create_group("friends", ["bob", "cid"], id=bytes(16))
    assert await ann.create_group("friends", ["bob", "cid"], id=bytes(16)) == group
    again = Create("friends", ["bob", "cid"])
    assert (await ann.change_group(group, again, cid=bytes(16))).dup
    assert (await bob.send(group, "one")).seq == 2
    with pytest.raises(Refusal, match="no such group"):
        await dan.send(group, "canary")
    await ann.add(group, "dan", role="reader")
    with pytest.raises(Refusal, match="role"):
        await dan.send(group, "canary")
    await ann.send(group, "two")
    assert await take(bob, 3) == ["Create", "Add", "two"]
    assert await take(people["bob/tablet"], 4) == ["Create", "one", "Add", "two"]
    assert await take(cid, 4) == ["Create", "one", "Add", "two"]
    assert await take(dan, 2) == ["Add", "two"]
    assert await take(ann, 1) == ["one"]
    page = await dan.history(group)
    assert [entry.seq for entry in page.events] == [3, 4]
    link = await ann.new_link(group)
    await dan.leave(group)
    assert await dan.join(link) == group
    await ann.leave(group)
    info = await bob.group(group)
    assert info.members == {"bob": "owner", "cid": "member", "dan": "member"}
    assert info.name == "friends"


async def test_marks_of_a_group_are_told_and_asked_for(people: dict[str, Chat]) -> None:
    ann, bob = people["ann"], people["bob"]
    group = await ann.create_group("friends", ["bob"])
    await ann.send(group, "hi")
    await take(bob, 2)
    bob.mark_read(group, 2)
    async with asyncio.timeout(20):
        async for progress in ann.marks():
            if progress.read:
                break
    assert (progress.conv, progress.user, progress.read) == (group, "bob", 2)
    assert (await ann.receipts(group))["bob"].read == 2


async def test_what_a_user_writes_is_shown_once_on_the_other_device_and_not_on_this(
    people: dict[str, Chat],
) -> None:
    ann, bob, tablet = people["ann"], people["bob"], people["bob/tablet"]
    group = await bob.create_group("friends", ["ann"])
    await bob.send(group, "to all")
    await bob.send("ann", "to one")
    await tablet.send(group, "all, too")
    await tablet.send("ann", "one, too")
    await ann.send("bob", "last")
    assert sorted(await take(bob, 3)) == ["all, too", "last", "one, too"]
    assert sorted(await take(tablet, 4)) == ["Create", "last", "to all", "to one"]
    assert sorted(await take(ann, 5)) == ["Create", "all, too", "one, too", "to all", "to one"]
    assert bob.updates_repeated == tablet.updates_repeated == (0, 0)
