"""A node's key is its owner's alone, and what is no key is named without being shown."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from actorchat.cluster.link_key import NodeKey, read_node_key, write_node_key
from actorchat.errors import SettingsError


def test_key_is_written_for_its_owner_alone_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    public = write_node_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = read_node_key(path)
    assert key.public == public
    assert key.secret not in repr(key)
    with pytest.raises(FileExistsError):
        write_node_key(path)


@pytest.mark.parametrize("text", ["", "short", "x" * 41, "\x7f" * 40, '"' * 40])
def test_what_is_no_key_is_refused_and_not_quoted(tmp_path: Path, text: str) -> None:
    path = tmp_path / "node.key"
    path.write_text(text, encoding="ascii")
    path.chmod(0o600)
    with pytest.raises(SettingsError) as refused:
        read_node_key(path)
    assert not text or text not in str(refused.value)
    with pytest.raises(ValueError, match="no key"):
        NodeKey.of(text)


def test_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    write_node_key(path)
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_node_key(path)


def test_key_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"node\.key"):
        read_node_key(tmp_path / "node.key")
