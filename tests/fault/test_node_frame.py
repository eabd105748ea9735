"""Bytes that are no frames, or frames that are no ops: a typed error and the end, nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from actorchat.limits import (
    BODY_CHARS_MAX,
    CBOR_ITEMS_MAX,
    FRAME_BYTES_MAX,
    HELLO_FRAME_BYTES_MAX,
)
from actorchat.protocol import codec
from actorchat.protocol.framing import frame
from actorchat.store import keys, kinds
from actorchat.store.rocks import RocksEngine
from actorchat.store.verify import verify
from tests.fault.node import MIB, Node, Operator, Wire, control_pair, running, send

pytestmark = pytest.mark.fault

ROUNDS = 12
RSS_GROWTH_BYTES_MAX = 24 * MIB  # of 1,500 hostile connections, with up to 256 KiB each
PING = codec.encode({"op": "ping"})
BEFORE, AFTER = "before sign-in", "after sign-in"


def with_body(item: bytes) -> bytes:
    """A map whose `op` is well and whose other value is `item`."""
    return b"\xa2\x62op\x64ping\x61x" + item


def prefixed(size: int, content: bytes = b"") -> bytes:
    return size.to_bytes(4, "big") + content


# Each is a whole frame, judged bad_frame wherever it comes.
MALFORMED = {
    "empty": b"",
    "no map": b"\x01",
    "a text": b"\x64ping",
    "a list": b"\x81\xa0",
    "a break": b"\xff",
    "reserved": b"\x1c",
    "nothing behind a head": b"\xa1",
    "trailing byte": PING + b"\x00",
    "trailing map": PING + PING,
    "deep": with_body(b"\x81" * 4_000),
    "deep maps": with_body(b"\xa1\x61a" * 1_000 + b"\x01"),
    "depth 9": with_body(b"\x81" * 8 + b"\x01"),
    "duplicate keys": b"\xa2\x62op\x64ping\x62op\x64ping",
    "duplicate keys within": with_body(b"\xa2\x61a\x01\x61a\x02"),
    "endless map": b"\xbf\x62op\x64ping\xff",
    "endless list": with_body(b"\x9f\xff"),
    "endless text": with_body(b"\x7f\x61a\xff"),
    "endless bytes": with_body(b"\x5f\x41a\xff"),
    "bad UTF-8": with_body(b"\x62\xff\xfe"),
    "overlong UTF-8": with_body(b"\x62\xc0\xaf"),
    "lone surrogate": with_body(b"\x63\xed\xa0\x80"),
    "CESU-8 pair": with_body(b"\x66\xed\xa0\xbd\xed\xb8\x80"),
    "text of 2^62": with_body(b"\x7b" + (2**62).to_bytes(8, "big")),
    "bytes of 2^62": with_body(b"\x5b" + (2**62).to_bytes(8, "big")),
    "list of 2^62": with_body(b"\x9b" + (2**62).to_bytes(8, "big")),
    "map of 2^62": b"\xbb" + (2**62).to_bytes(8, "big"),
    "list of 2^31": with_body(b"\x9a\x80\x00\x00\x00"),
    "text of 2^64-1": with_body(b"\x7b" + b"\xff" * 8),
    "list as a key": with_body(b"\xa1\x81\x01\x01"),
    "map as a key": with_body(b"\xa1\xa0\x01"),
    "int as a key": b"\xa1\x01\x02",
}
TAGS = (*range(6), *range(21, 40), 52, 54, 100, 256, 258, 260, 261, 1004, 43_000, 55_799, 2**63)
for tag in TAGS:
    head = codec.encode(tag)
    MALFORMED[f"tag {tag}"] = with_body(bytes((head[0] | 0xC0,)) + head[1:] + b"\x61x")

# Only after sign-in are frames long enough for these.
MALFORMED_LONG = {
    "100,000 deep": with_body(b"\x81" * 100_000),
    "too many items": with_body(
        b"\x99" + (CBOR_ITEMS_MAX + 1).to_bytes(2, "big") + b"\x80" * (CBOR_ITEMS_MAX + 1)
    ),
    "200,000 empty maps": with_body(b"\x9a" + (200_000).to_bytes(4, "big") + b"\xa0" * 200_000),
    "a number of 256 KiB": with_body(
        b"\xc2\x5a" + (200_000).to_bytes(4, "big") + b"\xff" * 200_000
    ),
}

TOO_LARGE = {
    BEFORE: prefixed(HELLO_FRAME_BYTES_MAX + 1),
    AFTER: prefixed(FRAME_BYTES_MAX + 1),
}
ALWAYS_TOO_LARGE = {
    "length 2^32-1": prefixed(2**32 - 1, b"\xa1"),
    "text where a frame should be": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TLS where there is none": bytes.fromhex("16030100c8010000c40303") + bytes(190),
}


def bytes_said(when: str) -> dict[str, tuple[bytes, str]]:
    """Return what is said, and the code of its refusal, by name."""
    said = {name: (frame(payload), "bad_frame") for name, payload in MALFORMED.items()}
    said["over the limit"] = (TOO_LARGE[when], "too_large")
    said |= {name: (raw, "too_large") for name, raw in ALWAYS_TOO_LARGE.items()}
    if when == AFTER:
        said |= {name: (frame(long), "bad_frame") for name, long in MALFORMED_LONG.items()}
    return said


async def open_wire(node: Node, token: str, when: str) -> Wire:
    wire = await Wire.open(node)
    if when == AFTER:
        assert "ok" in await wire.sign_in("mallory", token)
    return wire


async def end_of(wire: Wire, said: bytes) -> list[dict[str, Any]]:
    """Say it; return all that comes until the node closes."""
    wire.writer.write(said)
    with contextlib.suppress(ConnectionError):
        await wire.writer.drain()
    found = await wire.rest()
    await wire.close()
    return found


def refused(code: str) -> list[dict[str, Any]]:
    """The two frames with which a connection ends: the code, and that coming back won't help."""
    error = {"code": code, "retry": "never", "outcome": "none"}
    return [{"err": error}, {"op": "bye", "code": "protocol", "reconnect": "never"}]


