"""The crowd pings evenly, tells what goes wrong, and spreads over addresses."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address
from itertools import pairwise

import pytest

from actorchat.client.line import Duty, Line
from actorchat.limits import CONNECTIONS_MAX
from actorchat.protocol import codec
from actorchat.protocol.framing import FrameSplitter, frame
from bench.crowd import PER_SOURCE, PING, PONG, Crowd, due_since, source_of

TOKENS = {"ann": "a", "bob": "b"}
WELCOME = frame(codec.encode({"re": 0, "ok": {"cursor": 0}}))
WAIT_S = 20.0

Answer = Callable[[dict[str, object]], bytes]


def test_sources_are_loopback_addresses_with_no_more_ports_than_there_are() -> None:
    uses = Counter(source_of(number) for number in range(CONNECTIONS_MAX))
    assert max(uses.values()) == PER_SOURCE < 28_232 // 2
    assert all(ip_address(source).is_loopback for source in uses)


def test_pings_of_a_round_are_due_evenly() -> None:
    dues = [due_since(100.0, 100.0 + tick / 200, 200_000, 25.0) for tick in range(5_001)]
    assert dues[0] == 0
    assert dues[-1] == 200_000
    assert {later - due for due, later in pairwise(dues)} <= {39, 40, 41}


def friendly(op: dict[str, object]) -> bytes:
    if op["op"] == "hello":
        return WELCOME
    return b"" if op.get("noreply") else PONG


def deaf(op: dict[str, object]) -> bytes:
    return WELCOME if op["op"] == "hello" else b""


@contextlib.asynccontextmanager
async def crowd(
    answer: Answer, failures: list[str], pieces: int | None = None, count: int = 2
) -> AsyncIterator[tuple[Crowd, list[asyncio.StreamWriter]]]:
    """Give a crowd of `count` a server that says what `answer` says, in pieces of so many bytes."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        splitter = FrameSplitter()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4_096):
                for payload in splitter.feed(data, 4_096):
                    said = answer(codec.decode(payload))
                    for start in range(0, len(said), pieces or 4_096):
                        writer.write(said[start : start + (pieces or 4_096)])
                        await asyncio.sleep(0)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    few = Crowd(port, dict(list(TOKENS.items())[:count]), 0.05, failures.append)
    try:
        yield few, writers
    finally:
        few.leave()
        server.close()
        await server.wait_closed()
        for writer in writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not holds():
            await asyncio.sleep(0)


@pytest.mark.parametrize("pieces", [None, 3])
async def test_all_sign_in_and_ping(pieces: int | None) -> None:
    failures: list[str] = []
    async with crowd(friendly, failures, pieces) as (few, _):
        await few.sign_in(in_flight_max=1)
        assert few.signed_in == len(few) == 2
        await until(lambda: few.pongs >= 2)
        assert few.pings >= few.pongs
    assert PING != PONG
    # In pieces, each a turn of the server's loop, a pong may come after the next ping.
    assert failures == [] or pieces


async def test_pings_ask_as_often_as_those_of_the_client() -> None:
    line = Line(lambda: 1.0)
    line.connect(0.0)
    line.opened()
    line.welcomed(10.0, 0.0)
    asked_by_client = []
    for beat in range(1, 7):
        asked_by_client.append(line.duty(10.0 * beat) is Duty.ASK)
        if asked_by_client[-1]:
            line.heard(10.0 * beat + 0.1)
    asked: list[bool] = []

    def answer(op: dict[str, object]) -> bytes:
        if op["op"] == "ping":
            asked.append(not op.get("noreply"))
        return friendly(op)

    failures: list[str] = []
    async with crowd(answer, failures, count=1) as (one, _):
        await one.sign_in(in_flight_max=1)
        await until(lambda: len(asked) >= len(asked_by_client))
    assert asked[: len(asked_by_client)] == asked_by_client
    assert failures == []


async def test_ping_without_a_pong_is_told() -> None:
    failures: list[str] = []
    async with crowd(deaf, failures) as (few, _):
        await few.sign_in(in_flight_max=2)
        await until(lambda: bool(failures))
    assert failures[0].endswith("a ping was not answered")


async def test_connection_that_the_server_closes_is_told_once_and_not_pinged() -> None:
    failures: list[str] = []
    async with crowd(friendly, failures) as (few, writers):
        await few.sign_in(in_flight_max=2)
        writers[0].close()
        await until(lambda: few.signed_in == 1)
        pings = few.pings
        await until(lambda: few.pings > pings + 2)
    assert len(failures) == 1
    assert failures[0].endswith("closed by the server")


async def test_refused_sign_in_is_told_and_the_others_go_on() -> None:
    failures: list[str] = []
    async with crowd(lambda _: frame(codec.encode({"op": "bye"})), failures) as (few, writers):
        signing = asyncio.ensure_future(few.sign_in(in_flight_max=1))
        for count in (1, 2):
            await until(lambda count=count: len(writers) == count)  # type: ignore[misc]
            await until(lambda count=count: len(failures) >= 2 * count - 1)  # type: ignore[misc]
            writers[-1].close()
        await asyncio.wait_for(signing, WAIT_S)
        assert few.signed_in == 0
    assert [failure.partition(":")[0] for failure in failures] == ["ann", "ann", "bob", "bob"]


async def test_server_that_is_not_there_ends_the_wait() -> None:
    failures: list[str] = []
    async with crowd(friendly, failures) as (few, _):
        few._port = 1
        await asyncio.wait_for(few.sign_in(in_flight_max=2), WAIT_S)
        assert few.signed_in == 0
    assert len(failures) == 2
