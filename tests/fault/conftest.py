"""Fixtures of several faults: a quiet node for a module's tests, its operator, a small disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.fault.node import ALARMS, MIB, Node, Operator, running

DISK_BYTES = 24 * MIB  # where the module names no other


@pytest.fixture(scope="module")
def running_node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    """One node for the tests of a module, with its `NODE_SETTINGS` if it has any."""
    settings: dict[str, object] = getattr(request.module, "NODE_SETTINGS", {})
    with running(tmp_path_factory.mktemp("shared") / "node", settings) as node:
        yield node
        assert node.stop() == 0


@pytest.fixture
def node(running_node: Node) -> Iterator[Node]:
    """The module's node, which must have nothing to say about what a test did."""
    running_node.new_words()
    yield running_node
    words = running_node.new_words()
    assert not any(alarm in words for alarm in ALARMS), words


@pytest_asyncio.fixture
async def operator(node: Node) -> AsyncIterator[Operator]:
    """The node's operator, signed in."""
    operator = await Operator.sign_in(node)
    yield operator
    await operator.close()


@pytest.fixture
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of the module's `DISK_BYTES`."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    size = getattr(request.module, "DISK_BYTES", DISK_BYTES)
    point = tmp_path / "disk"
    point.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(point)]
    if (run := subprocess.run(mount, capture_output=True, text=True, check=False)).returncode:
        pytest.skip(f"no tmpfs can be mounted here: {run.stderr.strip()}")
    yield point
    # Lazily: after a failed test somebody may still have files open there.
    subprocess.run(["umount", "-l", str(point)], check=True)
