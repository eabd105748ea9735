"""A real node that is killed while people sign up: no use is lost, none is given twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actorchat.client import sign_up
from actorchat.errors import Refusal
from actorchat.store.rocks import RocksEngine
from actorchat.store.verify import verify
from tests.fault.node import ALARMS, Node, Operator, Wire, running

pytestmark = [pytest.mark.fault, pytest.mark.slow]

CODE = "code-0123456789abcdef"
PEOPLE, USES = 40, 25


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    settings = {"auth.signup": "invitation", "auth.signups_per_minute": 10_000}
    with running(tmp_path / "node", settings) as node:
        yield node
        assert node.stop() == 0
        words = node.words()
        assert not any(alarm in words for alarm in ALARMS), words
        engine = RocksEngine(node.data / "store")
        try:
            assert verify(engine).is_sound
        finally:
            engine.close()


async def invite(node: Node, uses: int) -> None:
    operator = await Operator.sign_in(node)
    await operator.ask("invitation", do="add", code=CODE, uses=uses)
    await operator.close()


async def left(node: Node) -> int:
    operator = await Operator.sign_in(node)
    answer = await operator.ask("invitations")
    await operator.close()
    return sum(one["left"] for one in answer["ok"]["invitations"])


async def enrol(node: Node, number: int) -> str:
    """Sign up through any trouble, as the client does it; return the code of the answer."""
    chat = sign_up(
        f"tcp://127.0.0.1:{node.port}",
        user=f"user{number}",
        device="d",
        password=f"password {number}",
        code=CODE,
        reconnect_cap_s=0.2,
        sign_in_timeout_s=60.0,
    )
    try:
        async with chat:
            return "ok"
    except Refusal as refusal:
        return refusal.code


def test_uses_are_counted_through_kills(node: Node) -> None:
    async def run() -> Counter[str]:
        await invite(node, USES)
        crowd = [asyncio.create_task(enrol(node, number)) for number in range(PEOPLE)]
        for done in (2, 8, 16):
            while sum(task.done() for task in crowd) < done:
                await asyncio.sleep(0.001)
            assert not all(task.done() for task in crowd)
            await asyncio.to_thread(node.kill)
            await asyncio.to_thread(node.start)
        codes = Counter(await asyncio.gather(*crowd))
        assert await left(node) == 0
        return codes

    assert asyncio.run(run()) == {"ok": USES, "bad_invitation": PEOPLE - USES}


def test_nobody_who_was_refused_has_an_account(node: Node) -> None:
    async def run() -> None:
        await invite(node, 1)
        codes = await asyncio.gather(*(enrol(node, number) for number in range(8)))
        assert Counter(codes) == {"ok": 1, "bad_invitation": 7}
        for number, code in enumerate(codes):
            wire = await Wire.open(node)
            reply = await wire.sign_in(f"user{number}", f"password {number}", "password")
            assert ("ok" in reply) is (code == "ok")
            await wire.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, "bad_invitation"),
        ({"code": "guess"}, "bad_invitation"),
        ({"code": "x" * 65}, "bad_request"),
        ({"code": 7}, "bad_request"),
        ({"password": "short"}, "bad_request"),
        ({"user": "Eve"}, "bad_request"),
        ({"user": "a/../b"}, "bad_request"),
        ({"device": ""}, "bad_request"),
        ({"version": 2}, "version"),
    ],
)
def test_bad_sign_up_is_answered_and_opens_nothing(
    node: Node, more: dict[str, Any], code: str
) -> None:
    async def run() -> None:
        op = {"op": "signup", "id": 1, "version": 1, "user": "eve", "device": "d"}
        wire = await Wire.open(node)
        reply = await wire.ask({**op, "password": "long enough", **more})
        assert reply["err"]["code"] == code
        assert reply["err"]["outcome"] == "none"
        try:
            asked = await wire.ask({"op": "devices", "id": 2})
            assert asked["err"]["code"] == "unauthenticated"
        except ConnectionError:
            pass  # it has hung up, which is as well
        await wire.close()

    asyncio.run(run())
