"""A peer's messages are ops; what is none, too much or too long ends it, and is counted."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import zmq

from actorchat import limits
from actorchat.errors import MalformedFrame, SettingsError
from actorchat.gateway.base import Bounds
from actorchat.gateway.zeromq import ZmqConnection, ZmqGateway
from actorchat.protocol.codec import decode, encode_push
from actorchat.protocol.ops import Ping
from tests.unit.gateway.stage import FakeLoop, FakeSession, FakeTransport

PING = encode_push(Ping())


class Stage:
    """A gateway without sockets, and one connection of it."""

    def __init__(self, **bounds: Any) -> None:
        self.sessions: list[FakeSession] = []
        self.gateway = ZmqGateway(self._open, "127.0.0.1", 7702, bounds=Bounds(**bounds))
        self.loop = FakeLoop()
        self.gateway.loop = self.loop  # type: ignore[assignment]
        self.connection = ZmqConnection(self.gateway)
        self.transport = FakeTransport(self.connection)
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]

    def _open(self, outlet: Any) -> FakeSession:
        self.sessions.append(FakeSession(outlet))
        return self.sessions[-1]

    def sent(self) -> list[dict[str, Any]]:
        return [decode(payload) for turn in self.transport.writes for payload in turn]


def test_message_is_an_op_and_an_answer_is_a_message() -> None:
    stage = Stage()
    stage.connection.message_received(PING)
    (session,) = stage.sessions
    assert session.ops == [Ping()]
    session.outlet.push(PING)
    stage.loop.turn()
    assert stage.transport.writes == [[PING]]
    counters = stage.gateway.counters
    assert (counters.frames_in, counters.bytes_in) == (1, len(PING))
    assert (counters.frames_out, counters.bytes_out) == (1, len(PING))


def test_message_is_heard_in_its_tick() -> None:
    stage = Stage()
    assert stage.connection.heard == 0
    stage.gateway.sweep.tick()
    stage.connection.message_received(PING)
    assert stage.connection.heard == 1


@pytest.mark.parametrize("payload", [b"", b"\x00", PING + b"\x00"])
def test_what_is_no_op_ends_the_connection(payload: bytes) -> None:
    stage = Stage()
    stage.connection.message_received(payload)
    stage.connection.message_received(PING)
    error, bye = stage.sent()
    assert (error["err"]["code"], bye["code"]) == ("bad_frame", "protocol")
    assert stage.transport.is_eof_sent
    assert (stage.sessions[0].ops, stage.sessions[0].reasons) == ([], ["protocol"])
    assert stage.gateway.counters.protocol_errors == 1


def test_strangers_messages_are_short_and_members_are_longer() -> None:
    stage = Stage(hello_frame_bytes_max=10, frame_bytes_max=100)
    stage.sessions[0].outlet.admit()
    stage.connection.message_received(b"\xa1" + b"x" * 60)
    assert stage.sent()[0]["err"]["code"] == "bad_frame"  # and not too large
    stage = Stage(hello_frame_bytes_max=10, frame_bytes_max=100)
    stage.connection.message_received(b"\xa1" + b"x" * 60)
    assert stage.sent()[0]["err"]["code"] == "too_large"


def test_refusal_ends_the_connection_once() -> None:
    stage = Stage()
    stage.connection.refuse(MalformedFrame("several parts"))
    stage.connection.refuse(MalformedFrame("several parts"))
    assert [op.get("code") or op["err"]["code"] for op in stage.sent()] == ["bad_frame", "protocol"]
    assert stage.gateway.counters.protocol_errors == 1


def test_overrun_ends_the_connection_once() -> None:
    stage = Stage()
    stage.connection.overrun()
    stage.connection.overrun()
    (bye,) = stage.sent()
    assert (bye["code"], bye["reconnect"]) == ("overload", "after")
    assert stage.sessions[0].reasons == ["overrun"]
    assert stage.gateway.counters.overruns == 1


def test_tls_is_not_for_zeromq() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(SettingsError, match="CURVE is"):
        ZmqGateway(FakeSession, "127.0.0.1", 7702, context)


async def test_socket_drops_nothing_and_bounds_what_libzmq_keeps() -> None:
    gateway = ZmqGateway(FakeSession, "127.0.0.1", 0, bounds=Bounds(handshake_timeout_s=2.0))
    await gateway.start()
    options = {
        zmq.SNDHWM: limits.ZMQ_PIPE_MESSAGES,
        zmq.RCVHWM: limits.ZMQ_PIPE_MESSAGES,
        zmq.MAXMSGSIZE: limits.FRAME_BYTES_MAX * 5 // 4,
        zmq.HANDSHAKE_IVL: 2000,
        zmq.LINGER: 0,
    }
    assert {name: gateway._socket.get(name) for name in options} == options
    with pytest.raises(zmq.ZMQError) as caught:
        gateway._socket.send_multipart([b"nobody", b"x"], zmq.NOBLOCK)
    assert caught.value.errno == zmq.EHOSTUNREACH
    assert gateway.address == f"zmq://127.0.0.1:{gateway.port}" and gateway.port > 0
    await gateway.stop()
    await gateway.stop()


async def test_stop_before_the_start_is_harmless() -> None:
    await ZmqGateway(FakeSession, "127.0.0.1", 0).stop()
