"""An address names a registry, or is refused with what was expected."""

from __future__ import annotations

import sys

import pytest

from actorchat.cluster.backend import open_registry
from actorchat.cluster.registry_client import RegistryClient
from actorchat.errors import SettingsError


def test_address_names_its_back_end() -> None:
    assert isinstance(open_registry("tcp://127.0.0.1:7750"), RegistryClient)
    assert isinstance(open_registry("tcp://[::1]:7750"), RegistryClient)
    pytest.importorskip("kazoo", reason="the zk extra is not installed")
    opened = open_registry("zk://127.0.0.1:2181,127.0.0.2:2181/chat")
    assert type(opened).__name__ == "ZooKeeper"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "tcp://",
        "tcp://host",
        "tcp://:1",
        "tcp://h:x",
        "tcp://h:70000",
        "zk://",
        "zk:///r",
        "h:1",
    ],
)
def test_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="expected tcp"):
        open_registry(address)


def test_missing_library_is_said_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "actorchat.cluster.zookeeper", raising=False)
    for name in [name for name in sys.modules if name.split(".")[0] == "kazoo"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "kazoo", None)
    with pytest.raises(SettingsError, match=r"actorchat\[zk\]"):
        open_registry("zk://127.0.0.1:2181")
