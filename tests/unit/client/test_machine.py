"""How a client lives: signing in, sending, receiving, keeping alive, coming back, ending."""

from __future__ import annotations

import pytest

from actorchat.client.effect import (
    Accepted,
    Answered,
    Connect,
    Disconnect,
    Ended,
    Failed,
    Jumped,
    SignedIn,
)
from actorchat.client.event import (
    Ask,
    Close,
    Lost,
    MarkRead,
    Opened,
    Paused,
    Post,
    Resumed,
    Start,
    State,
    Taken,
    Tick,
)
from actorchat.client.signin import Identity
from actorchat.errors import (
    AuthFailed,
    CallTimeout,
    ConnectionLost,
    Overloaded,
    Refusal,
    Revoked,
    SessionEnded,
    TakenOver,
    VersionMismatch,
)
from actorchat.protocol import ops
from tests.unit.client.playbook import Playbook, delivery, refused, said, signed_in, welcome

BY_PASSWORD = Identity("ann", "phone", "password", "secret")


def post(key: str, to: str = "bob") -> Post:
    return Post(key, to, key.encode().ljust(16, b"."), key)


def send(rid: int, key: str, to: str = "bob") -> ops.Send:
    return ops.Send(rid, to, key.encode().ljust(16, b"."), key)


def accepted(rid: int, seq: int, **more: object) -> ops.Reply:
    return ops.Reply(re=rid, ok={"seq": seq, "ts": 7, **more})


# -- signing in ----------------------------------------------------------------------------------
def test_the_token_given_for_a_password_is_used_from_then_on() -> None:
    play = Playbook(BY_PASSWORD)
    play >> Start() << Connect()
    play >> Opened() << ops.Hello(1, 1, "ann", "phone", "password", "secret")
    play >> said(welcome(token="t1")) << SignedIn
    assert play.machine.identity.token == "t1"
    play >> Lost() >> Tick()
    play.after(1) << Connect() >> Opened() << ops.Hello(1, 1, "ann", "phone", "token", "t1", 0)


def test_a_first_hello_resumes_only_from_what_the_application_brought() -> None:
    Playbook() >> Start() << Connect() >> Opened() << ops.Hello(1, 1, "ann", "phone", "token", "t0")
    play = Playbook(resume=9) >> Start() << Connect()
    play >> Opened() << ops.Hello(1, 1, "ann", "phone", "token", "t0", 9)


@pytest.mark.parametrize(
    ("code", "error"),
    [("unauthenticated", AuthFailed), ("version", VersionMismatch), ("revoked", Revoked)],
)
def test_a_hello_refused_for_good_ends_the_client(code: str, error: type[Exception]) -> None:
    play = Playbook() >> Start() << Connect() >> post("a") >> Opened() << ops.Hello
    play >> said(refused(1, code, "now")) << Disconnect() << Failed << Ended
    assert isinstance(play.machine.error, error)
    assert play.machine.state is State.ENDED
    assert play.machine.deadline() is None
    play.after(1000).end()


def test_an_unknown_refusal_of_hello_ends_only_when_it_says_never() -> None:
    play = Playbook() >> Start() << Connect() >> Opened() << ops.Hello
    play >> said(refused(1, "no_room", "never")) << Disconnect() << Ended
    play = Playbook() >> Start() << Connect() >> Opened() << ops.Hello
    play >> said(refused(1, "busy", "after", 3000)) << Disconnect()
    play.after(2.9).end()
    play.after(0.2) << Connect()


def test_a_welcome_that_makes_no_sense_is_no_welcome() -> None:
    play = Playbook() >> Start() << Connect() >> Opened() << ops.Hello
    play >> said(ops.Reply(re=1, ok={"user": "ann"})) << Disconnect()
    play.end()


def test_a_hello_that_is_not_answered_is_given_up() -> None:
    play = Playbook() >> Start() << Connect() >> Opened() << ops.Hello
    play.after(9.9).end()
    play.after(0.1) << Disconnect()


# -- coming back ---------------------------------------------------------------------------------
def test_tries_to_connect_are_spread_over_longer_and_longer_times() -> None:
    play = Playbook(jitter=1.0) >> Start() << Connect()
    waits = []
    for _ in range(10):
        play >> Lost("refused")
        at = play.machine.deadline()
        assert at is not None
        waits.append(round(at - play.now, 3))
        play.after(at - play.now) << Connect()
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15.0, 15.0]


