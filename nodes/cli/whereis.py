"""Knows the commands that say where users are, and where they should go.
Must not know how that is found out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from nodes.cli.option import Data, Json, Server, Timeout
from nodes.cli.place import server_address
from nodes.cli.terminal import say, say_json

if TYPE_CHECKING:
    from actorchat.client import Located, Whereabouts

TIMEOUT_S = 5.0
User = Annotated[str, typer.Argument(metavar="USER", help="Whom it is about.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("whereis", epilog="Example: actorchat whereis ann")(whereis)
    app.command("locate", epilog="Example: actorchat locate ann --region eu")(locate)


def whereis(
    user: User,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Say on which node a user is at home, and by which ones they are connected; all know."""
    from nodes.cli.wire import as_operator, run_async

    async def ask() -> Whereabouts:
        async with as_operator(server, data, timeout) as operator:
            return await operator.whereis(user)

    found = run_async(ask())
    if json:
        say_json(msgspec.to_builtins(found))
        return
    for line in lines_of(found):
        say(line)


def lines_of(found: Whereabouts) -> list[str]:
    """Return what people are told."""
    home = f"node {found.home}" if found.home else "this node"
    lines = [f"{found.user} is at home on {home}, slot {found.slot}, epoch {found.epoch}"]
    if not found.up:
        lines.append("which can't be reached now: what is sent there waits for it")
    elif not found.account:
        lines.append("but there is no such account")
    elif not found.devices:
        lines.append("no device is connected")
    devices = [(each["device"], each["node"] or "this node") for each in found.devices]
    return lines + [f"device {device} is connected by {node}" for device, node in devices]


def locate(
    user: User,
    region: Annotated[
        str, typer.Option("--region", metavar="REGION", help="Where the client is.")
    ] = "",
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Say which node a user's client is best served by: by region, then load, then home."""
    from actorchat.client import locate as ask
    from nodes.cli.wire import curve_identity, reach, run_async

    address = server_address(server, data)
    reach(address, timeout)

    async def find() -> Located:
        return await ask(address, user, region=region, timeout_s=timeout, curve=curve_identity())

    found = run_async(find())
    if json:
        say_json(msgspec.to_builtins(found))
    elif not found.addresses:
        say(f"{address}  there is no better one")
    else:
        for one in found.addresses:
            say(f"{one}  node {found.node}, region {found.region}")
