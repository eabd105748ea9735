"""The settings of a node of a cluster: the shipped files, and what must hold between them."""

from __future__ import annotations

from pathlib import Path

import pytest

from actorchat.errors import SettingsError
from actorchat.settings import Settings, render_toml, table
from actorchat.settings.cluster import (
    GatewayNodeSettings,
    MemberSettings,
    member_contradictions,
)
from actorchat.settings.loader import gather

CONFIG = Path(__file__).parents[3] / "config"


def load(path: Path | None = None, **flags: object) -> MemberSettings:
    overrides = {f"cluster.{name}": value for name, value in flags.items()}
    found, _ = gather(MemberSettings, member_contradictions, path, {}, overrides)
    return found


def test_shipped_file_of_a_chat_node_is_what_the_schema_says() -> None:
    text = (CONFIG / "chat.toml").read_text(encoding="utf-8")
    assert text == render_toml(MemberSettings(), what="a node of a cluster")
    found, origins = gather(MemberSettings, member_contradictions, CONFIG / "chat.toml", {})
    assert found == MemberSettings()
    assert set(origins.values()) == {"file"}


def test_shipped_file_of_a_gateway_is_what_the_schema_says() -> None:
    text = (CONFIG / "gateway.toml").read_text(encoding="utf-8")
    assert text == render_toml(GatewayNodeSettings(), what="a node that is a gateway only")
    found = load(CONFIG / "gateway.toml")
    assert found.cluster == GatewayNodeSettings().cluster
    assert (found.cluster.role, found.node.name) == ("gateway", "gateway-1")
    assert set(table(GatewayNodeSettings)) < set(table(MemberSettings))


def test_shipped_files_do_not_stand_in_each_others_way() -> None:
    chat, gateway = load(CONFIG / "chat.toml"), load(CONFIG / "gateway.toml")
    for one, other in (
        (chat.node.name, gateway.node.name),
        (chat.node.data_dir, gateway.node.data_dir),
        (chat.cluster.listen, gateway.cluster.listen),
        (chat.gateway.tcp.listen, gateway.gateway.tcp.listen),
    ):
        assert one != other


def test_all_of_a_standalone_node_is_set_here_too() -> None:
    assert set(table(Settings)) < set(table(MemberSettings))


@pytest.mark.parametrize(
    "flags",
    [
        {"listen": "ipc:///run/actorchat/a"},
        {"listen": "tcp://0.0.0.0:7790", "advertise": "tcp://eu1.example.org:7790"},
        {"registry": "zk://h1:2181,h2:2181/chat"},
        {"clients": "tls://eu1.example.org:7700 wss://eu1.example.org"},
        {"regions": "eu=10.1.0.0/16 us=fd00::/8"},
    ],
)
def test_what_can_be_is_taken(flags: dict[str, object]) -> None:
    load(**flags)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"registry": "127.0.0.1:7750"}, "cluster.registry: expected"),
        ({"registry": "zk://"}, "cluster.registry: expected"),
        ({"listen": "127.0.0.1:7790"}, "cluster.listen: expected tcp"),
        ({"listen": "tcp://127.0.0.1:0"}, "choose one"),
        ({"listen": "ipc://here"}, "expected ipc:///path"),
        ({"listen": "ipc:///a", "advertise": "tcp://h:1"}, "nothing to advertise"),
        ({"listen": "tcp://0.0.0.0:7790"}, "cluster.advertise: needed"),
        ({"listen": "tcp://[::]:7790"}, "cluster.advertise: needed"),
        ({"listen": "tcp://*:7790"}, "cluster.advertise: needed"),
        ({"advertise": "h:1"}, "cluster.advertise: expected"),
        ({"key_file": ""}, "keygen"),
        ({"clients": "eu1.example.org:7700"}, "cluster.clients"),
        ({"regions": "eu"}, "cluster.regions"),
        ({"regions": "eu=10.1.0.0/33"}, "cluster.regions"),
        ({"capacity": 0}, "cluster.capacity"),
        ({"role": "both"}, "one of chat, gateway"),
    ],
)
def test_what_can_not_be_is_named(flags: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load(**flags)
