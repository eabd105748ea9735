"""Events reach who subscribed to their class or a base of it, and cause no echo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from actorchat.actor import (
    Actor,
    Child,
    Crashed,
    DeadLetter,
    DynamicSupervisor,
    LocalRef,
    Mailbox,
    Restarted,
    Supervisor,
)
from actorchat.errors import ActorDead
from tests.unit.actor.cast import (
    Boom,
    Narrow,
    NarrowDropNew,
    NarrowDropOld,
    Recorder,
    World,
)


@dataclass(frozen=True)
class Weather:
    degrees: int


class Storm(Weather):
    pass


class Unrelated:
    pass


def listener(world: World, *event_types: type, cls: type[Actor] = Recorder) -> tuple[Any, Any]:
    """Return a started actor that subscribed, and its log without the start."""
    log: list[Any] = []
    ref = world.spawn(cls, log)
    world.run()
    log.clear()
    for event_type in event_types:
        assert world.system.events.subscribe(event_type, ref) is True
    return ref, log


def corpse(world: World) -> LocalRef:
    ref = world.spawn(Recorder)
    ref.stop()
    world.run()
    return ref


# -- subscriptions --------------------------------------------------------------------------


def test_events_reach_subscribers_of_their_class_and_of_its_bases() -> None:
    world = World()
    _, weather = listener(world, Weather)
    _, storms = listener(world, Storm)
    _, everything = listener(world, object)
    events = [Weather(1), Storm(2), Unrelated()]
    for event in events:
        world.system.events.publish(event)
    world.run()
    assert weather == events[:2] and storms == events[1:2] and everything == events


def test_an_event_is_heard_once_however_many_subscriptions_fit() -> None:
    world = World()
    ref, log = listener(world, Weather, Storm)
    assert world.system.events.subscribe(Storm, ref) is False
    world.system.events.publish(Storm(3))
    world.run()
    assert log == [Storm(3)]
    assert world.system.events.subscribers(Storm) == (ref,)


def test_a_subscription_counts_from_the_next_event_and_until_it_is_taken_back() -> None:
    world = World()
    events = world.system.events
    events.publish(Weather(0))
    ref, log = listener(world, Weather)
    other, _ = listener(world, Weather)
    events.publish(Weather(1))
    assert events.unsubscribe(Weather, ref) is True
    assert events.unsubscribe(Weather, ref) is False
    assert events.unsubscribe(Storm, other) is False
    events.publish(Weather(2))
    world.run()
    assert log == [Weather(1)]


def test_one_of_several_subscriptions_can_be_taken_back() -> None:
    world = World()
    ref, log = listener(world, Weather, Unrelated)
    world.system.events.unsubscribe(Unrelated, ref)
    world.system.events.publish(Unrelated())
    world.system.events.publish(Weather(1))
    world.run()
    assert log == [Weather(1)]


@pytest.mark.parametrize("ending", ["stop", "kill", "crash"])
def test_a_dead_subscriber_is_forgotten(ending: str) -> None:
    world = World()
    ref, _ = listener(world, Weather, Storm)
    if ending == "crash":
        ref.tell(Boom())
    else:
        getattr(ref, ending)()
    world.run()
    events = world.system.events
    assert events.subscribers(Storm) == () and not events.has_subscribers
    assert events._types == {} and events._subscribers == {}
    events.publish(Storm(1))
    assert world.system.dead_letters.total == 0


def test_a_subscriber_that_ends_is_not_told() -> None:
    class Late(Recorder):
        async def on_stop(self, reason: object) -> None:
            self.system.events.publish(Weather(1))

    world = World()
    ref, log = listener(world, Weather, cls=Late)
    ref.stop()
    world.run()
    assert log == [] and world.system.dead_letters.total == 0


def test_the_dead_the_strange_and_what_is_no_class_are_refused() -> None:
    world = World()
    events = world.system.events
    with pytest.raises(ActorDead):
        events.subscribe(Weather, corpse(world))
    with pytest.raises(ValueError, match="another system"):
        events.subscribe(Weather, World().spawn(Recorder))
    with pytest.raises(TypeError, match="to a class"):
        events.subscribe(Weather(1), world.spawn(Recorder))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="no local actor"):
        events.subscribe(Weather, "nobody")  # type: ignore[arg-type]
    assert not events.has_subscribers


def test_a_spawn_whose_init_fails_leaves_no_subscriber() -> None:
    class Broken(Actor):
        def __init__(self) -> None:
            self.system.events.subscribe(Weather, self.ref)
            raise Boom

    world = World()
    with pytest.raises(Boom):
        world.spawn(Broken)
    assert not world.system.events.has_subscribers


def test_a_full_mailbox_misses_an_event_and_the_others_do_not() -> None:
    world = World()
    _, narrow = listener(world, Weather, cls=Narrow)
    _, wide = listener(world, Weather)
    for degrees in range(3):
        world.system.events.publish(Weather(degrees))
    world.run()
    assert narrow == [Weather(0), Weather(1)] and len(wide) == 3
    assert world.system.dead_letters.refused == 1


# -- what the runtime publishes -------------------------------------------------------------


def test_dead_letters_are_published() -> None:
    world = World()
    _, log = listener(world, DeadLetter)
    dead = corpse(world)
    dead.tell("one")
    call = dead.call("two")
    world.run()
    assert log == [DeadLetter("noproc", dead, "one"), DeadLetter("noproc", dead, "two")]
    assert call.done() and world.balance() == 0


def test_crashes_are_published_with_their_traceback() -> None:
    world = World()
    _, log = listener(world, Crashed)
    ref = world.spawn(Recorder)
    ref.tell(Boom("x"))
    world.run()
    (event,) = log
    assert event == Crashed(ref, world.crashes[0][1]) and "Boom: x" in event.crash.traceback


def test_the_crash_of_a_listener_is_heard_by_the_others_only() -> None:
    world = World()
    first, own = listener(world, Crashed, DeadLetter)
    _, log = listener(world, Crashed, DeadLetter)
    first.tell(Boom())
    world.run()
    assert own == [("stop", world.crashes[0][1])]
    assert log == [Crashed(first, world.crashes[0][1])]


@pytest.mark.parametrize(
    ("strategy", "expected"), [("one_for_one", "b"), ("rest_for_one", "bc"), ("one_for_all", "abc")]
)
def test_a_supervisor_publishes_each_child_that_it_started_anew(
    strategy: Any, expected: str
) -> None:
    world = World()
    supervisor = world.spawn(Supervisor, strategy, 3, 5.0, [Child(id_, Recorder) for id_ in "abc"])
    world.run()
    _, log = listener(world, Restarted)
    world.ask(supervisor, "children")["b"].tell(Boom())
    world.run()
    now = world.ask(supervisor, "children")
    reason = world.crashes[0][1]
    assert log == [Restarted(supervisor, id_, now[id_], reason) for id_ in expected]


def test_a_restart_that_needs_two_attempts_is_published_when_it_came_off() -> None:
    class Fragile(Recorder):
        def on_start(self) -> None:
            if fails:
                raise fails.pop()

    fails: list[Exception] = []
    world = World()
    children = [
        Child("a", Recorder),
        Child("b", Fragile),
        Child("once", Recorder, restart="temporary"),
    ]
    supervisor = world.spawn(Supervisor, "rest_for_one", 3, 5.0, children)
    world.run()
    _, log = listener(world, Restarted)
    fails.append(Boom("second"))
    world.ask(supervisor, "children")["a"].tell(Boom("first"))
    world.run()
    now = world.ask(supervisor, "children")
    reason = world.crashes[0][1]
    assert log == [Restarted(supervisor, id_, now[id_], reason) for id_ in "ab"]
    assert now["once"] is None and world.system.counts()["restarts"] == 2


def test_a_dynamic_supervisor_publishes_the_child_that_it_started_anew() -> None:
    world = World()
    supervisor = world.spawn(DynamicSupervisor, "transient")
    ref = world.system.spawn(Recorder, name="one", supervisor=supervisor)
    world.run()
    _, log = listener(world, Restarted)
    ref.tell(Boom())
    world.run()
    again = world.system.names.whereis("one")
    assert again is not None and again is not ref
    assert log == [Restarted(supervisor, "Recorder 'one'", again, world.crashes[0][1])]


def test_nothing_is_published_while_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    published: list[Any] = []
    monkeypatch.setattr(type(world.system.events), "publish", lambda _self, e: published.append(e))
    corpse(world).tell("lost")
    world.spawn(Recorder).tell(Boom())
    world.run()
    assert published == []


# -- no echo --------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [NarrowDropNew, NarrowDropOld])
def test_what_a_full_listener_drops_is_not_published(cls: type[Actor]) -> None:
    world = World()
    for _ in range(2):
        listener(world, DeadLetter, cls=cls)
    _, wide = listener(world, DeadLetter)
    dead = corpse(world)
    for number in range(10):
        dead.tell(number)
    counts = dict(world.system.dead_letters.counts)
    world.run()
    assert [letter.message for letter in wide] == list(range(10))
    assert counts == {"noproc": 10, "overflow": 16}
    assert world.balance() == 0


def test_a_full_listener_that_drops_old_messages_keeps_the_runtime_alive() -> None:
    class Large(Recorder):
        mailbox = Mailbox(limit=5_000, overflow="drop_old")

    world = World()
    dead = corpse(world)
    ref, _ = listener(world, DeadLetter, cls=Large)
    for number in range(5_000):
        ref.tell(number)
    dead.tell("lost")  # pushes out one message, whose letter must not push out another
    assert world.system.dead_letters.counts == {"noproc": 1, "overflow": 1}


def test_a_letter_to_a_listener_that_just_died_is_not_passed_round() -> None:
    world = World()
    ref, _ = listener(world, DeadLetter)
    _, log = listener(world, DeadLetter)
    dead = corpse(world)
    # What another thread can see between its look at the subscribers and its tell.
    letter = DeadLetter("noproc", dead, "lost")
    ref.kill()
    world.run()
    ref.tell(letter)
    world.run()
    assert log == [] and world.system.dead_letters.counts == {"noproc": 1}


def test_messages_left_to_a_listener_are_counted_and_not_published() -> None:
    world = World()
    ref, _ = listener(world, DeadLetter)
    _, log = listener(world, DeadLetter)
    ref.tell("stop")
    ref.tell("left")
    world.run()
    assert log == [] and world.system.dead_letters.counts == {"left": 1}
