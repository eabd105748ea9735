"""Clients go to their region, to who has room, and home."""

from __future__ import annotations

from collections import Counter

import msgspec

from actorchat.cluster.load import Load, choose

EU = Load("a", "eu", "tcp://127.0.0.1:1", 0, 100, is_open=True)
EU2 = msgspec.structs.replace(EU, node="b", clients="tcp://127.0.0.1:2")
US = msgspec.structs.replace(EU, node="c", region="us", clients="tcp://127.0.0.1:3")


def busy(load: Load, sessions: int) -> Load:
    return msgspec.structs.replace(load, sessions=sessions)


def test_region_comes_before_load_and_home() -> None:
    assert choose([busy(EU, 90), US], "eu", "c", "ann") == busy(EU, 90)
    assert choose([EU, US], "us", "a", "ann") == US


def test_load_comes_before_home_and_home_decides_between_equals() -> None:
    assert choose([EU, EU2], "eu", "b", "ann") == EU2
    assert choose([EU, EU2], "eu", "a", "ann") == EU
    assert choose([busy(EU, 9), EU2], "eu", "a", "ann") == busy(EU, 9)
    assert choose([busy(EU, 30), EU2], "eu", "a", "ann") == EU2


def test_region_without_room_or_unknown_is_done_without() -> None:
    assert choose([busy(EU, 100), US], "eu", "a", "ann") == US
    assert choose([msgspec.structs.replace(EU, is_open=False), US], "eu", "a", "ann") == US
    assert choose([EU, US], "moon", "c", "ann") == US
    assert choose([], "eu", "a", "ann") is None


def test_users_whose_home_is_elsewhere_spread() -> None:
    loads = [EU, EU2]
    found = Counter(
        chosen.node
        for number in range(200)
        if (chosen := choose(loads, "eu", "c", f"u{number}")) is not None
    )
    assert min(found[load.node] for load in loads) > 60
