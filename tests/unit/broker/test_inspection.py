"""What an operator is shown of the actors fits into one frame, whatever runs."""

from __future__ import annotations

import cbor2
import pytest
from msgspec import convert

from actorchat.actor import Actor, ActorSystem, DynamicSupervisor, SeededDispatcher
from actorchat.broker.inspection import show
from actorchat.limits import ACTOR_LINES_MAX, ACTORS_SHOWN_MAX, CBOR_ITEMS_MAX, FRAME_BYTES_MAX
from actorchat.protocol import codec
from actorchat.protocol.ops import Actors
from tests.unit.broker.stage import Stage


class Idler(Actor):
    """Does nothing."""


@pytest.fixture
def system() -> ActorSystem:
    """A system of 60 supervisors with 60 children each."""
    dispatcher = SeededDispatcher(0)
    system = ActorSystem(dispatcher)
    for number in range(60):
        pool = system.spawn(DynamicSupervisor, name=f"pool-{number}")
        for _ in range(60):
            pool.spawn(Idler)
    dispatcher.run()
    return system


def test_a_tree_is_shown_level_by_level_up_to_its_bounds(system: ActorSystem) -> None:
    shown = show(system, Actors(1, "tree", count=2))
    assert shown is not None
    assert shown["total"] == 1 + 60 + 60 * 60
    assert [line["depth"] for line in shown["actors"]] == [0, 1, 2, 2, 1, 2, 2]
    assert [line["more"] for line in shown["actors"]] == [58, 58, 0, 0, 58, 0, 0]
    assert shown["actors"][1]["label"] == "DynamicSupervisor 'pool-0'"
    widest = show(system, Actors(1, "tree", count=ACTORS_SHOWN_MAX))
    assert widest is not None
    assert len(widest["actors"]) == ACTOR_LINES_MAX


def test_top_and_info_show_the_same_of_an_actor(system: ActorSystem) -> None:
    top = show(system, Actors(1, "top", "memory", 3))
    assert top is not None
    weights = [actor["memory_bytes"] for actor in top["actors"]]
    assert weights == sorted(weights, reverse=True) and len(weights) == 3
    for actor in top["actors"]:
        for who in {str(actor["id"]), actor["name"] or str(actor["id"])}:
            info = show(system, Actors(1, "info", who=who))
            assert info == {"total": top["total"], "actors": [actor]}


def test_nobody_is_shown_as_none(system: ActorSystem) -> None:
    assert show(system, Actors(1, "info", who="nobody")) is None


@pytest.mark.parametrize("view", ["tree", "top"])
def test_the_longest_answer_fits_into_a_frame_that_a_client_takes(
    system: ActorSystem, view: str
) -> None:
    shown = show(system, convert({"id": 1, "view": view, "count": ACTORS_SHOWN_MAX}, Actors))
    payload = codec.encode_reply(2**32 - 1, shown or {})
    assert codec.decode(payload)["ok"] == shown
    assert len(payload) < FRAME_BYTES_MAX / 4

    def items(value: object) -> int:
        if isinstance(value, dict):
            return 1 + sum(1 + items(inner) for inner in value.values())
        return 1 + sum(map(items, value)) if isinstance(value, list) else 1

    assert items(cbor2.loads(payload)) < CBOR_ITEMS_MAX


def test_only_an_operator_is_shown_actors() -> None:
    stage = Stage()
    stage.add_users("ann")
    ann, operator = stage.hello("ann"), stage.operator()
    for view, who in (("tree", None), ("top", None), ("info", "broker")):

        def ask(rid: int, view: str = view, who: str | None = who) -> Actors:
            return Actors(rid, view, who=who)  # type: ignore[arg-type]

        assert ann.ask(ask)["err"]["code"] == "forbidden"
        assert stage.connect().ask(ask)["err"]["code"] == "unauthenticated"
        assert operator.ask(ask)["ok"]["actors"]
    error = operator.ask(lambda rid: Actors(rid, "info", who="nobody"))["err"]
    assert (error["code"], error["retry"], error["outcome"]) == ("no_such_actor", "never", "none")


def test_the_session_that_asks_is_among_those_that_are_shown() -> None:
    stage = Stage()
    operator = stage.operator()
    tree = operator.ask(lambda rid: Actors(rid, "tree", count=ACTORS_SHOWN_MAX))["ok"]
    labels = [line["label"] for line in tree["actors"]]
    assert labels[0] == "Root"
    assert "Supervisor 'broker'" in labels and "SessionActor" in labels
    assert tree["total"] == len(labels)
