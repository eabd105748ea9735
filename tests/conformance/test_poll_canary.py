"""What waits for one who polls is given to nobody else, whatever they come with."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from actorchat.client import connect
from actorchat.settings import load
from nodes.roles.standalone import Standalone

CANARY = "canary 4711"
CIDS = (f"AAAAAAAAAAAAAAAAAAAA{one}{four}" for one in "ABCDEFGH" for four in "AQgw")


class Poller:
    """Somebody over HTTP, in JSON; all answers that ever came are kept."""

    def __init__(self, http: ClientSession, base: str) -> None:
        self.http = http
        self.base = base
        self.token = ""
        self.acked = 0
        self.answers: list[str] = []
        self._polls = itertools.count(1)

    async def open(self, user: str, token: str, device: str = "d") -> None:
        async with self.http.post(f"{self.base}/v1/session") as answer:
            self.token = (await answer.json())["token"]
        hello = {"op": "hello", "id": 1, "version": 1, "user": user, "device": device}
        (welcome, *_) = await self.poll({**hello, "mech": "token", "secret": token})
        assert "ok" in welcome, welcome

    async def close(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.delete(f"{self.base}/v1/session", headers=headers) as answer:
            assert answer.status in {204, 401}

    async def poll(self, *ops: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
        """Poll once; return what came."""
        status, said, seq = await self.ask(list(ops), next(self._polls), **headers)
        assert status == 200, said
        self.acked = int(seq)
        return list(said)

    async def ask(self, ops: list[Any], number: int, **headers: str) -> tuple[int, Any, str]:
        given = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "Actorchat-Poll": str(number),
            "Actorchat-Ack": str(self.acked),
            "Actorchat-Wait-Ms": "200",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        url = f"{self.base}/v1/poll"
        async with self.http.post(url, json=ops, headers=given) as answer:
            text = await answer.text()
            self.answers.append(f"{text} {dict(answer.headers)}")
            said = await answer.json() if answer.status == 200 else text
            return answer.status, said, answer.headers.get("Actorchat-Seq", "0")


@pytest.fixture
async def people(tmp_path: Path) -> AsyncIterator[dict[str, Poller]]:
    """Ann, bob and mallory, who poll, each with a session."""
    overrides: dict[str, object] = {
        "gateway.tcp.listen": "127.0.0.1:0",
        "gateway.http.listen": "127.0.0.1:0",
        "auth.argon2_memory_kib": 64,
    }
    node = Standalone(load(None, {}, overrides), tmp_path, "key", lambda status: None)
    await node.start()
    try:
        async with (
            connect(node.tcp_address, user="operator", device="desk", operator="key") as operator,
            ClientSession() as http,
        ):
            found = {}
            for user in ("ann", "bob", "mallory"):
                secret = await operator.provision(user, device="d")
                assert secret is not None
                found[user] = poller = Poller(http, node.addresses["http"])
                await poller.open(user, secret)
            yield found
            for poller in found.values():  # or the node's end waits for them
                await poller.close()
    finally:
        await node.stop()


def send(to: str, body: str) -> dict[str, Any]:
    return {"op": "send", "id": 2, "to": to, "cid": next(CIDS), "body": body}


def beside(token: str) -> list[str]:
    """Return what is nearly a token."""
    other = "A" if token[-1] != "A" else "B"
    return ["", token[:-1], token + "A", token[:-1] + other, token.swapcase(), token[::-1], "*"]


async def test_what_waits_for_one_is_given_to_nobody_else(people: dict[str, Poller]) -> None:
    ann, bob, mallory = people["ann"], people["bob"], people["mallory"]
    reply = await ann.poll(send("bob", CANARY))
    assert any("ok" in op for op in reply)
    mine = mallory.token
    for token in beside(bob.token):
        mallory.token = token
        for number in (1, 2, 3):
            status, _, _ = await mallory.ask([], number)
            assert status in {400, 401}, token
    # With a session of her own, however far she says that she is, and whoever else she names.
    mallory.token = mine
    named = {"Cookie": f"token={bob.token}", "Actorchat_User": "bob", "Actorchat_Device": "d"}
    for ack in ("0", "1", "2", "9999"):
        await mallory.ask([], 2, Actorchat_Ack=ack, **named)
    asked = [
        {"op": "history", "id": 3, "conv": "ann"},
        {"op": "history", "id": 4, "conv": "bob"},
        {"op": "search", "id": 5, "q": "canary"},
        {"op": "conversations", "id": 6},
        {"op": "hello", "id": 7, "version": 1, "user": "bob", "device": "d", "mech": "token"},
    ]
    await mallory.ask(asked, 3, **named)
    assert not any(CANARY in answer for answer in mallory.answers)
    async with asyncio.timeout(20):
        while not any(op.get("op") == "msg" for op in await bob.poll()):
            pass
    assert any(CANARY in answer for answer in bob.answers)


async def test_session_that_is_over_tells_nothing_that_came_later(
    people: dict[str, Poller],
) -> None:
    ann, bob, mallory = people["ann"], people["bob"], people["mallory"]
    await bob.close()
    await ann.poll(send("bob", CANARY))
    mine, mallory.token = mallory.token, bob.token  # found in some log
    for number in range(1, 6):
        status, _, _ = await mallory.ask([{"op": "history", "id": 9, "conv": "ann"}], number)
        assert status in {401, 409, 410}
    mallory.token = mine
    assert not any(CANARY in answer for answer in mallory.answers)
