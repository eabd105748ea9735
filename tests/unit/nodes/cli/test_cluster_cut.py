"""Commands that cut a cluster say why they can't, and groups are read as people write them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from nodes.cli import app
from nodes.cli.cluster_cut import groups_of, network_for, sweep
from nodes.cli.failure import CommandFailed, Exit
from nodes.cluster.town import DESCRIPTION


@pytest.mark.parametrize("words", [["1", "2,3,registry"], ["1|n2, 3,registry"]])
def test_groups_are_read_either_way(words: list[str]) -> None:
    assert groups_of(words) == [["n1"], ["n2", "n3", "registry"]]


def test_partition_is_refused_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(tmp_path)]
    assert app.run(["cluster", "heal", *data]) == Exit.UNREACHABLE
    described = {"pid": os.getpid(), "registry": "tcp://h:1", "desk": "/none", "processes": []}
    (tmp_path / DESCRIPTION).write_text(json.dumps(described), encoding="utf-8")
    capsys.readouterr()
    assert app.run(["cluster", "partition", "1", "2,3", *data]) == Exit.USAGE
    assert app.run(["cluster", "heal", *data]) == Exit.USAGE
    assert "up --namespaces" in capsys.readouterr().err


def test_namespaces_need_root_and_a_zookeeper_that_they_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    up = ["cluster", "up", "--namespaces", "--data", str(tmp_path)]
    assert app.run(up) == Exit.USAGE
    assert "need root" in capsys.readouterr().err
    with pytest.raises(CommandFailed, match="no ZooKeeper elsewhere"):
        network_for(tmp_path, "h:2181")
    assert not sweep(tmp_path)
