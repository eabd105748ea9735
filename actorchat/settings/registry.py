"""Knows every setting of a registry, its default, bounds and meaning.
Must not know where values come from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Annotated, Any

from msgspec import Meta

from actorchat import limits
from actorchat.settings.rule import parse_address
from actorchat.settings.schema import LogSettings
from actorchat.settings.section import Seconds, Section


class RegistrySection(Section, frozen=True):
    """The registry: which nodes there are, and which slots they lead."""

    data_dir: Annotated[
        str,
        Meta(min_length=1, description="Directory of its journal; made if it is missing."),
    ] = "registry"
    listen: Annotated[
        str,
        Meta(
            description="Address as host:port, IPv6 as [host]:port; port 0 picks a free one. What "
            "is no loopback address needs the three files below."
        ),
    ] = "127.0.0.1:7750"
    key_file: Annotated[
        str,
        Meta(
            description="File with the secret that the registry and all nodes share, at least 16 "
            "characters; empty for none: then whoever can connect may."
        ),
    ] = ""
    tls_cert: Annotated[
        str,
        Meta(description="PEM file of the certificate chain; empty for no TLS."),
    ] = ""
    tls_key: Annotated[
        str,
        Meta(description="PEM file of the certificate's private key; empty for no TLS."),
    ] = ""
    timeout_min_s: Annotated[
        Seconds,
        Meta(description="Least timeout of a session, in seconds, whatever a node asks for."),
    ] = limits.REGISTRY_TIMEOUT_MIN_S
    timeout_max_s: Annotated[
        Seconds,
        Meta(description="Longest timeout of a session, in seconds."),
    ] = limits.REGISTRY_TIMEOUT_MAX_S


class RegistrySettings(Section, frozen=True):
    """All settings of a registry."""

    registry: RegistrySection = RegistrySection()
    log: LogSettings = LogSettings()


def registry_contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong between settings that are each right alone."""
    files = [values[f"registry.{name}"] for name in ("key_file", "tls_cert", "tls_key")]
    if bool(files[1]) != bool(files[2]):
        yield "registry.tls_cert and registry.tls_key: give both or neither"
    try:
        host, _ = parse_address(values["registry.listen"])
        if not _is_loopback(host) and not all(files):
            yield (
                "registry.listen: beyond loopback it takes registry.key_file, registry.tls_cert "
                f"and registry.tls_key, got {values['registry.listen']!r}"
            )
    except ValueError as error:
        yield f"registry.listen: {error}"
    if values["registry.timeout_max_s"] < values["registry.timeout_min_s"]:
        yield "registry.timeout_max_s: must not be less than registry.timeout_min_s"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
