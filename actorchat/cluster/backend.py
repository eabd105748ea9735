"""Knows which registry an address means. Must not know what any of them does.

tcp://127.0.0.1:7750          the registry actor
zk://h1:2181,h2:2181/chat     a ZooKeeper ensemble, everything below /chat
"""

from __future__ import annotations

import ssl

from actorchat.cluster.registry import Registry
from actorchat.errors import SettingsError
from actorchat.limits import REGISTRY_CALL_TIMEOUT_S, REGISTRY_TIMEOUT_S

DEFAULT_ROOT = "/actorchat"


def open_registry(
    address: str,
    *,
    key: bytes = b"",
    timeout_s: float = REGISTRY_TIMEOUT_S,
    call_timeout_s: float = REGISTRY_CALL_TIMEOUT_S,
    context: ssl.SSLContext | None = None,
) -> Registry:
    """Return the registry at `address`, which is to be started.

    Raises:
        SettingsError: The address is none, or what it needs is not installed.
    """
    scheme, found, rest = address.partition("://")
    if found and scheme == "tcp":
        host, colon, port = rest.rpartition(":")
        if colon and host and port.isdecimal() and int(port) <= 65_535:
            from actorchat.cluster.registry_client import RegistryClient

            return RegistryClient(
                host.strip("[]"),
                int(port),
                key=key,
                timeout_s=timeout_s,
                call_timeout_s=call_timeout_s,
                context=context,
            )
    if found and scheme == "zk":
        hosts, _, root = rest.partition("/")
        if hosts:
            return _open_zookeeper(
                hosts, f"/{root}" if root else DEFAULT_ROOT, timeout_s, call_timeout_s
            )
    raise SettingsError([f"expected tcp://host:port or zk://host:port,…/root, got {address!r}"])


def _open_zookeeper(hosts: str, root: str, timeout_s: float, call_timeout_s: float) -> Registry:
    try:
        from actorchat.cluster.zookeeper import ZooKeeper
    except ImportError:
        raise SettingsError(["zk:// needs kazoo: pip install 'actorchat[zk]'"]) from None
    return ZooKeeper(hosts, root=root, timeout_s=timeout_s, call_timeout_s=call_timeout_s)
