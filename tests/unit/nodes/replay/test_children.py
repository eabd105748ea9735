"""A cluster of processes is killed by turns, and comes back where it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from actorchat.errors import SettingsError
from nodes.replay.child import NodeFailed
from nodes.replay.children import LOCAL, ChildCluster

pytestmark = pytest.mark.slow


def test_nodes_and_registry_are_killed_by_turns_and_come_back(tmp_path: Path) -> None:
    cluster = ChildCluster(tmp_path / "c", 2, ["ws"], group_inline_max=9)
    assert cluster.keeper is not None
    cluster.start()
    try:
        doors = cluster.doors(["tcp", "ws"])
        assert [door.partition("://")[0] for door in doors] == ["tcp", "tcp", "ws", "ws"]
        assert len(set(doors)) == 4
        pids = [child.pid for child in (*cluster.nodes, cluster.keeper)]
        cluster.kill()
        assert [child.pid is None for child in cluster.nodes] == [True, False]
        cluster.start()
        assert cluster.doors(["tcp", "ws"]) == doors
        cluster.kill()
        cluster.kill()
        assert cluster.keeper.pid is None
        cluster.start()
        assert all(child.pid not in pids for child in (*cluster.nodes, cluster.keeper))
        assert cluster.kills == 3
        assert "group_inline_max = 9" in (tmp_path / "c" / "n1.toml").read_text(encoding="utf-8")
        assert cluster.join() == "n3"
        assert cluster.doors(["tcp"])[:2] == doors[:2]
        assert "group_inline_max = 9" in (tmp_path / "c" / "n3.toml").read_text(encoding="utf-8")
        cluster.retire("n2")
        assert cluster.names == ["n1", "n3"]
        assert cluster.doors(["tcp"])[0] == doors[0] and doors[1] not in cluster.doors(["tcp"])
    finally:
        cluster.stop()
    assert [child.pid for child in cluster.nodes] == [None, None]


def test_cluster_that_can_not_start_says_what_its_registry_said(tmp_path: Path) -> None:
    cluster = ChildCluster(tmp_path / "c", 1)
    (tmp_path / "c" / "registry").write_text("no directory", encoding="utf-8")
    with pytest.raises(NodeFailed, match="ended with status"):
        cluster.start()
    cluster.stop()
    assert "no directory" not in cluster.words()


def test_zookeeper_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodes.cluster.zookeeper.JARS", (tmp_path / "none.jar",))
    with pytest.raises(SettingsError, match="apt-get install zookeeper"):
        ChildCluster(tmp_path / "c", 1, zookeeper=LOCAL)
