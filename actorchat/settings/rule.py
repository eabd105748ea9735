"""Knows what must hold between settings that are each right alone. Must not know their origin."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from actorchat import limits
from actorchat.settings.networks import parse_networks

# Each with the two files that guard it.
_GATEWAYS = (
    ("tcp", "tls_cert", "tls_key"),
    ("ws", "tls_cert", "tls_key"),
    ("http", "tls_cert", "tls_key"),
    ("zmq", "secret_key_file", "clients_file"),
)
JWT_ALGORITHMS = frozenset(
    "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA".split()  # noqa: SIM905
)
# Who can change the keys on their way can sign in as anybody.
_JWKS_URL = re.compile(r"https://.|http://(127\.0\.0\.1|localhost|\[::1\])[:/]")
_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")


def contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong between settings that are each right alone."""
    for gateway, *files in _GATEWAYS:
        listen = values[f"gateway.{gateway}.listen"]
        try:
            if listen or gateway == "tcp":
                parse_address(listen)
        except ValueError as error:
            yield f"gateway.{gateway}.listen: {error}"
        first, second = (f"gateway.{gateway}.{file}" for file in files)
        if bool(values[first]) != bool(values[second]):
            yield f"{first} and {second}: give both or neither"
    yield from _metrics_contradictions(values)
    for origin in values["gateway.ws.origins"].split():
        if _ORIGIN.fullmatch(origin) is None:
            yield f"gateway.ws.origins: expected * or scheme://host[:port], got {origin!r}"
    try:
        parse_networks(values["hooks.networks"])
    except ValueError as error:
        yield f"hooks.networks: {error}"
    yield from _jwt_contradictions(values)
    if values["gateway.http.poll_wait_s"] > values["limits.idle_timeout_s"]:
        yield (
            "gateway.http.poll_wait_s: must not exceed limits.idle_timeout_s, "
            f"got {values['gateway.http.poll_wait_s']:g}"
        )
    if values["limits.idle_timeout_s"] <= limits.PING_INTERVAL_S:
        yield (
            f"limits.idle_timeout_s: must exceed the {limits.PING_INTERVAL_S:g} s between "
            f"a client's pings, got {values['limits.idle_timeout_s']:g}"
        )
    # RFC 9106, 3.1: memory is at least 8 KiB for each lane.
    if values["auth.argon2_memory_kib"] < 8 * values["auth.argon2_parallelism"]:
        yield "auth.argon2_memory_kib: must be at least 8 times auth.argon2_parallelism"
    if values["store.write_buffer_total_bytes"] < values["store.write_buffer_bytes"]:
        yield "store.write_buffer_total_bytes: must not be less than store.write_buffer_bytes"


def _metrics_contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    listen = values["gateway.http.metrics_listen"]
    try:
        if listen:
            _, port = parse_address(listen)
            if port and listen == values["gateway.http.listen"]:
                yield "gateway.http.metrics_listen: the same as gateway.http.listen; leave it empty"
    except ValueError as error:
        yield f"gateway.http.metrics_listen: {error}"


def _jwt_contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    unknown = set(values["auth.jwt.algorithms"].split()) - JWT_ALGORITHMS
    if unknown or not values["auth.jwt.algorithms"].split():
        named = " ".join(sorted(unknown)) or "none"
        yield f"auth.jwt.algorithms: expected asymmetric ones of the list, got {named}"
    source = values["auth.jwt.jwks"]
    if source and not (values["auth.jwt.issuer"] and values["auth.jwt.audience"]):
        yield "auth.jwt.jwks: wants auth.jwt.issuer and auth.jwt.audience too"
    if "://" in source and not _JWKS_URL.match(source):
        yield "auth.jwt.jwks: expected https://, or http:// on loopback"


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of `host:port` or `[host]:port`.

    Raises:
        ValueError: It is neither; the text says why.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"an IPv6 host stands in brackets, as in [::1]:7700, got {text!r}")
    if not colon or not host:
        raise ValueError(f"expected host:port, got {text!r}")
    if not (port.isascii() and port.isdigit() and int(port) <= 65_535):
        raise ValueError(f"expected a port from 0 to 65535, got {text!r}")
    return host, int(port)
