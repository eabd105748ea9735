"""Knows the commands that run one node of a cluster. Must not know what a node is made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nodes.cli.drain import Wait, say_drained, say_undrained
from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.node import tell_ready
from nodes.cli.option import Data, Json
from nodes.cli.terminal import say

if TYPE_CHECKING:
    from actorchat.settings.cluster import ClusterSection

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings, as TOML (see config/chat.toml)."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    node = typer.Typer(
        help="Run a node of a cluster: its settings say which registry, and who it is.",
        epilog="Example: actorchat node --config config/chat.toml",
        invoke_without_command=True,
    )
    node.callback()(run)
    node.command("keygen", epilog="Example: actorchat node keygen node.key")(keygen)
    node.command("drain", epilog="Example: actorchat node drain n2 --config node.toml")(drain)
    node.command("undrain", epilog="Example: actorchat node undrain n2 --config node.toml")(undrain)
    app.add_typer(node, name="node")


def run(
    context: typer.Context,
    config: Config = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Its name among the nodes.")
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Run a node of a cluster in the foreground until Ctrl-C."""
    if context.invoked_subcommand is not None:
        return
    from actorchat.settings.cluster import MemberSettings, member_contradictions
    from actorchat.settings.loader import gather

    flags: dict[str, object] = {
        "node.data_dir": None if data is None else str(data),
        "node.name": name,
    }
    settings, _ = gather(MemberSettings, member_contradictions, config, overrides=flags)
    from nodes import boot

    status = boot.run(settings, on_ready=lambda info: tell_ready(info, json=json))
    raise typer.Exit(status)


Node = Annotated[str, typer.Argument(metavar="NAME", help="A node of the cluster.")]
Registered = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings of any node of the cluster."),
]


def drain(node: Node, config: Registered = None, wait: Wait = False, json: Json = False) -> None:
    """Have a node lead nothing any more while it stays up: its slots go to others."""
    say_drained(_cluster(config), node, waits=wait, json=json)


def undrain(node: Node, config: Registered = None, json: Json = False) -> None:
    """Let a node that was drained lead slots again."""
    say_undrained(_cluster(config), node, json=json)


def _cluster(config: Path | None) -> ClusterSection:
    from actorchat.settings.cluster import MemberSettings, member_contradictions
    from actorchat.settings.loader import gather

    return gather(MemberSettings, member_contradictions, config)[0].cluster


def keygen(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the secret key goes.")],
) -> None:
    """Make the CURVE key of a node's links: write the secret to FILE, print the public one."""
    from actorchat.cluster.link_key import write_node_key

    try:
        public = write_node_key(file)
    except FileExistsError:
        # Not even by force: the other nodes know this one by its key.
        raise CommandFailed(
            Exit.IO, "exists", f"{file} is there already", "choose another name"
        ) from None
    say(public)
