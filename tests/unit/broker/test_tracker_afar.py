"""Presence and signals between users of any homes, wherever they and their trackers are."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.limits import OFFLINE_AFTER_S, PRESENCE_PUSH_S
from actorchat.protocol import ops
from tests.unit.broker.city import DOWN_S, City
from tests.unit.broker.stage import Device


@pytest.fixture
def city() -> City:
    return City({"ann": "a", "bob": "b", "cat": "c"})


def watch(device: Device, *users: str) -> list[dict[str, Any]]:
    reply = device.ask(lambda rid: ops.Watch(rid, list(users)))
    return list(reply["ok"]["states"])


def seen(device: Device) -> list[dict[str, Any]]:
    pushes = [push for push in device.connection.pushes if push["op"] == "presence"]
    return [state for push in pushes for state in push["states"]]


@pytest.mark.parametrize("place", ["a", "b", "c"])
def test_watcher_sees_who_comes_and_goes_on_other_nodes(city: City, place: str) -> None:
    ann = city.hello("ann", place)
    cat = city.hello("cat", "a")
    assert watch(ann, "bob", "cat") == [
        {"user": "bob", "online": False},
        {"user": "cat", "online": True},
    ]
    bob = city.hello("bob", "c")
    city.run(2 * PRESENCE_PUSH_S)
    assert seen(ann) == [{"user": "bob", "online": True}]
    bob.leave()
    city.run(OFFLINE_AFTER_S + 2 * PRESENCE_PUSH_S)
    assert [(s["user"], s["online"]) for s in seen(ann)] == [("bob", True), ("bob", False)]
    assert not cat.connection.is_closed


def test_typing_is_shown_on_another_node(city: City) -> None:
    ann, bob = city.hello("ann", "c"), city.hello("bob", "a")
    watch(ann, "bob")
    bob.tell(ops.Signal("ann", "typing"))
    city.run()
    signals = [push for push in ann.connection.pushes if push["op"] == "signal"]
    assert signals == [{"op": "signal", "user": "bob", "kind": "typing"}]


def test_setting_of_a_user_elsewhere_holds_both_ways(city: City) -> None:
    ann, bob = city.hello("ann", "c"), city.hello("bob", "a")
    assert ann.ask(lambda rid: ops.Privacy(rid, "nobody"))["ok"] == {"level": "nobody"}
    assert ann.ask(lambda rid: ops.Privacy(rid, None))["ok"] == {"level": "nobody"}
    assert watch(bob, "ann") == [{"user": "ann", "online": False}]
    assert watch(ann, "bob") == [{"user": "bob", "online": False}]  # asked at its home first
    ann.ask(lambda rid: ops.Privacy(rid, "everyone"))
    city.run(2 * PRESENCE_PUSH_S)
    assert seen(ann) == [{"user": "bob", "online": True}]
    assert seen(bob) == [{"user": "ann", "online": True}]


def test_sessions_of_a_lost_node_are_not_online(city: City) -> None:
    ann = city.hello("ann", "a")
    bob = city.hello("bob", "c")
    city.hello("ann", "c", device="laptop")
    watch(ann, "bob")
    city["c"].power_off()
    city.run(DOWN_S + OFFLINE_AFTER_S + 2 * PRESENCE_PUSH_S)
    assert [(s["user"], s["online"]) for s in seen(ann)] == [("bob", False)]
    assert bob.connection.is_closed or not city["c"].is_on
    tracker = city["a"].broker.context.trackers
    assert tracker.is_online("ann")  # the phone is here


def test_tracker_that_can_not_be_reached_is_asked_again_later(city: City) -> None:
    ann = city.hello("ann", "a")
    assert watch(ann, "bob") == [{"user": "bob", "online": False}]
    city["b"].power_off()
    city.run(DOWN_S)
    assert watch(ann, "bob", "cat") == [
        {"user": "bob", "online": False},
        {"user": "cat", "online": False},
    ]
    city["b"].start()
    city.run(6)
    city.hello("bob", "c")
    city.run(3 * PRESENCE_PUSH_S)
    assert seen(ann) == [{"user": "bob", "online": True}]
    assert not ann.connection.is_closed  # to look at somebody is no reason to sign in again


def test_tracker_that_crashes_is_told_again(city: City) -> None:
    ann = city.hello("ann", "a")
    bob = city.hello("bob", "c")
    watch(ann, "bob")
    for ref in city["b"].system.refs():
        if ref.label == "PresenceTracker":
            ref.stop("crash")
    city.run(3 * PRESENCE_PUSH_S)
    bob.leave()
    city.run(OFFLINE_AFTER_S + 3 * PRESENCE_PUSH_S)
    assert [(s["user"], s["online"]) for s in seen(ann)] == [("bob", False)]
