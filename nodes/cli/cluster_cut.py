"""Knows the commands that cut a cluster in parts. Must not know how it is done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nodes.cli.cluster import Folder, folder_of, found
from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.terminal import say

if TYPE_CHECKING:
    from nodes.cluster.network import Network

HINT = "start it with: actorchat cluster up --namespaces; without them: pause, kill"


def register(cluster: typer.Typer) -> None:
    """Add the commands to those about a cluster."""
    cluster.command("partition", epilog="Example: actorchat cluster partition 1 2,3,registry")(
        partition
    )
    cluster.command("heal", epilog="Example: actorchat cluster heal")(heal)


def partition(
    groups: Annotated[
        list[str],
        typer.Argument(metavar="GROUP...", help="Who reaches each other, as 1 2,3,registry."),
    ],
    data: Folder = None,
) -> None:
    """Cut groups from each other: what is sent between them is lost in silence, both ways.

    Who is named in no group still reaches all. Clients on this machine reach every node.
    """
    parts = groups_of(groups)
    _cut(data, parts)
    say(f"cut from each other: {' | '.join(','.join(part) for part in parts)}")


def heal(data: Folder = None) -> None:
    """Undo `partition`."""
    _cut(data, [])
    say("healed: everybody reaches everybody")


def groups_of(words: list[str]) -> list[list[str]]:
    """Return the names of each group: `1 2,3` and `1|2,3` are the same."""
    return [
        [f"n{name}" if name.isdecimal() else name for name in map(str.strip, group.split(","))]
        for word in words
        for group in word.split("|")
    ]


def network_for(folder: Path, zookeeper: str) -> Network:
    """Return the namespaces for a cluster that is to be started.

    Raises:
        CommandFailed: They can't be made here, or the ZooKeeper could not be reached from them.
    """
    from nodes.cluster.network import Network, missing

    if zookeeper:
        text = "namespaces reach nothing but each other, and no ZooKeeper elsewhere"
        raise CommandFailed(Exit.USAGE, "unsupported", text, "take --zookeeper local")
    if why := missing():
        raise CommandFailed(Exit.USAGE, "no_namespaces", why, "without them: pause, kill")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Network(folder)


def sweep(folder: Path) -> bool:
    """Take away the namespaces that a cluster which was killed left; say if there were any."""
    from nodes.cluster.network import Network, missing

    return not missing(("ip",)) and Network(folder).sweep()


def _cut(data: Path | None, groups: list[list[str]]) -> None:
    import asyncio

    from nodes.cluster.desk import Refused, ask

    town = found(folder_of(data))
    if "network" not in town:
        text = "needs each node in a network namespace of its own"
        raise CommandFailed(Exit.USAGE, "unsupported", text, HINT)
    try:
        asyncio.run(ask(Path(town["desk"]), {"do": "partition", "groups": groups}))
    except Refused as error:
        status = Exit.USAGE if error.code == "bad_groups" else Exit.FAILED
        raise CommandFailed(status, error.code, str(error)) from None
