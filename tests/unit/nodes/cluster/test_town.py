"""What runs is written down; what fails to start leaves nothing behind."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from nodes.cluster.desk import Refused
from nodes.cluster.layout import Layout, Wish, with_one_more
from nodes.cluster.town import DESCRIPTION, Town, TownFailed, addresses_of, read_town


def hear(name: str, line: str) -> None:
    assert name and isinstance(line, str)


def test_town_has_a_registry_and_its_nodes(tmp_path: Path) -> None:
    town = Town(tmp_path / "c", Wish(2, ("eu",)), hear, has_zookeeper=False)
    assert [child.name for child in town.children] == ["registry", "n1", "n2"]
    assert read_town(tmp_path / "c") is None
    town.describe()
    found = read_town(tmp_path / "c")
    assert found is not None
    assert found["pid"] == os.getpid()
    assert [each["region"] for each in found["processes"]] == ["", "eu", "eu"]
    assert (tmp_path / "c" / DESCRIPTION).stat().st_mode & 0o777 == 0o600


def test_description_of_what_has_ended_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / DESCRIPTION).write_text(json.dumps({"pid": 2**22 + 1}), encoding="utf-8")
    assert read_town(tmp_path) is None
    (tmp_path / DESCRIPTION).write_text("{", encoding="utf-8")
    assert read_town(tmp_path) is None


def test_addresses_are_what_looks_like_one() -> None:
    said = {"tcp": "tcp://127.0.0.1:1", "data": "/tmp/x", "pid": 7}
    assert addresses_of(said) == {"tcp": "tcp://127.0.0.1:1"}


async def test_town_that_can_not_start_leaves_nothing(tmp_path: Path) -> None:
    town = Town(tmp_path, Wish(1), hear, has_zookeeper=False)
    assert town.layout.registry_config is not None
    town.layout.registry_config.write_text("[nonsense]\n", encoding="utf-8")
    with pytest.raises(TownFailed, match="status 78"):
        await town.start()
    assert [child.pid for child in town.children] == [None, None]
    assert read_town(tmp_path) is None


async def test_node_that_can_not_be_added_leaves_the_town_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = Town(tmp_path, Wish(1), hear, has_zookeeper=False)

    def with_nonsense(layout: Layout, wish: Wish) -> Layout:
        more = with_one_more(layout, wish)
        more.places[-1].config.write_text("[nonsense]\n", encoding="utf-8")
        return more

    monkeypatch.setattr("nodes.cluster.town.with_one_more", with_nonsense)
    with pytest.raises(TownFailed, match="n2 ended with status 78"):
        await town.add()
    assert [child.name for child in town.nodes] == ["n1"]
    assert [place.name for place in town.layout.places] == ["n1"]


async def test_supervisor_says_what_it_can_not_do(tmp_path: Path) -> None:
    town = Town(tmp_path, Wish(1), hear, has_zookeeper=False)
    for request in ({"do": "fly"}, {}, {"do": "remove"}):
        with pytest.raises(Refused) as refused:
            await town._answer(request)
        assert refused.value.code == "bad_request"
    with pytest.raises(Refused, match="no 'n2'"):
        await town._answer({"do": "remove", "name": "n2"})
    assert await town._answer({"do": "remove", "name": "n1"}) == {"name": "n1"}
    assert [child.name for child in town.children] == ["registry"]
