"""Knows which nodes are to lead nothing any more, and how an operator says so in the registry.
Must not know what becomes of their slots.

`/drained/NAME` is there for as long as the node is to lead nothing, whether it runs or not. Whoever
adds one writes over `/drained` as well: of two at the same time the second looks again, or between
them they could drain all that there are.
"""

from __future__ import annotations

from actorchat.cluster.member import read_members
from actorchat.cluster.registry import (
    BadVersion,
    Create,
    EntryExists,
    NoEntry,
    Put,
    Registry,
    RegistryAway,
    child_of,
    delete,
    ensure,
)
from actorchat.cluster.table_store import load_table
from actorchat.errors import ActorchatError
from actorchat.ids import is_name

DRAINED = "/drained"


class NoSuchNode(ActorchatError):
    """No node of this name leads slots, or may."""

    code = "no_such_node"


class LastLeader(ActorchatError):
    """There would be nobody left to lead what this node leads."""

    code = "last_leader"


async def read_drained(registry: Registry) -> frozenset[str]:
    """Return who is to lead nothing.

    Raises:
        RegistryAway: It is out of reach.
    """
    try:
        return frozenset(await registry.children(DRAINED))
    except NoEntry:
        return frozenset()


async def drain(registry: Registry, name: str) -> bool:
    """Say that `name` is to lead nothing any more; return False if that was said before.

    Raises:
        NoSuchNode: There is no such node.
        LastLeader: Nobody else that is there leads anything, or may.
        RegistryAway: The registry is out of reach; `outcome` says whether it was done.
    """
    await ensure(registry, DRAINED)
    while True:
        entry = await registry.get(DRAINED)
        if entry is None:
            raise RegistryAway(f"{DRAINED} has gone", "none")
        drained = await read_drained(registry)
        able = {member.name for member in await read_members(registry) if member.leads}
        if name in drained:
            return False
        if name not in able:
            await _check_known(registry, name)
        if not able - drained - {name}:
            raise LastLeader(f"nobody else is there to lead what {name} leads")
        try:
            made, seen = Create(child_of(DRAINED, name)), Put(DRAINED, b"", entry.version)
            await registry.multi([seen, made])
        except (BadVersion, EntryExists):
            continue
        return True


async def undrain(registry: Registry, name: str) -> bool:
    """Let `name` lead slots again; return False if it was not drained.

    Raises:
        NoSuchNode: There is no such node.
        RegistryAway: The registry is out of reach; `outcome` says whether it was done.
    """
    if name not in await read_drained(registry):
        able = {member.name for member in await read_members(registry) if member.leads}
        if name not in able:
            await _check_known(registry, name)
        return False
    try:
        await delete(registry, child_of(DRAINED, name))
    except NoEntry:
        return False
    return True


async def _check_known(registry: Registry, name: str) -> None:
    """Refuse a node that is not there, unless the table says that it leads something."""
    table, _ = await load_table(registry)
    led = {slot.leader for slot in table.slots} if table is not None else set()
    if not is_name(name) or name not in led:
        raise NoSuchNode(f"no node {name!r} leads slots here")


async def count_led(registry: Registry, name: str) -> int:
    """Return how many slots `name` leads, by the table in the registry.

    Raises:
        RegistryAway: It is out of reach.
    """
    table, _ = await load_table(registry)
    return sum(slot.leader == name for slot in table.slots) if table is not None else 0
