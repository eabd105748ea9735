from __future__ import annotations

import pytest

from actorchat.broker.conversation import ConversationActor
from actorchat.broker.user import UserActor
from actorchat.chat.event import Deliver, Post
from actorchat.limits import IDEMPOTENCE_WINDOW
from actorchat.protocol import ops
from actorchat.store import keys
from tests.unit.broker.stage import Stage


class Silent:
    """A session that nobody listens to."""

    def tell(self, event: object) -> None:
        pass


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob")
    return stage


def actor(stage: Stage) -> ConversationActor:
    entities = stage.system.names.whereis("entities")._actor.children
    (found,) = [ref._actor for ref in entities if ref.actor_class is ConversationActor]
    return found


def test_marker_stands_until_the_fan_out_is_confirmed(stage: Stage) -> None:
    stage.hello("ann").send("bob", "hi")
    key = keys.conversation_key("ann", "bob")
    assert stage.rows("outbox") == [(key, keys.pack_outbox(1))]
    stage.run(2.0)
    assert stage.rows("outbox") == []


def test_message_for_the_home_user_owes_nothing(stage: Stage) -> None:
    stage.hello("bob").send("ann", "hi")
    assert stage.rows("outbox") == []


def test_fan_out_that_a_restart_interrupts_is_driven_again(stage: Stage) -> None:
    ann = stage.hello("ann")
    outbox, inbox = stage.engine.family("outbox"), stage.engine.family("inbox")
    ann.start(lambda rid: ops.Send(rid, "bob", stage.new_cid(), "hi"))
    while not stage.engine.scan(outbox, b"", b"\xff" * 32):
        stage.dispatcher.run(until=lambda: bool(stage.engine.scan(outbox, b"", b"\xff" * 32)))
    stage.engine.sync()
    assert stage.engine.scan(inbox, b"", b"\xff" * 32) == []
    stage.crash()
    ann = stage.hello("ann")
    ann.ask(lambda rid: ops.History(rid, "bob"))  # whatever wakes the conversation
    bob = stage.hello("bob")
    stage.run(3.0)
    assert bob.bodies == ["hi"]
    assert stage.rows("outbox") == []


@pytest.mark.parametrize(("sender", "recipient"), [("ann", "bob"), ("bob", "ann")])
def test_id_is_known_long_after_it_left_memory(stage: Stage, sender: str, recipient: str) -> None:
    one = stage.hello(sender)
    cid = stage.new_cid()
    first = one.send(recipient, "first", cid)["ok"]
    for number in range(3 * IDEMPOTENCE_WINDOW):
        one.send(recipient, f"m{number}")
    assert one.send(recipient, "first", cid)["ok"] == {**first, "dup": True}
    assert one.send(recipient, "other", cid)["err"]["code"] == "id_conflict"
    stage.engine.sync()
    stage.crash()
    one = stage.hello(sender)
    assert one.send(recipient, "first", cid)["ok"] == {**first, "dup": True}


def test_both_may_use_the_same_id(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    cid = stage.new_cid()
    assert ann.send("bob", "from ann", cid)["ok"]["seq"] == 1
    assert bob.send("ann", "from bob", cid)["ok"]["seq"] == 2


def test_burst_beyond_the_window_is_still_idempotent(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    stage.syncer.is_held = True
    cids = [stage.new_cid() for _ in range(3 * IDEMPOTENCE_WINDOW)]
    for _ in range(2):
        for cid in cids:
            bob.start(lambda rid, cid=cid: ops.Send(rid, "ann", cid, "hi"))
    stage.run()
    stage.syncer.release()
    stage.run(1.0)
    seqs = [reply["ok"].get("seq") for rid, reply in bob.connection.replies.items() if rid > 1]
    assert sorted(seqs) == sorted([*range(1, len(cids) + 1)] * 2)
    assert len(ann.messages) == len(cids)


def test_crash_between_two_records_leaves_no_hole(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    bob.send("ann", "one")
    conversation = actor(stage)
    home = conversation._home._ref
    rid = bob.start(lambda rid: ops.Send(rid, "ann", stage.new_cid(), "swallowed"))
    stage.dispatcher.run(until=lambda: conversation._machine.seq == 2)
    home.kill()  # with the record in its mailbox
    stage.run(1.0)
    reply = bob.connection.replies[rid]
    if "err" in reply:
        assert reply["err"]["outcome"] == "unknown"
        assert reply["err"]["retry"] == "now"
    for number in range(3):
        bob.ask(lambda rid, number=number: ops.Send(rid, "ann", stage.new_cid(), f"m{number}"))
        stage.run(0.5)
    seqs = [keys.parse_history_key(key)[1] for key, _ in stage.rows("history")]
    assert seqs == list(range(1, len(seqs) + 1))
    assert not ann.connection.is_closed


def test_marks_come_back_after_a_restart(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    ann.send("bob", "hi")
    bob.ack()
    bob.tell(ops.Mark("ann", 1))
    stage.run(1.0)
    stage.rows("state")
    stage.engine.sync()
    stage.crash()
    ann = stage.hello("ann")
    page = ann.ask(lambda rid: ops.History(rid, "bob"))["ok"]
    assert page["marks"]["bob"] == {"delivered": 1, "read": 1}


def test_mark_beyond_the_head_is_cut_down(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    ann.send("bob", "hi")
    bob.tell(ops.Mark("ann", 1_000))
    stage.run(0.2)
    assert [(mark["delivered"], mark["read"]) for mark in ann.marks] == [(1, 1)]


def test_delivery_after_a_restart_names_the_one_before_it(stage: Stage) -> None:
    """A post that waits while the debts are told again must not hide that they were lost."""
    ann = stage.hello("ann")
    outbox = stage.engine.family("outbox")
    ann.start(lambda rid: ops.Send(rid, "bob", stage.new_cid(), "owed"))
    stage.dispatcher.run(until=lambda: bool(stage.engine.scan(outbox, b"", b"\xff" * 32)))
    stage.engine.sync()
    stage.crash()
    told = []
    place = stage.broker.context.router.conversation(("ann", "bob"))
    user = UserActor.on_receive

    def deaf(self: UserActor, event: object) -> None:
        if type(event) is Deliver:
            told.append((event.seq, event.prev))
        else:
            user(self, event)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UserActor, "on_receive", deaf)
        place.tell(Post("ann", Silent(), 1, stage.new_cid(), "next"))
        stage.run(0.2)
    assert (1, 0) in told
    assert (2, 1) in told
    bob = stage.hello("bob")
    stage.run(3.0)
    assert bob.bodies == ["owed", "next"]
