"""Knows which addresses a node may call by itself, and the regions that networks are in.
Must not know who calls, or names.

What is private, loopback, link-local, multicast or reserved is never called unless a setting names
its network: a URL that somebody gave must not reach what only this machine may. An IPv4 address
inside an IPv6 one (mapped, 6to4, Teredo, NAT64) counts as itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

from actorchat.ids import is_name

Network: TypeAlias = IPv4Network | IPv6Network
_Address: TypeAlias = IPv4Address | IPv6Address

_NAT64 = ip_network("64:ff9b::/96")
_NAT64_LOCAL = ip_network("64:ff9b:1::/48")
# Not global by RFC 6890, and by some versions of Python nevertheless.
_NEVER = tuple(map(ip_network, ("192.88.99.0/24", "fec0::/10", "::/96", "100::/64")))


def parse_networks(text: str) -> tuple[Network, ...]:
    """Return the networks that `text` names, as in `127.0.0.0/8 fd00::/8`.

    Raises:
        ValueError: One is none; the text says which.
    """
    return tuple(ip_network(part) for part in text.split())


def parse_regions(text: str) -> tuple[tuple[Network, str], ...]:
    """Return the networks of `eu=10.1.0.0/16 us=10.2.0.0/16`, each with its region.

    The narrowest comes first. A region may have several networks.

    Raises:
        ValueError: One is none; the text says which.
    """
    found = []
    for part in text.split():
        region, _, network = part.partition("=")
        if not is_name(region):
            raise ValueError(f"expected region=network, got {part!r}")
        found.append((ip_network(network), region))
    return tuple(sorted(found, key=lambda pair: -pair[0].prefixlen))


def region_of(address: str, regions: Sequence[tuple[Network, str]]) -> str:
    """Return the region that `address` (of a socket) is in; empty if no network has it."""
    try:
        seen = list(_meanings(ip_address(address.partition("%")[0])))
    except ValueError:
        return ""
    for network, region in regions:
        if any(one.version == network.version and one in network for one in seen):
            return region
    return ""


def may_call(address: str, networks: Sequence[Network]) -> bool:
    """Say whether a connection to `address` (of a socket, no name) may be made.

    Args:
        networks: What may be called although it is not on the public internet.
    """
    try:
        seen = list(_meanings(ip_address(address.partition("%")[0])))
    except ValueError:
        return False
    return all(
        _is_public(one) or any(one.version == net.version and one in net for net in networks)
        for one in seen
    )


def _meanings(address: _Address) -> Iterator[_Address]:
    """Yield the addresses that packets to this one may end at."""
    if isinstance(address, IPv4Address):
        yield address
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
        return
    yield address
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _NAT64 or address in _NAT64_LOCAL:
        yield IPv4Address(int(address) & 0xFFFF_FFFF)


def _is_public(address: _Address) -> bool:
    if address in _NAT64:  # global by itself, and judged by the address within as well
        return True
    if address.is_multicast or address.is_unspecified or address.is_loopback:
        return False
    if address.is_link_local or address.is_reserved or address.is_private:
        return False
    return address.is_global and not any(
        address.version == net.version and address in net for net in _NEVER
    )
