"""Groups above the bound, over TCP: nobody sees that they are told of in another way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from actorchat.client import Chat, Message, connect
from actorchat.errors import FrameTooBig, InvalidOp, Refusal
from actorchat.ids import group_address
from actorchat.limits import (
    FRAME_BYTES_MAX,
    GROUP_INLINE_MEMBERS_MAX,
    GROUP_NAMED_MAX,
    RECEIPTS_PAGE_MAX,
)
from actorchat.protocol import codec
from actorchat.protocol.connection import Connection, Side
from actorchat.protocol.framing import frame
from actorchat.protocol.ops import Change, Invalid
from actorchat.protocol.ops.group import Add
from actorchat.settings import load
from nodes.roles.standalone import Standalone

MANY = [f"u{number:03}" for number in range(RECEIPTS_PAGE_MAX + 20)]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Standalone]:
    overrides = {"gateway.tcp.listen": "127.0.0.1:0", "auth.argon2_memory_kib": 64}
    node = Standalone(load(None, {}, overrides), tmp_path, "key", lambda status: None)
    await node.start()
    try:
        yield node
    finally:
        await node.stop()


class People:
    """Clients of a node, by user and device; they come in when they are asked for."""

    def __init__(self, node: Standalone, stack: AsyncExitStack, operator: Chat) -> None:
        self._address = node.tcp_address
        self._stack = stack
        self._operator = operator

    async def come(self, user: str, device: str = "phone") -> Chat:
        token = await self._operator.provision(user, device=device)
        chat = connect(self._address, user=user, device=device, token=token)
        return await self._stack.enter_async_context(chat)

    async def make(self, users: list[str]) -> None:
        await asyncio.gather(*(self._operator.provision(user, device="phone") for user in users))


@pytest.fixture
async def people(node: Standalone) -> AsyncIterator[People]:
    async with AsyncExitStack() as stack:
        operator = connect(node.tcp_address, user="operator", device="desk", operator="key")
        await stack.enter_async_context(operator)
        yield People(node, stack, operator)


async def take(chat: Chat, upto: int) -> list[Message]:
    """Return what comes, to the record `upto` of the one group that there is."""
    got: list[Message] = []
    async with asyncio.timeout(20):
        async for message in chat.messages():
            got.append(message)
            if message.seq == upto:
                break
    return got


async def test_everybody_sees_one_dense_order_across_the_bound(people: People) -> None:
    await people.make(MANY)
    ann, bob = await people.come("ann"), await people.come("bob")
    tablet = await people.come("bob", "tablet")
    group = await ann.create_group("town", ["bob", *MANY[: GROUP_INLINE_MEMBERS_MAX - 2]])
    assert (await bob.send(group, "as many as get each by itself")).seq == 2
    await asyncio.gather(*(ann.send(group, f"before {number}") for number in range(5)))
    await ann.add(group, *MANY[GROUP_INLINE_MEMBERS_MAX - 2 :])  # from here on it is big
    await asyncio.gather(*(ann.send(group, f"big {number}") for number in range(20)))
    for user in MANY[GROUP_INLINE_MEMBERS_MAX - 2 :]:
        await ann.remove(group, user)
    last = (await ann.send(group, "small again")).seq
    got = await take(bob, last)
    assert [message.seq for message in got] == [1, *range(3, last + 1)]  # 2 is bob's own, from here
    assert [message.upd for message in got] == [1, *range(3, last + 1)]
    other = await take(tablet, last)
    assert [message.seq for message in other] == list(range(1, last + 1))
    assert [message.own for message in other[:3]] == [False, True, False]
    # Who was away all the time, and who was in it only while it was big.
    stayed, went = await people.come(MANY[0], "tablet"), await people.come(MANY[-1], "tablet")
    assert [message.seq for message in await take(stayed, last)] == list(range(1, last + 1))
    assert [message.seq for message in await take(went, last - 1)] == list(range(8, last))
    assert ann.updates_repeated == bob.updates_repeated == (0, 0)


async def test_members_and_marks_of_many_are_asked_for_at_once(people: People) -> None:
    await people.make(MANY)
    ann, bob = await people.come("ann"), await people.come("bob")
    group = await ann.create_group("town", ["bob", *MANY[:200]])
    await ann.add(group, *MANY[200:])
    info = await bob.group(group)
    assert info.members == {"ann": "owner", **dict.fromkeys(["bob", *MANY], "member")}
    sent = await ann.send(group, "hi")
    await take(bob, sent.seq)
    bob.mark_read(group, sent.seq)
    async with asyncio.timeout(20):
        while (marks := await ann.receipts(group))["bob"].read < sent.seq:
            await asyncio.sleep(0.05)
    assert marks.keys() == info.members.keys()
    (line,) = await bob.groups()
    assert (line.title, line.role, line.size, line.unread) == ("town", "member", len(marks), 0)
    (line,) = await ann.groups()
    assert (line.role, line.head) == ("owner", sent.seq)


async def test_far_too_many_at_once_are_refused_and_nothing_changes(people: People) -> None:
    ann = await people.come("ann")
    group = await ann.create_group("small")
    crowd = [f"u{number}" for number in range(100_000)]
    with pytest.raises(InvalidOp):
        await ann.add(group, *crowd)
    with pytest.raises(InvalidOp):
        await ann.create_group("crowd", crowd)
    info = await ann.group(group)
    assert (info.head, info.members) == (1, {"ann": "owner"})
    await people.make(MANY[:2])
    await ann.set_group(group, size=2)
    with pytest.raises(Refusal, match="room for 2") as caught:
        await ann.add(group, *MANY[:2])
    assert caught.value.code == "group_full"
    assert (await ann.group(group)).members == {"ann": "owner"}


def test_change_that_names_too_many_is_no_op_for_a_server() -> None:
    group = group_address(bytes(16))

    def offered(count: int) -> tuple[list[object], Connection]:
        users = [f"u{number}" for number in range(count)]
        change = {"kind": "add", "users": users}
        op = {"op": "change", "id": 7, "conv": group, "cid": bytes(16), "change": change}
        connection = Connection(Side.SERVER, FRAME_BYTES_MAX)
        return list(connection.receive(frame(codec.encode(op)))), connection

    (taken,), _ = offered(GROUP_NAMED_MAX)
    assert isinstance(taken, Change)
    assert taken.change == Add([f"u{number}" for number in range(GROUP_NAMED_MAX)])
    (refused,), connection = offered(GROUP_NAMED_MAX + 1)
    assert isinstance(refused, Invalid)
    assert (refused.id, refused.code, connection.error) == (7, InvalidOp.code, None)
    nothing, connection = offered(100_000)
    assert nothing == []
    assert isinstance(connection.error, FrameTooBig)
