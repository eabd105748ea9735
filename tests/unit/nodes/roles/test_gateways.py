"""The settings say which gateways there are, and each has its own of them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from actorchat.errors import SettingsError
from actorchat.settings import load
from nodes.roles.gateways import make_gateways


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


def test_node_without_http_does_not_load_its_library() -> None:
    code = "import sys, nodes.boot; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
