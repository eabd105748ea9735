"""A cluster's files say who its nodes are, and stay when it is started again."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from actorchat.cluster.link_key import read_node_key
from actorchat.errors import SettingsError
from actorchat.settings.cluster import MemberSettings, member_contradictions
from actorchat.settings.loader import gather
from actorchat.settings.registry import RegistrySettings, registry_contradictions
from nodes.cluster.layout import (
    HOST,
    Layout,
    Ports,
    Wish,
    lay_out,
    links_folder,
    with_one_more,
    zookeeper_address,
)


def settings_of(layout: Layout, number: int) -> MemberSettings:
    place = layout.places[number]
    return gather(MemberSettings, member_contradictions, place.config, {})[0]


def test_nodes_are_of_one_cluster_and_differ_in_all_that_is_their_own(tmp_path: Path) -> None:
    wish = Wish(3, ("eu", "us"), gateways=("tcp", "ws"), more={"auth.argon2_memory_kib": 64})
    layout = lay_out(tmp_path / "c", wish)
    assert [(place.name, place.region) for place in layout.places] == [
        ("n1", "eu"), ("n2", "us"), ("n3", "eu"),
    ]  # fmt: skip
    nodes = [settings_of(layout, number) for number in range(3)]
    assert {node.cluster.registry for node in nodes} == {layout.registry}
    assert {node.cluster.members_min for node in nodes} == {3}
    assert {node.auth.argon2_memory_kib for node in nodes} == {64}
    for read in (
        lambda node: node.cluster.listen,
        lambda node: node.node.data_dir,
        lambda node: node.gateway.tcp.listen,
        lambda node: node.gateway.ws.listen,
        lambda node: node.node.zone,
    ):
        assert len({read(node) for node in nodes}) == 3
    assert {node.gateway.http.listen for node in nodes} == {""}
    keys = {(place.data / "operator.key").read_text() for place in layout.places}
    assert len(keys) == 1
    assert layout.links.stat().st_mode & 0o777 == 0o700


def test_registry_and_nodes_share_an_address_and_a_secret(tmp_path: Path) -> None:
    layout = lay_out(tmp_path, Wish(1))
    assert layout.registry_config is not None
    found, _ = gather(RegistrySettings, registry_contradictions, layout.registry_config, {})
    node = settings_of(layout, 0).cluster
    assert f"tcp://{found.registry.listen}" == layout.registry == node.registry
    assert found.registry.key_file == node.registry_key_file
    assert Path(node.registry_key_file).stat().st_mode & 0o777 == 0o600


def test_what_is_there_stays_and_another_number_of_nodes_is_refused(tmp_path: Path) -> None:
    first = lay_out(tmp_path, Wish(2))
    secrets = [path.read_text() for path in sorted(tmp_path.rglob("*.key"))]
    again = lay_out(tmp_path, Wish(2))
    assert [path.read_text() for path in sorted(tmp_path.rglob("*.key"))] == secrets
    assert [place.data for place in again.places] == [place.data for place in first.places]
    for other in (1, 3):
        with pytest.raises(SettingsError, match="of a cluster of 2 nodes"):
            lay_out(tmp_path, Wish(other))


def test_one_more_node_is_of_the_same_cluster(tmp_path: Path) -> None:
    wish = Wish(2, ("eu", "us"), gateways=("tcp", "ws"), more={"auth.argon2_memory_kib": 64})
    layout = lay_out(tmp_path, wish)
    more = with_one_more(layout, wish)
    assert more.places[:2] == layout.places
    assert (more.places[2].name, more.places[2].region) == ("n3", "eu")
    first, added = settings_of(more, 0), settings_of(more, 2)
    assert added.cluster.registry == first.cluster.registry
    assert added.cluster.registry_key_file == first.cluster.registry_key_file
    assert added.cluster.members_min == 2
    assert added.auth.argon2_memory_kib == 64
    assert added.cluster.listen == f"ipc://{layout.links}/n3"
    listens = {settings_of(more, n).gateway.tcp.listen for n in range(3)}
    assert len(listens) == 3
    assert len({(place.data / "operator.key").read_text() for place in more.places}) == 1
    assert [place.name for place in lay_out(tmp_path, Wish(3)).places] == ["n1", "n2", "n3"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_nodes_with_addresses_of_their_own_have_keys_and_trust_the_registry(tmp_path: Path) -> None:
    addresses = {"registry": "198.18.0.2", "n1": "198.18.0.11", "n2": "198.18.0.12"}
    wish = Wish(2, gateways=("tcp", "http"), address_of=addresses.__getitem__)
    layout = lay_out(tmp_path, wish)
    assert layout.registry_config is not None
    found, _ = gather(RegistrySettings, registry_contradictions, layout.registry_config, {})
    nodes = [settings_of(layout, number) for number in range(2)]
    assert f"tcp://{found.registry.listen}" == layout.registry == "tcp://198.18.0.2:7750"
    assert {node.cluster.registry_ca_file for node in nodes} == {found.registry.tls_cert}
    assert [node.cluster.listen for node in nodes] == [
        "tcp://198.18.0.11:7790", "tcp://198.18.0.12:7790",
    ]  # fmt: skip
    assert nodes[1].gateway.http.listen == "198.18.0.12:7780"
    keys = [read_node_key(node.cluster.key_file) for node in nodes]
    assert keys[0] != keys[1]
    again = lay_out(tmp_path, wish)
    assert [read_node_key(settings_of(again, n).cluster.key_file) for n in range(2)] == keys


def test_zookeeper_takes_the_registrys_place(tmp_path: Path) -> None:
    layout = lay_out(tmp_path, Wish(1, zookeeper="h1:2181,h2:2181/chat"))
    assert layout.registry_config is None
    assert settings_of(layout, 0).cluster.registry == "zk://h1:2181,h2:2181/chat"
    assert zookeeper_address("zk://h:1") == "zk://h:1"
    with pytest.raises(SettingsError, match=r"cluster\.registry"):
        lay_out(tmp_path, Wish(1, zookeeper="/"))


def test_sockets_whose_paths_would_be_too_long_go_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    found = links_folder(deep, ["n1"])
    try:
        assert found.parent != deep
        assert len(f"{found}/n1.lock") < 100
        assert links_folder(deep, ["n1"]) == found
        assert found.stat().st_mode & 0o777 == 0o700
    finally:
        found.rmdir()


def test_ports_are_free_and_given_once() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        busy = taken.getsockname()[1]
        ports = Ports(is_usual=True)
        found = [ports.take(busy) for _ in range(3)]
    assert busy not in found
    assert len(set(found)) == 3
