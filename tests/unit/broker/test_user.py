from __future__ import annotations

import pytest

from actorchat.broker.user import UserActor
from actorchat.chat.effect import ForgetDevice, Push
from actorchat.chat.event import MarksDue
from actorchat.limits import (
    CHECKPOINT_EVERY_UPDATES,
    INBOX_INLINE_BYTES_MAX,
    TRIM_EVERY_UPDATES,
)
from actorchat.protocol import ops
from actorchat.store import keys
from tests.unit.broker.stage import Device, Stage


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob", "eve")
    return stage


def send_many(sender: Device, to: str, count: int) -> list[str]:
    bodies = [f"message {number}" for number in range(count)]
    for body in bodies:
        assert "ok" in sender.send(to, body)
    return bodies


def homes(stage: Stage) -> dict[str, UserActor]:
    entities = stage.system.names.whereis("entities")._actor.children
    actors = [ref._actor for ref in entities if ref.actor_class is UserActor]
    return {actor._user: actor for actor in actors}


@pytest.mark.parametrize(("sender", "recipient"), [("ann", "bob"), ("bob", "ann")])
def test_who_was_away_gets_everything_in_order(stage: Stage, sender: str, recipient: str) -> None:
    bodies = send_many(stage.hello(sender), recipient, 300)
    late = stage.hello(recipient)
    stage.run()
    assert late.bodies == bodies
    assert [push["upd"] for push in late.messages] == list(range(1, 301))


def test_long_message_is_kept_once_and_delivered_whole(stage: Stage) -> None:
    body = "x" * (2 * INBOX_INLINE_BYTES_MAX)
    stage.hello("ann").send("bob", body)
    bob = stage.hello("bob")
    stage.run()
    assert bob.bodies == [body]
    ((_, value),) = stage.rows("inbox")
    assert keys.unpack_inbox(value).kind == keys.POINTER


def test_device_that_is_behind_waits_for_its_own_acks(stage: Stage) -> None:
    send_many(stage.hello("ann"), "bob", 1_100)
    bob = stage.hello("bob")
    stage.run()
    assert len(bob.messages) == 1_024
    bob.ack()
    stage.run()
    assert len(bob.messages) == 1_100


