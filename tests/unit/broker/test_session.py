from __future__ import annotations

import pytest

from actorchat.broker.outlet import SessionInlet
from actorchat.broker.session import SessionActor
from actorchat.errors import MailboxFull
from actorchat.limits import MARK_DELAY_S, SESSION_MAILBOX_MAX
from actorchat.protocol import ops
from tests.unit.broker.stage import Stage


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob")
    return stage


def test_welcome_says_what_holds_here(stage: Stage) -> None:
    ann = stage.hello("ann")
    welcome = ann.connection.replies[1]["ok"]
    assert welcome["user"] == "ann"
    assert welcome["device"] == "phone"
    assert welcome["durability"] == "fsync"
    assert welcome["limits"]["frame_bytes"] > 0
    assert "token" not in welcome
    assert ann.connection.is_admitted


@pytest.mark.parametrize(("sender", "recipient"), [("ann", "bob"), ("bob", "ann")])
def test_message_is_accepted_and_delivered_in_either_direction(
    stage: Stage, sender: str, recipient: str
) -> None:
    one, other = stage.hello(sender), stage.hello(recipient)
    reply = one.send(recipient, "hi")
    assert reply["ok"]["seq"] == 1
    (push,) = other.messages
    assert push["upd"] == 1
    assert push["msg"]["from"] == sender
    assert push["msg"]["body"] == "hi"
    assert push["msg"]["ts"] == reply["ok"]["ts"]
    assert one.messages == []


def test_message_to_oneself_arrives_once(stage: Stage) -> None:
    ann = stage.hello("ann")
    assert ann.send("ann", "note")["ok"]["seq"] == 1
    assert ann.bodies == ["note"]