def test_a_session_that_held_lets_the_backoff_start_anew() -> None:
    play = Playbook(jitter=1.0) >> Start() << Connect() >> Lost()
    play.after(0.1) << Connect() >> Opened() << ops.Hello >> said(welcome()) << SignedIn
    play.after(6) >> Lost()
    assert play.machine.deadline() == pytest.approx(play.now + 0.1)
    play.after(0.1) << Connect() >> Opened() << ops.Hello >> said(welcome()) << SignedIn
    play.after(1) >> Lost()  # this one did not
    assert play.machine.deadline() == pytest.approx(play.now + 0.2)


def test_unanswered_sends_go_out_again_in_order_and_first() -> None:
    play = signed_in(Playbook())
    play >> post("a") << send(2, "a") >> post("b") << send(3, "b") >> post("c") << send(4, "c")
    play >> said(accepted(3, 2)) << Accepted("b", 2, 7, False)
    play >> Lost() >> post("d")
    play.after(1) << Connect() >> Opened() << ops.Hello
    play >> said(welcome()) << SignedIn << send(2, "a") << send(3, "c") << send(4, "d")
    play >> said(accepted(2, 1, dup=True)) << Accepted("a", 1, 7, True)
    play.end()


def test_a_send_without_an_answer_has_the_connection_made_anew() -> None:
    play = signed_in(Playbook()) >> post("a") << send(2, "a")
    play.after(4) >> post("b") << send(3, "b")
    play.after(5.9).end()
    play.after(0.1) << Disconnect()
    play.after(1) << Connect()


def test_an_answer_without_a_seq_is_none() -> None:
    play = signed_in(Playbook()) >> post("a") << send(2, "a")
    play >> said(ops.Reply(re=2, ok={})) << Disconnect()
    play.end()


# -- sending -------------------------------------------------------------------------------------
def test_no_more_sends_are_under_way_than_the_window_and_the_server_allow() -> None:
    play = signed_in(Playbook(window=8), limits={"in_flight": 2})
    play >> post("a") << send(2, "a") >> post("b") << send(3, "b") >> post("c")
    play >> said(accepted(2, 1)) << Accepted("a", 1, 7, False) << send(4, "c")


def test_a_post_beyond_the_queue_is_refused_at_once() -> None:
    play = Playbook(unsent_max=1) >> post("a")
    with pytest.raises(Overloaded):
        play >> post("b")


def test_a_refusal_for_good_fails_the_send_and_lets_the_next_go_on() -> None:
    play = signed_in(Playbook(window=1)) >> post("a") << send(2, "a") >> post("b")
    play >> said(refused(2, "id_conflict", "never"))
    play << Failed("a", Refusal("id_conflict", "")) << send(3, "b")


def test_a_send_refused_for_now_holds_back_what_follows_in_its_conversation() -> None:
    play = signed_in(Playbook(window=2))
    play >> post("a") << send(2, "a") >> post("b") << send(3, "b") >> post("c") >> post("x", "eve")
    play >> said(refused(2, "store_full", "after", 500)) << send(4, "x", "eve")
    play >> said(refused(3, "store_full", "after", 500))
    play.after(0.4).end()
    play.after(0.2) << send(5, "a")  # alone: it finds out whether the way is free
    play >> said(accepted(5, 1)) << Accepted("a", 1, 7, False) << send(6, "b")
    play >> said(accepted(6, 2)) << Accepted("b", 2, 7, False) << send(7, "c")


def test_a_refusal_that_asks_to_reconnect_is_no_answer() -> None:
    play = signed_in(Playbook()) >> post("a") << send(2, "a")
    play >> said(refused(2, "unavailable", "reconnect")) << Disconnect()
    play.after(1) << Connect() >> Opened() << ops.Hello >> said(welcome()) << SignedIn
    play << send(2, "a")


def test_an_answer_to_nothing_is_passed_over() -> None:
    play = signed_in(Playbook())
    (play >> said(accepted(77, 1), ops.Reply(err=ops.Failure("x", "", "never", "none")))).end()
    (play >> said(ops.Invalid(None, "unknown_op", "no such op"))).end()


