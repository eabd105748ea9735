"""What a tracker is told in the name of sessions that can't speak any more."""

from __future__ import annotations

from actorchat.chat.presence import Presence
from actorchat.chat.severed import farewells
from actorchat.chat.sighting import Arrived, Departed, Subscribe, Unsubscribe
from tests.unit.chat.cast import Peer

NEAR, FAR, OTHER = Peer("near"), Peer("far"), Peer("other")


def tracker() -> Presence:
    machine = Presence(0, lambda _user: (0, "everyone"), lambda _user, _other: False)
    for event in (
        Arrived("ann", NEAR),
        Arrived("ann", FAR),
        Arrived("bob", FAR),
        Subscribe("bob", "everyone", FAR, ["ann", "cat"]),
        Subscribe("dan", "everyone", OTHER, ["ann"]),
    ):
        machine.handle(event, 0.0, 0)
    return machine


def test_they_depart_and_look_at_nobody() -> None:
    said = farewells(tracker()._entries, lambda session: session is FAR)
    assert said == [
        Departed("ann", FAR),
        Departed("bob", FAR),
        Unsubscribe("bob", FAR, ["ann", "cat"]),
    ]


def test_sessions_of_other_nodes_stay() -> None:
    machine = tracker()
    for event in farewells(machine._entries, lambda session: session is FAR):
        machine.handle(event, 1.0, 1_000)
    assert machine.sessions() == {NEAR, OTHER}
    assert farewells(machine._entries, lambda session: session is FAR) == []
