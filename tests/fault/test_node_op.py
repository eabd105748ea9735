"""Well-formed frames that ask for what must not be: a typed refusal, and the connection goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from actorchat.limits import (
    AGENT_CHARS_MAX,
    JWT_CHARS_MAX,
    POSITION_MAX,
    REQUEST_ID_MAX,
    SECRET_CHARS_MAX,
)
from tests.fault.node import MIB, Node, Operator, Wire, control_pair, hello, send

pytestmark = pytest.mark.fault

NODE_SETTINGS = {"chat.entity_idle_s": 60}
CID = bytes(range(16))
SEND = send(7, "victim", "x", CID)
HISTORY: dict[str, Any] = {"op": "history", "id": 7, "conv": "victim"}
HELLO = hello("mallory", "secret") | {"id": 7}
PROVISION: dict[str, Any] = {"op": "provision", "id": 7, "user": "new"}
REVOKE: dict[str, Any] = {"op": "revoke", "id": 7, "device": "d"}
ACTORS: dict[str, Any] = {"op": "actors", "id": 7, "view": "top"}

# Names that could hurt a key, a path, a log line, a terminal or a page, or that just do not fit.
BAD_NAMES = {
    "empty": "",
    "nul": "ann\0bob",
    "path": "../../etc/passwd",
    "slash": "a/b",
    "newline": "ann\n",
    "crlf": "ann\r\nx",
    "escape": "\x1b[2J",
    "right-to-left": "\u202enna",
    "zero width": "an\u200bn",
    "look-alike": "\u0430nn",
    "upper case": "Ann",
    "space": "an n",
    "markup": "<script>",
    "template": "${jndi}",
    "quote": "a'b\"c",
    "wide": "\uff41nn",
    "dot first": ".ann",
    "dash last": "ann-",
    "65 characters": "a" * 65,
    "10,000 characters": "a" * 10_000,
    "emoji": "\U0001f600",
}

MISSING = {
    f"{op['op']} without {field}": {key: value for key, value in op.items() if key != field}
    for op in (SEND, HISTORY, HELLO, PROVISION, REVOKE)
    for field in op
    if field not in {"op", "id"}
}
WRONG = {
    "id as text": SEND | {"id": "7"},
    "id as bool": SEND | {"id": True},
    "id as float": SEND | {"id": 7.0},
    "id below": SEND | {"id": -1},
    "id above": SEND | {"id": REQUEST_ID_MAX + 1},
    "id of 2^64": SEND | {"id": 2**64 - 1},
    "id as null": SEND | {"id": None},
    "to as bytes": SEND | {"to": b"victim"},
    "to as int": SEND | {"to": 1},
    "to as list": SEND | {"to": ["victim"]},
    "to as null": SEND | {"to": None},
    "to empty": SEND | {"to": ""},
    "to too long": SEND | {"to": "v" * 10_000},
    "cid short": SEND | {"cid": CID[:15]},
    "cid long": SEND | {"cid": CID + b"x"},
    "cid as text": SEND | {"cid": "x" * 16},
    "cid as list": SEND | {"cid": list(CID)},
    "body as bytes": SEND | {"body": b"x"},
    "body as int": SEND | {"body": 5},
    "body as null": SEND | {"body": None},
    "body as bool": SEND | {"body": True},
    "body as map": SEND | {"body": {"x": 1}},
    "after as text": HISTORY | {"after": "1"},
    "after as bool": HISTORY | {"after": True},
    "after as float": HISTORY | {"after": 1.0},
    "after as NaN": HISTORY | {"after": float("nan")},
    "after below": HISTORY | {"after": -1},
    "after above": HISTORY | {"after": POSITION_MAX + 1},
    "before below": HISTORY | {"before": -1},
    "before above": HISTORY | {"before": 2**63},
    "limit 0": HISTORY | {"limit": 0},
    "limit 201": HISTORY | {"limit": 201},
    "limit below": HISTORY | {"limit": -5},
    "limit as bool": HISTORY | {"limit": True},
    "conv as int": HISTORY | {"conv": 1},
    "conv too long": HISTORY | {"conv": "c" * 65},
    "mech unknown": HELLO | {"mech": "magic"},
    "version as text": HELLO | {"version": "1"},
    "secret too long": HELLO | {"secret": "s" * (JWT_CHARS_MAX + 1)},
    "secret as bytes": HELLO | {"secret": b"s"},
    "agent too long": HELLO | {"agent": "a" * (AGENT_CHARS_MAX + 1)},
    "resume below": HELLO | {"resume": -1},
    "resume above": HELLO | {"resume": 2**60},
    "resume as bool": HELLO | {"resume": False},
    "provision without a secret": PROVISION | {"password": ""},
    "provision with a long secret": PROVISION | {"password": "s" * (SECRET_CHARS_MAX + 1)},
}
WRONG |= {f"hello user {name}": HELLO | {"user": bad} for name, bad in BAD_NAMES.items()}
WRONG |= {f"hello device {name}": HELLO | {"device": bad} for name, bad in BAD_NAMES.items()}
WRONG |= {f"provision user {name}": PROVISION | {"user": bad} for name, bad in BAD_NAMES.items()}
WRONG |= {
    f"provision device {name}": PROVISION | {"device": bad} for name, bad in BAD_NAMES.items()
}
UNKNOWN: dict[str, dict[Any, Any]] = {
    "no such op": {"op": "shutdown", "id": 7},
    "empty op": {"op": "", "id": 7},
    "long op": {"op": "x" * 2_000, "id": 7},
    "hostile op": {"op": "\x1b[2J\0", "id": 7},
    "server's msg": {"op": "msg", "id": 7, "upd": 1, "msg": {}},
    "server's bye": {"op": "bye", "id": 7, "code": "drain", "reconnect": "never"},
    "server's pong": {"op": "pong", "id": 7},
}
NO_OP: dict[str, dict[Any, Any]] = {
    "empty map": {},
    "no op": {"id": 7},
    "op as int": {"op": 1, "id": 7},
    "op as null": {"op": None, "id": 7},
    "op as list": {"op": ["send"], "id": 7},
    "op as bool": {"op": True, "id": 7},
    "a reply": {"re": 7, "ok": {}},
    "op as bytes": {b"op": "ping", "id": 7},
}

SAID: dict[str, tuple[dict[Any, Any], str]] = {
    **{name: (op, "bad_request") for name, op in {**MISSING, **WRONG, **NO_OP}.items()},
    **{name: (op, "unknown_op") for name, op in UNKNOWN.items()},
}


@pytest_asyncio.fixture
async def mallory(node: Node, operator: Operator) -> AsyncIterator[Wire]:
    await operator.token("victim")
    wire = await Wire.open(node)
    assert "ok" in await wire.sign_in("mallory", await operator.token("mallory"))
    yield wire
    await wire.close()


@pytest_asyncio.fixture
async def stranger(node: Node) -> AsyncIterator[Wire]:
    wire = await Wire.open(node)
    yield wire
    await wire.close()


async def refusals(wire: Wire) -> dict[str, tuple[Any, Any]]:
    """Say everything wrong; return what was answered otherwise than it should be."""
    found = {}
    for name, (op, code) in SAID.items():
        wire.write(op)
        reply = await wire.read()
        assert reply is not None, f"closed after {name}"
        error = reply.get("err", {})
        given = op.get("id")
        is_id = type(given) is int and 0 <= given <= REQUEST_ID_MAX
        expected = (code, "never", "none", given if is_id else None)
        got = (error.get("code"), error.get("retry"), error.get("outcome"), reply.get("re"))
        reason = str(error.get("reason"))
        is_clean = reason.isprintable() and len(reason) <= 200
        if got != expected or not is_clean:
            found[name] = (expected, reply)
    return found


async def head_of(wire: Wire, conv: str) -> int:
    page = await wire.ask({"op": "history", "id": 99, "conv": conv})
    return int(page["ok"]["head"])


async def test_a_wrong_op_is_refused_by_code_and_the_session_goes_on(
    node: Node, mallory: Wire
) -> None:
    async with control_pair(node):
        assert await refusals(mallory) == {}
        mallory.write({"op": "ping"})
        assert await mallory.read() == {"op": "pong"}
        assert await head_of(mallory, "victim") == 0


async def test_a_wrong_op_before_sign_in_is_refused_the_same_way(
    node: Node, operator: Operator, stranger: Wire
) -> None:
    too_long = {name for name, (op, _) in SAID.items() if len(str(op)) > 3_000}
    for name in too_long:
        assert "10,000" in name or "long" in name
    kept = {name: SAID[name] for name in SAID if name not in too_long}
    wrong = {}
    for name, (op, code) in kept.items():
        stranger.write(op)
        reply = await stranger.read()
        assert reply is not None, f"closed after {name}"
        if reply.get("err", {}).get("code") != code:
            wrong[name] = reply
    assert wrong == {}
    assert "ok" in await stranger.sign_in("mallory", await operator.token("mallory"))


async def test_wrong_ops_cost_no_memory(node: Node, mallory: Wire) -> None:
    await refusals(mallory)
    rss = node.rss_bytes()
    for _ in range(15):
        await refusals(mallory)
    grown = node.rss_bytes() - rss
    print(f"{15 * len(SAID)} wrong ops: grown by {grown / MIB:.1f} MiB")
    assert grown < 8 * MIB


async def test_more_unanswerable_ops_than_may_be_in_flight_do_not_block_the_session(
    mallory: Wire,
) -> None:
    for _ in range(600):
        mallory.write({"op": "nonsense"})
    mallory.write({"op": "ping"})
    for _ in range(600):
        reply = await mallory.read()
        assert reply is not None and reply["err"]["code"] == "unknown_op" and "re" not in reply
    assert await mallory.read() == {"op": "pong"}


@pytest.mark.parametrize(
    "op", [SEND, HISTORY, PROVISION, REVOKE, {"op": "status", "id": 7}, ACTORS]
)
async def test_a_request_before_sign_in_is_refused_and_does_nothing(
    mallory: Wire, stranger: Wire, op: dict[str, Any]
) -> None:
    reply = await stranger.ask(op)
    assert reply["err"]["code"] == "unauthenticated"
    # What has no answer is passed over.
    stranger.write({"op": "ack", "upd": 5}, {"op": "mark", "conv": "victim", "read": 5})
    assert (await stranger.ask(op))["err"]["code"] == "unauthenticated"
    assert await head_of(mallory, "victim") == 0


@pytest.mark.parametrize("op", [PROVISION, {"op": "status", "id": 7}, ACTORS])
async def test_what_only_operators_may_is_refused_to_users(
    mallory: Wire, op: dict[str, Any]
) -> None:
    reply = await mallory.ask(op)
    assert (reply["err"]["code"], reply["err"]["outcome"]) == ("forbidden", "none")


@pytest.mark.parametrize("op", [SEND, HISTORY, REVOKE])
async def test_what_only_users_may_is_refused_to_operators(
    operator: Operator, op: dict[str, Any]
) -> None:
    fields = {key: value for key, value in op.items() if key not in {"op", "id"}}
    assert (await operator.ask(op["op"], **fields))["err"]["code"] == "unexpected_op"


async def test_fields_that_nobody_knows_are_ignored(mallory: Wire) -> None:
    more = {"x": 1, "from": "victim", "seq": 9, "ts": 9, "user": "victim", "nested": {"a": [1]}}
    reply = await mallory.ask(send(7, "mallory", "x", CID) | more)
    assert reply["ok"]["seq"] == 1 and "dup" not in reply["ok"]
    page = await mallory.ask({"op": "history", "id": 8, "conv": "mallory"} | more)
    (record,) = page["ok"]["events"]
    assert (record["from"], record["seq"], record["body"]) == ("mallory", 1, "x")
    assert set(record) == {"from", "seq", "ts", "cid", "body"}


async def test_a_request_id_that_is_used_twice_gets_two_answers(mallory: Wire) -> None:
    cids = [bytes((number,)) * 16 for number in range(1, 4)]
    mallory.write(*(send(7, "victim", "x", cid) for cid in cids))
    seqs: list[int] = []
    while len(seqs) < 3:
        message = await mallory.read()
        assert message is not None
        if message.get("re") == 7:
            seqs.append(message["ok"]["seq"])
    assert seqs == [1, 2, 3]


async def test_a_second_hello_changes_nothing(mallory: Wire, operator: Operator) -> None:
    token = await operator.token("victim")
    reply = await mallory.ask(hello("victim", token) | {"id": 9})
    assert reply["err"]["code"] == "unexpected_op"
    before = await head_of(mallory, "mallory")
    reply = await mallory.ask(send(7, "mallory", "still me", b"second-hello-cid"))
    assert reply["ok"]["seq"] == before + 1
    page = await mallory.ask({"op": "history", "id": 8, "conv": "mallory"})
    assert page["ok"]["events"][-1]["from"] == "mallory"


async def test_two_hellos_in_one_breath_sign_in_once(operator: Operator, stranger: Wire) -> None:
    token = await operator.token("mallory")
    stranger.write(hello("mallory", token) | {"id": 1}, hello("mallory", token) | {"id": 2})
    replies: dict[int, dict[str, Any]] = {}
    while len(replies) < 2:
        message = await stranger.read()
        assert message is not None
        if "re" in message:
            replies[message["re"]] = message
    assert "ok" in replies[1]
    assert replies[2]["err"]["code"] in {"unauthenticated", "unexpected_op"}


async def test_an_unknown_version_is_refused_and_ends_the_connection(stranger: Wire) -> None:
    reply = await stranger.ask(HELLO | {"version": 2})
    assert reply["err"]["code"] == "version"
    assert await stranger.rest() == [{"op": "bye", "code": "protocol", "reconnect": "never"}]


async def test_conversations_of_others_can_not_even_be_named(
    node: Node, operator: Operator, mallory: Wire
) -> None:
    """A conversation's name is its other member, seen from who asks; so one is always a member."""
    ann, secret = await Wire.open(node), "between ann and victim"
    assert "ok" in await ann.sign_in("ann", await operator.token("ann"))
    assert "ok" in await ann.ask(send(1, "victim", secret, CID))
    names = ["ann", "victim", "ann\0victim", "victim\0ann", "mallory\0ann", "ann/victim", "*", "%"]
    for name in names:
        page = await mallory.ask({"op": "history", "id": 9, "conv": name, "limit": 200})
        events = page.get("ok", {}).get("events", [])
        assert all(record["body"] != secret for record in events), name
    # Her own conversation with each of the two is another one than theirs.
    reply = await mallory.ask(send(1, "ann", "mine", CID))
    page = await mallory.ask({"op": "history", "id": 9, "conv": "ann"})
    assert [record["body"] for record in page["ok"]["events"]] == ["mine"]
    assert reply["ok"]["seq"] == 1
    await ann.close()


