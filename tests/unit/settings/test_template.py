from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorchat.settings import Settings, load, render_toml, table


@pytest.mark.parametrize("commented", [True, False])
def test_file_reads_back_as_what_was_written(tmp_path: Path, commented: bool) -> None:
    overrides: dict[str, object] = {"node.name": "eu-1", "store.sync": False, "log.level": "debug"}
    settings = load(None, {}, overrides)
    file = tmp_path / "node.toml"
    file.write_text(render_toml(settings, commented=commented), encoding="utf-8")
    assert load(file, {}) == settings


@given(st.text(min_size=1))
def test_any_text_survives_being_written(text: str) -> None:
    written = render_toml(load(None, {}, {"node.data_dir": text}))
    assert tomllib.loads(written)["node"]["data_dir"] == text


def test_explained_file_has_a_comment_above_every_setting() -> None:
    lines = render_toml().splitlines()
    for key in table():
        place = next(
            n for n, line in enumerate(lines) if line.startswith(f"{key.split('.')[-1]} =")
        )
        assert lines[place - 1].startswith("# ")
    assert all(len(line) <= 100 for line in lines)


def test_bare_file_has_no_comments() -> None:
    assert "#" not in render_toml(Settings(), commented=False)
