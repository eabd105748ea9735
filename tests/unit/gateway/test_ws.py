"""Knows the upgrade, the frames and the ends of a WebSocket. Must not know sockets."""

from __future__ import annotations

import random
from typing import Any

import pytest

from actorchat.gateway.base import CLOSE_REASONS, Bounds
from actorchat.gateway.endpoint import Endpoint
from actorchat.gateway.ws import _CODES, WsConnection, WsGateway
from actorchat.limits import UPGRADE_BYTES_MAX
from actorchat.protocol import codec, jsontext, upgrade
from actorchat.protocol import websocket as ws
from actorchat.protocol.ops import Ack, Invalid, Ping, Send
from tests.unit.gateway.stage import FakeLoop, FakeSession, FakeTransport
from tests.vectors.example import CID

MASK = b"\x01\x02\x03\x04"
PING = codec.encode_push(Ping())
ORIGINS = ("https://good.example",)


class Line:
    """A connection, its transport and its session, without sockets."""

    def __init__(self, *, can_half_close: bool = True, **bounds: Any) -> None:
        self.sessions: list[FakeSession] = []

        def note(outlet: Any) -> FakeSession:
            self.sessions.append(FakeSession(outlet))
            return self.sessions[-1]

        self.loop = FakeLoop()
        self.gateway = WsGateway(
            note,
            "127.0.0.1",
            7701,
            bounds=Bounds(**bounds),
            rng=random.Random(7),
            origins=ORIGINS,
        )
        self.gateway.loop = self.loop  # type: ignore[assignment]
        self.connection, self.transport = self.connect(can_half_close=can_half_close)

    def connect(self, *, can_half_close: bool = True) -> tuple[WsConnection, FakeTransport]:
        connection = WsConnection(self.gateway)
        transport = FakeTransport(connection, can_half_close=can_half_close)
        connection.connection_made(transport)  # type: ignore[arg-type]
        return connection, transport

    @property
    def session(self) -> FakeSession:
        return self.sessions[0]

    def upgrade(self, protocol: str = upgrade.CBOR_PROTOCOL) -> Line:
        self.connection.data_received(asked(protocol))
        assert self.status() == 101
        self.transport.writes.clear()
        return self

    def status(self) -> int:
        """Return the status of the HTTP answer."""
        return int(self.transport.writes[0][0].split()[1])

    def say(self, opcode: int, *payloads: bytes) -> None:
        frames = (ws.client_frame(opcode, payload, MASK) for payload in payloads)
        self.connection.data_received(b"".join(frames))

    def heard(self) -> list[tuple[int, bytes]]:
        """Return the frames that were written since the last call."""
        self.loop.turn()
        stream = b"".join(map(b"".join, self.transport.writes))
        self.transport.writes.clear()
        return ws.MessageSplitter(frames_are_masked=False).feed(stream, 2**24)

    def told(self) -> tuple[list[dict[str, Any]], int | None]:
        """Return the ops written since the last call, and the code of the close behind them."""
        *messages, (opcode, payload) = self.heard()
        assert opcode == ws.CLOSE
        return [codec.decode(message) for _, message in messages], ws.close_code(payload)


def asked(protocol: str | None = upgrade.CBOR_PROTOCOL, *fields: str) -> bytes:
    head = upgrade.request("127.0.0.1", 7701, protocol or "", bytes(16))
    if protocol is None:
        head = head.replace(b"Sec-WebSocket-Protocol: \r\n", b"")
    return head[:-2] + "".join(f"{field}\r\n" for field in fields).encode() + b"\r\n"


# -- the upgrade --------------------------------------------------------------------------------


def test_session_opens_with_the_upgrade_and_not_before() -> None:
    line = Line()
    request = asked()
    for byte in request[:-1]:
        line.connection.data_received(bytes((byte,)))
    assert line.sessions == [] and line.transport.writes == []
    line.connection.data_received(request[-1:])
    assert len(line.sessions) == 1
    (answer,) = line.transport.writes[0]
    assert b"Sec-WebSocket-Protocol: actorchat.v1.cbor\r\n" in answer
    counters = line.gateway.counters
    assert (counters.accepted, counters.frames_out, counters.bytes_in) == (1, 0, len(request))
    assert counters.bytes_out == len(answer)


def test_frames_may_come_with_the_request() -> None:
    line = Line()
    line.connection.data_received(asked() + ws.client_frame(ws.BINARY, PING, MASK))
    assert line.session.ops == [Ping()]


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (asked(None), 400),
        (asked("chat"), 400),
        (asked(upgrade.CBOR_PROTOCOL, "Origin: https://evil.example"), 403),
        (asked(upgrade.CBOR_PROTOCOL, "Origin: null"), 403),
        (asked().replace(b"GET / ", b"GET /ws "), 404),
        (asked().replace(b"GET / ", b"HEAD / "), 405),
        (asked().replace(b": 13", b": 7"), 426),
        (b"\x16\x03\x01\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * UPGRADE_BYTES_MAX, 431),
    ],
)
def test_refused_upgrade_opens_no_session_and_says_why_in_http(
    request_head: bytes, status: int
) -> None:
    line = Line()
    line.connection.data_received(request_head)
    assert line.status() == status
    assert line.transport.is_eof_sent
    line.connection.data_received(asked())  # what follows is thrown away
    assert line.sessions == []
    assert len(line.transport.writes) == 1
    assert line.gateway.counters.protocol_errors == 1


