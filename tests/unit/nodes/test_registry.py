"""The secret of a registry is read with care."""

from __future__ import annotations

from pathlib import Path

import pytest

from actorchat.errors import SettingsError
from nodes.roles.registry import read_key


def test_key_is_read_without_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("a secret of the cluster\n", encoding="ascii")
    file.chmod(0o600)
    assert read_key(str(file)) == b"a secret of the cluster"
    assert read_key("") == b""


def test_key_that_others_can_read_is_short_or_missing_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    with pytest.raises(SettingsError, match="No such file"):
        read_key(str(file))
    file.write_text("short", encoding="ascii")
    with pytest.raises(SettingsError, match="fewer than 16"):
        read_key(str(file))
    file.write_text("a secret of the cluster", encoding="ascii")
    file.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_key(str(file))
