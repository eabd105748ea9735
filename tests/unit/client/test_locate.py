"""A client asks for the best node, goes there, and does without where nobody knows better."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from actorchat.client import blocking, connect, locate
from actorchat.client.dial import parse_address
from actorchat.client.link import Address
from actorchat.client.locate import Located, best_first
from actorchat.errors import CallTimeout, ConnectionLost
from actorchat.protocol import codec
from actorchat.protocol.framing import FrameSplitter, frame

Answer = Callable[[dict[str, Any]], dict[str, Any] | None]
FOUND = {"node": "n2", "region": "eu", "home": "n1", "addresses": ["ws://h:1", "tcp://h:2"]}


@contextlib.asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    """Run what answers each op with a map, or not at all."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        splitter = FrameSplitter()
        while read := await reader.read(65_536):
            for payload in splitter.feed(read, 65_536):
                said = answer(codec.decode(payload))
                if said is not None:
                    writer.write(frame(codec.encode(said)))
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"tcp://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        await listening.wait_closed()


def found(op: dict[str, Any]) -> dict[str, Any]:
    assert op == {"op": "locate", "id": 1, "user": "ann", "region": "eu"}
    return {"re": 1, "ok": FOUND}


def refused(op: dict[str, Any]) -> dict[str, Any]:
    err = {"code": "unauthenticated", "reason": "no", "retry": "reconnect", "outcome": "none"}
    return {"re": op["id"], "err": err}


async def test_server_says_which_node_is_best() -> None:
    async with server(found) as address:
        located = await locate(address, "ann", region="eu")
    assert located == Located("n2", "eu", "n1", ["ws://h:1", "tcp://h:2"])


async def test_address_of_the_best_node_comes_first_in_the_scheme_that_was_given() -> None:
    async with server(found) as text:
        address = parse_address(text)
        best = await best_first([address], "ann", "eu", None, None)
        assert best == [Address("tcp", "h", 2), address]
    gone = parse_address(text)
    assert await best_first([gone], "ann", "eu", None, None) == [gone]


async def test_next_address_is_asked_where_the_first_does_not_answer() -> None:
    async with server(found) as text:
        gone, there = Address("tcp", "127.0.0.1", 1), parse_address(text)
        best = await best_first([gone, there], "ann", "eu", None, None)
        assert best == [Address("tcp", "h", 2), gone, there]


async def test_older_server_has_nothing_better_to_offer() -> None:
    async with server(refused) as address:
        assert await locate(address, "ann") == Located("", "", "")


async def test_silence_and_absence_are_told() -> None:
    async with server(lambda _: None) as address:
        with pytest.raises(CallTimeout):
            await locate(address, "ann", timeout_s=0.01)
    with pytest.raises(ConnectionLost):
        await locate(address, "ann")


async def test_client_signs_in_at_the_best_node() -> None:
    hellos: list[str] = []

    def welcome(name: str) -> Answer:
        def answer(op: dict[str, Any]) -> dict[str, Any] | None:
            if op["op"] == "locate":
                return {"re": op["id"], "ok": {**FOUND, "addresses": [best]}}
            if op["op"] != "hello":
                return None
            hellos.append(name)
            ok = {"user": "ann", "device": "phone", "head": 0, "cursor": 0}
            return {"re": op["id"], "ok": ok}

        return answer

    async with server(welcome("best")) as best, server(welcome("given")) as given:
        who = {"user": "ann", "device": "phone", "token": "t"}
        async with connect(given, **who, locate=True, region="eu"):  # type: ignore[arg-type]
            pass
        assert hellos == ["best"]
        async with connect(given, **who):  # type: ignore[arg-type]
            pass
        assert hellos == ["best", "given"]


async def test_program_without_a_loop_can_ask_as_well() -> None:
    async with server(found) as address:
        ask = asyncio.to_thread(blocking.locate, address, "ann", region="eu")
        assert (await ask).node == "n2"