@pytest.mark.parametrize("origin", ["https://good.example", "http://127.0.0.1:7701"])
def test_pages_of_listed_origins_and_of_the_same_host_may_connect(origin: str) -> None:
    line = Line()
    line.connection.data_received(asked(upgrade.CBOR_PROTOCOL, f"Origin: {origin}"))
    assert line.status() == 101


def test_client_gets_the_first_subprotocol_that_is_spoken_here() -> None:
    line = Line()
    line.connection.data_received(asked("v9, actorchat.v1.json, actorchat.v1.cbor"))
    assert b"Protocol: actorchat.v1.json\r\n" in line.transport.writes[0][0]


def test_slow_request_is_answered_at_the_handshakes_deadline() -> None:
    line = Line(handshake_timeout_s=3, tick_s=1)
    for byte in asked()[:8]:
        line.connection.data_received(bytes((byte,)))
        line.gateway.sweep.tick()
        line.gateway.sweep.work()
    assert line.status() == 408
    assert line.transport.is_eof_sent
    assert line.gateway.counters.handshake_timeouts == 1


def test_upgrade_does_not_move_the_deadline_of_signing_in() -> None:
    line = Line(handshake_timeout_s=3, tick_s=1)
    due = line.connection.due
    line.upgrade()
    assert line.connection.due == due


def test_drain_before_the_upgrade_is_told_in_http() -> None:
    line = Line()
    line.connection.leave(line.gateway.bye("drain", "after"))
    assert line.status() == 503


def test_connection_lost_before_the_upgrade_leaves_nothing() -> None:
    line = Line()
    line.connection.data_received(asked()[:20])
    assert line.connection.eof_received() is False
    line.connection.connection_lost(None)
    assert (line.gateway.counters.open, line.sessions, line.transport.writes) == (0, [], [])


def test_one_too_many_is_told_so_in_frames_because_browsers_hide_http() -> None:
    line = Line(connections_max=1)
    line.connection, line.transport = line.connect()
    line.connection.data_received(asked())
    assert line.status() == 101
    del line.transport.writes[0]
    (bye,), code = line.told()
    assert (bye["code"], code) == ("overload", ws.TRY_LATER)
    assert line.sessions == []
    assert line.gateway.counters.refused == 1


# -- frames -------------------------------------------------------------------------------------


def test_each_message_is_one_op() -> None:
    line = Line().upgrade()
    line.say(ws.BINARY, PING, codec.encode_ack(7), codec.encode({"op": "dance", "id": 3}))
    assert line.session.ops[:2] == [Ping(), Ack(7)]
    assert isinstance(line.session.ops[2], Invalid)
    assert line.gateway.counters.frames_in == 3


def test_json_connection_hears_and_says_text() -> None:
    line = Line().upgrade(upgrade.JSON_PROTOCOL)
    send = Send(3, "bob", CID, "Grüße")
    line.say(ws.TEXT, jsontext.encode(send))
    assert line.session.ops == [send]
    line.session.outlet.reply(codec.encode_accepted(3, 7, 9))
    assert line.heard() == [(ws.TEXT, b'{"re":3,"ok":{"seq":7,"ts":9}}')]


def test_all_frames_of_a_turn_go_out_in_one_call() -> None:
    line = Line().upgrade()
    line.say(ws.PING, b"a")
    line.session.outlet.push(b"one")
    line.session.outlet.push(b"two")
    line.loop.turn()
    frames = [(ws.PONG, b"a"), (ws.BINARY, b"one"), (ws.BINARY, b"two")]
    assert line.transport.writes == [[ws.server_frame(*frame) for frame in frames]]


def test_pings_are_answered_and_pongs_are_not() -> None:
    line = Line().upgrade()
    line.say(ws.PING, b"are you there", b"")
    line.say(ws.PONG, b"unasked")
    assert line.heard() == [(ws.PONG, b"are you there"), (ws.PONG, b"")]
    assert line.gateway.counters.frames_in == 0


def test_pings_to_a_peer_that_does_not_read_are_bounded_too() -> None:
    line = Line(outbox_bytes_max=10_000).upgrade()
    line.transport.room = 0
    for _ in range(1000):
        line.say(ws.PING, *[b"x" * 125] * 10)
    assert line.session.reasons == ["slow_consumer"]
    assert line.transport.buffered_bytes < 11_000


