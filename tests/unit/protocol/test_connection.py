"""A connection makes ops of bytes, and says whose fault it is where it can't."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actorchat.errors import FrameTooBig, MalformedFrame
from actorchat.limits import FRAME_BYTES_MAX, HELLO_FRAME_BYTES_MAX
from actorchat.protocol import codec, connection, jsontext
from actorchat.protocol.connection import Connection, Side, frame
from actorchat.protocol.ops import Ack, Invalid, Ping, Pong, Reply, Send
from tests.unit.protocol.pair import ConnectionPair
from tests.vectors.example import CID, CLIENT_EXAMPLES, SERVER_EXAMPLES, vector

SEND: dict[str, Any] = {"op": "send", "id": 5, "to": "bob", "cid": CID, "body": "hi"}
PING = frame(codec.encode(Ping()))
QUIET_PING = frame(codec.encode(Ping(noreply=True)))


@pytest.fixture
def server() -> Connection:
    return Connection(Side.SERVER, FRAME_BYTES_MAX)


def invalid(server: Connection, **fields: object) -> Invalid:
    """Send `SEND` with `fields` instead of its own; return the refusal."""
    message = {name: value for name, value in {**SEND, **fields}.items() if value is not ...}
    (op,) = server.receive(frame(codec.encode(message)))
    assert isinstance(op, Invalid)
    assert server.error is None
    return op


@pytest.mark.parametrize("name", CLIENT_EXAMPLES)
def test_a_server_takes_each_golden_frame(server: Connection, name: str) -> None:
    assert server.receive(frame(vector(name))) == [CLIENT_EXAMPLES[name].op]
    assert server.error is None


@pytest.mark.parametrize("name", SERVER_EXAMPLES)
def test_a_client_takes_each_golden_frame(name: str) -> None:
    client = Connection(Side.CLIENT)
    assert client.receive(frame(vector(name))) == [SERVER_EXAMPLES[name].op]
    assert client.error is None


def test_both_sides_understand_each_other() -> None:
    pair = ConnectionPair()
    asked = [example.op for example in CLIENT_EXAMPLES.values()]
    answered = [example.op for example in SERVER_EXAMPLES.values()]
    assert pair.to_server(asked) == asked
    assert pair.to_client(answered) == answered


def test_unknown_fields_are_ignored(server: Connection) -> None:
    message = {**SEND, "colour": {"of": ["the", 1.5, None]}}
    assert server.receive(frame(codec.encode(message))) == [Send(5, "bob", CID, "hi")]


@pytest.mark.parametrize("op", ["no_such", "", "msg", "pong", "SEND"])
def test_an_unknown_op_is_named_so_and_the_connection_goes_on(server: Connection, op: str) -> None:
    refused = invalid(server, op=op)
    assert (refused.id, refused.code) == (5, "unknown_op")
    assert server.receive(PING) == [Ping()]


@pytest.mark.parametrize("op", [..., None, 1, True, [], {}, b"send"])
def test_an_op_without_a_name_is_a_bad_request(server: Connection, op: object) -> None:
    refused = invalid(server, op=op)
    assert (refused.id, refused.code) == (5, "bad_request")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", True), ("id", 1.0), ("id", "1"), ("id", None), ("id", -1), ("id", 2**32),
        ("id", ...),
        ("to", ""), ("to", "x" * 65), ("to", b"bob"), ("to", None), ("to", ...),
        ("cid", "0123456789abcdef"), ("cid", bytes(15)), ("cid", bytes(17)), ("cid", ...),
        ("body", b"hi"), ("body", "x" * 65_537), ("body", 1), ("body", ...),
    ],
)  # fmt: skip
def test_a_field_out_of_bounds_is_a_bad_request(
    server: Connection, field: str, value: object
) -> None:
    refused = invalid(server, **{field: value})
    assert refused.code == "bad_request"
    assert field in refused.reason
    assert refused.id == (None if field == "id" else 5)


def test_a_byte_string_is_no_key_of_a_field(server: Connection) -> None:
    (op,) = server.receive(frame(codec.encode({b"op": "ping"})))
    assert isinstance(op, Invalid)


def test_the_reason_is_short_and_tells_no_secret(server: Connection) -> None:
    hello = {"op": "hello", "id": 1, "version": 1, "user": "ann", "device": "phone"}
    for wrong in ({"secret": "hunter2" * 1_000}, {"mech": "x" * 3_000, "secret": "hunter2"}):
        (op,) = server.receive(frame(codec.encode({**hello, "mech": "token", **wrong})))
        assert isinstance(op, Invalid)
        assert "hunter2" not in op.reason
        assert 0 < len(op.reason) <= 200


def test_a_client_matches_a_bad_reply_to_its_request() -> None:
    client = Connection(Side.CLIENT)
    (op,) = client.receive(frame(codec.encode({"re": 7, "ok": 1})))
    assert isinstance(op, Invalid)
    assert (op.id, op.code) == (7, "bad_request")


@pytest.mark.parametrize("reply", [{"re": 1}, {"re": 1, "ok": {}, "err": None}, {}])
def test_a_reply_that_says_nothing_is_invalid(reply: dict[str, object]) -> None:
    client = Connection(Side.CLIENT)
    (op,) = client.receive(frame(codec.encode(reply)))
    is_answered = "ok" in reply  # an `err` of null is an absent one
    assert isinstance(op, Invalid) is not is_answered


def test_what_came_before_a_malformed_frame_is_returned_and_nothing_after(
    server: Connection,
) -> None:
    assert server.receive(PING + PING + frame(b"\xff") + PING) == [Ping(), Ping()]
    assert isinstance(server.error, MalformedFrame)
    assert server.receive(PING) == []


def test_what_came_before_an_oversize_frame_is_returned_and_nothing_after() -> None:
    server = Connection(Side.SERVER)
    huge = frame(bytes(HELLO_FRAME_BYTES_MAX + 1))
    assert server.receive(PING + huge + PING) == [Ping()]
    assert isinstance(server.error, FrameTooBig)
    assert str(server.error) == "a frame of 4097 bytes, expected at most 4096"
    assert server.receive(PING) == []


def test_an_oversize_frame_is_refused_before_its_payload_comes() -> None:
    server = Connection(Side.SERVER)
    server.receive((HELLO_FRAME_BYTES_MAX + 1).to_bytes(4, "big"))
    assert isinstance(server.error, FrameTooBig)


def test_the_limit_can_be_raised_between_frames() -> None:
    server = Connection(Side.SERVER)
    long = frame(codec.encode({**SEND, "body": "x" * 10_000}))
    assert server.receive(PING) == [Ping()]
    server.frame_bytes_max = FRAME_BYTES_MAX
    assert server.receive(long[:5_000]) == []
    assert server.receive(long[5_000:]) == [Send(5, "bob", CID, "x" * 10_000)]


def test_a_client_takes_the_largest_send_as_an_update() -> None:
    to = codec.encode("b" * 64)
    empty = codec.encode_send(1, to, CID, "x" * 65_536)
    body = "x" * (FRAME_BYTES_MAX - len(empty) + 65_536)
    assert len(codec.encode_send(1, to, CID, body)) == FRAME_BYTES_MAX
    update = codec.encode_update(1, codec.encode_record(to, 1, 2, CID, body))
    client = Connection(Side.CLIENT)
    client.receive(frame(update))
    assert client.error is None


def test_messages_of_a_message_transport_are_ops() -> None:
    assert Connection(Side.SERVER).receive_payload(vector("ping")) == Ping()
    assert Connection(Side.CLIENT).receive_payload(vector("pong")) == Pong()


@pytest.mark.parametrize(
    ("payload", "error"),
    [(b"\xff", MalformedFrame), (bytes(HELLO_FRAME_BYTES_MAX + 1), FrameTooBig)],
)
def test_a_bad_message_ends_a_message_transport(payload: bytes, error: type[Exception]) -> None:
    server = Connection(Side.SERVER)
    for message in (payload, vector("ping")):
        with pytest.raises(error):
            server.receive_payload(message)
    assert type(server.error) is error


@pytest.mark.parametrize("beat", [PING, QUIET_PING])
def test_a_heartbeat_is_known_by_its_bytes(beat: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Connection(Side.SERVER)
    in_pieces = [op for byte in beat for op in server.receive(bytes((byte,)))]
    monkeypatch.delattr(connection, "convert")
    assert server.receive(beat) == in_pieces == [Ping(noreply=beat is QUIET_PING)]


@pytest.mark.parametrize("beat", [PING, QUIET_PING])
def test_what_looks_like_a_heartbeat_is_none_elsewhere(beat: bytes) -> None:
    behind_a_prefix = Connection(Side.SERVER)
    behind_a_prefix.receive(len(beat).to_bytes(4, "big"))
    assert behind_a_prefix.receive(beat) == [] and behind_a_prefix.error is not None
    assert behind_a_prefix.receive(beat) == []
    (op,) = Connection(Side.CLIENT).receive(beat)
    assert isinstance(op, Invalid)
    narrow = Connection(Side.SERVER, len(beat) - 5)
    assert narrow.receive(beat) == [] and isinstance(narrow.error, FrameTooBig)
    texts = Connection(Side.SERVER, decode=jsontext.decode)
    assert texts.receive(beat) == [] and isinstance(texts.error, MalformedFrame)


def test_an_op_is_converted_to_its_own_class_and_never_to_a_union(
    server: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # For a union msgspec builds its type information anew at each call: 3.4 µs instead of 0.2.
    asked: list[object] = []

    def convert(message: object, kind: type[Any]) -> object:
        asked.append(kind)
        return msgspec.convert(message, kind)

    monkeypatch.setattr(connection, "convert", convert)
    server.receive(PING + frame(codec.encode(Ack(1))))
    Connection(Side.CLIENT).receive(frame(vector("pong")) + frame(vector("reply-done")))
    assert asked == [Ping, Ack, Pong, Reply]
