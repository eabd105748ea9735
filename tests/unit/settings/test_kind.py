"""A file says by its tables whose settings it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from actorchat.settings import render_toml
from actorchat.settings.kind import KINDS, kind_of
from actorchat.settings.loader import gather

CONFIG = Path(__file__).parents[3] / "config"


@pytest.mark.parametrize("name", list(KINDS))
def test_shipped_file_is_of_its_kind_and_good(name: str) -> None:
    file = CONFIG / f"{name}.toml"
    kind = KINDS[name]
    assert kind_of(file).read is kind.read
    assert file.read_text(encoding="utf-8") == render_toml(kind.written(), what=kind.what)
    gather(kind.read, kind.rule, file, {})


def test_what_can_not_be_read_is_a_nodes(tmp_path: Path) -> None:
    assert kind_of(tmp_path / "none") is KINDS["standalone"]
    (tmp_path / "bad").write_text("[", encoding="utf-8")
    assert kind_of(tmp_path / "bad") is KINDS["standalone"]
