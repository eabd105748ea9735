"""The store of a stopped node is looked into, that of a running one is left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nodes.cli.failure import Exit
from nodes.replay.child import ChildNode

pytestmark = pytest.mark.slow


def test_the_store_of_a_running_node_is_left_alone(shell: Any, node: ChildNode) -> None:
    for command in ("verify", "stats"):
        done = shell.run("store", command)
        assert done.returncode == Exit.BUSY
        assert done.stderr.startswith("actorchat: store_busy: ")
        assert str(node.pid) in done.stderr
    # Where the node's own note is missing, the engine's lock still tells.
    note = node.data / "node.json"
    hidden = note.rename(node.data / "hidden")
    try:
        done = shell.run("store", "verify")
    finally:
        hidden.rename(note)
    assert done.returncode == Exit.BUSY


def test_a_sound_store_is_counted_and_a_damaged_one_named(
    make_shell: Callable[[Path], Any], tmp_path: Path
) -> None:
    child = ChildNode(tmp_path / "data")
    shell = make_shell(child.data)
    child.start()
    try:
        shell.json("user", "add", "ann", "--generate")
        for number in range(3):
            shell.json("send", "ann", f"note {number}")
    finally:
        assert child.stop() == Exit.OK
    (report,) = shell.json("store", "verify")
    assert report["sound"]
    assert report["rows"]["history"] == 3
    (stats,) = shell.json("store", "stats")
    assert stats["families"]["history"]["rows"] == 3
    assert stats["families"]["history"]["owners"] == 1
    nothing = {"messages": 0, "size": 0, "updates": 0}
    assert stats["retention"] == {"gone": nothing, "due": nothing}
    assert "history\t3" in shell.run("store", "verify").stdout

    # The store closes with everything in its tables; one of them goes missing.
    tables = sorted((child.data / "store").glob("*.sst"))
    assert tables or list((child.data / "store").glob("*.log"))
    for path in tables or list((child.data / "store").glob("MANIFEST-*")):
        path.unlink()
    broken = shell.run("store", "verify")
    assert broken.returncode == Exit.CONFIG
    assert "store_corrupt" in broken.stderr


def test_no_store_is_told(make_shell: Callable[[Path], Any], tmp_path: Path) -> None:
    done = make_shell(tmp_path / "none").run("store", "verify")
    assert done.returncode == Exit.IO
    assert "--data" in done.stderr
    assert not (tmp_path / "none").exists()
