"""A node in a process of its own starts, is killed, comes back where it was, and is stopped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nodes.replay.child import ChildNode, NodeFailed

pytestmark = pytest.mark.slow


def test_a_killed_node_comes_back_at_the_same_addresses(tmp_path: Path) -> None:
    child = ChildNode(tmp_path / "node", ["ws", "tcp", "http"])
    assert child.address == ""
    child.start()
    try:
        addresses, pid = child.addresses, child.pid
        assert [where.partition("://")[0] for where in addresses.values()] == ["tcp", "ws", "http"]
        assert child.address == addresses["tcp"]
        assert pid is not None
        child.kill()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        child.start()
        assert child.addresses == addresses
        assert child.pid != pid
    finally:
        status = child.stop()
    assert status == 0
    assert child.pid is None
    assert child.kills == 1
    assert child.stop() is None  # again: nothing to do


def test_a_node_that_cant_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "node").write_text("not a directory", encoding="utf-8")
    child = ChildNode(tmp_path / "node")
    with pytest.raises(NodeFailed, match=r"ended with status [1-9]") as caught:
        child.start()
    assert "node" in str(caught.value)
    assert child.pid is None
