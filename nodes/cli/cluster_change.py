"""Knows the commands by which a running cluster of this machine gets more and fewer nodes.
Must not know how its processes are run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actorchat.errors import ActorchatError
from nodes.cli.cluster import Folder, folder_of, found
from nodes.cli.drain import Wait, read_state, say_drained, say_undrained
from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.option import Json
from nodes.cli.terminal import say, say_json, visible

if TYPE_CHECKING:
    from actorchat.settings.cluster import ClusterSection

Which = Annotated[str, typer.Argument(metavar="N", help="A node, as 2 or n2.")]


def register(cluster: typer.Typer) -> None:
    """Add the commands to those about a cluster."""
    cluster.command("add", epilog="Example: actorchat cluster add")(add)
    cluster.command("drain", epilog="Example: actorchat cluster drain 2 --wait")(drain)
    cluster.command("undrain", epilog="Example: actorchat cluster undrain 2")(undrain)
    cluster.command("remove", epilog="Example: actorchat cluster remove 2")(remove)


def add(data: Folder = None, json: Json = False) -> None:
    """Start one more node; it gets its share of slots."""
    added = _ask(data, {"do": "add"})
    if json:
        say_json(added)
    else:
        say(f"{added['name']} ({added['region']}): {' '.join(added['addresses'].values())}")


def drain(which: Which, wait: Wait = False, data: Folder = None, json: Json = False) -> None:
    """Have a node lead nothing any more while it stays up: its slots go to others."""
    folder, name = folder_of(data), _name(which)
    say_drained(_settings(folder, name), name, waits=wait, json=json)


def undrain(which: Which, data: Folder = None, json: Json = False) -> None:
    """Let a node that was drained lead slots again."""
    folder, name = folder_of(data), _name(which)
    say_undrained(_settings(folder, name), name, json=json)


def remove(which: Which, data: Folder = None) -> None:
    """Stop a node that is drained and leads nothing; it is not started again. Its files stay."""
    import asyncio

    folder, name = folder_of(data), _name(which)
    is_drained, led = asyncio.run(read_state(_settings(folder, name), name))
    if not is_drained or led:
        text = f"{name} leads {led} slots" if led else f"{name} is not drained"
        hint = f"first: actorchat cluster drain {which} --wait"
        raise CommandFailed(Exit.REFUSED, "leads", text, hint)
    _ask(data, {"do": "remove", "name": name})
    say(f"{name}: stopped")


def _name(which: str) -> str:
    return f"n{which}" if which.isdecimal() else which


def _settings(folder: Path, name: str) -> ClusterSection:
    """Return the settings by which the registry of a running cluster is found."""
    from actorchat.settings.cluster import MemberSettings, member_contradictions
    from actorchat.settings.loader import gather

    processes = found(folder)["processes"]
    nodes = [each["name"] for each in processes if each["region"]]
    if name not in nodes:
        text = f"there is no {visible(name)}; there are {', '.join(nodes)}"
        raise CommandFailed(Exit.USAGE, "no_such_node", text)
    settings, _ = gather(MemberSettings, member_contradictions, folder / f"{name}.toml", {})
    return settings.cluster


def _ask(data: Path | None, request: dict[str, Any]) -> dict[str, Any]:
    import asyncio

    from nodes.cluster.desk import Refused, ask

    town = found(folder_of(data))
    try:
        return asyncio.run(ask(Path(town["desk"]), request))
    except Refused as error:
        is_usage = error.code == "no_such_node"
        status = Exit.USAGE if is_usage else Exit.FAILED
        raise CommandFailed(status, error.code, str(error)) from None
    except ActorchatError as error:
        raise CommandFailed(Exit.UNREACHABLE, error.code, str(error)) from None