# -- receiving -----------------------------------------------------------------------------------
def test_updates_are_handed_on_once_and_acked_together() -> None:
    play = signed_in(Playbook())
    play >> said(delivery(1), delivery(2)) << delivery(1) << delivery(2)
    play >> Taken(2)
    play >> said(delivery(2), delivery(3)) << delivery(3)
    play >> Taken(3)
    play.after(0.04).end()
    play.after(0.02) << ops.Ack(3)
    play.after(1).end()


def test_the_32nd_unacked_update_is_acked_at_once() -> None:
    play = signed_in(Playbook())
    updates = [delivery(upd) for upd in range(1, 33)]
    play >> said(*updates)
    for update in updates:
        play << update
    play >> Taken(31)
    play >> Taken(32) << ops.Ack(32)


def test_an_ack_rides_ahead_of_a_send() -> None:
    play = signed_in(Playbook()) >> said(delivery(1)) << delivery(1) >> Taken(1)
    play >> post("a") << ops.Ack(1) << send(2, "a")


def test_a_gap_is_closed_by_resuming() -> None:
    play = signed_in(Playbook())
    play >> said(delivery(1), delivery(3), delivery(4)) << delivery(1) << Disconnect()
    play >> Taken(1)
    play.after(1) << Connect() >> Opened() << ops.Hello(1, 1, "ann", "phone", "token", "t0", 1)
    play >> said(welcome(cursor=1, head=4)) << SignedIn
    play >> said(delivery(2), delivery(3)) << delivery(2) << delivery(3)


def test_what_the_application_has_not_taken_is_not_acked_and_not_handed_on_again() -> None:
    play = signed_in(Playbook()) >> said(delivery(1), delivery(2)) << delivery(1) << delivery(2)
    play >> Taken(1) >> Lost()
    play.after(1) << Connect() >> Opened() << ops.Hello(1, 1, "ann", "phone", "token", "t0", 1)
    play >> said(welcome(cursor=1, head=2)) << SignedIn
    play >> said(delivery(2), delivery(3)) << delivery(3)


def test_a_server_without_what_is_missing_says_where_it_goes_on() -> None:
    play = signed_in(Playbook()) >> Lost()
    play.after(1) << Connect() >> Opened() << ops.Hello
    play >> said(welcome(cursor=7, head=9)) << SignedIn << Jumped(0, 7)
    play >> said(delivery(8)) << delivery(8)


def test_an_update_before_the_welcome_breaks_the_protocol() -> None:
    play = Playbook() >> Start() << Connect() >> Opened() << ops.Hello
    play >> said(delivery(1)) << Disconnect()
    play.end()


def test_marks_of_others_are_handed_on() -> None:
    mark = ops.MarkPush("bob", "bob", 3, 2)
    (signed_in(Playbook()) >> said(mark) << mark).end()


# -- keeping alive -------------------------------------------------------------------------------
def test_a_client_pings_and_gives_up_a_silent_server() -> None:
    play = signed_in(Playbook())
    play.after(25) << ops.Ping(noreply=True)
    play.after(25) << ops.Ping()
    play.after(10) >> said(ops.Pong())
    play.after(15) << ops.Ping(noreply=True)
    play.after(25) << ops.Ping()
    play.after(22.4).end()
    play.after(0.2) << Disconnect()


def test_silence_means_nothing_while_nothing_is_read() -> None:
    play = signed_in(Playbook()) >> Paused()
    play.after(25) << ops.Ping(noreply=True)
    for _ in range(3):
        play.after(25) << ops.Ping()
    play >> Resumed()
    play.after(25) << ops.Ping(noreply=True)
    play.after(25) << ops.Ping()
    play.after(12.5) << Disconnect()


# -- questions and marks -------------------------------------------------------------------------
def test_a_question_is_asked_again_on_the_next_connection() -> None:
    play = signed_in(Playbook()) >> Ask("h", ops.History(0, "bob")) << ops.History(2, "bob")
    play >> Lost()
    play.after(1) << Connect() >> Opened() << ops.Hello >> said(welcome()) << SignedIn
    play << ops.History(2, "bob")
    play >> said(ops.Reply(re=2, ok={"head": 3})) << Answered("h", {"head": 3})


