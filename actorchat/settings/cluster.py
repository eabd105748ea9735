"""Knows every setting of a node among others, its default, bounds and meaning.
Must not know where values come from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Annotated, Any, Literal

from msgspec import Meta

from actorchat import limits
from actorchat.settings.doors import GatewaySettings, TcpSettings
from actorchat.settings.networks import parse_regions
from actorchat.settings.rule import contradictions, parse_address
from actorchat.settings.schema import (
    AuthSettings,
    LimitSettings,
    LogSettings,
    NodeSettings,
    Settings,
)
from actorchat.settings.section import Count, Seconds, Section

IPC, TCP = "ipc://", "tcp://"
_REGISTRY = re.compile(r"tcp://.+:[0-9]{1,5}|zk://[^/]+(/.*)?")


class ClusterSection(Section, frozen=True):
    """How this node finds the others, and how they reach it."""

    role: Annotated[
        Literal["chat", "gateway"],
        Meta(
            description="chat: users and conversations live here, and clients may connect; "
            "gateway: clients connect, and all that they ask is asked of others."
        ),
    ] = "chat"
    registry: Annotated[
        str,
        Meta(
            description="tcp://host:port of the registry, or zk://host:port,host:port/root of a "
            "ZooKeeper (extra zk), below whose /root everything lies."
        ),
    ] = "tcp://127.0.0.1:7750"
    registry_key_file: Annotated[
        str,
        Meta(
            description="File with the secret that the registry and all nodes share; empty for "
            "none, and with a ZooKeeper."
        ),
    ] = ""
    registry_ca_file: Annotated[
        str,
        Meta(
            description="PEM file of who signed the registry's certificate, by which it is asked "
            "over TLS; empty for no TLS."
        ),
    ] = ""
    session_timeout_s: Annotated[
        Seconds,
        Meta(description="Seconds without a word after which the registry gives this node up."),
    ] = limits.REGISTRY_TIMEOUT_S
    listen: Annotated[
        str,
        Meta(
            description="Where other nodes connect: tcp://address:port, with key_file; or, for "
            "nodes of one machine, ipc:///path, in a directory that is its owner's alone."
        ),
    ] = "tcp://127.0.0.1:7790"
    advertise: Annotated[
        str,
        Meta(
            description="The address by which others reach `listen`; empty: that itself. What "
            "listens at all addresses of a machine needs it."
        ),
    ] = ""
    key_file: Annotated[
        str,
        Meta(
            description="File with this node's CURVE secret key, as `actorchat node keygen` makes "
            "one; not read with ipc."
        ),
    ] = "node.key"
    capacity: Annotated[
        float,
        Meta(gt=0, le=1000, description="Its share of users, relative to other nodes'."),
    ] = 1.0
    members_min: Annotated[
        Count,
        Meta(
            description="Chat nodes that must be there before users are shared out for the first "
            "time, the same on all: with one copy of everything they stay where they were put."
        ),
    ] = 1
    clients: Annotated[
        str,
        Meta(
            description="Addresses by which clients reach this node's gateways, separated by "
            "spaces, as tls://eu1.example.org:7700; empty: those at which they listen."
        ),
    ] = ""
    regions: Annotated[
        str,
        Meta(
            description="Which networks are in which region, as eu=10.1.0.0/16 us=10.2.0.0/16: a "
            "client that does not say its region is sent to a node of its network's."
        ),
    ] = ""


class MemberSettings(Settings, frozen=True):
    """All settings of a node of a cluster."""

    cluster: ClusterSection = ClusterSection()


class GatewayNodeSettings(Section, frozen=True):
    """What matters of them to a node that is a gateway only."""

    node: NodeSettings = NodeSettings(data_dir="gateway", name="gateway-1")
    gateway: GatewaySettings = GatewaySettings(tcp=TcpSettings(listen="127.0.0.1:7710"))
    auth: AuthSettings = AuthSettings()
    limits: LimitSettings = LimitSettings()
    log: LogSettings = LogSettings()
    cluster: ClusterSection = ClusterSection(role="gateway", listen="tcp://127.0.0.1:7791")


def member_contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong between settings that are each right alone."""
    yield from contradictions(values)
    if _REGISTRY.fullmatch(values["cluster.registry"]) is None:
        yield (
            "cluster.registry: expected tcp://host:port or zk://host:port,…/root, "
            f"got {values['cluster.registry']!r}"
        )
    yield from _link_contradictions(values)
    for address in values["cluster.clients"].split():
        if not re.fullmatch(r"[a-z]+://[^/ ]+", address):
            yield f"cluster.clients: expected scheme://host:port, got {address!r}"
    try:
        parse_regions(values["cluster.regions"])
    except ValueError as error:
        yield f"cluster.regions: {error}"


def _link_contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    listen, advertise = values["cluster.listen"], values["cluster.advertise"]
    if listen.startswith(IPC):
        if not listen.removeprefix(IPC).startswith("/"):
            yield f"cluster.listen: expected ipc:///path, got {listen!r}"
        if advertise:
            yield "cluster.advertise: with ipc there is nothing to advertise"
        return
    for name, address in (("listen", listen), ("advertise", advertise)):
        try:
            if address or name == "listen":
                _check_link(address)
        except ValueError as error:
            yield f"cluster.{name}: {error}"
            return
    if not values["cluster.key_file"]:
        yield "cluster.key_file: needed with tcp; `actorchat node keygen FILE` makes one"
    if not advertise and _is_everywhere(listen):
        yield f"cluster.advertise: needed where cluster.listen is {listen}"


def _check_link(address: str) -> None:
    if not address.startswith(TCP):
        raise ValueError(f"expected tcp://host:port or ipc:///path, got {address!r}")
    _, port = parse_address(address.removeprefix(TCP))
    if not port:
        raise ValueError("others must know the port before it is taken: choose one")


def _is_everywhere(listen: str) -> bool:
    host, _ = parse_address(listen.removeprefix(TCP))
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return host == "*"