@pytest.mark.parametrize(
    ("protocol", "opcode"),
    [(upgrade.CBOR_PROTOCOL, ws.TEXT), (upgrade.JSON_PROTOCOL, ws.BINARY)],
)
def test_message_of_the_wrong_kind_is_unsupported(protocol: str, opcode: int) -> None:
    line = Line().upgrade(protocol)
    line.say(opcode, b"{}")
    ((kind, payload),) = line.heard()
    assert (kind, ws.close_code(payload)) == (ws.CLOSE, ws.UNSUPPORTED)
    assert line.session.reasons == ["protocol"]


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (b"\xc2\x80" + MASK, ws.PROTOCOL_ERROR),
        (b"\x82\x01x", ws.PROTOCOL_ERROR),
        (b"\x80\x80" + MASK, ws.PROTOCOL_ERROR),
        (b"\x09\x80" + MASK, ws.PROTOCOL_ERROR),
        (b"\x88\x81" + MASK + b"\x01", ws.PROTOCOL_ERROR),
        (ws.client_frame(ws.TEXT, b"\xff", MASK), ws.INVALID),
    ],
)
def test_broken_frames_are_told_by_the_code_of_the_close(stream: bytes, code: int) -> None:
    line = Line().upgrade()
    line.connection.data_received(ws.client_frame(ws.BINARY, PING, MASK) + stream)
    assert line.session.ops == [Ping()]
    assert line.told() == ([], code)
    assert line.session.reasons == ["protocol"]
    assert line.gateway.counters.protocol_errors == 1


def test_hostile_op_is_told_in_an_error_and_a_bye() -> None:
    line = Line().upgrade()
    line.say(ws.BINARY, PING, b"\xff", PING)
    (error, bye), code = line.told()
    assert (error["err"]["code"], bye["code"], code) == ("bad_frame", "protocol", ws.INVALID)
    assert line.session.ops == [Ping()]


def test_longer_messages_are_for_those_who_signed_in() -> None:
    long = codec.encode_send(1, codec.encode("bob"), bytes(16), "x" * 200)
    line = Line(hello_frame_bytes_max=100, frame_bytes_max=1000).upgrade()
    line.say(ws.BINARY, long)
    (error, bye), code = line.told()
    assert (error["err"]["code"], bye["code"], code) == ("too_large", "protocol", ws.TOO_BIG)
    line = Line(hello_frame_bytes_max=100, frame_bytes_max=1000).upgrade()
    line.session.outlet.admit()
    line.say(ws.BINARY, long)
    assert len(line.session.ops) == 1


# -- the end ------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"", ws.close_payload(ws.NORMAL), ws.close_payload(4000, "x")])
def test_close_of_the_peer_is_answered_with_its_code(payload: bytes) -> None:
    line = Line().upgrade()
    line.say(ws.BINARY, PING)
    line.say(ws.CLOSE, payload)
    assert line.heard() == [(ws.CLOSE, payload[:2])]
    assert (line.session.ops, line.session.reasons) == ([Ping()], ["eof"])
    assert line.transport.is_eof_sent
    line.say(ws.CLOSE, payload)
    line.say(ws.BINARY, PING)
    assert line.heard() == []
    assert line.session.ops == [Ping()]


def test_ops_before_a_close_count_even_when_they_had_to_wait() -> None:
    line = Line(in_flight_max=1).upgrade()
    sends = [codec.encode_send(n, codec.encode("bob"), bytes(16), "") for n in range(3)]
    line.say(ws.BINARY, *sends)
    assert len(line.session.ops) == 1
    line.say(ws.CLOSE, b"")
    assert len(line.session.ops) == 3
    assert line.session.reasons == ["eof"]


def test_end_of_the_stream_is_a_close_whatever_is_under_way() -> None:
    line = Line().upgrade()
    line.say(ws.BINARY, codec.encode_send(1, codec.encode("bob"), bytes(16), ""))
    assert line.connection.eof_received() is False
    assert line.session.reasons == ["eof"]
    assert line.transport.is_closing()


@pytest.mark.parametrize(
    ("end", "reason", "code"),
    [
        (lambda line: line.session.outlet.close(b"\xa0"), "session", ws.NORMAL),
        (lambda line: line.connection.leave(b"\xa0"), "drain", ws.RESTART),
        (lambda line: line.connection._end("idle", b"\xa0"), "idle", ws.POLICY),
    ],
)
def test_last_word_is_followed_by_a_close_that_says_why(end: Any, reason: str, code: int) -> None:
    line = Line().upgrade()
    end(line)
    assert line.told() == ([{}], code)
    assert line.session.reasons == [reason]
    end(line)
    assert line.heard() == []


def test_failing_session_is_an_internal_error() -> None:
    line = Line().upgrade()
    line.session.faults.append(RuntimeError("a bug"))
    line.say(ws.BINARY, PING)
    assert line.told() == ([], ws.INTERNAL_ERROR)


def test_where_no_side_can_stay_open_the_transport_is_closed() -> None:
    line = Line(can_half_close=False).upgrade()
    line.say(ws.CLOSE, b"")
    assert line.transport.is_closing() and not line.transport.is_eof_sent


def test_every_polite_end_has_a_code() -> None:
    assert set(_CODES) >= set(CLOSE_REASONS) - {"reset", "stop"}


def test_idle_connection_holds_no_dict_and_no_request() -> None:
    line = Line().upgrade()
    assert isinstance(line.connection, Endpoint)
    assert not hasattr(line.connection, "__dict__")
    assert line.connection._handshake is None
