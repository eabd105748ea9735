"""Keys open the door and guard what follows; what is repeated, cut or changed does not pass."""

from __future__ import annotations

import os
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings

from actorchat.errors import FrameTooBig, MalformedFrame
from actorchat.protocol import zmtp
from actorchat.protocol.curvezmq import (
    DENIED,
    KEY_BYTES,
    CurveServer,
    ServerKeys,
    public_of,
)
from actorchat.protocol.zmtp import COMMAND, MORE, Refused, Stream
from tests.unit.protocol.zmtp_client import KEYS, CurveClient, bodies, ready


def body_of(framed: bytes) -> bytes:
    ((_, body),) = bodies(framed)
    return body


def welcomed(
    client: CurveClient | None = None, keys: ServerKeys = KEYS
) -> tuple[CurveServer, CurveClient]:
    server, client = CurveServer(keys, os.urandom), client or CurveClient()
    client.take_welcome(body_of(server.take(client.hello())))
    return server, client


def admitted() -> tuple[CurveServer, CurveClient]:
    server, client = welcomed()
    assert client.take_ready(body_of(server.take(client.initiate()))) == (
        b"\x0bSocket-Type\0\0\0\6ROUTER"
    )
    assert server.is_ready
    return server, client


def changed(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


def test_both_sides_understand_each_other_after_the_handshake() -> None:
    server, client = admitted()
    for payload in (b"", b"a", bytes(300), bytes(70_000)):
        assert client.take_message(body_of(server.wrap(payload))) == (0, payload)
        assert server.unwrap(client.message(payload)) == (0, payload)
    assert server.unwrap(client.message(b"a", 1)) == (MORE, b"a")
    assert server.unwrap(client.message(b"a", 2)) == (COMMAND, b"a")
    assert client.take_message(body_of(server.wrap_command(b"\4PONG"))) == (2, b"\4PONG")


@given(st.binary(max_size=500))
def test_overhead_is_what_a_message_grows_by(payload: bytes) -> None:
    server, _ = admitted()
    assert len(body_of(server.wrap(payload))) == len(payload) + server.overhead_bytes


def test_nothing_of_a_message_can_be_read_and_none_looks_like_another() -> None:
    server, _ = admitted()
    first, second = server.wrap(b"secret" * 10), server.wrap(b"secret" * 10)
    assert b"secret" not in first + second
    assert first[18:] != second[18:]


@given(st.integers(0, 199))
def test_changed_hello_is_refused_unless_it_was_padding(at: int) -> None:
    server, client = CurveServer(KEYS, os.urandom), CurveClient()
    hello = client.hello()
    padding = range(8, 80)
    if at in padding:
        server.take(changed(hello, at))
    else:
        with pytest.raises(Refused):
            server.take(changed(hello, at))
    assert not server.is_ready


def test_changed_initiate_is_refused() -> None:
    size = len(welcomed()[1].initiate())
    for at in range(0, size, 3):
        server, client = welcomed()
        with pytest.raises(Refused):
            server.take(changed(client.initiate(), at))
        assert not server.is_ready


@given(st.integers(0, 291))
def test_short_commands_are_refused(size: int) -> None:
    server, client = CurveServer(KEYS, os.urandom), CurveClient()
    hello = client.hello()
    if size < len(hello):
        with pytest.raises(Refused):
            server.take(hello[:size])
    server, client = welcomed()
    initiate = client.initiate()
    assert len(initiate) == 292
    with pytest.raises(Refused):
        server.take(initiate[:size])
    assert not server.is_ready


def test_commands_out_of_order_are_refused() -> None:
    server, client = welcomed()
    with pytest.raises(Refused, match="was expected"):
        server.take(client.hello())
    stranger = CurveServer(KEYS, os.urandom)
    with pytest.raises(Refused, match="was expected"):
        stranger.take(client.initiate())
    with pytest.raises(Refused, match="was expected"):
        stranger.take(b"\5READY" + ready())


def test_hello_of_another_kind_is_refused() -> None:
    for hello in (CurveClient().hello(version=b"\2\0"), CurveClient().hello(signed=b"x" * 64)):
        with pytest.raises(Refused, match=r"1\.0"):
            CurveServer(KEYS, os.urandom).take(hello)
    with pytest.raises(Refused):  # a key that fits every secret
        CurveServer(KEYS, os.urandom).take(b"\5HELLO\1\0" + bytes(72 + 32 + 7) + b"\1" + bytes(80))


def test_wrong_keys_are_denied() -> None:
    with pytest.raises(Refused) as caught:
        CurveServer(KEYS, os.urandom).take(
            CurveClient(server=public_of(os.urandom(KEY_BYTES))).hello()
        )
    assert caught.value.is_denied
    server, client = welcomed(CurveClient(secret=os.urandom(KEY_BYTES)))
    with pytest.raises(Refused, match=DENIED) as caught:
        server.take(client.initiate())
    assert caught.value.is_denied and not server.is_ready


def test_vouch_is_for_this_connection_and_this_server() -> None:
    other = public_of(os.urandom(KEY_BYTES))
    for vouched in (other + KEYS.public, CurveClient().own_public + other, b"short"):
        server, client = welcomed()
        with pytest.raises(Refused):
            server.take(client.initiate(vouched=vouched))
        assert not server.is_ready


def test_listed_key_alone_is_not_enough_without_its_secret() -> None:
    server, client = welcomed()
    listed = public_of(client.secret)
    client.secret = os.urandom(KEY_BYTES)
    real = public_of(client.secret)
    forged = client.initiate()
    client.nonce -= 1
    assert listed != real
    with pytest.raises(Refused):
        server.take(forged)


def test_handshake_that_was_recorded_opens_no_other_connection() -> None:
    server, client = welcomed()
    hello, initiate = client.hello(), client.initiate()
    server.take(initiate)
    second = CurveServer(KEYS, os.urandom)
    second.take(hello)
    with pytest.raises(Refused, match="does not open"):
        second.take(initiate)


def test_metadata_is_judged_as_without_curve() -> None:
    for metadata in (b"", ready(b"REQ"), ready(routing_id=b"ann"), ready()[:-1]):
        server, client = welcomed()
        with pytest.raises(Refused) as caught:
            server.take(client.initiate(metadata))
        assert not caught.value.is_denied and not server.is_ready


def test_until_initiate_nothing_of_the_peer_is_kept() -> None:
    numbers = count()
    server = CurveServer(KEYS, lambda size: bytes((next(numbers),)) * size)
    client = CurveClient()
    client.take_welcome(body_of(server.take(client.hello())))
    kept = [getattr(server, name) for name in CurveServer.__slots__]
    assert client.own_public not in kept and b"\0" * KEY_BYTES not in kept
    assert b"\1" * KEY_BYTES in kept  # the cookie's key
    server.take(client.initiate())
    assert b"\1" * KEY_BYTES not in [getattr(server, name) for name in CurveServer.__slots__]


def test_message_is_taken_once_and_in_order() -> None:
    server, client = admitted()
    first, second = client.message(b"a"), client.message(b"b")
    assert server.unwrap(second) == (0, b"b")
    for old in (second, first):
        with pytest.raises(MalformedFrame):
            server.unwrap(old)
    client.nonce = 2**64 - 2
    assert server.unwrap(client.message(b"last")) == (0, b"last")


@given(st.integers(0, 53))
def test_changed_or_short_message_does_not_open(at: int) -> None:
    server, client = admitted()
    message = client.message(b"x" * 21)
    assert len(message) == 54
    with pytest.raises(MalformedFrame):
        server.unwrap(message[:at])
    with pytest.raises(MalformedFrame):
        server.unwrap(changed(message, at))


def test_message_of_ours_sent_back_does_not_open() -> None:
    server, client = admitted()
    for _ in range(3):
        ours = body_of(server.wrap(b"a"))
    client.next_nonce()
    with pytest.raises(MalformedFrame):
        server.unwrap(ours)


def test_box_without_flags_is_malformed() -> None:
    server, client = admitted()
    message = client.message(b"")
    assert server.unwrap(message) == (0, b"")
    nonce = client.next_nonce()
    box = bindings.crypto_box_afternm(b"", b"CurveZMQMESSAGEC" + nonce, client.shared)
    with pytest.raises(MalformedFrame, match="flags"):
        server.unwrap(b"\7MESSAGE" + nonce + box)


class Guarded:
    """A stream and a client that has come in over it."""

    def __init__(self) -> None:
        self.client = client = CurveClient()
        self.stream = stream = Stream(CurveServer(KEYS, os.urandom))
        stream.receive(zmtp.greeting(b"CURVE", is_server=False), 4096)
        stream.receive(zmtp.frame(COMMAND, client.hello()), 4096)
        client.take_welcome(body_of(stream.answers[-1]))
        self.initiate = zmtp.frame(COMMAND, client.initiate())

    def receive(self, *messages: bytes, flags: int = 0, bytes_max: int = 100) -> list[bytes]:
        framed = b"".join(zmtp.frame(flags, message) for message in messages)
        return self.stream.receive(framed, bytes_max)


def test_initiate_and_messages_may_come_in_one_piece() -> None:
    stage = Guarded()
    data = stage.initiate + zmtp.frame(0, stage.client.message(b"a"))
    assert stage.stream.receive(data, 100) == [b"a"]
    assert stage.receive(stage.client.message(b"x" * 100)) == [b"x" * 100]
    # As RFC 26 draws it, a message is a command.
    assert stage.receive(stage.client.message(b"b"), flags=COMMAND) == [b"b"]
    assert stage.receive(stage.client.message(b"x" * 3000), flags=COMMAND, bytes_max=3000)


def test_bounds_and_parts_are_those_of_what_is_inside() -> None:
    for message, kind in (
        ((b"x" * 101, 0), FrameTooBig),
        ((b"x", 1), MalformedFrame),
    ):
        stage = Guarded()
        stage.stream.receive(stage.initiate, 100)
        assert stage.receive(stage.client.message(*message)) == []
        assert type(stage.stream.error) is kind
    stage = Guarded()
    stage.stream.receive(stage.initiate, 100)
    assert stage.receive(b"not guarded at all") == []
    assert type(stage.stream.error) is MalformedFrame


def test_ping_inside_is_answered_inside() -> None:
    stage = Guarded()
    stage.stream.receive(stage.initiate, 100)
    stage.client.take_ready(body_of(stage.stream.answers[-1]))
    assert stage.receive(stage.client.message(b"\4PING\0\0abc", 2)) == []
    assert stage.client.take_message(body_of(stage.stream.answers[-1])) == (2, b"\4PONGabc")


def test_denial_is_told() -> None:
    stage = Guarded()
    stage.client.secret = os.urandom(KEY_BYTES)
    stage.client.nonce -= 1
    stage.stream.receive(zmtp.frame(COMMAND, stage.client.initiate()), 100)
    assert stage.stream.refused is not None and stage.stream.refused.is_denied
    assert bodies(stage.stream.answers[-1]) == [(COMMAND, b"\5ERROR\x03400")]