def test_nothing_is_said_before_the_sync(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    stage.syncer.is_held = True
    rid = bob.start(lambda rid: ops.Send(rid, "ann", stage.new_cid(), "hi"))
    stage.run(1.0)
    assert rid not in bob.connection.replies
    assert ann.messages == []
    stage.syncer.release()
    stage.run()
    assert bob.connection.replies[rid]["ok"]["seq"] == 1
    assert ann.bodies == ["hi"]


def test_resend_gets_the_first_answer_again(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    cid = stage.new_cid()
    first = ann.send("bob", "hi", cid)["ok"]
    again = ann.send("bob", "hi", cid)["ok"]
    assert again == {**first, "dup": True}
    assert bob.bodies == ["hi"]


def test_other_content_under_the_same_id_is_a_conflict(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    cid = stage.new_cid()
    ann.send("bob", "hi", cid)
    assert ann.send("bob", "ho", cid)["err"]["code"] == "id_conflict"
    assert bob.bodies == ["hi"]


def test_message_to_nobody_is_refused_and_not_stored(stage: Stage) -> None:
    ann = stage.hello("ann")
    for name in ("nobody", "../etc", "a" * 64, "\x00"):
        assert ann.send(name, "hi")["err"]["code"] == "no_such_user"
    assert stage.rows("history") == []
    assert stage.broker.context.router.counts()["conversations"] == 0


def test_ops_before_signing_in_are_refused(stage: Stage) -> None:
    stranger = stage.connect()
    reply = stranger.ask(lambda rid: ops.Send(rid, "bob", stage.new_cid(), "hi"))
    assert reply["err"]["code"] == "unauthenticated"
    stranger.tell(ops.Ack(5))
    stranger.tell(ops.Mark("bob", 5))
    stage.run()
    assert stage.rows("history") == []
    assert not stranger.connection.is_admitted


def test_wrong_token_is_told_and_hung_up_on(stage: Stage) -> None:
    stranger = stage.connect()
    reply = stranger.ask(lambda rid: ops.Hello(rid, 1, "ann", "phone", "token", "guess"))
    assert reply["err"]["code"] == "unauthenticated"
    assert stranger.connection.is_closed


def test_other_version_is_told_and_hung_up_on(stage: Stage) -> None:
    stranger = stage.connect()
    reply = stranger.ask(lambda rid: ops.Hello(rid, 99, "ann", "phone", "token", "guess"))
    assert reply["err"]["code"] == "version"
    assert stranger.connection.bye == {"op": "bye", "code": "protocol", "reconnect": "never"}


def test_ping_is_answered_and_a_bad_op_refused(stage: Stage) -> None:
    ann = stage.hello("ann")
    ann.tell(ops.Ping())
    ann.tell(ops.Invalid(7, "unknown_op", "no such op"))
    stage.run()
    assert {"op": "pong"} in ann.connection.pushes
    assert ann.connection.replies[7]["err"]["code"] == "unknown_op"


def test_history_is_paged_and_carries_marks(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    for number in range(5):
        (ann if number % 2 else bob).send("bob" if number % 2 else "ann", f"m{number}")
    bob.ack()
    page = ann.ask(lambda rid: ops.History(rid, "bob", limit=3))["ok"]
    assert [record["body"] for record in page["events"]] == ["m2", "m3", "m4"]
    assert page["head"] == 5
    assert page["more"] is True
    assert page["marks"]["bob"]["delivered"] == 4
    older = ann.ask(lambda rid: ops.History(rid, "bob", before=3))["ok"]
    assert [record["seq"] for record in older["events"]] == [1, 2]
    assert older["more"] is False
    newer = ann.ask(lambda rid: ops.History(rid, "bob", after=4))["ok"]
    assert [record["seq"] for record in newer["events"]] == [5]


def test_page_keeps_to_its_budget_of_bytes(stage: Stage) -> None:
    ann = stage.hello("ann")
    for _ in range(4):
        ann.send("bob", "x" * 50_000)
    page = ann.ask(lambda rid: ops.History(rid, "bob"))["ok"]
    assert [record["seq"] for record in page["events"]] == [3, 4]
    assert page["more"] is True
    page = ann.ask(lambda rid: ops.History(rid, "bob", after=1, limit=9))["ok"]
    assert [record["seq"] for record in page["events"]] == [2, 3]


def test_delivered_and_read_are_shown_to_the_sender(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    ann.send("bob", "hi")
    bob.ack()
    bob.tell(ops.Mark("ann", 1))
    stage.run(2 * MARK_DELAY_S)
    marks = [(mark["user"], mark["delivered"], mark["read"]) for mark in ann.marks]
    assert marks == [("bob", 1, 0), ("bob", 1, 1)]


def test_newer_connection_of_a_device_takes_over(stage: Stage) -> None:
    old = stage.hello("ann")
    new = stage.hello("ann")
    assert old.connection.bye is not None
    assert old.connection.bye["code"] == "takeover"
    stage.hello("bob").send("ann", "hi")
    assert new.bodies == ["hi"]
    assert old.bodies == []


def test_many_peers_do_not_grow_a_session_without_bound(stage: Stage) -> None:
    ann = stage.hello("ann")
    for number in range(300):
        ann.start(lambda rid, number=number: ops.History(rid, f"peer{number}"))
    stage.run(0.5)
    assert len(ann.connection.replies) == 301
    (session,) = [
        ref
        for ref in stage.system.names.whereis("sessions")._actor.children
        if ref.actor_class is SessionActor
    ]
    assert len(session._actor._conversations) <= 256


def test_full_mailbox_refuses_at_the_door(stage: Stage) -> None:
    ann = stage.hello("ann")
    with pytest.raises(MailboxFull):
        for _ in range(SESSION_MAILBOX_MAX + 1):
            ann.tell(ops.Ping())


def test_inlet_of_a_dead_session_ignores_the_end(stage: Stage) -> None:
    ann = stage.hello("ann")
    inlet = ann.connection.inlet
    ann.leave()
    assert isinstance(inlet, SessionInlet)
    inlet.closed("again")
    stage.run()
    assert stage.crashes == []


def test_session_that_crashes_closes_its_connection(stage: Stage) -> None:
    ann = stage.hello("ann")
    ann.connection.push = lambda payload: 1 / 0  # type: ignore[method-assign]
    ann.tell(ops.Ping())
    stage.run()
    assert ann.connection.is_closed
    assert len(stage.crashes) == 1


def test_session_that_crashes_leaves_its_home(stage: Stage) -> None:
    ann = stage.hello("ann")
    ann.connection.push = lambda payload: 1 / 0  # type: ignore[method-assign]
    ann.tell(ops.Ping())
    stage.run(1.0)
    home = stage.broker.context.router._users["ann"]._actor
    assert home._machine.sessions() == []
    assert home._machine.is_quiet
