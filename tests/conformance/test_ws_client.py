"""A client in JavaScript, of `ws` and `cbor-x`, is a device like any other of a real node."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from actorchat.client import connect
from actorchat.client.aio import Chat
from actorchat.settings import load
from nodes.roles.standalone import Standalone
from tests.conformance import npm

CLIENT = Path(__file__).with_name("ws_client")
FORMS = ("cbor", "cbor-short", "json")
KEY = "sesame"
ANSWER_S = 20.0
CID = "000102030405060708090a0b0c0d0e0f"

pytestmark = pytest.mark.timeout(npm.INSTALL_S + 60)


class Program:
    """The client, as a process that is told what to do."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, folder: Path, address: str, form: str, hello: dict[str, Any]) -> Program:
        process = await asyncio.create_subprocess_exec(
            *("node", str(folder / "client.mjs"), address, form, json.dumps(hello)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return cls(process)

    def do(self, what: str, **more: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **more}).encode() + b"\n")

    async def heard(self) -> dict[str, Any]:
        """Return what it tells next."""
        assert self._process.stdout is not None
        async with asyncio.timeout(ANSWER_S):
            line = await self._process.stdout.readline()
        assert line, "it is over"
        return dict(json.loads(line))

    async def ask(self, op: dict[str, Any]) -> dict[str, Any]:
        self.do("ask", op=op)
        return dict((await self.heard())["reply"])

    async def leave(self) -> dict[str, Any]:
        """End its input; return the last that it tells."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        last = await self.heard()
        assert await self._process.wait() == 0
        return last

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()


class Place:
    """A node, `ann` of the Python client, and the program as devices of `bob`."""

    def __init__(self, node: Standalone, ann: Chat, token: str, folder: Path) -> None:
        self.ann = ann
        self._node = node
        self._token = token
        self._folder = folder
        self._programs: list[Program] = []

    async def start(self, form: str, secret: str = "") -> Program:
        """Start the program, which says hello."""
        hello = {"op": "hello", "id": 1, "version": 1, "user": "bob", "device": "page"}
        hello |= {"mech": "token", "secret": secret or self._token}
        address = self._node.addresses["ws"]
        program = await Program.start(self._folder, address, form, hello)
        self._programs.append(program)
        return program

    async def bob(self, form: str) -> Program:
        """Return the program, signed in."""
        program = await self.start(form)
        welcome = (await program.heard())["reply"]
        assert (welcome["re"], welcome["ok"]["user"]) == (1, "bob")
        return program

    async def close(self) -> None:
        for program in self._programs:
            await program.end()


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    try:
        folder = await asyncio.to_thread(npm.installed, CLIENT)
    except npm.NotInstalled as error:
        pytest.skip(str(error))
    listen = {f"gateway.{door}.listen": "127.0.0.1:0" for door in ("tcp", "ws")}
    node = Standalone(load(None, {}, listen), tmp_path, KEY, lambda _: None)
    await node.start()
    tcp = node.addresses["tcp"]
    try:
        async with connect(tcp, user="operator", device="test", operator=KEY) as operator:
            anns = await operator.provision("ann", device="phone")
            bobs = await operator.provision("bob", device="page")
        assert bobs is not None
        async with connect(tcp, user="ann", device="phone", token=anns) as ann:
            place = Place(node, ann, bobs, folder)
            yield place
            await place.close()
    finally:
        await node.stop()


@pytest.mark.parametrize("form", FORMS)
async def test_program_sends_receives_acks_and_pings(place: Place, form: str) -> None:
    bob = await place.bob(form)
    bob.do("ask", op={"op": "ping"})
    assert await bob.heard() == {"push": {"op": "pong"}}
    bob.do("heartbeat")
    assert await bob.heard() == {"heartbeat": True}

    for number, text in enumerate(("hello", "größe 🙂", "x" * 65_000), 1):
        sent = await place.ann.send("bob", text)
        push = (await bob.heard())["push"]
        assert (push["op"], push["upd"]) == ("msg", number)
        record = push["msg"]
        assert (record["from"], record["seq"], record["body"]) == ("ann", sent.seq, text)
        assert len(record["cid"]) == 32
    async with asyncio.timeout(ANSWER_S):
        async for mark in place.ann.marks():
            if (mark.user, mark.delivered) == ("bob", 3):  # its acks have come
                break

    send = {"op": "send", "id": 2, "to": "ann", "cid": CID, "body": "hëllo 🙂"}
    first = await bob.ask(send)
    assert (first["re"], first["ok"]["seq"]) == (2, 4)
    again = await bob.ask({**send, "id": 3})
    assert again["ok"] == {**first["ok"], "dup": True}
    refused = await bob.ask({**send, "id": 4, "body": "other"})
    assert refused["err"]["code"] == "id_conflict"
    async with asyncio.timeout(ANSWER_S):
        message = await anext(place.ann.messages())
    assert (message.sender, message.text, message.cid.hex()) == ("bob", "hëllo 🙂", CID)
    form_name = "json" if form == "json" else "cbor"
    assert await bob.leave() == {"closed": 1000, "form": f"actorchat.v1.{form_name}"}


@pytest.mark.parametrize("form", FORMS)
async def test_program_gets_what_came_while_it_was_away(place: Place, form: str) -> None:
    bob = await place.bob(form)
    await place.ann.send("bob", "before")
    assert (await bob.heard())["push"]["msg"]["body"] == "before"
    await bob.leave()
    await place.ann.send("bob", "meanwhile")
    bob = await place.bob(form)
    assert (await bob.heard())["push"]["msg"]["body"] == "meanwhile"
    page = await bob.ask({"op": "history", "id": 2, "conv": "ann", "limit": 10})
    assert [event["body"] for event in page["ok"]["events"]] == ["before", "meanwhile"]
    await bob.leave()


async def test_wrong_secret_is_refused_and_the_connection_closed(place: Place) -> None:
    stranger = await place.start("cbor", "not the token")
    refused = (await stranger.heard())["reply"]
    assert (refused["re"], refused["err"]["code"]) == (1, "unauthenticated")
    last = await stranger.heard()
    assert "closed" in last
