"""Knows TCP's framing and calls. Must not know sockets."""

from __future__ import annotations

from actorchat.gateway.tcp import TcpConnection
from actorchat.protocol.codec import encode, encode_push, encode_send
from actorchat.protocol.framing import frame
from actorchat.protocol.ops import Ping
from tests.unit.gateway.stage import Stage

PING = frame(encode_push(Ping()))


def test_frame_in_pieces_is_one_op() -> None:
    stage = Stage()
    connection, _ = stage.connect()
    for byte in PING[:-1]:
        connection.data_received(bytes((byte,)))
    assert stage.sessions[0].ops == []
    connection.data_received(PING[-1:])
    assert stage.sessions[0].ops == [Ping()]
    counters = stage.gateway.counters
    assert (counters.frames_in, counters.bytes_in) == (1, len(PING))


def test_bytes_after_the_close_are_not_even_looked_at() -> None:
    stage = Stage()
    connection, _ = stage.connect()
    stage.sessions[0].outlet.close()
    connection.data_received(PING + b"\xff\xff\xff\xff")
    counters = stage.gateway.counters
    assert (counters.frames_in, counters.bytes_in, counters.protocol_errors) == (0, 0, 0)


def test_payloads_go_out_behind_their_length() -> None:
    stage = Stage()
    _, transport = stage.connect()
    stage.sessions[0].outlet.push(b"abc")
    stage.loop.turn()
    assert transport.writes == [[b"\x00\x00\x00\x03abc"]]


def test_longer_frames_are_for_those_who_signed_in() -> None:
    stage = Stage(hello_frame_bytes_max=100, frame_bytes_max=1000)
    long = frame(encode_send(1, encode("bob"), bytes(16), "x" * 200))
    stranger, transport = stage.connect()
    stranger.data_received(long)
    assert stage.sessions[0].reasons == ["protocol"]
    assert transport.sent()[0]["err"]["code"] == "too_large"
    friend, _ = stage.connect()
    stage.sessions[1].outlet.admit()
    friend.data_received(long)
    assert len(stage.sessions[1].ops) == 1


def test_writing_pauses_and_resumes_with_the_transport() -> None:
    stage = Stage()
    connection, transport = stage.connect()
    connection.pause_writing()
    stage.sessions[0].outlet.push(b"a")
    stage.loop.turn()
    assert transport.writes == []
    connection.resume_writing()
    assert transport.writes == [[frame(b"a")]]


def test_idle_connection_holds_no_dict() -> None:
    assert not hasattr(TcpConnection(Stage().gateway), "__dict__")
