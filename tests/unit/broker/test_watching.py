"""A session takes part in presence, seen from its connection, with real trackers behind it."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker.tracker import PresenceTracker
from actorchat.errors import MailboxFull
from actorchat.limits import PRESENCE_PUSH_S, SIGNALS_BURST, SIGNALS_PER_S
from actorchat.protocol import ops
from tests.unit.broker.stage import Device, Stage


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob", "cat")
    return stage


def watch(device: Device, *users: str) -> list[dict[str, Any]]:
    reply = device.ask(lambda rid: ops.Watch(rid, list(users)))
    states: list[dict[str, Any]] = reply["ok"]["states"]
    return states


def told(device: Device) -> list[dict[str, Any]]:
    pushes = [push for push in device.connection.pushes if push["op"] == "presence"]
    return [state for push in pushes for state in push["states"]]


def signals(device: Device) -> list[tuple[str, str]]:
    pushes = device.connection.pushes
    return [(push["user"], push["kind"]) for push in pushes if push["op"] == "signal"]


def privacy(device: Device, level: ops.PrivacyLevel | None = None) -> dict[str, Any]:
    return device.ask(lambda rid: ops.Privacy(rid, level))


ON = {"user": "ann", "online": True}
OFF = {"user": "ann", "online": False}


def test_first_state_is_in_the_answer_and_changes_are_pushed(stage: Stage) -> None:
    bob, _ = stage.hello("bob"), stage.hello("cat")
    assert watch(bob, "ann", "cat", "zed") == [
        OFF,
        {"user": "cat", "online": True},
        {"user": "zed", "online": False},
    ]
    ann = stage.hello("ann")
    assert told(bob) == [ON]
    ann.leave()
    stage.run(59)
    assert told(bob) == [ON]
    stage.run(2)
    assert told(bob)[1]["online"] is False
    assert told(bob)[1]["last_seen"] > 0


def test_dropped_and_renewed_connection_is_not_seen(stage: Stage) -> None:
    bob, ann = stage.hello("bob"), stage.hello("ann")
    watch(bob, "ann")
    for _ in range(5):
        ann.leave()
        stage.run(30)
        ann = stage.hello("ann")
    assert told(bob) == []


def test_silent_peer_is_offline_when_its_connection_is_given_up(stage: Stage) -> None:
    bob, ann = stage.hello("bob"), stage.hello("ann")
    watch(bob, "ann")
    ann.connection.inlet.closed("idle")
    stage.run(1)
    assert [state["online"] for state in told(bob)] == [False]


def test_revoked_device_is_offline_at_once(stage: Stage) -> None:
    bob, ann = stage.hello("bob"), stage.hello("ann")
    watch(bob, "ann")
    ann.ask(lambda rid: ops.Revoke(rid, "phone"))
    stage.run(1)
    assert [state["online"] for state in told(bob)] == [False]


def test_push_comes_at_most_once_a_second(stage: Stage) -> None:
    users = [f"u{number}" for number in range(40)]
    stage.add_users(*users)
    bob = stage.hello("bob")
    watch(bob, *users)
    began_s = stage.dispatcher.now_s()
    for user in users:
        stage.hello(user)
    stage.run(2 * PRESENCE_PUSH_S)
    pushes = [push for push in bob.connection.pushes if push["op"] == "presence"]
    took_s = stage.dispatcher.now_s() - began_s
    assert sorted(state["user"] for state in told(bob)) == sorted(users)
    assert len(pushes) <= took_s / PRESENCE_PUSH_S + 1


def test_unwatched_is_not_pushed(stage: Stage) -> None:
    bob = stage.hello("bob")
    watch(bob, "ann", "cat")
    bob.tell(ops.Unwatch(["ann"]))
    stage.run()
    stage.hello("ann")
    stage.hello("cat")
    stage.run(2)
    assert told(bob) == [{"user": "cat", "online": True}]


def test_watches_end_with_the_session(stage: Stage) -> None:
    bob = stage.hello("bob")
    watch(bob, "ann", "cat")
    assert stage.broker.counts()["presence_watched"] == 2
    bob.leave()
    assert stage.broker.counts()["presence_watched"] == 0
    stage.run(70)
    assert stage.broker.counts()["presence_online"] == 0


def test_signal_is_shown_to_who_watches_and_never_stored(stage: Stage) -> None:
    bob, cat, ann = stage.hello("bob"), stage.hello("cat"), stage.hello("ann")
    ann.tell(ops.Signal("bob", "typing"))
    stage.run()
    assert signals(bob) == []
    watch(bob, "ann")
    watch(cat, "ann")
    ann.tell(ops.Signal("bob", "recording"))
    stage.run()
    assert (signals(bob), signals(cat)) == ([("ann", "recording")], [])
    assert stage.rows("history") == []


def test_signals_beyond_the_rate_are_dropped(stage: Stage) -> None:
    bob, ann = stage.hello("bob"), stage.hello("ann")
    watch(bob, "ann")
    for _ in range(50):
        ann.tell(ops.Signal("bob", "typing"))
    stage.run()
    assert len(signals(bob)) == SIGNALS_BURST
    assert stage.broker.counts()["presence_signals_dropped"] == 50 - SIGNALS_BURST
    stage.run(1 / SIGNALS_PER_S)
    ann.tell(ops.Signal("bob", "stopped"))
    stage.run()
    assert signals(bob)[SIGNALS_BURST:] == [("ann", "stopped")]


def test_hiding_takes_effect_at_once_in_both_directions(stage: Stage) -> None:
    bob, ann = stage.hello("bob"), stage.hello("ann")
    watch(bob, "ann")
    watch(ann, "bob")
    assert privacy(ann)["ok"] == {"level": "everyone"}
    assert privacy(ann, "nobody")["ok"] == {"level": "nobody"}
    stage.run(2)
    assert told(bob) == [OFF]
    assert told(ann) == [{"user": "bob", "online": False}]
    privacy(ann, "everyone")
    stage.run(2)
    assert told(bob) == [OFF, ON]
    assert told(ann)[1] == {"user": "bob", "online": True}


def test_contacts_are_those_that_one_keeps(stage: Stage) -> None:
    bob, cat, ann = stage.hello("bob"), stage.hello("cat"), stage.hello("ann")
    ann.ask(lambda rid: ops.Contact(rid, "bob"))
    ann.send("cat", "hi")
    privacy(ann, "contacts")
    assert watch(bob, "ann") == [ON]
    assert watch(cat, "ann") == [OFF]


def test_setting_survives_the_node_and_who_hides_sees_nobody(stage: Stage) -> None:
    privacy(stage.hello("ann"), "nobody")
    stage.crash()
    ann, bob = stage.hello("ann"), stage.hello("bob")
    assert privacy(ann)["ok"] == {"level": "nobody"}
    assert watch(bob, "ann") == [OFF]
    assert watch(ann, "bob") == [{"user": "bob", "online": False}]


def test_too_many_are_refused(stage: Stage) -> None:
    bob = stage.hello("bob")
    watch(bob, *(f"x{number}" for number in range(128)))
    reply = bob.ask(lambda rid: ops.Watch(rid, ["one-more"]))
    assert reply["err"]["code"] == "too_many"


def test_session_that_never_signed_in_is_no_sign_of_life(stage: Stage) -> None:
    stage.connect().tell(ops.Ping())
    stage.operator().leave()
    stage.run(1)
    assert stage.broker.counts()["presence_online"] == 0


def test_tracker_that_takes_nothing_is_told_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[object] = []
    place = stage.broker.context.trackers.place

    class Full:
        def tell(self, event: object) -> None:
            refused.append(event)
            raise MailboxFull("full")

    monkeypatch.setattr(type(stage.broker.context.trackers), "place", lambda self, number: Full())
    bob, ann = stage.hello("bob"), stage.hello("ann")
    rid = bob.start(lambda rid: ops.Watch(rid, ["ann"]))
    ann.tell(ops.Signal("bob", "typing"))
    assert privacy(ann)["err"]["code"] == "busy"
    stage.run(0.5)
    assert rid not in bob.connection.replies
    assert refused
    monkeypatch.setattr(
        type(stage.broker.context.trackers), "place", lambda self, number: place(number)
    )
    stage.run(2)
    states = bob.connection.replies[rid]["ok"]["states"] + told(bob)
    assert states[-1] == ON


def test_crashed_tracker_is_rebuilt_by_its_sessions_and_nobody_flickers(stage: Stage) -> None:
    bob, ann, cat = stage.hello("bob"), stage.hello("ann"), stage.hello("cat")
    watch(bob, "ann", "cat")
    cat.leave()
    stage.run(10)
    for ref in list(stage.system.refs()):
        if ref.actor_class is PresenceTracker:
            ref.tell("what no tracker understands")
    stage.run(5)
    assert len(stage.crashes) >= 2
    assert told(bob) == []
    counts = stage.broker.counts()
    assert (counts["presence_online"], counts["presence_watched"]) == (3, 2)
    stage.run(60)
    assert [state["user"] for state in told(bob)] == ["cat"]
    ann.leave()
    stage.run(61)
    assert [state["user"] for state in told(bob)] == ["cat", "ann"]
