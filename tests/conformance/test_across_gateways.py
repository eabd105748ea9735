"""Knows what a user's devices may expect when they come through different gateways of one node.

Must not know how any gateway works: the node is the real one, and so is the client.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from itertools import permutations, product
from pathlib import Path

import pytest
import pytest_asyncio

from actorchat.client import connect
from actorchat.client.aio import AckMode, Chat
from actorchat.errors import TakenOver
from actorchat.settings import load
from actorchat.settings.doors import GatewaySettings
from nodes.roles.standalone import Standalone

DOORS = ("tcp", "ws", "http", "zmq")
KEY = "sesame"
ANSWER_S = 20.0

ORDERED_PAIRS = list(permutations(DOORS, 2))
two_doors = pytest.mark.parametrize(
    ("first", "second"), ORDERED_PAIRS, ids=["-then-".join(pair) for pair in ORDERED_PAIRS]
)


class Place:
    """A node with every gateway that it has, where `ann` and `bob` have devices."""

    def __init__(self, node: Standalone, tokens: dict[tuple[str, str], str]) -> None:
        self._node = node
        self._tokens = tokens

    def dial(
        self,
        door: str,
        user: str,
        device: str = "phone",
        *,
        ack: AckMode = "auto",
        resume: int | None = None,
    ) -> Chat:
        """Return a client that comes through `door`; entering it signs in."""
        address = self._node.addresses.get(door)
        if address is None:
            pytest.skip(f"this node has no {door} gateway")
        token = self._tokens[user, device]
        return connect(address, user=user, device=device, token=token, ack=ack, resume=resume)


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    listen = {
        f"gateway.{door}.listen": "127.0.0.1:0"
        for door in DOORS
        if hasattr(GatewaySettings(), door)
    }
    node = Standalone(load(None, {}, listen), tmp_path, KEY, lambda _: None)
    await node.start()
    try:
        who = {"user": "operator", "device": "test"}
        async with connect(node.addresses["tcp"], **who, operator=KEY) as operator:
            tokens = {}
            for user, device in product(("ann", "bob"), ("phone", "laptop")):
                token = await operator.provision(user, device=device)
                assert token is not None
                tokens[user, device] = token
        yield Place(node, tokens)
    finally:
        await node.stop()
    assert node.failure is None


async def take(chat: Chat, count: int) -> list[str]:
    """Return the texts of the next `count` messages."""
    async with asyncio.timeout(ANSWER_S):
        return [(await anext(chat.messages())).text for _ in range(count)]


async def nothing_more(chat: Chat, sender: Chat, to: str) -> None:
    """See that `chat` has had everything: what comes next is what is sent now."""
    await sender.send(to, "the last")
    assert await take(chat, 1) == ["the last"]
    assert chat.updates_repeated == (0, 0)


@two_doors
async def test_two_people_talk_through_two_gateways(place: Place, first: str, second: str) -> None:
    async with place.dial(first, "ann") as ann, place.dial(second, "bob") as bob:
        for number in range(3):
            asked = await ann.send("bob", f"question {number}")
            assert await take(bob, 1) == [f"question {number}"]
            answered = await bob.send("ann", f"answer {number} é")
            assert await take(ann, 1) == [f"answer {number} é"]
            assert (asked.seq, answered.seq) == (2 * number + 1, 2 * number + 2)
        async with asyncio.timeout(ANSWER_S):
            async for mark in ann.marks():
                if mark.user == "bob" and mark.delivered == 5:
                    break
        page = await bob.history("ann")
        assert [entry.seq for entry in page.events] == [1, 2, 3, 4, 5, 6]


@two_doors
async def test_device_goes_on_where_it_was_through_another_gateway(
    place: Place, first: str, second: str
) -> None:
    async with place.dial("tcp", "ann") as ann:
        async with place.dial(first, "bob", ack="manual") as bob:
            for number in range(5):
                await ann.send("bob", str(number))
            got = await take(bob, 4)
            bob.ack(3)
            await bob.close(0)  # it may have had more, and its ack may never have been said
        assert (got, bob.cursor) == (["0", "1", "2", "3"], 3)
        for number in range(5, 8):
            await ann.send("bob", str(number))
        async with place.dial(second, "bob", resume=bob.cursor) as bob:
            assert await take(bob, 5) == ["3", "4", "5", "6", "7"]
            await nothing_more(bob, ann, "bob")


@two_doors
async def test_newer_connection_of_a_device_ends_the_older_one(
    place: Place, first: str, second: str
) -> None:
    async with place.dial("tcp", "ann", "laptop") as ann:
        async with contextlib.AsyncExitStack() as stack:
            older = await stack.enter_async_context(place.dial(first, "bob"))
            await ann.send("bob", "to the older")
            assert await take(older, 1) == ["to the older"]
            async with place.dial(second, "bob", resume=older.cursor) as newer:
                with pytest.raises(TakenOver) as ended:
                    await take(older, 1)
                assert ended.value.code == "takeover"
                with pytest.raises(TakenOver):
                    await older.send("ann", "from the older")
                await ann.send("bob", "to the newer")
                assert await take(newer, 1) == ["to the newer"]
                await newer.send("ann", "from the newer")
                assert await take(ann, 1) == ["from the newer"]
                await nothing_more(newer, ann, "bob")


@two_doors
async def test_two_devices_of_a_user_get_everything_each(
    place: Place, first: str, second: str
) -> None:
    async with (
        place.dial("tcp", "ann") as ann,
        place.dial(first, "bob", "phone") as phone,
        place.dial(second, "bob", "laptop") as laptop,
    ):
        for number in range(3):
            await ann.send("bob", str(number))
        assert await take(phone, 3) == await take(laptop, 3) == ["0", "1", "2"]
