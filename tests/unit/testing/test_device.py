"""A device keeps its ledger whatever happens to the application on it."""

from __future__ import annotations

from actorchat.errors import AuthFailed, Revoked
from tests.unit.testing.scene import Scene, cids, process_of


def test_ledger_holds_what_was_sent_in_order() -> None:
    scene = Scene("alice", "bob")
    sent = [scene.post(scene.phones["alice"], "bob", str(at)) for at in range(5)]
    scene.run(5.0)
    assert cids(scene.phones["bob"]) == sent
    assert scene.phones["alice"].ledger.outbox == {}
    assert scene.journal.acked == {cid: seq for seq, cid in enumerate(sent, 1)}
    assert scene.journal.violations == []


def test_message_of_a_device_that_is_off_waits_in_its_ledger() -> None:
    scene = Scene("alice", "bob")
    alice, bob = scene.phones["alice"], scene.phones["bob"]
    alice.crash()
    cid = scene.post(alice, "bob", "late")
    scene.run(5.0)
    assert list(alice.ledger.outbox) == [cid]
    assert cids(bob) == []
    alice.start()
    scene.run(20.0)
    assert cids(bob) == [cid]
    assert alice.ledger.outbox == {}


def test_message_that_was_under_way_in_a_crash_arrives_once() -> None:
    scene = Scene("alice", "bob")
    alice, bob = scene.phones["alice"], scene.phones["bob"]
    cid = scene.post(alice, "bob", "hello")
    alice.crash()
    assert not alice.is_open
    alice.start()
    scene.run(20.0)
    assert cids(bob) == [cid]
    assert scene.journal.violations == []


def test_device_gets_what_came_while_it_was_off() -> None:
    scene = Scene("alice", "bob")
    bob = scene.phones["bob"]
    first = scene.post(scene.phones["alice"], "bob", "1")
    scene.run(5.0)
    bob.crash()
    second = scene.post(scene.phones["alice"], "bob", "2")
    scene.run(5.0)
    assert cids(bob) == [first]
    bob.start()
    scene.run(20.0)
    assert cids(bob) == [first, second]


def test_device_that_closes_is_not_sent_away() -> None:
    scene = Scene("alice")
    scene.phones["alice"].close()
    scene.run(5.0)
    assert scene.phones["alice"].process is None
    assert scene.journal.violations == []


def test_new_process_takes_over_from_one_that_hangs() -> None:
    scene = Scene("alice", "bob")
    bob = scene.phones["bob"]
    old = bob.process
    bob.take_over()
    assert bob.process is not old
    scene.run(5.0)
    cid = scene.post(scene.phones["alice"], "bob", "hello")
    scene.run(5.0)
    assert bob.is_open
    assert bob.has_overlapped
    assert cids(bob) == [cid]
    bob.bury()
    assert old is not None
    assert old.is_dead
    assert scene.journal.violations == []


def test_device_that_is_sent_away_without_reason_is_a_violation() -> None:
    scene = Scene("alice")
    alice = scene.phones["alice"]
    alice.process_ended(process_of(scene, "alice"), AuthFailed("planted"))
    assert alice.process is None
    assert [text.split(" ")[0] for text in scene.journal.violations] == ["sign-in"]


def test_device_that_is_revoked_is_gone_and_does_not_start() -> None:
    scene = Scene("alice")
    alice = scene.phones["alice"]
    alice.is_revoking = True
    alice.process_ended(process_of(scene, "alice"), Revoked("revoked", "planted"))
    alice.start()
    assert alice.is_revoked
    assert alice.process is None
    assert scene.journal.violations == []