def test_live_device_that_stops_acking_is_paced_and_then_goes_on(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    send_many(ann, "bob", 1_030)
    assert len(bob.messages) == 1_024
    bob.ack()
    stage.run()
    assert [push["upd"] for push in bob.messages] == list(range(1, 1_031))
    send_many(ann, "bob", 1)
    assert len(bob.messages) == 1_031


def test_acked_updates_leave_the_log_when_every_device_has_them(stage: Stage) -> None:
    ann, phone, laptop = stage.hello("ann"), stage.hello("bob"), stage.hello("bob", "laptop")
    send_many(ann, "bob", TRIM_EVERY_UPDATES)
    phone.ack()
    assert len(stage.rows("inbox")) == TRIM_EVERY_UPDATES
    laptop.ack()
    assert stage.rows("inbox") == []


def test_revoking_a_device_that_lags_lets_the_log_be_trimmed(stage: Stage) -> None:
    ann, phone, laptop = stage.hello("ann"), stage.hello("bob"), stage.hello("bob", "laptop")
    laptop.leave()
    send_many(ann, "bob", TRIM_EVERY_UPDATES)
    phone.ask(lambda rid: ops.Revoke(rid, "laptop"))
    phone.ack()
    assert stage.rows("inbox") == []


def test_both_devices_get_every_message_once(stage: Stage) -> None:
    ann, phone = stage.hello("ann"), stage.hello("bob")
    bodies = send_many(ann, "bob", 3)
    laptop = stage.hello("bob", "laptop")
    bodies += send_many(ann, "bob", 3)
    assert phone.bodies == laptop.bodies == bodies


def test_device_resumes_behind_what_it_holds(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    send_many(ann, "bob", 5)
    bob.leave()
    again = stage.hello("bob", resume=3)
    stage.run()
    assert [push["upd"] for push in again.messages] == [4, 5]


def test_resume_beyond_the_head_and_ack_of_the_unseen_change_nothing(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob", resume=99)
    bob.tell(ops.Ack(50))
    stage.run()
    send_many(ann, "bob", 2)
    bob.leave()
    assert len(stage.hello("bob").messages) in (0, 2)
    stage.run()
    assert homes(stage)["bob"]._machine.devices["phone"].acked == 0


def test_node_that_comes_back_goes_on_where_the_log_ends(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    first = send_many(ann, "bob", 3)
    bob.ack(2)
    stage.run(1.0)  # the cursor is a hint that is written a little later
    stage.rows("state")
    stage.engine.sync()
    stage.crash()
    ann, bob = stage.hello("ann"), stage.hello("bob")
    stage.run()
    assert bob.bodies == first[2:]
    assert ann.send("bob", "after")["ok"]["seq"] == 4
    assert bob.messages[-1]["upd"] == 4


@pytest.mark.parametrize("sender", ["ann", "eve"])
def test_home_is_built_from_the_last_checkpoint_on(stage: Stage, sender: str) -> None:
    count = CHECKPOINT_EVERY_UPDATES + 5
    send_many(stage.hello(sender), "bob", count)
    stage.rows("state")
    stage.engine.sync()
    read: list[int] = []
    stage.crash()
    archive = stage.broker.context.archive
    rows = type(archive).rows

    class Counting(type(archive)):  # type: ignore[misc]
        def rows(self, user, owner, first, last=None):  # type: ignore[no-untyped-def]
            found = rows(self, user, owner, first, last)
            read.append(len(found))
            return found

    stage.broker.context.archive = Counting(stage.engine)
    stage.hello(sender).send("bob", "one more")
    assert read == [0, 5] or read == [5, 0] or read == [5]
    assert homes(stage)["bob"]._machine.head == count + 1


def test_idle_home_is_put_away_and_what_comes_is_kept(stage: Stage) -> None:
    stage = Stage(idle_s=1.0)
    stage.add_users("ann", "bob")
    ann = stage.hello("ann")
    send_many(ann, "bob", 2)
    stage.run(5.0)
    assert set(homes(stage)) == {"ann"}
    assert stage.broker.context.router.counts() == {"users": 1, "conversations": 0, "groups": 0}
    send_many(ann, "bob", 1)
    bob = stage.hello("bob")
    stage.run()
    assert [push["upd"] for push in bob.messages] == [1, 2, 3]


def test_message_that_comes_with_the_end_of_an_idle_home_is_not_lost(stage: Stage) -> None:
    stage = Stage(idle_s=1.0)
    stage.add_users("ann", "bob")
    ann = stage.hello("ann")
    send_many(ann, "bob", 1)
    stage.run(1.5)
    for _ in range(40):
        ann.start(lambda rid: ops.Send(rid, "bob", stage.new_cid(), "hi"))
        stage.run(0.07)
    bob = stage.hello("bob")
    stage.run()
    assert len(bob.messages) == 41


def test_home_that_crashes_is_rebuilt_and_its_sessions_stay(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    first = send_many(ann, "bob", 3)
    homes(stage)["bob"].ref.tell("what is this?")
    stage.run()
    assert len(stage.crashes) == 1
    assert not bob.connection.is_closed
    more = send_many(ann, "bob", 3)
    seen = {push["upd"]: push["msg"]["body"] for push in bob.messages}
    assert list(seen.values()) == first + more


def test_delivery_that_a_crash_swallows_is_told_again(stage: Stage) -> None:
    ann = stage.hello("ann")
    send_many(ann, "bob", 1)
    home = homes(stage)["bob"]
    stage.syncer.is_held = True
    cids = [stage.new_cid() for _ in range(3)]
    for number, cid in enumerate(cids):
        ann.start(lambda rid, number=number, cid=cid: ops.Send(rid, "bob", cid, f"held {number}"))
    stage.run()
    home.ref.tell("what is this?")
    stage.syncer.release()
    home.ref._limit = 1  # so that the deliveries find no room, as if the crash had taken them
    stage.run(5.0)
    bob = stage.hello("bob")
    stage.run()
    assert bob.bodies == ["message 0", "held 0", "held 1", "held 2"]
    assert stage.rows("outbox") == []


def owner(user: str) -> bytes:
    return keys.user_key(user)


def test_resend_of_what_died_with_a_home_is_not_accepted_but_stored(stage: Stage) -> None:
    ann = stage.hello("ann")
    cid = stage.new_cid()
    home = homes(stage)["ann"]
    home._append = lambda *_: 1 / 0  # the record has come to the home and not to the log
    lost = ann.ask(lambda rid: ops.Send(rid, "bob", cid, "hi"))["err"]
    assert (lost["code"], lost["retry"], lost["outcome"]) == ("unavailable", "now", "unknown")
    assert ann.send("bob", "hi", cid)["ok"]["seq"] == 1
    assert len(stage.rows("history")) == 1


def test_sessions_that_wait_while_a_home_is_built_anew_survive_its_crash(stage: Stage) -> None:
    ann, phone, laptop = stage.hello("ann"), stage.hello("bob"), stage.hello("bob", "laptop")
    send_many(ann, "bob", 1)
    home = homes(stage)["bob"]
    home._generation = -1  # as after a batch that did not fit on the disk
    home._PERFORM = {**UserActor._PERFORM, Push: lambda *_: 1 / 0}
    home.ref.tell(MarksDue())
    stage.run()
    assert len(stage.crashes) == 1
    ann.send("bob", "after")
    for device in (phone, laptop):
        assert list({m["upd"]: m["msg"]["body"] for m in device.messages}.values()) == [
            "message 0",
            "after",
        ]


def test_revocation_whose_word_is_lost_holds_all_the_same(stage: Stage) -> None:
    phone, laptop = stage.hello("bob"), stage.hello("bob", "laptop")
    home = homes(stage)["bob"]
    home._PERFORM = {**UserActor._PERFORM, ForgetDevice: lambda *_: 1 / 0}
    phone.ask(lambda rid: ops.Revoke(rid, "laptop"))
    stage.run(1.0)
    assert len(stage.crashes) == 1
    assert laptop.connection.bye == {"op": "bye", "code": "revoked", "reconnect": "never"}
    assert stage.broker.context.archive.cursors(owner("bob")) == {"phone": 0}
    assert not phone.connection.is_closed


def test_place_of_a_new_device_is_synced_before_it_is_welcome(stage: Stage) -> None:
    stage.syncer.is_held = True
    laptop = stage.connect()
    secret = "token of bob laptop"
    rid = laptop.start(lambda rid: ops.Hello(rid, 1, "bob", "laptop", "token", secret))
    stage.run()
    assert rid not in laptop.connection.replies
    stage.syncer.release()
    stage.run()
    assert "ok" in laptop.connection.replies[rid]
    stage.crash()
    assert stage.broker.context.archive.cursors(owner("bob")) == {"laptop": 0}


@pytest.mark.parametrize("resume", [None, 3])
def test_mark_that_a_crash_swallows_is_made_again(stage: Stage, resume: int | None) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    send_many(ann, "bob", 3)
    bob.tell(ops.Ack(3))
    stage.run(0.01)
    stage.rows("state")  # the cursor is written, the mark is still to be told
    stage.engine.sync()
    stage.crash()
    ann, bob = stage.hello("ann"), stage.hello("bob", resume=resume)
    stage.run(1.0)
    page = ann.ask(lambda rid: ops.History(rid, "bob"))["ok"]
    assert page["marks"]["bob"]["delivered"] == 3


def test_device_that_attaches_without_a_right_is_sent_away(stage: Stage) -> None:
    """Its token was right when it was looked at, and was revoked before its home heard of it."""
    bob = stage.hello("bob")
    rows = stage.broker.context.rows
    stage.broker.context.log.append([rows.no_device("bob", "phone")])
    stage.run()
    homes(stage)["bob"].ref.tell("what is this?")  # the session attaches again
    stage.run()
    assert bob.connection.bye == {"op": "bye", "code": "revoked", "reconnect": "never"}