def test_provisioning_is_not_done_twice() -> None:
    play = signed_in(Playbook()) >> Ask("p", ops.Provision(0, "eve")) << ops.Provision(2, "eve")
    play >> Lost() << Failed("p", ConnectionLost())
    play >> Ask("q", ops.Provision(0, "eve"))
    play.after(1) << Connect() >> Opened() << ops.Hello >> said(welcome()) << SignedIn
    play << ops.Provision(2, "eve")
    play >> said(refused(2, "forbidden", "never")) << Failed("q", Refusal("forbidden", ""))


def test_a_question_without_an_answer_fails_and_the_connection_stays() -> None:
    play = signed_in(Playbook()) >> Ask("s", ops.Status(0)) << ops.Status(2)
    play.after(10) << Failed("s", CallTimeout())
    play.end()
    assert play.machine.state is State.OPEN


def test_read_marks_are_repeated_until_a_pong_says_that_they_came() -> None:
    play = signed_in(Playbook()) >> MarkRead("bob", 3) << ops.Mark("bob", 3)
    (play >> MarkRead("bob", 2)).end()
    play.after(25) << ops.Ping()
    play >> MarkRead("eve", 1) << ops.Mark("eve", 1) >> said(ops.Pong()) >> Lost()
    play.after(1) << Connect() >> Opened() << ops.Hello
    play >> said(welcome()) << SignedIn << ops.Mark("eve", 1)


# -- ending --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("bye", "error"),
    [
        (ops.Bye("takeover", "never"), TakenOver),
        (ops.Bye("revoked", "never"), Revoked),
        (ops.Bye("revoked", "now"), Revoked),
        (ops.Bye("protocol", "never"), SessionEnded),
    ],
)
def test_a_bye_for_good_ends_the_client(bye: ops.Bye, error: type[SessionEnded]) -> None:
    play = signed_in(Playbook()) >> post("a") << send(2, "a")
    play >> said(bye) << Disconnect() << Failed("a", error(bye.code, "")) << Ended
    play >> post("b") << Failed("b", error(bye.code, ""))


def test_a_bye_says_when_to_come_back() -> None:
    play = signed_in(Playbook()) >> said(ops.Bye("drain", "after", 2000)) << Disconnect()
    play.after(1.9).end()
    play.after(0.2) << Connect()
    play = signed_in(Playbook()) >> said(ops.Bye("slow_consumer", "now")) << Disconnect()
    play.after(0.1) << Connect()
    play = signed_in(Playbook())
    play >> said(ops.Bye("drain", "elsewhere")) << Disconnect(elsewhere=True)
    play.after(0.1) << Connect()


def test_closing_acks_what_was_taken_and_lets_it_go_out() -> None:
    play = signed_in(Playbook()) >> said(delivery(1)) << delivery(1) >> Taken(1)
    play >> post("a") << ops.Ack(1) << send(2, "a")
    play >> said(delivery(2)) << delivery(2) >> Taken(2)
    play >> Close() << ops.Ack(2) << Disconnect(flush=True)
    play << Failed("a", SessionEnded("closed", "")) << Ended
    (play >> Close()).end()


def test_what_never_went_out_is_known_to_be_undone() -> None:
    play = Playbook() >> Start() << Connect() >> post("a") >> Opened() << ops.Hello
    play >> said(welcome()) << SignedIn << send(2, "a") >> Lost() >> post("b")
    play.after(1) << Connect() >> Opened() << ops.Hello
    play >> said(refused(1, "unauthenticated", "never")) << Disconnect()
    play << Failed("a", SessionEnded("unauthenticated", "")) << Failed("b", AuthFailed()) << Ended


def test_a_send_that_is_posted_without_a_session_is_counted_as_refused() -> None:
    play = signed_in(Playbook())
    assert play.machine.refused_max_s == 0.0
    play >> Lost() >> post("a")
    play.after(1) << Connect() >> Opened() << ops.Hello
    play >> said(welcome()) << SignedIn << send(2, "a")
    play.after(1) >> said(accepted(2, 1)) << Accepted
    assert play.machine.refused_max_s == 2.0
