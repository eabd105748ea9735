"""A DEALER that came in has a session; ends are told; what is no op ends it, and is counted."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from actorchat.errors import SettingsError, Unavailable
from actorchat.gateway.base import Bounds
from actorchat.gateway.curve import CurveKeys
from actorchat.gateway.zeromq import ZmqConnection, ZmqGateway
from actorchat.protocol import zmtp
from actorchat.protocol.codec import decode, encode, encode_push, encode_send
from actorchat.protocol.ops import Ping
from actorchat.protocol.zmtp import COMMAND
from tests.unit.gateway.stage import FakeLoop, FakeSession, FakeTransport
from tests.unit.protocol.zmtp_client import bodies, null_handshake, ready

PING = encode_push(Ping())
OFF = b"\0\0"  # an empty message: nothing follows


class Stage:
    """A gateway without sockets, and one connection of it."""

    def __init__(self, *, is_in: bool = True, is_full: bool = False, **bounds: Any) -> None:
        self.is_full = is_full
        self.sessions: list[FakeSession] = []
        self.gateway = ZmqGateway(self._open, "127.0.0.1", 7702, bounds=Bounds(**bounds))
        self.loop = FakeLoop()
        self.gateway.loop = self.loop  # type: ignore[assignment]
        self.connection = ZmqConnection(self.gateway)
        self.transport = FakeTransport(self.connection)
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]
        if is_in:
            self.connection.data_received(null_handshake())

    def _open(self, outlet: Any) -> FakeSession:
        if self.is_full:
            raise Unavailable("no room")
        self.sessions.append(FakeSession(outlet))
        return self.sessions[-1]

    def raw(self) -> bytes:
        """Return all that was written."""
        return b"".join(map(b"".join, self.transport.writes))

    def sent(self) -> list[bytes]:
        """Return the messages that were written, behind the greeting and READY."""
        return [body for flags, body in bodies(self.raw()[64:]) if flags == 0]

    def said(self) -> list[dict[str, Any]]:
        """Return them decoded, all but the empty one at the end."""
        *messages, last = self.sent()
        assert last == b""
        return [decode(payload) for payload in messages]

    def pass_ticks(self, count: int) -> None:
        for _ in range(count):
            self.gateway.sweep.tick()
            while self.gateway.sweep.work():
                pass


def test_server_greets_before_it_has_heard_anything() -> None:
    stage = Stage(is_in=False)
    assert stage.raw() == zmtp.greeting(b"NULL", is_server=False)
    assert stage.sessions == []


def test_session_begins_with_the_handshakes_end_and_messages_are_ops() -> None:
    stage = Stage(is_in=False)
    handshake = null_handshake()
    for byte in handshake[:-1]:
        stage.connection.data_received(bytes((byte,)))
    assert stage.sessions == []
    stage.connection.data_received(handshake[-1:] + zmtp.wrap(PING) + zmtp.wrap(PING)[:3])
    (session,) = stage.sessions
    assert session.ops == [Ping()]
    session.outlet.push(PING)
    session.outlet.push(b"x" * 300)
    stage.loop.turn()
    assert stage.sent() == [PING, b"x" * 300]
    counters = stage.gateway.counters
    assert (counters.accepted, counters.frames_in, counters.frames_out) == (1, 1, 2)
    assert counters.bytes_in == len(handshake) + len(zmtp.wrap(PING)) + 3
    assert counters.bytes_out == len(stage.raw())


def test_all_of_a_turn_goes_out_in_one_write() -> None:
    stage = Stage()
    before = len(stage.transport.writes)
    for _ in range(5):
        stage.sessions[0].outlet.push(PING)
    stage.loop.turn()
    assert stage.transport.writes[before:] == [[zmtp.wrap(PING)] * 5]


def test_knock_is_no_op_but_it_is_heard() -> None:
    stage = Stage()
    stage.gateway.sweep.tick()
    stage.connection.data_received(OFF)
    assert stage.sessions[0].ops == [] and stage.sessions[0].reasons == []
    assert stage.connection._heard == 1


def test_ping_of_zmtp_is_answered_through_the_outbox() -> None:
    stage = Stage(outbox_bytes_max=4_000)
    ping = zmtp.frame(COMMAND, b"\4PING\0\0abc")
    stage.connection.data_received(ping)
    stage.loop.turn()
    assert stage.raw().endswith(zmtp.frame(COMMAND, b"\4PONGabc"))
    stage.transport.room = 0
    for _ in range(500):
        stage.connection.data_received(ping)
        stage.loop.turn()
    assert stage.sessions[0].reasons == ["slow_consumer"]
    assert stage.gateway.counters.slow_consumers == 1


@pytest.mark.parametrize("payload", [b"\x00", PING + b"\x00"])
def test_what_is_no_op_ends_the_connection(payload: bytes) -> None:
    stage = Stage()
    stage.connection.data_received(zmtp.wrap(PING) + zmtp.wrap(payload) + zmtp.wrap(PING))
    stage.connection.data_received(zmtp.wrap(PING))
    error, bye = stage.said()
    assert (error["err"]["code"], bye["code"]) == ("bad_frame", "protocol")
    assert (stage.sessions[0].ops, stage.sessions[0].reasons) == ([Ping()], ["protocol"])
    assert stage.gateway.counters.protocol_errors == 1


def test_what_is_no_message_ends_the_connection_after_those_before_it() -> None:
    stage = Stage()
    stage.connection.data_received(zmtp.wrap(PING) + bytes((zmtp.MORE, 1)))
    error, bye = stage.said()
    assert (error["err"]["code"], bye["code"]) == ("bad_frame", "protocol")
    assert stage.sessions[0].ops == [Ping()]


def test_strangers_messages_are_short_and_members_are_longer() -> None:
    long = zmtp.wrap(encode_send(1, encode("bob"), bytes(16), "x" * 200))
    stage = Stage(hello_frame_bytes_max=100, frame_bytes_max=1000)
    stage.connection.data_received(long[:9])
    assert stage.said()[0]["err"]["code"] == "too_large"
    stage = Stage(hello_frame_bytes_max=100, frame_bytes_max=1000)
    stage.sessions[0].outlet.admit()
    stage.connection.data_received(long)
    assert len(stage.sessions[0].ops) == 1


def test_peer_is_told_that_nothing_follows_and_given_time_to_hang_up() -> None:
    stage = Stage()
    stage.sessions[0].outlet.close(PING)
    assert stage.sent() == [PING, b""]
    assert not stage.transport.is_eof_sent and not stage.transport.is_closing()
    stage.connection.data_received(zmtp.wrap(PING))
    assert stage.sessions[0].ops == [] and stage.sessions[0].reasons == ["session"]
    stage.pass_ticks(stage.gateway.linger_ticks - 1)
    assert not stage.transport.is_aborted
    stage.pass_ticks(1)
    assert stage.transport.is_aborted


def test_reading_goes_on_after_the_end_or_the_peer_could_not_be_heard_to_hang_up() -> None:
    stage = Stage(in_flight_max=1)
    send = zmtp.wrap(encode_send(1, encode("bob"), bytes(16), "x"))
    stage.connection.data_received(send * 2)
    assert not stage.transport.is_reading()
    stage.sessions[0].outlet.close()
    assert stage.transport.is_reading()
    assert stage.connection.eof_received() is False


def test_peer_that_hangs_up_is_told_nothing() -> None:
    stage = Stage()
    before = stage.raw()
    assert stage.connection.eof_received() is False
    assert stage.transport.is_closing() and stage.raw() == before
    assert stage.sessions[0].reasons == ["eof"]


@pytest.mark.parametrize("sent", [b"", null_handshake()[:30], null_handshake()[:70]])
def test_handshake_has_a_deadline(sent: bytes) -> None:
    stage = Stage(is_in=False)
    for _ in range(stage.gateway.handshake_ticks - 1):
        stage.pass_ticks(1)
        stage.connection.data_received(sent[:1])
        sent = sent[1:]
    assert not stage.transport.is_eof_sent
    stage.pass_ticks(1)
    assert stage.transport.is_eof_sent
    assert stage.raw() == zmtp.greeting(b"NULL", is_server=False)
    assert stage.gateway.counters.handshake_timeouts == 1


def test_who_is_in_and_does_not_sign_in_is_told_so() -> None:
    stage = Stage()
    stage.pass_ticks(stage.gateway.handshake_ticks)
    (bye,) = stage.said()
    assert bye["code"] == "idle"
    assert stage.sessions[0].reasons == ["handshake"]


def test_refused_peer_is_counted_and_hears_why() -> None:
    stage = Stage(is_in=False)
    stage.connection.data_received(null_handshake(ready(routing_id=b"ann")) + zmtp.wrap(PING))
    ((flags, body),) = bodies(stage.raw()[64:])
    assert flags == COMMAND and body.startswith(b"\5ERROR") and b"routing id" in body
    assert stage.transport.is_eof_sent
    counters = stage.gateway.counters
    assert (counters.protocol_errors, counters.denied, counters.accepted) == (1, 0, 0)
    assert stage.sessions == []


def test_stranger_is_shut_out_without_an_answer() -> None:
    stage = Stage(is_in=False)
    stage.connection.data_received(b"GET / HTTP/1.1\r\n")
    assert len(stage.raw()) == 64 and stage.transport.is_eof_sent
    assert stage.gateway.counters.protocol_errors == 1


@pytest.mark.parametrize("bounds", [{"is_full": True}, {"connections_max": 0}])
def test_peer_for_whom_there_is_no_room_hears_so_when_it_is_in(bounds: dict[str, Any]) -> None:
    stage = Stage(**bounds)
    (bye,) = stage.said()
    assert (bye["code"], bye["reconnect"]) == ("overload", "after")
    assert stage.gateway.counters.refused == 1


def test_idle_connection_holds_no_dict() -> None:
    connection = Stage().connection
    for each in (connection, connection._stream, connection._stream._mechanism):
        assert not hasattr(each, "__dict__")


def test_tls_is_not_for_zeromq() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(SettingsError, match="CURVE is"):
        ZmqGateway(FakeSession, "127.0.0.1", 7702, context)


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::"])  # noqa: S104
async def test_without_keys_nobody_else_is_listened_to(host: str) -> None:
    gateway = ZmqGateway(FakeSession, host, 0)
    with pytest.raises(SettingsError, match="no loopback address"):
        await gateway.start()


async def test_address_is_known_after_the_start_and_stop_is_harmless_twice() -> None:
    gateway = ZmqGateway(FakeSession, "127.0.0.1", 0)
    await gateway.start()
    assert gateway.address == f"zmq://127.0.0.1:{gateway.port}" and gateway.port > 0
    await gateway.stop()
    await gateway.stop()


async def test_keys_make_the_mechanism() -> None:
    public = b"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
    secret = b"JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"
    keys = CurveKeys(public, secret, frozenset({bytes(32)}))
    gateway = ZmqGateway(FakeSession, "127.0.0.1", 0, keys=keys)
    assert gateway.make_mechanism().name == b"CURVE"
    assert gateway.make_mechanism() is not gateway.make_mechanism()
    assert ZmqGateway(FakeSession, "127.0.0.1", 0).make_mechanism().name == b"NULL"