def without_reason(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for message in frames:
        if "err" in message:
            reason = message["err"].pop("reason")
            assert isinstance(reason, str) and len(reason) < 100
    return frames


@pytest.mark.parametrize("when", [BEFORE, AFTER])
async def test_hostile_bytes_get_one_typed_error_and_a_bye(
    node: Node, operator: Operator, when: str
) -> None:
    token = await operator.token("mallory")
    async with control_pair(node):
        before = (await operator.status())["tcp_protocol_errors"]
        wrong = {}
        for name, (said, code) in bytes_said(when).items():
            wire = await open_wire(node, token, when)
            got = without_reason(await end_of(wire, said))
            if got != refused(code):
                wrong[name] = got
        assert wrong == {}
        after = (await operator.status())["tcp_protocol_errors"]
        assert after - before == len(bytes_said(when))


async def test_hostile_bytes_cost_no_memory_and_disturb_nobody(
    node: Node, operator: Operator
) -> None:
    token = await operator.token("mallory")

    async def storm(rounds: int) -> None:
        for _ in range(rounds):
            for when in (BEFORE, AFTER):
                for said, _ in bytes_said(when).values():
                    await end_of(await open_wire(node, token, when), said)

    async with control_pair(node) as pair:
        await storm(2)  # fills buffers and caches that stay
        rss, files = node.rss_bytes(), node.files()
        await storm(ROUNDS)
        grown = node.rss_bytes() - rss
        print(f"grown by {grown / MIB:.1f} MiB; control median {pair.median_s() * 1000:.1f} ms")
        assert grown < RSS_GROWTH_BYTES_MAX
        assert node.files() <= files + 2
        assert pair.median_s() < 0.25


async def test_a_send_before_the_bad_frame_counts_and_one_behind_it_does_not(
    node: Node, operator: Operator
) -> None:
    token = await operator.token("early")
    wire = await Wire.open(node)
    assert "ok" in await wire.sign_in("early", token)
    first, second = (
        frame(codec.encode(send(number, "early", "x", bytes((number,)) * 16))) for number in (1, 2)
    )
    got = await end_of(wire, first + frame(b"\xff") + second)
    assert [message.get("op") for message in got][-2:] == [None, "bye"]
    # Its answer did not have to come any more; sent again, it is the same message.
    wire = await Wire.open(node)
    assert "ok" in await wire.sign_in("early", token)
    page = await wire.ask({"op": "history", "id": 6, "conv": "early"})
    assert [record["cid"] for record in page["ok"]["events"]] == [b"\x01" * 16]
    await wire.close()


@pytest.mark.parametrize("when", [BEFORE, AFTER])
async def test_a_frame_at_the_limit_is_read_in_any_pieces(
    node: Node, operator: Operator, when: str
) -> None:
    size = {BEFORE: HELLO_FRAME_BYTES_MAX, AFTER: FRAME_BYTES_MAX}[when]
    padded = {"op": "ping", "pad": b""}
    padded["pad"] = bytes(size - len(codec.encode(padded)) - (2 if size < 65_536 else 4))
    payload = codec.encode(padded)
    assert len(payload) == size
    wire = await open_wire(node, await operator.token("mallory"), when)
    said = frame(payload)
    for start in range(0, len(said), 1_000):
        wire.writer.write(said[start : start + 1_000])
        await asyncio.sleep(0)
    if when == BEFORE:
        # A ping before sign-in is not answered, but it does not end the connection either.
        assert "ok" in await wire.sign_in("mallory", await operator.token("mallory"))
        wire.write({"op": "ping"})
    assert await wire.read() == {"op": "pong"}
    await wire.close()


async def test_a_length_that_lies_only_waits(node: Node, operator: Operator) -> None:
    # Too long: what follows is taken into the frame, and what that makes is no CBOR.
    wire = await open_wire(node, await operator.token("mallory"), AFTER)
    lie = prefixed(len(PING) + 4, PING)
    got = without_reason(await end_of(wire, lie + frame(PING)))
    assert got == refused("bad_frame")
    # Too short: the rest is taken for a length.
    wire = await open_wire(node, await operator.token("mallory"), AFTER)
    got = without_reason(await end_of(wire, prefixed(len(PING) - 1, PING) + frame(PING)))
    assert got == refused("bad_frame")


@pytest.mark.parametrize(
    ("body", "is_taken"),
    [
        pytest.param("x" * BODY_CHARS_MAX, True, id="one-byte-at-the-limit"),
        pytest.param("x" * (BODY_CHARS_MAX + 1), False, id="one-byte-above"),
        pytest.param("\u20ac" * BODY_CHARS_MAX, True, id="three-bytes-at-the-limit"),
        pytest.param("\U0001f600" * 65_500, True, id="four-bytes-that-fit-a-frame"),
        pytest.param("\x00\x1b[2J\u202e<b>", True, id="control-characters"),
        pytest.param("", True, id="empty"),
    ],
)
async def test_a_body_is_taken_up_to_the_limit_and_comes_back_as_it_was(
    node: Node, operator: Operator, body: str, is_taken: bool
) -> None:
    user = f"body-{len(body)}-{len(body.encode())}"
    wire = await Wire.open(node)
    assert "ok" in await wire.sign_in(user, await operator.token(user))
    sent = {"op": "send", "id": 5, "to": user, "cid": bytes(16), "body": body}
    reply = await wire.ask(sent)
    page = await wire.ask({"op": "history", "id": 6, "conv": user})
    if is_taken:
        assert reply["ok"]["seq"] == 1
        assert [record["body"] for record in page["ok"]["events"]] == [body]
    else:
        assert (reply["err"]["code"], reply["err"]["outcome"]) == ("bad_request", "none")
        assert page["ok"]["head"] == 0
    await wire.close()


async def test_four_byte_characters_at_the_limit_are_longer_than_a_frame(
    node: Node, operator: Operator
) -> None:
    # 65,536 of them are 256 KiB, so the frame around them is just too long; nothing is stored.
    body = "\U0001f600" * BODY_CHARS_MAX
    token = await operator.token("mallory")
    await operator.token("oscar")
    op = send(5, "oscar", body, bytes(16))
    wire = await open_wire(node, token, AFTER)
    assert without_reason(await end_of(wire, frame(codec.encode(op)))) == refused("too_large")
    wire = await open_wire(node, token, AFTER)
    page = await wire.ask({"op": "history", "id": 6, "conv": "oscar"})
    assert page["ok"]["head"] == 0
    await wire.close()


def test_the_store_holds_no_more_than_was_acked(tmp_path: Path) -> None:
    """Every kind of hostile bytes, on a fresh node: afterwards its store has one account."""

    async def attack(node: Node) -> None:
        operator = await Operator.sign_in(node)
        token = await operator.token("mallory")
        for when in (BEFORE, AFTER):
            for said, _ in bytes_said(when).values():
                await end_of(await open_wire(node, token, when), said)
        await operator.close()

    with running(tmp_path / "node") as node:
        asyncio.run(attack(node))
        assert node.stop() == 0
    engine = RocksEngine(tmp_path / "node" / "store")
    try:
        found = {
            name: engine.scan(engine.family(name), b"", b"\xff" * 40)
            for name in ("history", "inbox", "sent", "outbox", "state")
        }
        found_kinds = sorted(keys.parse_state_key(key)[1] for key, _ in found.pop("state"))
        assert all(rows == [] for rows in found.values())
        assert found_kinds.count(kinds.ACCOUNT) == found_kinds.count(kinds.DEVICE) == 1
        assert not verify(engine).problems
    finally:
        engine.close()
