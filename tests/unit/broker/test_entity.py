from __future__ import annotations

from typing import Any

from actorchat.broker.entity import IDLE_CHECK, EntityActor
from actorchat.chat.event import Attach, Fetch, HomeLost, Post, Refused
from actorchat.testing import Probe
from tests.unit.broker.stage import Stage


class Told:
    def __init__(self) -> None:
        self.events: list[Any] = []

    def tell(self, event: object) -> None:
        self.events.append(event)


class Sleeper(EntityActor):
    built = 0
    settled = True

    def on_receive(self, message: Any) -> None:
        if message is IDLE_CHECK:
            self._check_idle()
        elif message == "crash":
            raise RuntimeError(message)
        else:
            self._is_active = True
            if self._generation != self._committer.generation:
                self._rebuild()

    def _build(self) -> None:
        type(self).built += 1

    def _is_settled(self) -> bool:
        return type(self).settled


def start(stage: Stage, place: Told) -> Any:
    Sleeper.built = 0
    Sleeper.settled = True
    ref = stage.system.spawn(Sleeper, stage.broker.context, place)
    stage.run(0.01)
    return ref


def test_entity_without_work_is_put_away() -> None:
    stage = Stage(idle_s=1.0)
    ref = start(stage, Told())
    stage.run(0.5)
    ref.tell("work")
    stage.run(1.0)
    assert ref.is_alive()
    stage.run(1.5)
    assert not ref.is_alive()


def test_entity_that_owes_something_stays() -> None:
    stage = Stage(idle_s=1.0)
    ref = start(stage, Told())
    Sleeper.settled = False
    stage.run(5.0)
    assert ref.is_alive()


def test_what_waits_at_an_idle_end_goes_to_the_next_actor() -> None:
    stage, place = Stage(idle_s=1.0), Told()
    ref = start(stage, place)
    ref.tell(IDLE_CHECK)
    ref.tell("late")
    stage.run(0.1)
    assert place.events == ["late"]


def test_what_waits_at_a_crash_is_answered_not_repeated() -> None:
    stage, place, session = Stage(), Told(), Told()
    ref = start(stage, place)
    ref.tell("crash")
    ref.tell(Post("ann", session, 3, bytes(16), "hi"))
    ref.tell(Fetch("ann", session, 4, 0, None, 10))
    ref.tell(Attach("phone", session))
    ref.tell("whatever")
    stage.run(0.1)
    refused = [event for event in session.events if isinstance(event, Refused)]
    assert [(event.rid, event.outcome, event.retry) for event in refused] == [
        (3, "unknown", "now"),
        (4, "unknown", "now"),
    ]
    assert session.events[2:] == [HomeLost()]
    assert place.events == []


def test_machine_that_knows_more_than_the_log_is_built_anew() -> None:
    stage = Stage()
    ref = start(stage, Told())
    ref.tell("work")
    stage.run(0.1)
    assert Sleeper.built == 1
    stage.broker.context.log.committer.generation += 1
    ref.tell("work")
    stage.run(0.1)
    assert Sleeper.built == 2


def test_message_that_crashes_an_entity_is_answered_too() -> None:
    stage, place = Stage(), Told()
    ref = start(stage, place)
    session = Probe(stage.system, "session")

    def crash(message: Any) -> None:
        raise RuntimeError(message)

    ref._actor.on_receive = crash
    ref.tell(Post("ann", session.ref, 7, bytes(16), "hi"))
    refused = session.expect(Refused, within_s=0.01)
    assert (refused.rid, refused.code, refused.outcome) == (7, "unavailable", "unknown")
