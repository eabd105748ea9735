"""A stream becomes messages however it is cut; who is no DEALER, or lies, goes no further."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorchat.errors import FrameTooBig, MalformedFrame
from actorchat.protocol import zmtp
from actorchat.protocol.zmtp import COMMAND, LONG, MORE, Null, Refused, Stream
from tests.unit.protocol.pair import chunked
from tests.unit.protocol.zmtp_client import bodies, null_handshake, ready

MAX = 4_096
HANDSHAKE = null_handshake()


def opened() -> Stream:
    """Return a stream whose peer has come in."""
    stream = Stream(Null())
    assert stream.receive(HANDSHAKE, MAX) == []
    assert stream.is_open and stream.refused is None
    stream.answers = []
    return stream


def refusal(data: bytes) -> str:
    """Return with which reason a stream is refused; "" where it is not."""
    stream = Stream(Null())
    assert stream.receive(data, MAX) == []
    assert not stream.is_open or stream.refused is None
    return str(stream.refused) if stream.refused else ""


def test_server_greets_first_and_answers_ready_by_ready() -> None:
    stream = Stream(Null())
    greeting = bytes.fromhex("ff00000000000000007f0301") + b"NULL".ljust(52, b"\0")
    assert stream.answers == [greeting]
    stream.receive(HANDSHAKE, MAX)
    assert bodies(stream.answers[1]) == [(COMMAND, b"\5READY\x0bSocket-Type\0\0\0\6ROUTER")]
    guarded = zmtp.greeting(b"CURVE", is_server=True)
    assert len(guarded) == 64 and guarded[12:33] == b"CURVE".ljust(20, b"\0") + b"\1"


@pytest.mark.parametrize("size", [1, 2, 255, 256, 65_536])
def test_what_is_wrapped_is_taken(size: int) -> None:
    payload = bytes(n % 251 for n in range(size))
    framed = zmtp.wrap(payload)
    assert opened().receive(framed, size) == [payload]
    assert bodies(framed) == [(0, payload)]
    assert len(framed) - size == (2 if size < 256 else 9)


@given(
    payloads=st.lists(st.binary(min_size=1, max_size=600), max_size=6),
    cuts=st.lists(st.integers(0, 3_000), max_size=12),
)
def test_stream_may_be_cut_anywhere(payloads: list[bytes], cuts: list[int]) -> None:
    stream = Stream(Null())
    data = HANDSHAKE + b"".join(map(zmtp.wrap, payloads))
    got = [each for chunk in chunked(data, cuts) for each in stream.receive(chunk, MAX)]
    assert got == payloads
    assert stream.error is stream.refused is None
    assert len(stream.answers) == 2


@given(st.binary(max_size=300), st.booleans(), st.lists(st.integers(0, 300), max_size=4))
def test_any_bytes_are_messages_or_an_end(data: bytes, is_in: bool, cuts: list[int]) -> None:
    stream = opened() if is_in else Stream(Null())
    for chunk in chunked(data, cuts):
        for message in stream.receive(chunk, MAX):
            assert stream.is_open and len(message) <= MAX
    if stream.error is not None or stream.refused is not None:
        assert stream.receive(HANDSHAKE + zmtp.wrap(b"x"), MAX) == []


@pytest.mark.parametrize("is_long", [False, True])
def test_short_message_may_have_a_long_head(is_long: bool) -> None:
    head = bytes((LONG,)) + (3).to_bytes(8, "big") if is_long else b"\0\3"
    assert opened().receive(head + b"abc", MAX) == [b"abc"]


def test_first_message_may_be_a_knock_and_no_other() -> None:
    assert opened().receive(zmtp.wrap(b"") + zmtp.wrap(b"a") + zmtp.wrap(b""), MAX) == [b"a", b""]
    assert opened().receive(zmtp.wrap(b"") * 2, MAX) == [b""]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\n", "ZMTP was"),
        (b"\xff" + bytes(9), "ZMTP was"),
        (HANDSHAKE[:10] + b"\1", "ZMTP 3 was"),
        (HANDSHAKE[:10] + b"\2", "ZMTP 3 was"),
        (zmtp.greeting(b"CURVE", is_server=False), "NULL was"),
        (zmtp.greeting(b"NULLX", is_server=False), "NULL was"),
        (HANDSHAKE[:64] + zmtp.wrap(b"x"), "a command"),
        (HANDSHAKE[:64] + bytes((COMMAND | MORE, 1)), "a command"),
        (HANDSHAKE[:64] + bytes((COMMAND | 8, 1)), "a command"),
        (HANDSHAKE[:64] + bytes((COMMAND | LONG,)) + b"\xff" * 8, "a command"),
        (HANDSHAKE[:64] + zmtp.frame(COMMAND, b""), "READY was"),
        (HANDSHAKE[:64] + zmtp.frame(COMMAND, b"\xffREADY"), "READY was"),
        (HANDSHAKE[:64] + zmtp.frame(COMMAND, b"\5HELLO"), "READY was"),
        (null_handshake(b""), "a DEALER was"),
        (null_handshake(ready(b"REQ")), "a DEALER was"),
        (null_handshake(ready(b"ROUTER")), "a DEALER was"),
        (null_handshake(ready(routing_id=b"ann")), "routing id"),
        (null_handshake(ready()[:-1]), "no sense"),
        (null_handshake(ready() + b"\5"), "no sense"),
        (null_handshake(ready() + b"\1a\0\0"), "no sense"),
        (null_handshake(ready() + b"\1a\xff\xff\xff\xff"), "no sense"),
        (null_handshake(ready() * 2), "no sense"),
        (null_handshake(b"\0\0\0\0\0" + ready()), "no sense"),
    ],
)
def test_who_does_not_come_in(data: bytes, reason: str) -> None:
    assert reason in refusal(data)


def test_names_of_properties_have_no_case_and_unknown_ones_are_ignored() -> None:
    metadata = zmtp.pack_properties({b"SOCKET-type": b"DEALER", b"X-Mine": b"x"})
    stream = Stream(Null())
    assert stream.receive(null_handshake(metadata) + zmtp.wrap(b"a"), MAX) == [b"a"]


@pytest.mark.parametrize("minor", [0, 1, 7])
def test_minor_versions_of_zmtp_3_come_in(minor: int) -> None:
    data = HANDSHAKE[:11] + bytes((minor,)) + HANDSHAKE[12:]
    assert refusal(data) == ""


def test_refusal_is_told_to_those_who_can_read_it() -> None:
    stream = Stream(Null())
    stream.receive(null_handshake(ready(b"REQ")), MAX)
    reason = b"a DEALER was expected"
    assert bodies(stream.answers[1]) == [(COMMAND, b"\5ERROR" + bytes((len(reason),)) + reason)]
    stranger = Stream(Null())
    stranger.receive(b"GET / HTTP/1.1\r\n", MAX)
    assert len(stranger.answers) == 1
    ((_, body),) = bodies(Refused("é" * 400).command)
    assert body[6] == 255 and body[7:] == b"?" * 255


def test_every_first_byte_but_one_is_a_strangers() -> None:
    for first in range(255):
        assert refusal(bytes((first,)))
    assert not refusal(b"\xff")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (bytes((MORE, 1)), MalformedFrame),
        (bytes((MORE | LONG,)) + bytes(8), MalformedFrame),
        (bytes((8, 1)), MalformedFrame),
        (bytes((0x80, 1)), MalformedFrame),
        (bytes((COMMAND | MORE, 1)), MalformedFrame),
        (
            bytes((COMMAND | LONG,)) + (zmtp.COMMAND_BYTES_MAX + 1).to_bytes(8, "big"),
            MalformedFrame,
        ),
        (bytes((LONG,)) + (MAX + 1).to_bytes(8, "big"), FrameTooBig),
        (bytes((LONG,)) + b"\xff" * 8, FrameTooBig),
    ],
)
def test_bad_head_is_enough_to_end_it(head: bytes, kind: type[Exception]) -> None:
    stream = opened()
    assert stream.receive(zmtp.wrap(b"good") + head, MAX) == [b"good"]
    assert type(stream.error) is kind
    assert stream.receive(zmtp.wrap(b"later"), MAX) == []


def test_longest_message_of_the_moment_is_taken() -> None:
    stream = opened()
    assert stream.receive(zmtp.wrap(b"x" * 10), 10) == [b"x" * 10]
    stream.receive(zmtp.wrap(b"x" * 11), 10)
    assert "11 bytes, expected at most 10" in str(stream.error)
    stream = opened()
    assert stream.receive(zmtp.wrap(b"x" * 11), 11) == [b"x" * 11]


def test_ping_is_answered_with_its_context_and_other_commands_are_ignored() -> None:
    stream = opened()
    ping = zmtp.frame(COMMAND, b"\4PING\0\x0aabc")
    others = [b"\4PONGabc", b"\x09SUBSCRIBEx", b"", b"\xff", b"\4PING"]
    data = ping + b"".join(zmtp.frame(COMMAND, body) for body in others) + zmtp.wrap(b"x")
    assert stream.receive(data, MAX) == [b"x"]
    assert [bodies(each) for each in stream.answers] == [
        [(COMMAND, b"\4PONGabc")],
        [(COMMAND, b"\4PONG")],
    ]
    stream.receive(zmtp.frame(COMMAND, b"\4PING\0\0" + b"y" * 40), MAX)
    assert bodies(stream.answers[-1]) == [(COMMAND, b"\4PONG" + b"y" * 16)]


def test_single_bytes_cost_no_copies_of_the_rest() -> None:
    stream = opened()
    framed = zmtp.wrap(bytes(1_000_000))
    tracemalloc.start()
    for at in range(0, len(framed) - 100, 100):
        assert stream.receive(framed[at : at + 100], 1_000_000) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_500_000
    rest = framed[len(range(0, len(framed) - 100, 100)) * 100 :]
    assert stream.receive(rest, 1_000_000) == [bytes(1_000_000)]