@pytest.mark.parametrize(
    "name", [bad for bad in BAD_NAMES.values() if 1 <= len(bad) <= 64] + ["nobody", "a" * 64]
)
async def test_a_send_to_nobody_is_refused_and_makes_nobody(
    operator: Operator, mallory: Wire, name: str
) -> None:
    reply = await mallory.ask(send(7, name, "x", CID))
    error = reply["err"]
    assert (error["code"], error["outcome"]) == ("no_such_user", "none")
    assert name not in error["reason"] or name == "a"
    page = await mallory.ask({"op": "history", "id": 9, "conv": name})
    assert page.get("ok", {}).get("events", []) == []


async def test_silly_pages_are_answered_within_their_bounds(mallory: Wire) -> None:
    for number in range(1, 8):
        cid = b"page" + bytes(11) + bytes((number,))
        assert "ok" in await mallory.ask(send(number, "mallory", "x" * 100, cid))
    head = await head_of(mallory, "mallory")

    async def page(**fields: int | None) -> list[int]:
        ask = {"op": "history", "id": 9, "conv": "mallory", **fields}
        return [record["seq"] for record in (await mallory.ask(ask))["ok"]["events"]]

    everything = list(range(1, head + 1))
    assert await page(after=0, limit=200) == everything
    assert await page(after=head) == []
    assert await page(after=POSITION_MAX) == []
    assert await page(before=0) == []
    assert await page(before=1) == []
    assert await page(before=POSITION_MAX, limit=200) == everything
    assert await page(after=5, before=5) == []
    assert await page(after=6, before=2) == []
    assert await page(after=POSITION_MAX, before=POSITION_MAX) == []
    assert await page(after=1, before=3) == [2]
    assert await page(limit=1) == [head]
    assert await page(after=1, limit=1) == [2]
    assert await page(before=None, limit=200) == everything


