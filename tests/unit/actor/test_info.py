"""What can be seen of an actor from outside."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from actorchat.actor import (
    Actor,
    Child,
    DynamicSupervisor,
    Info,
    Reply,
    Supervisor,
    Tree,
    interleave,
)
from actorchat.actor.info import REASON_CHARS_MAX
from tests.unit.actor.cast import Boom, Clocked, Recorder, Waiter, Watcher, World


def test_every_state_has_a_name() -> None:
    world = World()
    ref = world.spawn(Waiter)
    assert Info.of(ref).state == "starting"
    world.run()
    assert Info.of(ref).state == "idle"
    pause: Reply[str] = Reply()
    ref.tell(pause)
    assert Info.of(ref).state == "ready"
    world.run()
    assert (Info.of(ref).state, Info.of(ref).message_type) == ("waiting", "Reply")
    pause.settle("stop")
    world.run()
    assert (Info.of(ref).state, Info.of(ref).reason) == ("dead", "normal")


def test_bonds_and_children_are_counted() -> None:
    world = World()
    pool = world.spawn(DynamicSupervisor)
    watcher, clocked = pool.spawn(Watcher), pool.spawn(Clocked)
    world.ask(watcher, clocked)
    world.ask(clocked, ("set", 9.0, "x", "k"))
    assert (Info.of(watcher).monitors, Info.of(clocked).watchers) == (1, 1)
    assert (Info.of(clocked).timers, Info.of(pool).children) == (1, 2)


def test_a_tree_is_drawn_with_children_below_their_supervisor() -> None:
    world = World()
    pool = world.spawn(DynamicSupervisor, name="pool")
    pool.spawn(Recorder)
    assert str(Tree.of(pool)) == "DynamicSupervisor 'pool'\n  Recorder"


def test_a_waiting_handler_has_an_age_since_its_first_wait() -> None:
    class Twice(Actor):
        async def on_receive(self, message: Any) -> None:
            await self.sleep(2.0)
            await message

    world = World()
    ref = world.spawn(Twice)
    world.run()
    assert Info.of(ref).age_s is None
    pause: Reply[None] = Reply()
    ref.tell(pause)
    world.run(until=1.5)
    assert Info.of(ref).age_s == 1.5
    world.run(until=5.0)  # in the second wait of the same handler
    assert Info.of(ref).age_s == 5.0
    pause.settle(None)
    world.run()
    assert Info.of(ref).age_s is None
    ref.tell(pause)
    world.run(until=6.0)
    assert Info.of(ref).age_s == 1.0


def test_a_handler_that_leaves_the_mailbox_open_has_an_age_too() -> None:
    @interleave(int)
    class Open(Actor):
        async def on_receive(self, message: Any) -> None:
            await self.sleep(float(message))

    world = World()
    ref = world.spawn(Open)
    ref.tell(9)
    world.run(until=1.0)
    ref.tell("3")
    world.run(until=2.0)
    info = Info.of(ref)
    assert (info.age_s, info.message_type) == (2.0, "int")
    assert world.system.suspended() == [info]
    world.run()
    assert Info.of(ref).age_s is None


def test_a_start_and_an_end_that_wait_have_an_age_too() -> None:
    class Slow(Recorder):
        async def on_start(self) -> None:
            await self.sleep(2.0)

        async def on_stop(self, reason: object) -> None:
            await self.sleep(2.0)

    world = World()
    ref = world.spawn(Slow)
    assert (Info.of(ref).state, Info.of(ref).age_s) == ("starting", None)
    world.run(until=1.0)
    assert (Info.of(ref).state, Info.of(ref).age_s) == ("starting", 1.0)
    ref.stop()
    world.run(until=2.5)
    assert (Info.of(ref).state, Info.of(ref).age_s) == ("ending", 0.5)
    world.run()
    assert (Info.of(ref).state, Info.of(ref).age_s) == ("dead", None)


def test_a_child_knows_its_supervisor_and_how_often_it_was_restarted() -> None:
    world = World()
    top = world.spawn(Supervisor, children=[Child("a", Recorder, name="a")], name="top")
    world.run()
    first = world.system.names.whereis("a")
    assert first is not None
    info = Info.of(first)
    assert (info.supervisor, info.supervisor_id) == ("Supervisor 'top'", Info.of(top).id)
    assert info.restarts == 0
    first.tell(Boom())
    world.run()
    second = world.system.names.whereis("a")
    assert second is not None
    assert Info.of(second).restarts == 1
    assert Info.of(first).restarts is None  # it is nobody's child any more
    assert Info.of(top).restarts is None  # who has no supervisor of its own is not restarted


def test_the_root_has_no_supervisor() -> None:
    info = Info.of(World().system.tree().ref)
    assert (info.supervisor, info.supervisor_id, info.restarts) == (None, None, None)


def test_a_dict_has_every_field_as_a_plain_value() -> None:
    world = World()
    ref = world.spawn(Recorder)
    ref.tell(Boom("x" * 2 * REASON_CHARS_MAX))
    world.run()
    told = Info.of(ref).as_dict()
    assert list(told) == [field.name for field in fields(Info)]
    assert all(isinstance(value, str | int | float | None) for value in told.values())
    reason = told["reason"]
    assert isinstance(reason, str) and reason.startswith("Boom: x")
    assert len(reason) == REASON_CHARS_MAX


def test_a_tree_is_cut_to_a_width_and_says_what_it_leaves_out() -> None:
    world = World()
    pool = world.spawn(DynamicSupervisor, name="pool")
    for _ in range(1_234):
        pool.spawn(Recorder)
    assert str(Tree.of(pool, width=2)).splitlines() == [
        "DynamicSupervisor 'pool'",
        "  Recorder",
        "  Recorder",
        "  ... and 1,232 more",
    ]
    assert Tree.of(pool, width=2).more == 1_232
    assert Tree.of(pool).more == 0
    assert str(Tree.of(pool, width=0)).splitlines()[1:] == ["  ... and 1,234 more"]


def test_a_cut_leaves_out_supervisors_last_and_keeps_the_order() -> None:
    world = World()
    pool = world.spawn(DynamicSupervisor)
    for cls in (Recorder, DynamicSupervisor, Recorder, DynamicSupervisor):
        pool.spawn(cls)
    kept = [branch.ref.actor_class for branch in Tree.of(pool, width=3).children]
    assert kept == [Recorder, DynamicSupervisor, DynamicSupervisor]


def test_a_tree_is_cut_to_a_size_level_by_level() -> None:
    world = World()
    pool = world.spawn(DynamicSupervisor)
    for _ in range(3):
        inner = pool.spawn(DynamicSupervisor)
        for _ in range(3):
            inner.spawn(Recorder)
    tree = Tree.of(pool, size=5)
    rows = list(tree.rows())
    assert [row["depth"] for row in rows] == [0, 1, 2, 1, 1]
    assert [row["more"] for row in rows] == [0, 2, 0, 3, 3]
    assert [len(list(Tree.of(pool, size=size).rows())) for size in (1, 4, 13, 99)] == [1, 4, 13, 13]


def test_a_row_tells_what_is_seen_at_a_glance() -> None:
    world = World()
    ref = world.spawn(Recorder, name="busy")
    world.run()
    ref.tell("x")
    (row,) = Tree.of(ref).rows()
    assert row == {
        "depth": 0,
        "id": Info.of(ref).id,
        "label": "Recorder 'busy'",
        "state": "ready",
        "queued": 1,
        "more": 0,
    }
