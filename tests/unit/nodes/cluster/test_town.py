"""What runs is written down; what fails to start leaves nothing behind."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from nodes.cluster.layout import Wish
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
