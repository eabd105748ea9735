"""Knows how an operator has a node lead nothing any more, or lead again. Must not know what follows
from that, or where nodes run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.terminal import note, say, say_json

if TYPE_CHECKING:
    from actorchat.cluster.registry import Registry
    from actorchat.settings.cluster import ClusterSection

LOOK_S = 0.2

Wait = Annotated[
    bool, typer.Option("--wait", help="Return when it leads nothing, and may be stopped for good.")
]


def say_drained(cluster: ClusterSection, name: str, *, waits: bool, json: bool) -> None:
    """Drain the node `name` of the cluster with these settings, and say so.

    Raises:
        CommandFailed: It is the last that leads anything, or the registry does not let us in.
        NoSuchNode: There is no such node.
        RegistryAway: The registry is out of reach.
    """
    import asyncio

    led = asyncio.run(_drain(cluster, name, waits=waits))
    if json:
        say_json({"node": name, "drained": True, "slots_led": led})
    elif led:
        say(f"{name} is drained: the {led} slots that it leads go to others, some at a time")
    else:
        say(f"{name} is drained and leads nothing: it may be stopped for good")


def say_undrained(cluster: ClusterSection, name: str, *, json: bool) -> None:
    """Have the node `name` lead slots again, and say so.

    Raises:
        CommandFailed: The registry does not let us in.
        NoSuchNode: There is no such node.
        RegistryAway: The registry is out of reach.
    """
    import asyncio

    was = asyncio.run(_undrain(cluster, name))
    if json:
        say_json({"node": name, "drained": False})
    else:
        say(f"{name} gets its share of slots" if was else f"{name} was not drained")


async def _drain(cluster: ClusterSection, name: str, *, waits: bool) -> int:
    import asyncio

    from actorchat.cluster.drained import LastLeader, count_led, drain

    registry = await _open(cluster)
    try:
        await drain(registry, name)
        led = shown = await count_led(registry, name)
        while waits and led:
            await asyncio.sleep(LOOK_S)
            led = await count_led(registry, name)
            if led < shown:
                shown = led
                note(f"{name} leads {led} slots")
        return led
    except LastLeader as error:
        hint = "start another node first: actorchat cluster add"
        raise CommandFailed(Exit.REFUSED, error.code, str(error), hint) from None
    finally:
        await registry.close()


async def _undrain(cluster: ClusterSection, name: str) -> bool:
    from actorchat.cluster.drained import undrain

    registry = await _open(cluster)
    try:
        return await undrain(registry, name)
    finally:
        await registry.close()


async def read_state(cluster: ClusterSection, name: str) -> tuple[bool, int]:
    """Return whether a node is drained, and how many slots it leads.

    Raises:
        CommandFailed: The registry does not let us in.
        RegistryAway: The registry is out of reach.
    """
    from actorchat.cluster.drained import count_led, read_drained

    registry = await _open(cluster)
    try:
        return name in await read_drained(registry), await count_led(registry, name)
    finally:
        await registry.close()


async def _open(cluster: ClusterSection) -> Registry:
    from actorchat.cluster.registry import NotAllowed
    from nodes.roles.membership import make_registry

    registry = make_registry(cluster)
    try:
        await registry.start()
    except NotAllowed as error:
        raise CommandFailed(Exit.REFUSED, error.code, f"the registry refuses: {error}") from None
    return registry
