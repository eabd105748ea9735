from __future__ import annotations

import json
import os
from pathlib import Path

from nodes import boot


def test_operator_key_is_made_once_and_private(tmp_path: Path) -> None:
    key = boot.operator_key(tmp_path)
    assert len(key) >= 40
    assert boot.operator_key(tmp_path) == key
    assert (tmp_path / "operator.key").stat().st_mode & 0o777 == 0o600


def test_empty_key_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "operator.key").write_text("\n")
    assert boot.operator_key(tmp_path)


def test_description_says_where_the_node_is(tmp_path: Path) -> None:
    boot.describe(boot.NodeInfo("tcp://127.0.0.1:1", tmp_path, os.getpid()))
    described = json.loads((tmp_path / "node.json").read_text())
    assert described["tcp"] == "tcp://127.0.0.1:1"
    assert described["pid"] == os.getpid()
    assert [path.name for path in tmp_path.iterdir()] == ["node.json"]
    assert "cluster" not in described
    boot.describe(boot.NodeInfo("tcp://127.0.0.1:1", tmp_path, 1, {}, "tcp://127.0.0.1:7750"))
    described = json.loads((tmp_path / "node.json").read_text())
    assert described["cluster"] == "tcp://127.0.0.1:7750"
