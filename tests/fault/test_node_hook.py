"""A real node posts to a real receiver, signed and in order, through kills of both."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from actorchat.protocol.signature import is_signed
from tests.fault.node import Device, Operator, running, until

pytestmark = [pytest.mark.fault, pytest.mark.slow]

SECRET = "0123456789abcdef"
MESSAGES = 150
KILLS = 3


class Receiver:
    """Takes posts; fails some of them on purpose, some after it has taken them."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.events: list[dict[str, Any]] = []
        self.failed = 0

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not is_signed(SECRET, dict(request.headers), body, time.time()):
            return web.Response(status=401)
        fate = self._rng.random()
        if fate < 0.1:
            self.failed += 1
            return web.Response(status=503)
        self.events += json.loads(body)["events"]
        if fate < 0.2:
            self.failed += 1
            raise web.HTTPBadGateway
        return web.Response(status=204)


async def test_kills_lose_no_event_and_order_holds(tmp_path: Path) -> None:
    rng = random.Random(4)
    receiver = Receiver(rng)
    application = web.Application()
    application.router.add_post("/in", receiver.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/in"
    with running(tmp_path / "node", {"hooks.networks": "127.0.0.0/8"}) as node:
        operator = await Operator.sign_in(node)
        ann, bob = [await operator.token(user) for user in ("ann", "bob")]
        made = await operator.ask(
            "hook", name="audit", do="add", url=url, secret=SECRET, kinds=["message"]
        )
        assert "ok" in made, made
        await operator.close()
        acked: set[str] = set()
        for kill in range(KILLS + 1):
            device = await Device(node, "ann", ann).sign_in()
            for number in range(MESSAGES):
                body = f"{kill}/{number}"
                with contextlib.suppress(Exception):
                    if "ok" in await device.send("bob", body, os.urandom(16)):
                        acked.add(body)
                if kill < KILLS and number == MESSAGES - rng.randrange(1, 40):
                    break
            await device.leave()
            if kill < KILLS:
                await asyncio.to_thread(node.kill)
                await asyncio.to_thread(node.start)
        await until(lambda: acked <= {event["body"] for event in receiver.events}, 60.0)
        print(f"{len(acked)} acked, {len(receiver.events)} posted, {receiver.failed} failed")
        assert bob
        assert node.stop() == 0
    await runner.cleanup()
    firsts: dict[int, dict[str, Any]] = {}
    for event in receiver.events:
        known = firsts.setdefault(event["id"], event)
        assert known == event, "the same id came with something else"
    assert list(firsts) == sorted(firsts), "an event came before one that was stored before it"
    seqs = [event["seq"] for event in firsts.values()]
    assert seqs == list(range(1, len(seqs) + 1))
    assert receiver.failed > 0
