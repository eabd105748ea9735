"""Frames are cut, unmasked and put together; what breaks RFC 6455 ends it, and says which way."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorchat.protocol import websocket as ws
from actorchat.protocol.websocket import MessageSplitter, Violation
from tests.unit.protocol.pair import chunked

MASK = b"\x37\xfa\x21\x3d"
MAX = 300_000


def raw(first: int, payload: bytes = b"", *, length: bytes | None = None) -> bytes:
    """Return a client's frame with any first byte, and with any bytes for its length."""
    if length is None:
        length = bytes((0x80 | len(payload),))
    return bytes((first,)) + length + MASK + ws.masked(payload, MASK)


def server() -> MessageSplitter:
    return MessageSplitter(frames_are_masked=True)


def code_of(stream: bytes, bytes_max: int = MAX) -> int | None:
    """Return the code with which `stream` is refused, None where it is not."""
    splitter = server()
    splitter.feed(stream, bytes_max)
    return splitter.violation.code if splitter.violation else None


def test_example_of_the_rfc_is_read_and_written() -> None:
    masked = bytes.fromhex("818537fa213d7f9f4d5158")
    assert server().feed(masked, MAX) == [(ws.TEXT, b"Hello")]
    assert ws.client_frame(ws.TEXT, b"Hello", MASK) == masked
    assert ws.server_frame(ws.TEXT, b"Hello") == bytes.fromhex("810548656c6c6f")


@pytest.mark.parametrize("size", [0, 1, 3, 4, 125, 126, 65_535, 65_536, 262_144])
def test_each_side_reads_what_the_other_writes(size: int) -> None:
    payload = bytes(n % 251 for n in range(size))
    for opcode in (ws.BINARY, ws.TEXT):
        content = payload if opcode == ws.BINARY else b"x" * size
        there = ws.client_frame(opcode, content, MASK)
        assert server().feed(there, MAX) == [(opcode, content)]
        back = ws.server_frame(opcode, content)
        assert MessageSplitter(frames_are_masked=False).feed(back, MAX) == [(opcode, content)]


@given(
    st.lists(st.tuples(st.binary(max_size=200), st.integers(1, 4)), max_size=6),
    st.lists(st.integers(0, 600), max_size=12),
)
def test_any_cuts_and_fragments_make_the_same_messages(
    messages: list[tuple[bytes, int]], cuts: list[int]
) -> None:
    stream = b""
    expected = []
    for payload, parts in messages:
        step = len(payload) // parts + 1
        pieces = [payload[at : at + step] for at in range(0, max(1, len(payload)), step)]
        for number, piece in enumerate(pieces):
            final = 0x80 if number == len(pieces) - 1 else 0
            size = len(piece)
            length = bytes((0xFE, 0, size)) if size > 125 else bytes((0x80 | size,))
            stream += raw(final | (0 if number else ws.BINARY), piece, length=length)
            if not final:
                stream += raw(0x80 | ws.PING, b"!")
                expected.append((ws.PING, b"!"))
        expected.append((ws.BINARY, payload))
    splitter = server()
    got = [event for chunk in chunked(stream, cuts) for event in splitter.feed(chunk, MAX)]
    assert got == expected
    assert splitter.violation is None and splitter.held_bytes == 0


def test_a_frame_in_single_bytes_is_held_once() -> None:
    splitter = server()
    stream = ws.client_frame(ws.BINARY, b"x" * 70_000, MASK)
    for at in range(len(stream) - 1):
        assert splitter.feed(stream[at : at + 1], MAX) == []
        assert splitter.held_bytes == at + 1
    assert splitter.feed(stream[-1:], MAX) == [(ws.BINARY, b"x" * 70_000)]


WRONG = {
    "rsv1": raw(0xC2),
    "rsv2": raw(0xA2),
    "rsv3": raw(0x92),
    "rsv on a control frame": raw(0xC9),
    **{f"opcode {opcode:#x}": raw(0x80 | opcode) for opcode in (3, 4, 5, 6, 7, *range(11, 16))},
    "an opcode that is unknown and not final": raw(0x03),
    "not masked": ws.server_frame(ws.BINARY, b"x"),
    "a ping that is not final": raw(ws.PING),
    "a close that is not final": raw(ws.CLOSE),
    "a ping of 126 bytes": raw(0x89, length=b"\xfe\x00\x7e"),
    "a pong with a long length": raw(0x8A, length=b"\xff" + bytes(8)),
    "a continuation of nothing": raw(0x80),
    "a continuation after a whole message": raw(0x82) + raw(0x00),
    "a message within a message": raw(0x02) + raw(0x82),
    "a text within a binary": raw(0x02) + raw(0x01),
    "a 16 bit length that is short": raw(0x82, length=b"\xfe\x00\x7d"),
    "a 64 bit length that is short": raw(0x82, length=b"\xff" + (65_535).to_bytes(8)),
    "a length with its highest bit": raw(0x82, length=b"\xff\x80" + bytes(7)),
    "a close of one byte": raw(0x88, b"\x03"),
}


