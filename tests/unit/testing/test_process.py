"""One run of an application: it signs in, keeps what comes, and ends."""

from __future__ import annotations

from actorchat.client import event
from actorchat.testing.process import Habit
from tests.unit.testing.scene import Scene, cids, process_of


def test_process_notes_where_its_device_first_signed_in() -> None:
    scene = Scene("alice", "bob")
    ledger = scene.phones["bob"].ledger
    assert (ledger.first_cursor, ledger.taken) == (0, 0)
    scene.post(scene.phones["alice"], "bob", "hello")
    scene.run(5.0)
    assert (ledger.first_cursor, ledger.taken) == (0, 1)
    assert not ledger.is_on_trust


def test_paused_process_takes_nothing_until_it_reads_on() -> None:
    scene = Scene("alice", "bob")
    process = process_of(scene, "bob")
    process.pause()
    assert not scene.phones["bob"].is_open
    cid = scene.post(scene.phones["alice"], "bob", "hello")
    scene.run(5.0)
    assert list(scene.journal.acked) == [cid]
    assert scene.journal.counts["updates_on_wires"] == 0
    assert cids(scene.phones["bob"]) == []
    process.resume()
    scene.run(5.0)
    assert process.is_open
    assert cids(scene.phones["bob"]) == [cid]


def test_process_that_dies_keeps_nothing_more() -> None:
    scene = Scene("alice", "bob")
    process = process_of(scene, "bob")
    process.die()
    scene.post(scene.phones["alice"], "bob", "hello")
    scene.run(5.0)
    assert process.is_dead
    assert cids(scene.phones["bob"]) == []
    assert scene.journal.counts["held"] == 0


def test_message_that_a_process_had_not_kept_comes_to_the_next_one() -> None:
    scene = Scene("alice", "bob")
    bob = scene.phones["bob"]
    bob.habit = Habit(take_s=1_000.0)
    cid = scene.post(scene.phones["alice"], "bob", "hello")
    scene.run(5.0)
    assert scene.journal.counts["updates_on_wires"] == 1
    assert cids(bob) == []
    bob.crash()
    bob.habit = Habit()
    bob.start()
    scene.run(1_100.0)
    assert scene.journal.counts["updates_on_wires"] == 2
    assert cids(bob) == [cid]


def test_slow_process_keeps_in_order_what_came_meanwhile() -> None:
    scene = Scene("alice", "bob")
    scene.phones["bob"].habit = Habit(take_s=1_000.0)
    sent = [scene.post(scene.phones["alice"], "bob", str(at)) for at in range(5)]
    scene.run(10.0)
    assert scene.journal.counts["updates_on_wires"] == 5
    assert cids(scene.phones["bob"]) == []
    scene.run(1_100.0)
    assert cids(scene.phones["bob"]) == sent


def test_process_whose_wire_is_cut_signs_in_again() -> None:
    scene = Scene("alice", "bob")
    process = process_of(scene, "bob")
    sign_ins = scene.journal.counts["sign_ins"]
    for wire in list(scene.world.net.wires):
        wire.cut()
    cid = scene.post(scene.phones["alice"], "bob", "hello")
    scene.run(60.0)
    assert scene.phones["bob"].process is process
    assert scene.journal.counts["sign_ins"] >= sign_ins + 2
    assert cids(scene.phones["bob"]) == [cid]
    assert scene.journal.violations == []


def test_send_that_is_refused_for_good_leaves_the_outbox() -> None:
    scene = Scene("alice")
    cid = scene.post(scene.phones["alice"], "nobody", "hello")
    scene.run(5.0)
    assert list(scene.journal.failed) == [cid]
    assert scene.phones["alice"].ledger.outbox == {}
    assert scene.journal.acked == {}


def test_resend_is_acked_as_what_it_was_and_another_body_is_refused() -> None:
    scene = Scene("alice", "bob")
    alice = scene.phones["alice"]
    cid = scene.post(alice, "bob", "hello")
    scene.run(5.0)
    process = process_of(scene, "alice")
    process.post(scene.journal.posts[cid], ("again", cid))
    scene.run(5.0)
    assert scene.journal.counts["dups"] == 1
    process.handle(event.Post(("other body", cid), "bob", cid, "hallo"))
    scene.run(5.0)
    assert scene.journal.counts["acks"] == 2
    assert cids(scene.phones["bob"]) == [cid]
    assert scene.journal.violations == []
