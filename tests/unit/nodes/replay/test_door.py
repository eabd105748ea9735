"""Who comes in where is chosen among the gateways that are there, and stays chosen."""

from __future__ import annotations

import pytest

from actorchat.client.dial import SCHEMES as CLIENT_SCHEMES
from nodes.replay.door import (
    MIXED,
    PLACES,
    SCHEMES,
    Doors,
    NoDoor,
    addresses_for,
    gateway_of,
    gateways_for,
)

ALL = ("tcp://h:1", "ws://h:2", "zmq://h:3", "http://h:4")
USERS = [f"u{number}" for number in range(1_000)]


def test_every_scheme_of_a_client_belongs_to_one_gateway() -> None:
    assert sorted(scheme for schemes in SCHEMES.values() for scheme in schemes) == sorted(
        CLIENT_SCHEMES
    )
    assert set(PLACES) == set(SCHEMES)
    assert [gateway_of(f"{scheme}://h:1") for scheme in ("tls", "wss", "zmq", "https")] == [
        "tcp", "ws", "zmq", "poll",
    ]  # fmt: skip


def test_scheme_that_is_unknown_has_no_gateway() -> None:
    with pytest.raises(NoDoor, match="gopher"):
        gateway_of("gopher://h:70")


def test_one_gateway_is_itself_and_mixed_are_all() -> None:
    assert gateways_for("ws") == ("ws",)
    assert gateways_for(MIXED) == tuple(SCHEMES)


def test_addresses_are_those_of_the_gateway_that_is_asked_for() -> None:
    assert addresses_for("poll", ALL) == ("http://h:4",)
    assert addresses_for(MIXED, ALL[:2]) == ALL[:2]
    with pytest.raises(NoDoor, match="zmq"):
        addresses_for("zmq", ALL[:2])


def test_two_addresses_of_one_gateway_are_no_mixture() -> None:
    with pytest.raises(NoDoor, match="no mixture"):
        addresses_for(MIXED, ("tcp://h:1", "tls://h:2"))


def test_choice_is_stable_even_and_hangs_by_the_seed() -> None:
    chosen = [Doors(ALL, 1).address(user) for user in USERS]
    assert chosen == [Doors(ALL, 1).address(user) for user in USERS]
    assert chosen != [Doors(ALL, 2).address(user) for user in USERS]
    counts = Doors(ALL, 1).count_people(USERS)
    assert set(counts) == set(SCHEMES)
    assert min(counts.values()) > 200


def test_second_visit_is_by_another_door_if_there_is_one() -> None:
    doors, only = Doors(ALL, 0), Doors(ALL[:1], 0)
    assert doors.can_change
    assert all(doors.address(user, 1) != doors.address(user) for user in USERS)
    assert not only.can_change
    assert only.address("u0", 1) == only.address("u0")


def test_conversations_between_two_doors_are_counted() -> None:
    doors = Doors(ALL, 0)
    by_door = {doors.address(user): user for user in USERS}
    one, other, *_ = by_door.values()
    assert doors.count_across([(one, other), (one, one)]) == 1


def test_others_of_the_same_gateway_are_behind_the_first() -> None:
    nodes = ("tcp://h:1", "tcp://h:2", "ws://h:3", "tcp://h:4", "ws://h:5")
    doors = Doors(nodes, 0)
    for user in USERS:
        first, *others = doors.ways(user)
        assert first == doors.address(user)
        same = {one for one in nodes if gateway_of(one) == gateway_of(first)}
        assert {first, *others} == same and len(others) == len(same) - 1


def test_doors_that_closed_are_no_ones_first_later_and_new_ones_are() -> None:
    doors = Doors(("tcp://h:1", "tcp://h:2"), 0)
    before = {user: doors.address(user) for user in USERS}
    doors.change(("tcp://h:1", "tcp://h:3"))
    assert {doors.address(user, 1) for user in USERS} == {"tcp://h:1", "tcp://h:3"}
    assert {user: doors.address(user) for user in USERS} == before