@pytest.mark.parametrize("stream", WRONG.values(), ids=WRONG.keys())
def test_what_breaks_the_rules_is_a_protocol_error(stream: bytes) -> None:
    assert code_of(stream) == ws.PROTOCOL_ERROR


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2999, 5000, 65_535])
def test_code_that_may_not_be_sent_is_a_protocol_error(code: int) -> None:
    assert code_of(raw(0x88, code.to_bytes(2))) == ws.PROTOCOL_ERROR


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1014, 3000, 4999])
def test_code_that_may_be_sent_is_taken_and_nothing_is_read_after_it(code: int) -> None:
    splitter = server()
    close = raw(0x88, ws.close_payload(code, "grüße"))
    assert splitter.feed(close + close + b"\xff\xff", MAX) == [
        (ws.CLOSE, code.to_bytes(2) + "grüße".encode())
    ]
    assert splitter.feed(raw(0x82) + b"\xff\xff", MAX) == []
    assert splitter.violation is None and splitter.held_bytes == 0


def test_close_without_a_code_is_taken() -> None:
    ((opcode, payload),) = server().feed(raw(0x88), MAX)
    assert (opcode, ws.close_code(payload)) == (ws.CLOSE, None)


def test_text_that_is_not_utf_8_is_invalid() -> None:
    assert code_of(raw(0x81, b"\xc0\x80")) == ws.INVALID
    assert code_of(raw(0x81, b"\xed\xa0\x80")) == ws.INVALID
    assert code_of(raw(0x88, b"\x03\xe8\xff")) == ws.INVALID
    assert code_of(raw(0x82, b"\xff")) is None


def test_character_may_be_cut_by_fragments() -> None:
    splitter = server()
    parts = raw(0x01, b"\xf0\x9f") + raw(0x00, b"\x91") + raw(0x80, b"\x8b")
    assert splitter.feed(parts, MAX) == [(ws.TEXT, "👋".encode())]
    assert code_of(raw(0x01, b"\xf0\x9f") + raw(0x80, b"\x91")) == ws.INVALID


def test_bound_holds_for_all_fragments_together() -> None:
    whole = raw(0x02, b"x" * 60) + raw(0x00, b"x" * 40)
    assert code_of(whole + raw(0x80), 100) is None
    assert code_of(whole + raw(0x80, b"x"), 100) == ws.TOO_BIG
    assert code_of(raw(0x82, b"x" * 101), 100) == ws.TOO_BIG


def test_too_long_message_is_refused_by_its_head_and_what_is_held_let_go() -> None:
    splitter = server()
    splitter.feed(raw(0x02, b"x" * 60), 100)
    assert splitter.held_bytes == 60
    assert splitter.feed(b"\x80\xff" + (2**40).to_bytes(8), 100) == []
    assert splitter.violation == Violation(
        ws.TOO_BIG, f"a message of {2**40 + 60} bytes, expected at most 100"
    )
    assert splitter.held_bytes == 0


def test_messages_before_a_violation_are_good_and_what_follows_is_not_read() -> None:
    splitter = server()
    assert splitter.feed(raw(0x82, b"a") + raw(0xC2) + raw(0x82, b"b"), MAX) == [(ws.BINARY, b"a")]
    assert splitter.violation is not None
    assert splitter.feed(raw(0x82, b"c"), MAX) == []


def test_server_may_not_mask() -> None:
    splitter = MessageSplitter(frames_are_masked=False)
    splitter.feed(raw(0x82, b"a"), MAX)
    assert splitter.violation is not None and splitter.violation.code == ws.PROTOCOL_ERROR


def test_head_that_lies_reserves_nothing() -> None:
    splitter = server()
    tracemalloc.start()
    splitter.feed(b"\x82\xff" + (200_000).to_bytes(8) + MASK + b"x", MAX)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 4_096


def test_long_reason_is_cut_at_a_character() -> None:
    payload = ws.close_payload(ws.NORMAL, "é" * 100)
    assert payload == b"\x03\xe8" + "é".encode() * 61
    assert len(payload) <= 125
