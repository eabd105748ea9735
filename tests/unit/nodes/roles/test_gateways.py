"""The settings say which gateways there are, and each has its own of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from sys import maxsize
from typing import Any

import pytest

from actorchat.errors import SettingsError
from actorchat.gateway.curve import write_secret_key
from actorchat.settings import load
from nodes.roles.gateways import make_gateways, make_watched, room_for


def made(**overrides: object) -> dict[str, Any]:
    named = {f"gateway.{name.replace('__', '.')}": value for name, value in overrides.items()}
    return dict(make_gateways(load(None, {}, named), no_session, str, bytes))


def no_session(_: object) -> Any:
    raise AssertionError("nobody connects here")


def test_tcp_is_alone_unless_more_is_asked_for() -> None:
    assert list(made()) == ["tcp"]


def test_http_listens_where_it_is_told() -> None:
    gateways = made(http__listen="127.0.0.1:0", http__poll_wait_s=3.0)
    assert list(gateways) == ["tcp", "http"]
    assert gateways["http"].address.startswith("http://127.0.0.1:")
    assert gateways["http"].bounds.poll_wait_s == 3.0


def test_certificate_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingsError, match=r"/nowhere/c\.pem"):
        made(
            http__listen="127.0.0.1:0",
            http__tls_cert="/nowhere/c.pem",
            http__tls_key="/nowhere/k.pem",
        )


def test_zeromq_listens_where_it_is_told_with_its_keys(tmp_path: Path) -> None:
    gateways = made(zmq__listen="127.0.0.1:0")
    assert list(gateways) == ["tcp", "zmq"]
    assert gateways["zmq"].address.startswith("zmq://127.0.0.1:")
    secret, clients = tmp_path / "secret", tmp_path / "clients"
    clients.write_text(write_secret_key(tmp_path / "other"), encoding="ascii")
    public = write_secret_key(secret)
    gateways = made(
        zmq__listen="0.0.0.0:0", zmq__secret_key_file=str(secret), zmq__clients_file=str(clients)
    )
    assert gateways["zmq"]._keys.public.decode() == public
    with pytest.raises(SettingsError, match="nowhere: No such file"):
        made(
            zmq__listen="127.0.0.1:0",
            zmq__secret_key_file="/nowhere",
            zmq__clients_file=str(clients),
        )


@pytest.mark.parametrize("library", ["aiohttp", "zmq"])
def test_node_loads_no_library_that_it_does_not_need(library: str) -> None:
    code = f"import sys, nodes.boot; sys.exit({library!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("asked", "files", "places"),
    [
        (262_144, 1_048_576, 262_144),
        (262_144, 20_000, 18_976),
        (1_000, 20_000, 1_000),
        (262_144, 1_024, 256),
        (262_144, 2, 1),
        (262_144, maxsize, 262_144),
    ],
)
def test_connections_leave_files_to_the_store(asked: int, files: int, places: int) -> None:
    assert room_for(asked, files).places == places


def test_gateways_of_a_node_share_its_room() -> None:
    gateways = made(http__listen="127.0.0.1:0", ws__listen="127.0.0.1:0")
    rooms = {id(gateway.bounds.room) for gateway in gateways.values()}
    assert len(gateways) == 3 and len(rooms) == 1


def test_numbers_move_to_an_address_of_their_own() -> None:
    with_them = made(http__listen="127.0.0.1:0")["http"]
    without = made(http__listen="127.0.0.1:0", http__metrics_listen="127.0.0.1:0")["http"]
    assert with_them._routes.keys() - without._routes.keys() == {"/readyz", "/metrics"}
    assert make_watched(load(None, {}, {}), str, bytes) is None
    named = {"gateway.http.metrics_listen": "127.0.0.1:0"}
    watched = make_watched(load(None, {}, named), str, bytes)
    assert watched is not None
    assert watched._routes.keys() == {"/livez", "/readyz", "/metrics"}


def test_token_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingsError, match=r"metrics token /nowhere: No such file"):
        made(http__metrics_token_file="/nowhere")
    named = {
        "gateway.http.metrics_listen": "127.0.0.1:0",
        "gateway.http.metrics_token_file": "/nowhere",
    }
    with pytest.raises(SettingsError, match=r"metrics token /nowhere: No such file"):
        make_watched(load(None, {}, named), str, bytes)
