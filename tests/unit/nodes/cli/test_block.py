"""Blocks from the shell."""

from __future__ import annotations

from typing import Any

import pytest

from nodes.cli.failure import Exit

pytestmark = pytest.mark.slow


def test_block_is_set_listed_and_taken_back(shell: Any) -> None:
    for user in ("blk-ann", "blk-eve"):
        shell.json("user", "add", user, "--generate")
    assert "blk-eve is blocked" in shell.run("block", "blk-eve", "--as", "blk-ann").stderr
    assert shell.json("blocks", "--as", "blk-ann") == [{"blocks": ["blk-eve"]}]
    assert "blk-eve" in shell.run("blocks", "--as", "blk-ann").stdout
    assert shell.run("send", "blk-ann", "hi", "--as", "blk-eve").returncode == Exit.OK
    assert shell.run("send", "blk-eve", "hi", "--as", "blk-ann").returncode == Exit.REFUSED
    assert shell.json("conversations", "--as", "blk-ann") == []
    assert "not blocked" in shell.run("unblock", "blk-eve", "--as", "blk-ann").stderr
    assert shell.json("blocks", "--as", "blk-ann") == [{"blocks": []}]
    assert shell.run("block", "blk-nobody", "--as", "blk-ann").returncode == Exit.REFUSED
