"""What people must not do is refused by code and changes nothing, in a real node's own process."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession, web

from actorchat.ids import group_address
from actorchat.limits import EMOJIS_MAX, GROUP_NAMED_MAX, POSITION_MAX
from tests.fault.node import Node, Operator, Wire

pytestmark = [pytest.mark.fault, pytest.mark.slow]

NODE_SETTINGS: dict[str, object] = {
    "gateway.http.listen": "127.0.0.1:0",
    "hooks.networks": "127.0.0.2/32",
    "chat.group_members_max": 300,
}
CIDS = (number.to_bytes(16, "big") for number in itertools.count(1))
NAMES = itertools.count(1)


class Person:
    """Somebody who is signed in, and asks one thing after another."""

    def __init__(self, name: str, wire: Wire) -> None:
        self.name = name
        self.wire = wire
        self._rid = 0

    async def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        self._rid += 1
        return await self.wire.ask({"op": op, "id": self._rid, **fields})

    async def done(self, op: str, **fields: Any) -> dict[str, Any]:
        reply = await self.ask(op, **fields)
        assert "ok" in reply, reply
        return dict(reply["ok"])

    async def refused(self, op: str, **fields: Any) -> str:
        """Ask for what is refused; see that nothing is said to be done; return the code."""
        reply = await self.ask(op, **fields)
        assert "err" in reply, reply
        assert reply["err"]["outcome"] == "none"
        return str(reply["err"]["code"])

    async def send(self, to: str, body: str, **more: Any) -> int:
        done = await self.done("send", to=to, cid=next(CIDS), body=body, **more)
        return int(done["seq"])

    async def make_group(self, *members: str) -> str:
        cid = next(CIDS)
        conv = group_address(cid)
        change = {"kind": "create", "name": "g", "members": list(members)}
        await self.done("change", conv=conv, cid=cid, change=change)
        return conv

    async def seen(self, conv: str) -> list[dict[str, Any]]:
        return list((await self.done("history", conv=conv, limit=200))["events"])


@pytest_asyncio.fixture
async def people(node: Node, operator: Operator) -> AsyncIterator[list[Person]]:
    """Three who are new for each test."""
    found = []
    for _ in range(3):
        name = f"user{next(NAMES)}"
        wire = await Wire.open(node)
        assert "ok" in await wire.sign_in(name, await operator.token(name))
        found.append(Person(name, wire))
    yield found
    for person in found:
        await person.wire.close()


async def test_who_has_left_a_group_does_nothing_in_it_any_more(people: list[Person]) -> None:
    ann, bob, cid = people
    group = await ann.make_group(bob.name, cid.name)
    mine = await bob.send(group, "mine")
    await bob.done("change", conv=group, cid=next(CIDS), change={"kind": "leave"})
    await ann.done(
        "change", conv=group, cid=next(CIDS), change={"kind": "remove", "user": cid.name}
    )
    before = await ann.seen(group)
    marks = await ann.done("receipts", conv=group)
    for former in (bob, cid):
        named: dict[str, Any] = {"conv": group, "cid": next(CIDS)}
        asked: list[tuple[str, dict[str, Any]]] = [
            ("send", {"to": group, "cid": next(CIDS), "body": "still here"}),
            ("edit", {**named, "seq": mine, "body": "other"}),
            ("react", {**named, "seq": mine, "emoji": "x"}),
            ("delete", {**named, "seqs": [mine]}),
            ("delete", {**named, "seqs": [mine], "scope": "me"}),
            ("change", {**named, "change": {"kind": "add", "users": [former.name]}}),
            ("change", {**named, "change": {"kind": "set", "name": "mine now"}}),
            ("history", {"conv": group}),
            ("history", {"conv": group, "around": mine}),
            ("group", {"conv": group}),
            ("receipts", {"conv": group}),
        ]
        for op, fields in asked:
            assert await former.refused(op, **fields) == "no_such_group", (op, fields)
        former.wire.write({"op": "mark", "conv": group, "read": mine})
        assert await former.done("search", q="mine", conv=group) == {"hits": [], "partial": False}
    assert await ann.seen(group) == before
    assert (await ann.done("receipts", conv=group)) == marks


async def test_nobody_changes_what_others_wrote(people: list[Person]) -> None:
    ann, bob, cid = people
    group = await ann.make_group(bob.name, cid.name)
    for conv_of, culprit in (({ann: bob.name, bob: ann.name}, bob), ({ann: group}, bob)):
        hers = await ann.send(conv_of[ann], "hers")
        there = conv_of.get(bob, group)
        before = await ann.seen(conv_of[ann])
        named = {"conv": there, "cid": next(CIDS)}
        assert await culprit.refused("edit", **named, seq=hers, body="his") == "forbidden"
        assert await culprit.refused("delete", **named, seqs=[hers]) == "forbidden"
        if there == group:  # what the owner may delete they may not edit
            his = await bob.send(group, "his")
            before = await ann.seen(group)
            assert await ann.refused("edit", **named, seq=his, body="hers") == "forbidden"
        assert await ann.seen(conv_of[ann]) == before
    # Of a conversation that they are not in they can only name their own with somebody.
    named = {"conv": ann.name, "cid": next(CIDS)}
    assert await cid.refused("edit", **named, seq=1, body="x") == "no_such_message"


async def test_sender_is_who_signed_in_whatever_an_op_says(people: list[Person]) -> None:
    ann, bob, cid = people
    group = await ann.make_group(bob.name, cid.name)
    forged = {"from": ann.name, "sender": ann.name, "user": ann.name, "seq": 999, "ts": 1}
    acts = {"act": {"kind": "delete", "refs": [1]}, "change": {"kind": "leave"}, "gone": True}
    for to in (cid.name, group):
        seq = await bob.send(to, "hello", **forged, **acts)
        reader, conv = (cid, bob.name) if to == cid.name else (cid, group)
        record = (await reader.seen(conv))[-1]
        assert (record["from"], record["seq"], record["body"]) == (bob.name, seq, "hello")
        assert record["ts"] > 1
        assert not record.keys() & {"act", "change", "gone", "user", "sender"}
    # Whom a forwarded message is from is the claim of who passes it on, and stands as such.
    extra = {"fwd": {"hops": 1, "from": ann.name}}
    await bob.send(cid.name, "she said", extra=extra)
    record = (await cid.seen(bob.name))[-1]
    assert record["from"] == bob.name and record["extra"] == extra


async def test_marks_never_go_back_nor_beyond_what_there_is(people: list[Person]) -> None:
    ann, bob, _ = people
    group = await ann.make_group(bob.name)
    for conv_a, conv_b, first in ((bob.name, ann.name, 0), (group, group, 1)):
        for number in range(5):
            await ann.send(conv_a, f"{number}")
        head = first + 5
        for said, is_so in ((3, 3), (1, 3), (0, 3), (POSITION_MAX, head), (2, head)):
            bob.wire.write({"op": "mark", "conv": conv_b, "read": said})
            marks = (await bob.done("history", conv=conv_b))["marks"][bob.name]
            assert marks["read"] == is_so, (conv_b, said)
    bob.wire.write({"op": "mark", "conv": ann.name, "read": -1})
    assert await bob.refused("history", conv=ann.name, after=-1) == "bad_request"


async def test_a_thousand_reactions_in_a_breath_are_bounded_and_hold_nobody_up(
    people: list[Person],
) -> None:
    ann, bob, cid = people
    await ann.send(bob.name, "react to this")
    ops = [
        {
            "op": "react",
            "id": 10_000 + number,
            "conv": ann.name,
            "cid": next(CIDS),
            "seq": 1,
            "emoji": f"e{number}",
        }
        for number in range(1_000)
    ]
    began = time.monotonic()
    bob.wire.write(*ops)
    await cid.send(ann.name, "let me through")
    waited_s = time.monotonic() - began
    replies: dict[int, dict[str, Any]] = {}
    while len(replies) < len(ops):
        message = await bob.wire.read()
        assert message is not None, "the connection ended"
        if message.get("re", 0) >= 10_000:
            replies[message["re"]] = message
    done = [reply for reply in replies.values() if "ok" in reply]
    codes = {(r["err"]["code"], r["err"]["outcome"]) for r in replies.values() if "err" in r}
    assert len(done) == EMOJIS_MAX
    assert codes == {("too_many", "none")}
    assert sorted(reply["ok"]["seq"] for reply in done) == list(range(2, EMOJIS_MAX + 2))
    (record, *acts) = await ann.seen(bob.name)
    assert len(record["reactions"]) == len(acts) == EMOJIS_MAX
    assert waited_s < 10.0, "others waited for it"


@pytest.mark.parametrize("kind", ["create", "add"])
async def test_an_invitation_of_a_crowd_is_refused_whole(
    node: Node, operator: Operator, people: list[Person], kind: str
) -> None:
    ann, bob, _ = people
    group = await ann.make_group(bob.name)
    before = await ann.done("group", conv=group)

    def change(count: int) -> dict[str, Any]:
        users = [f"u{number}" for number in range(count)]
        if kind == "add":
            return {"conv": group, "cid": next(CIDS), "change": {"kind": kind, "users": users}}
        cid = next(CIDS)
        made = {"kind": kind, "name": "crowd", "members": users}
        return {"conv": group_address(cid), "cid": cid, "change": made}

    # More than one change may name.
    asked = change(GROUP_NAMED_MAX + 1)
    assert await ann.refused("change", **asked) == "bad_request"
    if kind == "create":
        assert await ann.refused("group", conv=asked["conv"]) == "no_such_group"
    # As many as it may: but they are nobody, and so nobody comes.
    assert await ann.refused("change", **change(GROUP_NAMED_MAX)) == "no_such_user"
    # More items than a frame may have, and more bytes: the connection ends, for its state is lost.
    for count, code in ((4_000, "bad_frame"), (100_000, "too_large")):
        wire = await Wire.open(node)
        token = await operator.token(ann.name)
        assert "ok" in await wire.sign_in(ann.name, token)
        rss = node.rss_bytes()
        wire.write({"op": "change", "id": 7, **change(count)})
        said = await wire.rest()
        errors = [one["err"] for one in said if "err" in one]
        assert [(error["code"], error["outcome"]) for error in errors] == [(code, "none")]
        assert said[-1]["op"] == "bye"
        assert node.rss_bytes() - rss < 8 * 1_048_576
        await wire.close()
    wire = await Wire.open(node)
    assert "ok" in await wire.sign_in(ann.name, await operator.token(ann.name))
    again = Person(ann.name, wire)
    assert await again.done("group", conv=group) == before
    assert [one["conv"] for one in (await again.done("groups"))["groups"]] == [group]
    await wire.close()


async def test_a_group_never_gets_more_members_than_it_may_have(
    node: Node, operator: Operator, people: list[Person]
) -> None:
    ann, *_ = people
    crowd = [f"crowd{number}" for number in range(320)]
    for name in crowd:
        assert "ok" in await operator.ask("provision", user=name, device="d")
    group = await ann.make_group(*crowd[:250])

    async def add(users: list[str]) -> dict[str, Any]:
        change = {"kind": "add", "users": users}
        return await ann.ask("change", conv=group, cid=next(CIDS), change=change)

    refused = (await add(crowd[250:]))["err"]
    assert (refused["code"], refused["outcome"]) == ("group_full", "none")
    assert "ok" in await add(crowd[250:299])
    assert (await add([crowd[299]]))["err"]["code"] == "group_full"
    assert (await ann.done("group", conv=group))["members"].keys() == {ann.name, *crowd[:299]}
    assert (await ann.done("history", conv=group))["head"] == 2


async def test_replies_go_back_and_so_in_no_circle(people: list[Person]) -> None:
    ann, bob, _ = people
    group = await ann.make_group(bob.name)
    for to, head in ((bob.name, 0), (group, 1)):
        named = {"to": to, "body": "x"}
        for seq, code in (
            (head + 1, "no_such_message"),  # itself
            (head + 2, "no_such_message"),  # one that will answer it
            (POSITION_MAX, "no_such_message"),
            (0, "bad_request"),
            (-1, "bad_request"),
        ):
            assert await ann.refused("send", **named, cid=next(CIDS), extra={"re": seq}) == code
        first = await ann.send(to, "first")
        assert first == head + 1
        second = await ann.send(to, "second", extra={"re": first})
        # An edit has no say in what a message answers.
        await ann.done("edit", conv=to, cid=next(CIDS), seq=first, body="1st", extra={"re": second})
        records = {record["seq"]: record for record in await ann.seen(to)}
        assert records[second]["extra"] == {"re": first}
        assert "extra" not in records[first]


async def test_a_file_that_is_not_what_was_said_is_not_kept(
    node: Node, people: list[Person]
) -> None:
    ann, bob, _ = people
    body = b"<script>alert(1)</script>" * 40
    sha256 = hashlib.sha256(body).digest()

    async def bring(size: int, said: str, sent: bytes, media_type: str) -> tuple[int, str]:
        ok = await ann.done("upload", sha256=sha256, size=size, type=said)
        headers = {"Actorchat-Ticket": ok["ticket"], "Content-Type": media_type}
        async with (
            ClientSession() as http,
            http.put(ok["base"] + ok["path"], data=sent, headers=headers) as answer,
        ):
            said = await answer.read()
            return answer.status, str(json.loads(said)["code"]) if said else ""

    ref = {"hash": sha256, "size": len(body), "type": "image/png", "name": "cat.png"}
    lies = [
        (len(body), "image/png", body, "text/html", (415, "type_mismatch")),
        (len(body) + 1, "image/png", body, "image/png", (422, "size_mismatch")),
        (len(body) - 1, "image/png", body, "image/png", (422, "size_mismatch")),
        (len(body), "image/png", body[::-1], "image/png", (422, "hash_mismatch")),
    ]
    for size, said, sent, media_type, expected in lies:
        assert await bring(size, said, sent, media_type) == expected
        extra = {"kind": "file", "files": [ref]}
        send_it = {"to": bob.name, "cid": next(CIDS), "body": "look", "extra": extra}
        assert await ann.refused("send", **send_it) == "no_such_file"
        assert await ann.refused("download", sha256=sha256) == "no_such_file"
    for bad in ("text/html; charset=utf-8", "TEXT/HTML", "image", "a/b\r\nX: y", "", "x" * 200):
        code = await ann.refused("upload", sha256=sha256, size=len(body), type=bad)
        assert code == "bad_request", bad
    assert [path for path in (node.data / "files").rglob("*") if path.is_file()] == []
    # Once it is there, a message can't say of it that it is longer.
    assert (await bring(len(body), "image/png", body, "image/png"))[0] == 201
    extra = {"kind": "file", "files": [ref | {"size": 5}]}
    send_it = {"to": bob.name, "cid": next(CIDS), "body": "look", "extra": extra}
    assert await ann.refused("send", **send_it) == "no_such_file"
    assert await bob.refused("upload", sha256=sha256, size=5, type="image/png") == "size_mismatch"
    assert (await ann.done("history", conv=bob.name))["head"] == 0


async def test_hooks_reach_no_private_address_by_any_spelling_or_detour(
    operator: Operator,
) -> None:
    heard: list[str] = []

    async def take(request: web.Request) -> web.Response:
        heard.append(f"{request.host} {request.path}")
        return web.Response(status=204)

    async def lead(request: web.Request) -> web.Response:
        heard.append("the one that leads away")
        raise web.HTTPTemporaryRedirect(f"http://127.0.0.1:{port}/in")

    application = web.Application()
    application.router.add_post("/in", take)
    application.router.add_post("/away", lead)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 0).start()  # noqa: S104 (also 127.0.0.2)
    port = runner.addresses[0][1]
    secret = "sixteen letters!"
    hosts = [  # where IPv4 is meant, somebody listens
        *("127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1"),
        "0.0.0.0",  # noqa: S104 (not bound)
        *("[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"),
        *("169.254.169.254", "10.0.0.1", "192.168.0.1", "[fe80::1]", "[fd00::1]", "[::]"),
    ]
    for number, host in enumerate(hosts):
        name, url = f"hook{number}", f"http://{host}:{port}/in"
        added = await operator.ask(
            "hook", name=name, do="add", url=url, secret=secret, kinds=["message"]
        )
        if "err" in added:
            assert added["err"]["code"] == "bad_request", (host, added)
            continue
        tried = (await operator.ask("hook", name=name, do="test"))["ok"]
        assert tried["status"] == 0, (host, tried)
        assert "is not on the public internet" in tried["reason"] or "canonical" in tried["reason"]
        await operator.ask("hook", name=name, do="remove")
    assert heard == []
    # What may be called is, and not what it leads to.
    for path, status in (("in", 204), ("away", 307)):
        url = f"http://127.0.0.2:{port}/{path}"
        await operator.ask("hook", name=path, do="add", url=url, secret=secret, kinds=["message"])
        async with asyncio.timeout(30):
            tried = (await operator.ask("hook", name=path, do="test"))["ok"]
        assert tried["status"] == status, tried
        await operator.ask("hook", name=path, do="remove")
    assert heard == [f"127.0.0.2:{port} /in", "the one that leads away"]
    await runner.cleanup()
