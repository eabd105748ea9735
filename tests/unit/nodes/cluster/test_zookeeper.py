"""ZooKeeper is asked for by name where it is missing, and told where its things are."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from actorchat.errors import SettingsError
from nodes.cluster import zookeeper


def test_settings_are_written_for_a_server_on_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zookeeper, "JARS", (tmp_path,))
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/java")
    command = zookeeper.zookeeper_command(tmp_path / "zk", 2181)
    text = (tmp_path / "zk" / "zoo.cfg").read_text(encoding="ascii")
    assert "clientPortAddress=127.0.0.1" in text and "clientPort=2181" in text
    assert command[0] == "java" and command[-1] == str(tmp_path / "zk" / "zoo.cfg")


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zookeeper, "JARS", (tmp_path / "none.jar",))
    with pytest.raises(SettingsError, match="apt-get install zookeeper"):
        zookeeper.zookeeper_command(tmp_path, 2181)


@pytest.mark.parametrize(("said", "is_ready"), [(b"Mode: standalone\n", True), (b"", False)])
def test_server_is_ready_when_it_says_in_which_mode_it_is(said: bytes, is_ready: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            asked, _ = server.accept()
            with asked:
                asked.recv(4)
                asked.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        assert zookeeper.zookeeper_answers(server.getsockname()[1]) is is_ready
        thread.join()
    assert not zookeeper.zookeeper_answers(1)
