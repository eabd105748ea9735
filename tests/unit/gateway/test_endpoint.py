"""Knows how a connection treats its session and its peer. Must not know sockets."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.errors import MailboxFull, Overloaded
from actorchat.gateway.base import Outlet
from actorchat.gateway.endpoint import Endpoint
from actorchat.gateway.intake import REQUESTS
from actorchat.gateway.tcp import TcpConnection
from actorchat.protocol.codec import PONG, encode, encode_accepted, encode_push, encode_send
from actorchat.protocol.framing import frame
from actorchat.protocol.ops import Ack, Hello, History, Invalid, Mark, Ping, Send
from tests.unit.gateway.stage import FakeSession, FakeTransport, Stage

TO_BOB = encode("bob")
PING = frame(encode_push(Ping()))
QUIET_PING = frame(encode_push(Ping(noreply=True)))
ACK = frame(encode_push(Ack(1)))


def a_send(request_id: int) -> bytes:
    return frame(encode_send(request_id, TO_BOB, bytes(16), "hi"))


def answer(session: FakeSession, *request_ids: int) -> None:
    for request_id in request_ids:
        session.outlet.reply(encode_accepted(request_id, request_id, 0))


def ids(session: FakeSession) -> list[Any]:
    return [getattr(op, "id", op) for op in session.ops]


def open_one(stage: Stage, **how: Any) -> tuple[TcpConnection, FakeTransport, FakeSession]:
    connection, transport = stage.connect(**how)
    session = stage.sessions[-1]
    session.outlet.admit()
    return connection, transport, session


def test_requests_are_the_ops_that_want_an_answer() -> None:
    assert {Hello, Send, History, Invalid} < REQUESTS
    assert not {Ping, Ack, Mark} & REQUESTS


def test_ops_reach_the_session_in_order_and_answers_the_peer() -> None:
    stage = Stage()
    connection, transport, session = open_one(stage)
    connection.data_received(a_send(1) + PING + a_send(2))
    assert ids(session) == [1, Ping(), 2]
    answer(session, 1, 2)
    stage.loop.turn()
    assert [message["re"] for message in transport.sent()] == [1, 2]
    assert connection.peer == "192.0.2.7:5222"
    assert connection.source == "192.0.2.7"


def test_cap_holds_strictly_within_one_read_and_ends_at_half() -> None:
    stage = Stage(in_flight_max=4)
    connection, transport, session = open_one(stage)
    connection.data_received(b"".join(map(a_send, range(10))))
    assert ids(session) == [0, 1, 2, 3]
    assert not transport.is_reading()
    answer(session, 0)
    stage.loop.turn()
    assert len(session.ops) == 4
    answer(session, 1)
    assert len(session.ops) == 4  # not while the session has its turn
    stage.loop.turn()
    assert ids(session) == [0, 1, 2, 3, 4, 5]
    assert not transport.is_reading()
    answer(session, 2, 3, 4, 5)
    stage.loop.turn()
    assert ids(session) == list(range(10))
    assert transport.is_reading()
    assert stage.gateway.counters.paused == 2


def test_bytes_that_come_in_spite_of_the_pause_wait_too() -> None:
    stage = Stage(in_flight_max=1)
    connection, _, session = open_one(stage)
    connection.data_received(a_send(0) + a_send(1))
    connection.data_received(a_send(2))
    for request_id in range(3):
        answer(session, request_id)
        stage.loop.turn()
    assert ids(session) == [0, 1, 2]


def test_surplus_replies_do_not_raise_the_cap() -> None:
    stage = Stage(in_flight_max=2)
    connection, _, session = open_one(stage)
    answer(session, 7, 8, 9)
    connection.data_received(b"".join(map(a_send, range(4))))
    assert ids(session) == [0, 1]


def test_full_mailbox_answers_busy_and_holds_the_rest_a_moment() -> None:
    stage = Stage(busy_pause_s=0.25)
    connection, transport, session = open_one(stage)
    session.faults = [None, MailboxFull("full")]
    connection.data_received(a_send(1) + a_send(2) + a_send(3))
    stage.loop.turn()
    (refusal,) = transport.sent()
    assert refusal["re"] == 2
    assert (refusal["err"]["code"], refusal["err"]["after_ms"]) == ("busy", 250)
    assert ids(session) == [1] and not transport.is_reading()
    assert stage.loop.later[0][0] == 0.25
    stage.loop.wake()
    assert ids(session) == [1, 3] and transport.is_reading()
    assert stage.gateway.counters.busy == 1


def test_full_mailbox_makes_an_op_without_id_wait() -> None:
    stage = Stage()
    connection, transport, session = open_one(stage)
    session.faults = [MailboxFull("full"), MailboxFull("still")]
    connection.data_received(ACK)
    stage.loop.wake()
    assert session.ops == []
    stage.loop.wake()
    assert session.ops == [Ack(1)] and transport.is_reading()
    assert stage.gateway.counters.busy == 0


def test_pause_that_ends_after_the_close_does_nothing() -> None:
    stage = Stage()
    connection, _, session = open_one(stage)
    session.faults = [MailboxFull("full")]
    connection.data_received(ACK)
    session.outlet.close()
    stage.loop.wake()
    assert session.ops == []


def test_lost_framing_delivers_what_was_held_before_it_ends() -> None:
    stage = Stage(in_flight_max=1)
    connection, transport, session = open_one(stage)
    connection.data_received(a_send(1) + a_send(2) + b"\xff\xff\xff\xff")
    assert ids(session) == [1, 2]
    assert session.reasons == ["protocol"]
    error, bye = transport.sent()
    assert error["err"]["code"] == "too_large" and bye["code"] == "protocol"
    connection.data_received(a_send(3))
    assert ids(session) == [1, 2]


def test_ops_of_an_earlier_read_come_before_the_fault_too() -> None:
    stage = Stage(in_flight_max=1)
    connection, _, session = open_one(stage)
    connection.data_received(a_send(1) + a_send(2))
    connection.data_received(b"\xff\xff\xff\xff")
    assert ids(session) == [1, 2]


def test_session_that_closes_on_the_last_good_op_has_the_last_word() -> None:
    class Leaver(FakeSession):
        def receive(self, op: Any) -> None:
            super().receive(op)
            self.outlet.close(encode({"last": True}))

    stage = Stage(Leaver)
    connection, transport, session = open_one(stage)
    connection.data_received(a_send(1) + a_send(2) + b"\xff\xff\xff\xff")
    assert transport.sent() == [{"last": True}]
    assert (ids(session), session.reasons) == ([1], ["session"])


def test_fault_of_the_session_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    connection, transport, session = open_one(stage)
    session.faults = [RuntimeError("a bug")]
    connection.data_received(a_send(1) + a_send(2))
    assert session.reasons == ["error"] and transport.is_eof_sent
    assert [record.exc_info is not None for record in caplog.records] == [True]
    assert stage.gateway.counters.session_errors == 1


def test_fault_at_the_close_is_logged_and_the_close_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Bad(FakeSession):
        def closed(self, reason: str) -> None:
            raise RuntimeError(reason)

    stage = Stage(Bad)
    connection, _, _ = open_one(stage)
    connection.connection_lost(None)
    assert stage.gateway.counters.open == 0
    assert len(caplog.records) == 1


def test_fault_at_the_opening_closes_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    def fail(outlet: Outlet) -> FakeSession:
        raise RuntimeError("a bug")

    stage = Stage(fail)
    _, transport = stage.connect()
    assert transport.is_eof_sent
    assert len(caplog.records) == 1
    assert stage.gateway.counters.accepted == 0


def test_house_without_room_is_an_overload() -> None:
    def refuse(outlet: Outlet) -> FakeSession:
        raise Overloaded("full")

    stage = Stage(refuse)
    connection, transport = stage.connect()
    (bye,) = transport.sent()
    assert (bye["code"], bye["reconnect"]) == ("overload", "after")
    connection.data_received(a_send(1))
    assert stage.gateway.counters.refused == 1


def test_session_may_close_while_it_is_opened() -> None:
    class Shy(FakeSession):
        def __init__(self, outlet: Outlet) -> None:
            super().__init__(outlet)
            outlet.close(encode({"no": True}))

    stage = Stage(Shy)
    connection, transport = stage.connect()
    connection.data_received(a_send(1))
    assert transport.sent() == [{"no": True}]
    assert (stage.sessions[0].ops, stage.sessions[0].reasons) == ([], ["session"])


def test_close_lets_the_peer_read_the_last_frame() -> None:
    stage = Stage(close_linger_s=3.0)
    connection, transport, session = open_one(stage)
    transport.pause_reading()
    session.outlet.push(encode({"n": 1}))
    session.outlet.close(encode({"n": 2}))
    assert transport.sent() == [{"n": 1}, {"n": 2}]
    assert transport.is_eof_sent and not transport.is_closing()
    assert transport.is_reading()  # else unread bytes would reset the connection
    assert connection.eof_received() is False
    connection.connection_lost(None)
    assert session.reasons == ["session"]
    assert len(stage.gateway.sweep) == 0


def test_peer_that_never_closes_is_cut_after_the_linger() -> None:
    stage = Stage(close_linger_s=3.0)
    _, transport, session = open_one(stage)
    session.outlet.close()
    stage.pass_ticks(3)
    assert not transport.is_closing()
    stage.pass_ticks(1)
    assert transport.is_aborted
    assert session.reasons == ["session"]


def test_tls_is_closed_both_ways_at_once() -> None:
    stage = Stage()
    connection, transport, session = open_one(stage, can_half_close=False)
    connection.data_received(a_send(1))
    assert connection.eof_received() is False
    assert transport.is_closing() and session.reasons == ["eof"]


def test_half_closed_peer_is_answered_then_closed() -> None:
    stage = Stage()
    connection, transport, session = open_one(stage)
    connection.data_received(a_send(1) + a_send(2))
    assert connection.eof_received() is True
    answer(session, 1)
    assert session.reasons == []
    answer(session, 2)
    assert session.reasons == ["eof"]
    assert [message["re"] for message in transport.sent()] == [1, 2]
    assert transport.is_closing() and not transport.is_eof_sent


def test_half_closed_peer_is_answered_what_was_held_too() -> None:
    stage = Stage(in_flight_max=1)
    connection, _, session = open_one(stage)
    connection.data_received(a_send(1) + a_send(2))
    assert connection.eof_received() is True
    answer(session, 1)
    stage.loop.turn()
    assert session.reasons == []
    answer(session, 2)
    assert session.reasons == ["eof"]


def test_half_closed_peer_whose_answers_never_come_is_idle() -> None:
    stage = Stage(idle_timeout_s=5.0)
    connection, _, session = open_one(stage)
    connection.data_received(a_send(1))
    assert connection.eof_received() is True
    stage.pass_ticks(6)
    assert session.reasons == ["idle"]


@pytest.mark.parametrize(("error", "reason"), [(None, "eof"), (OSError(), "reset")])
def test_loss_is_told_with_its_reason(error: Exception | None, reason: str) -> None:
    stage = Stage()
    connection, _, session = open_one(stage)
    connection.connection_lost(error)
    session.outlet.push(b"late")
    session.outlet.close()
    session.outlet.admit()
    assert session.reasons == [reason]
    assert stage.gateway.counters.open == 0


def test_handshake_deadline_holds_however_much_the_peer_talks() -> None:
    stage = Stage(handshake_timeout_s=3.0)
    connection, transport = stage.connect()
    for _ in range(3):
        stage.pass_ticks(1)
        connection.data_received(PING)
        assert stage.sessions[0].reasons == []
    stage.pass_ticks(1)
    assert stage.sessions[0].reasons == ["handshake"]
    assert transport.sent()[-1]["reconnect"] == "after"
    assert stage.gateway.counters.handshake_timeouts == 1


def test_admitted_peer_has_no_handshake_deadline_but_may_not_be_silent() -> None:
    stage = Stage(handshake_timeout_s=3.0, idle_timeout_s=10.0)
    connection, transport, session = open_one(stage)
    stage.pass_ticks(8)
    connection.data_received(b"\x00")  # any byte is a sign of life
    stage.pass_ticks(10)
    assert session.reasons == []
    stage.pass_ticks(1)
    assert session.reasons == ["idle"]
    assert transport.sent() == [{"op": "bye", "code": "idle", "reconnect": "now"}]
    assert stage.gateway.counters.idle_closed == 1


def test_peer_that_is_not_read_is_not_called_silent() -> None:
    stage = Stage(idle_timeout_s=5.0, in_flight_max=1)
    connection, _, session = open_one(stage)
    connection.data_received(a_send(1) + a_send(2))
    stage.pass_ticks(20)
    assert session.reasons == []
    answer(session, 1)
    stage.loop.turn()
    stage.pass_ticks(5)
    assert session.reasons == []
    stage.pass_ticks(7)
    assert session.reasons == ["idle"]


def test_heartbeats_of_those_who_signed_in_end_here() -> None:
    stage = Stage()
    connection, transport, session = open_one(stage)
    connection.data_received(PING + a_send(1))
    assert ids(session) == [1]
    assert transport.writes == [[frame(PONG)]]  # at once, not at the end of the turn
    answer(session, 1)
    connection.data_received(PING)
    stage.loop.turn()
    (frames,) = transport.writes[1:]
    assert len(frames) == 2 and frames[1] == frame(PONG)  # not before what waits already


def test_heartbeat_behind_a_request_is_not_answered_before_it() -> None:
    stage = Stage()
    connection, transport, session = open_one(stage)
    connection.data_received(a_send(1) + PING)
    assert ids(session) == [1, Ping()] and transport.writes == []
    answer(session, 1)
    connection.data_received(PING)
    assert ids(session) == [1, Ping()]


def test_heartbeat_that_wants_no_reply_gets_none_and_counts_as_being_heard() -> None:
    stage = Stage()
    connection, transport, session = open_one(stage)
    for _ in range(20):
        stage.pass_ticks(5)
        connection.data_received(QUIET_PING)
    connection.data_received(a_send(1) + QUIET_PING + PING)
    assert session.reasons == [] and transport.writes == []
    assert ids(session) == [1, Ping()]


def test_heartbeat_of_a_stranger_is_the_sessions_matter() -> None:
    stage = Stage()
    connection, transport = stage.connect()
    session = stage.sessions[-1]
    connection.data_received(PING)
    assert session.ops == [Ping()] and transport.writes == []


def test_who_only_pings_and_never_reads_is_a_slow_consumer() -> None:
    stage = Stage(outbox_bytes_max=4000)
    connection, transport, session = open_one(stage)
    transport.room = 0
    connection.data_received(PING * 1000)
    assert session.reasons == ["slow_consumer"] and not session.ops
    assert stage.gateway.counters.slow_consumers == 1


def test_slow_consumer_is_told_and_closed_once() -> None:
    stage = Stage(outbox_bytes_max=4000)
    _, transport, session = open_one(stage)
    transport.room = 0
    for _ in range(60):
        session.outlet.push(encode({"x": b"x" * 90}))
    assert session.reasons == ["slow_consumer"]
    assert transport.sent()[-1]["code"] == "slow_consumer"
    assert stage.gateway.counters.slow_consumers == 1


def test_slow_consumer_of_replies_is_closed_too() -> None:
    stage = Stage(outbox_bytes_max=4000)
    _, transport, session = open_one(stage)
    transport.room = 0
    for _ in range(60):
        session.outlet.reply(encode({"x": b"x" * 90}))
    assert session.reasons == ["slow_consumer"]


def test_leaving_waits_for_answers_and_reads_no_more() -> None:
    stage = Stage()
    connection, transport, session = open_one(stage)
    connection.data_received(a_send(1) + a_send(2))
    connection.leave(encode({"op": "bye"}))
    assert not transport.is_reading()
    answer(session, 1)
    assert session.reasons == []
    answer(session, 2)
    assert session.reasons == ["drain"]
    assert transport.sent()[2:] == [{"op": "bye"}]
    connection.leave(encode({"op": "bye"}))
    assert len(transport.sent()) == 3


def test_leaving_does_not_pass_held_ops_on() -> None:
    stage = Stage(in_flight_max=2)
    connection, transport, session = open_one(stage)
    connection.data_received(b"".join(map(a_send, range(4))))
    answer(session, 0)
    connection.leave(encode({"op": "bye"}))
    stage.loop.turn()
    assert ids(session) == [0, 1]
    answer(session, 1)
    assert session.reasons == ["drain"] and ids(session) == [0, 1]
    assert transport.sent()[-1] == {"op": "bye"}


def test_leaving_is_not_idleness() -> None:
    stage = Stage(idle_timeout_s=2.0)
    connection, _, session = open_one(stage)
    connection.data_received(a_send(1))
    connection.leave(b"")
    stage.pass_ticks(10)
    assert session.reasons == []


def test_cut_of_a_closing_connection_tells_nothing_more() -> None:
    stage = Stage(close_linger_s=1.0)
    connection, transport, session = open_one(stage)
    transport.close()  # the loop found the socket broken and has not said so yet
    session.outlet.close(encode({"n": 1}))
    assert transport.writes == []
    connection.cut("stop")
    assert session.reasons == ["session"]


def test_cut_tells_the_session_and_aborts() -> None:
    stage = Stage()
    connection, transport, session = open_one(stage)
    session.outlet.push(encode({"n": 1}))
    assert connection.unsent_bytes == len(frame(encode({"n": 1})))
    connection.cut("stop")
    connection.cut("stop")
    stage.loop.turn()
    assert transport.is_aborted and transport.writes == []
    assert session.reasons == ["stop"]


def test_peer_without_an_address_has_a_name() -> None:
    stage = Stage()
    connection, transport = stage.connect()
    transport.get_extra_info = lambda name: None  # type: ignore[method-assign]
    assert connection.peer == "unknown"
    assert connection.source == ""


def test_transport_must_say_how_it_frames() -> None:
    endpoint = Endpoint(Stage().gateway)
    with pytest.raises(NotImplementedError):
        endpoint._wrap(b"")
    with pytest.raises(NotImplementedError):
        endpoint._widen(1)
