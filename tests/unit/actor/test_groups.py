"""An actor is in a group until it leaves or ends, and who watches sees each change once."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.actor import NORMAL, Actor, Down, Joined, Left, LocalRef, Reply
from actorchat.actor.groups import Groups
from actorchat.errors import ActorDead
from tests.unit.actor.cast import Boom, Narrow, Recorder, Watcher, World


def changes(log: list[Any]) -> list[Joined | Left]:
    return [message for message in log if isinstance(message, Joined | Left)]


def trio(world: World) -> tuple[Groups, LocalRef, LocalRef]:
    """Return the groups and two actors that have started."""
    a, b = world.spawn(Recorder, name="a"), world.spawn(Recorder, name="b")
    world.run()
    return world.system.groups, a, b


# -- membership -----------------------------------------------------------------------------


def test_members_stand_in_the_order_of_their_first_joins() -> None:
    groups, a, b = trio(World())
    groups.join("room", b)
    groups.join("room", a)
    assert groups.members("room") == groups.local_members("room") == (b, a)
    assert groups.members("elsewhere") == ()


def test_a_member_that_joined_twice_must_leave_twice() -> None:
    groups, a, b = trio(World())
    for ref in (a, b, a):
        groups.join("room", ref)
    assert groups.members("room") == (a, a, b)
    assert groups.leave("room", a) is True
    assert groups.members("room") == (a, b)
    assert groups.leave("room", a) is True
    assert groups.members("room") == (b,)
    assert groups.leave("room", a) is False


def test_a_group_without_members_is_none() -> None:
    groups, a, b = trio(World())
    groups.join("first", a)
    groups.join(("second", 2), b)
    assert groups.which_groups() == ("first", ("second", 2))
    groups.leave("first", a)
    assert groups.which_groups() == (("second", 2),)
    assert groups.leave("first", a) is False
    assert groups.leave("never", a) is False


def test_the_members_are_listed_anew_only_after_a_change() -> None:
    groups, a, b = trio(World())
    groups.join("room", a)
    before = groups.members("room")
    assert groups.members("room") is before
    groups.join("room", b)
    assert groups.members("room") == (a, b) and before == (a,)


@pytest.mark.parametrize("ending", ["stop", "kill", "crash"])
def test_a_dead_member_leaves_its_groups(ending: str) -> None:
    world = World()
    groups, a, b = trio(world)
    for group in ("x", "y", "x"):
        groups.join(group, a)
    groups.join("y", b)
    if ending == "crash":
        a.tell(Boom())
    else:
        getattr(a, ending)()
    world.run()
    assert groups.which_groups() == ("y",) and groups.members("y") == (b,)
    assert groups.leave("x", a) is False


def test_the_dead_can_not_join_or_monitor() -> None:
    world = World()
    groups, a, b = trio(world)
    a.stop("bye")
    world.run()
    for attempt in (groups.join, groups.monitor):
        args = ("room", a) if attempt == groups.join else (a, "room")
        with pytest.raises(ActorDead) as raised:
            attempt(*args)  # type: ignore[operator]
        assert raised.value.reason == "bye"
    with pytest.raises(ActorDead):
        groups.monitor_scope(a)
    assert groups.which_groups() == ()
    groups.join("room", b)  # nobody is told, and nothing is left that could be
    assert world.balance() == 0


def test_an_actor_is_dead_to_groups_when_its_last_messages_are_discarded() -> None:
    class Clinging(Actor):
        def on_receive(self, message: Any) -> None:
            self.stop()

        async def on_stop(self, reason: object) -> None:
            seen.append(self.system.groups.members("room") == (self.ref,))
            self.ref.tell("late")

        def discarded(self, message: Any) -> None:
            try:
                self.system.groups.join("room", self.ref)
            except ActorDead:
                seen.append(self.system.groups.members("room"))

    world, seen = World(), []
    ref = world.spawn(Clinging)
    world.system.groups.join("room", ref)
    ref.tell("go")
    world.run()
    assert seen == [True, ()]


def test_a_spawn_whose_init_fails_leaves_no_member() -> None:
    class Broken(Actor):
        def __init__(self) -> None:
            self.system.groups.join("room", self.ref)
            self.system.groups.monitor(self.ref, "room")
            raise Boom

    world, log = World(), []
    watcher = world.spawn(Recorder, log)
    world.system.groups.monitor(watcher, "room")
    with pytest.raises(Boom):
        world.spawn(Broken)
    world.run()
    assert world.system.groups.which_groups() == ()
    assert [type(change) for change in changes(log)] == [Joined, Left]


def test_what_is_no_actor_of_this_system_is_refused() -> None:
    groups, a, _ = trio(World())
    stranger = World().spawn(Recorder)
    with pytest.raises(ValueError, match="another system"):
        groups.join("room", stranger)
    with pytest.raises(TypeError, match="no local actor"):
        groups.join("room", "a")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="unhashable"):
        groups.join(["room"], a)  # type: ignore[arg-type]
    assert groups.which_groups() == ()


def test_an_actor_in_no_group_costs_nothing() -> None:
    groups, a, b = trio(World())
    assert a._bonds is not None and a._bonds.groups is None
    groups.join("room", a)
    groups.monitor(a, "room")
    groups.leave("room", a)
    groups.demonitor(a, "room")
    assert a._bonds.groups is None
    anonymous = World().spawn(Recorder)
    assert anonymous._bonds is None
    assert b._bonds is not None and b._bonds.groups is None


# -- scopes ---------------------------------------------------------------------------------


def test_scopes_have_groups_of_their_own() -> None:
    world, log = World(), []
    groups, a, b = trio(world)
    other = groups.scope("other")
    assert groups.scope("other") is other and other.scope("pg") is groups
    assert (groups.name, other.name) == ("pg", "other")
    watcher = world.spawn(Recorder, log)
    other.monitor(watcher, "room")
    groups.join("room", a)
    other.join("room", b)
    assert groups.members("room") == (a,) and other.members("room") == (b,)
    for ref in (a, b):
        ref.stop()
    world.run()
    assert changes(log) == [Joined("room", (b,), "other"), Left("room", (b,), "other")]
    assert groups.which_groups() == other.which_groups() == ()


# -- telling --------------------------------------------------------------------------------


def test_a_message_to_a_group_reaches_each_membership() -> None:
    world = World()
    logs: list[list[Any]] = [[], []]
    a, b = (world.spawn(Recorder, log) for log in logs)
    for ref in (a, b, a):
        world.system.groups.join("room", ref)
    assert world.system.groups.tell("room", "hello") == 3
    assert world.system.groups.tell("elsewhere", "hello") == 0
    world.run()
    assert [log.count("hello") for log in logs] == [2, 1]


def test_a_full_mailbox_does_not_keep_a_message_from_the_others() -> None:
    world, log = World(), []
    narrow, wide = world.spawn(Narrow), world.spawn(Recorder, log)
    for ref in (narrow, wide):
        world.system.groups.join("room", ref)
    assert [world.system.groups.tell("room", number) for number in range(3)] == [2, 2, 1]
    world.run()
    assert log[1:] == [0, 1, 2]
    assert world.system.dead_letters.refused == 1


# -- watching -------------------------------------------------------------------------------


def test_a_watcher_starts_with_the_members_and_sees_each_later_change() -> None:
    world, log = World(), []
    groups, a, b = trio(world)
    watcher = world.spawn(Recorder, log)
    groups.join("room", a)
    assert groups.monitor(watcher, "room") == (a,)
    groups.join("room", b)
    groups.join("room", b)
    groups.leave("room", a)
    groups.join("elsewhere", a)
    b.stop()
    world.run()
    assert changes(log) == [
        Joined("room", (b,)),
        Joined("room", (b,)),
        Left("room", (a,)),
        Left("room", (b, b)),
    ]
    assert world.balance() == 0


def test_a_group_can_be_watched_before_and_after_it_exists() -> None:
    world, log = World(), []
    groups, a, _ = trio(world)
    watcher = world.spawn(Recorder, log)
    assert groups.monitor(watcher, "room") == ()
    assert groups.which_groups() == ()
    for _ in range(2):
        groups.join("room", a)
        groups.leave("room", a)
    world.run()
    assert [type(change) for change in changes(log)] == [Joined, Left, Joined, Left]


def test_a_watcher_learns_of_a_death_before_its_down() -> None:
    for seed in range(20):
        world, log = World(seed), []
        watcher, member = world.spawn(Watcher, log), world.spawn(Recorder)
        mref = world.ask(watcher, member)
        world.system.groups.join("room", member)
        world.system.groups.monitor(watcher, "room")
        member.stop()
        world.run()
        assert log[1:] == [Left("room", (member,)), Down(mref, member, NORMAL)]


def test_who_has_a_down_does_not_find_the_dead_among_the_members() -> None:
    class Looker(Watcher):
        async def on_receive(self, message: Any) -> Any:
            if isinstance(message, Down):
                self.log.append(self.system.groups.members("room"))
            return await super().on_receive(message)

    world, log = World(), []
    looker, member = world.spawn(Looker, log), world.spawn(Recorder)
    world.ask(looker, member)
    world.system.groups.join("room", member)
    member.kill()
    world.run()
    assert log[1] == ()


def test_changes_that_wait_are_not_handled_after_the_monitor_is_taken_back() -> None:
    world, log = World(), []
    groups, a, b = trio(world)
    watcher = world.spawn(Recorder, log)
    world.run()
    groups.monitor(watcher, "room")
    groups.join("room", a)
    assert groups.demonitor(watcher, "room") is True
    assert groups.demonitor(watcher, "room") is False
    groups.join("room", b)
    world.run()
    assert changes(log) == []
    assert world.balance() == 0


def test_to_monitor_again_begins_anew() -> None:
    world, log = World(), []
    groups, a, b = trio(world)
    watcher = world.spawn(Recorder, log)
    groups.monitor(watcher, "room")
    groups.join("room", a)  # waits in the mailbox, and is in what the next line returns
    assert groups.monitor(watcher, "room") == (a,)
    groups.join("room", b)
    world.run()
    assert changes(log) == [Joined("room", (b,))]


def test_a_dead_watcher_is_forgotten() -> None:
    world = World()
    groups, a, _ = trio(world)
    narrow, wide = world.spawn(Recorder), world.spawn(Recorder)
    groups.monitor(narrow, "room")
    groups.monitor_scope(wide)
    groups.join("room", narrow)
    for ref in (narrow, wide):
        ref.stop()
    world.run()
    assert groups._watches == {} and groups.which_groups() == ()
    groups.join("room", a)
    world.run()
    assert world.system.dead_letters.total == 0
    assert groups.demonitor(narrow, "room") is False
    assert groups.demonitor_scope(wide) is False


def test_a_member_that_watches_its_own_group_sees_itself_come_and_go() -> None:
    world, log = World(), []
    groups, _, _ = trio(world)
    ref = world.spawn(Recorder, log)
    groups.monitor(ref, "room")
    groups.join("room", ref)
    groups.leave("room", ref)
    world.run()
    assert changes(log) == [Joined("room", (ref,)), Left("room", (ref,))]


def test_a_full_mailbox_misses_no_change() -> None:
    world, log = World(), []
    groups, a, _ = trio(world)
    watcher = world.spawn(Narrow, log)
    groups.monitor(watcher, "room")
    for _ in range(5):
        groups.join("room", a)
    world.run()
    assert changes(log) == [Joined("room", (a,))] * 5


def test_a_watcher_that_awaits_sees_the_changes_when_it_goes_on() -> None:
    world, log = World(), []
    groups, a, _ = trio(world)
    watcher = world.spawn(Watcher, log)
    pause: Reply[str] = Reply()
    watcher.tell(pause)
    world.run()
    groups.monitor(watcher, "room")
    groups.join("room", a)
    world.run()
    assert changes(log) == []
    pause.settle("go on")
    world.run()
    assert log[-2:] == ["go on", Joined("room", (a,))]


def test_a_watcher_may_change_the_group_that_it_watches() -> None:
    class Welcoming(Recorder):
        def on_receive(self, message: Any) -> Any:
            if isinstance(message, Joined) and message.refs != (self.ref,):
                self.system.groups.join("room", self.ref)
                self.system.groups.leave("room", message.refs[0])  # type: ignore[arg-type]
            return super().on_receive(message)

    world, log = World(), []
    groups, a, _ = trio(world)
    ref = world.spawn(Welcoming, log)
    groups.monitor(ref, "room")
    groups.join("room", a)
    world.run()
    assert changes(log) == [Joined("room", (a,)), Joined("room", (ref,)), Left("room", (a,))]
    assert groups.members("room") == (ref,)


def test_a_change_made_while_another_is_told_does_not_overtake_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, log = World(), []
    groups, a, _ = trio(world)
    watchers = [world.spawn(Recorder, log), world.spawn(Recorder)]
    for watcher in watchers:
        groups.monitor(watcher, "room")
    signal = LocalRef._signal

    def leaves_first(ref: LocalRef, item: Any) -> None:  # as a finalizer might, at any line
        groups.leave("room", a)
        signal(ref, item)

    monkeypatch.setattr(LocalRef, "_signal", leaves_first)
    groups.join("room", a)
    monkeypatch.undo()
    world.run()
    assert changes(log) == [Joined("room", (a,)), Left("room", (a,))]


def test_a_watcher_that_can_not_be_woken_does_not_keep_the_news_from_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, log = World(), []
    groups, a, _ = trio(world)
    watchers = [world.spawn(Recorder), world.spawn(Recorder, log)]
    for watcher in watchers:
        groups.monitor(watcher, "room")
    signal = LocalRef._signal

    def fails(ref: LocalRef, item: Any) -> None:
        if ref is watchers[0]:
            raise Boom
        signal(ref, item)

    monkeypatch.setattr(LocalRef, "_signal", fails)
    with pytest.raises(Boom):
        groups.join("room", a)
    monkeypatch.undo()
    groups.leave("room", a)
    world.run()
    assert changes(log) == [Joined("room", (a,)), Left("room", (a,))]


def test_a_change_that_somebody_passes_on_is_an_ordinary_message() -> None:
    world, log = World(), []
    ref = world.spawn(Recorder, log)
    ref.tell(Left("room", (ref,)))
    world.run()
    assert changes(log) == [Left("room", (ref,))]


# -- watching a scope -----------------------------------------------------------------------


def test_the_watcher_of_a_scope_sees_the_changes_of_every_group() -> None:
    world, log = World(), []
    groups, a, b = trio(world)
    watcher = world.spawn(Recorder, log)
    groups.join("x", a)
    groups.join("y", b)
    groups.join("y", b)
    assert groups.monitor_scope(watcher) == {"x": (a,), "y": (b, b)}
    groups.scope("other").join("x", a)
    groups.join("z", a)
    assert groups.demonitor_scope(b) is False
    a.stop()
    world.run()
    assert changes(log) == [Joined("z", (a,)), Left("x", (a,)), Left("z", (a,))]
    assert groups.demonitor_scope(watcher) is True
    groups.leave("y", b)
    world.run()
    assert len(changes(log)) == 3


def test_a_monitor_of_the_scope_takes_the_place_of_those_of_its_groups() -> None:
    world, log = World(), []
    groups, a, _ = trio(world)
    other = groups.scope("other")
    watcher = world.spawn(Recorder, log)
    groups.monitor(watcher, "room")
    other.monitor(watcher, "room")
    groups.join("room", a)
    assert groups.monitor_scope(watcher) == {"room": (a,)}
    with pytest.raises(ValueError, match="all groups"):
        groups.monitor(watcher, "room")
    groups.leave("room", a)
    other.join("room", a)
    world.run()
    assert changes(log) == [Left("room", (a,)), Joined("room", (a,), "other")]
    assert groups.demonitor(watcher, "room") is False