async def test_marks_and_acks_from_the_future_change_nothing(
    node: Node, operator: Operator, mallory: Wire
) -> None:
    reply = await mallory.ask(send(1, "victim", "x", b"future-cid-00001"))
    head = reply["ok"]["seq"]
    ahead = POSITION_MAX
    mallory.write({"op": "ack", "upd": ahead}, {"op": "mark", "conv": "victim", "read": ahead})
    page = await mallory.ask({"op": "history", "id": 9, "conv": "victim"})
    assert page["ok"]["marks"]["mallory"] == {"delivered": head, "read": head}
    # The victim has acked nothing and acks more than there is: it still gets everything.
    token = await operator.token("victim")
    for resume in (None, ahead, None):
        wire = await Wire.open(node)
        welcome = await wire.sign_in("victim", token, resume=resume)
        assert welcome["ok"]["cursor"] == 0
        wire.write({"op": "ack", "upd": ahead}, {"op": "mark", "conv": "nobody", "read": ahead})
        found = await wire.read()
        while found is not None and found.get("op") != "msg":
            found = await wire.read()
        assert found is not None and found["upd"] == 1
        await wire.close()


async def test_names_that_nobody_has_never_come_into_memory(
    operator: Operator, mallory: Wire
) -> None:
    before = await operator.status()
    for number in range(3_000):
        mallory.write({"op": "mark", "conv": f"ghost-{number}", "read": 1})
    for number in range(200):
        reply = await mallory.ask(send(number, f"spook-{number}", "x", CID))
        assert reply["err"]["code"] == "no_such_user"
        reply = await mallory.ask({"op": "history", "id": number, "conv": f"spook-{number}"})
        assert reply["err"]["code"] == "no_such_user"
    after = await operator.status()
    assert after["conversations"] <= before["conversations"]
    assert after["users"] <= before["users"]
