from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker.tracker import DUE, PresenceTracker, Trackers
from actorchat.chat.sighting import Arrived, SetPrivacy, Subscribe, TrackerLost
from actorchat.ids import SLOTS, slot_of
from actorchat.limits import PRESENCE_TRACKERS
from actorchat.protocol import ops
from tests.unit.broker.stage import Stage
from tests.unit.broker.test_log_writer import NoSpace


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob")
    return stage


class Session:
    """A session's address that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def tell(self, event: object) -> None:
        self.told.append(event)


def test_each_tracker_has_a_range_of_slots() -> None:
    ranges: dict[int, set[int]] = {}
    for number in range(20_000):
        user = f"user{number}"
        ranges.setdefault(Trackers.number_of(user), set()).add(slot_of(user))
    assert sorted(ranges) == list(range(PRESENCE_TRACKERS))
    width = SLOTS // PRESENCE_TRACKERS
    for number, slots in ranges.items():
        assert slots <= set(range(number * width, (number + 1) * width))


def test_trackers_start_when_they_are_needed(stage: Stage) -> None:
    def running() -> int:
        return sum(ref.actor_class is PresenceTracker for ref in stage.system.refs())

    assert running() == 0
    stage.hello("ann")
    assert running() == 1


def test_message_that_was_not_handled_is_told_again(stage: Stage) -> None:
    place = stage.broker.context.trackers.place(Trackers.number_of("ann"))
    place.tell(DUE)
    stage.run()
    sessions = [Session() for _ in range(3)]
    place.tell("what no tracker understands")
    place.tell(Arrived("ann", sessions[0]))
    place.tell(Subscribe("bob", "everyone", sessions[1], ["ann"], 1))
    place.tell(SetPrivacy("ann", sessions[2], 5, "nobody"))
    stage.run(1)
    lost = TrackerLost(Trackers.number_of("ann"))
    assert sessions[0].told == sessions[1].told == [lost]
    (refused,) = sessions[2].told
    assert (refused.code, refused.outcome) == ("unavailable", "unknown")


def test_setting_is_refused_while_the_disk_is_full(stage: Stage) -> None:
    ann = stage.hello("ann")
    disk = NoSpace(stage.engine)
    disk.is_full = True
    rid = ann.start(lambda rid: ops.Privacy(rid, "nobody"))
    stage.run(1)
    assert ann.connection.replies[rid]["err"]["code"] == "store_full"
    assert ann.ask(lambda rid: ops.Privacy(rid, "nobody"))["err"]["code"] == "store_full"
    disk.is_full = False
    stage.run(3)
    assert ann.ask(ops.Privacy)["ok"] == {"level": "everyone"}


def test_last_seen_and_setting_are_rows_that_verify(stage: Stage) -> None:
    from actorchat.store import keys, kinds
    from actorchat.store.verify import verify

    ann = stage.hello("ann")
    ann.ask(lambda rid: ops.Privacy(rid, "contacts"))
    ann.leave()
    stage.run(1)
    stage.broker.context.log.apply()
    last_seen, level = stage.broker.context.archive.presence("ann")
    assert level == "contacts"
    assert last_seen > 0
    assert verify(stage.engine).is_sound
    state = stage.engine.family("state")
    key = keys.state_key(keys.user_key("ann"), kinds.PRESENCE)
    batch = stage.engine.batch()
    batch.put(key, b"damaged", state)
    stage.engine.write(batch)
    assert not verify(stage.engine).is_sound


def test_node_that_stops_in_good_order_keeps_who_is_here(stage: Stage) -> None:
    stage.hello("ann")
    stage.run(1_000)
    stage.system.shutdown()
    stage.run(1)
    stage.broker.context.log.apply()
    stage.start()
    bob = stage.hello("bob")
    reply = bob.ask(lambda rid: ops.Watch(rid, ["ann"]))
    assert reply["ok"]["states"] == [{"user": "ann", "online": True}]
    stage.run(61)
    assert bob.connection.pushes[-1]["states"][0]["online"] is False
