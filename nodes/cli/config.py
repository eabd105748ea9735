"""Knows the commands about settings files. Must not know single settings."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from actorchat.errors import SettingsError
from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.terminal import note, say

if TYPE_CHECKING:
    from actorchat.settings import Resolved

File = Annotated[Path, typer.Argument(metavar="FILE", help="A settings file, as TOML.")]
MaybeFile = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="A settings file, as TOML.")
]


class For(StrEnum):
    """What has settings."""

    STANDALONE = "standalone"
    CHAT = "chat"
    GATEWAY = "gateway"
    REGISTRY = "registry"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    config = typer.Typer(help="Write, check and show settings.", no_args_is_help=True)
    config.command("init", epilog="Example: actorchat config init node.toml")(init)
    config.command("check", epilog="Example: actorchat config check node.toml")(check)
    config.command("show", epilog="Example: actorchat config show --effective --origin")(show)
    config.command("curve-key", epilog="Example: actorchat config curve-key node.key")(curve_key)
    app.add_typer(config, name="config")


def init(
    file: MaybeFile = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file.")] = False,
    for_: Annotated[
        For, typer.Option("--for", help="What it is to be the settings of.")
    ] = For.STANDALONE,
) -> None:
    """Write a file with every setting, its default and what it means; without FILE, print it."""
    from actorchat.settings import render_toml
    from actorchat.settings.kind import KINDS

    kind = KINDS[for_]
    text = render_toml(kind.written(), what=kind.what)
    if file is None:
        sys.stdout.write(text)
        return
    try:
        with file.open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise CommandFailed(
            Exit.IO, "exists", f"{file} is there already", "write over it with --force"
        ) from None
    note(f"wrote {file}; run with: {kind.run} {file}")


def check(file: File) -> None:
    """Say whether a node, or a registry, could start with a file; and all that is wrong with it."""
    from actorchat.settings.kind import kind_of
    from actorchat.settings.loader import gather

    kind = kind_of(file)
    try:
        gather(kind.read, kind.rule, file)
    except SettingsError as error:
        for problem in error.problems:
            note(problem)
        raise typer.Exit(Exit.CONFIG) from None
    say(f"{file}: good")


def show(
    file: MaybeFile = None,
    effective: Annotated[
        bool, typer.Option("--effective", help="Show every setting, defaults too.")
    ] = False,
    origin: Annotated[
        bool, typer.Option("--origin", help="Say where each value comes from.")
    ] = False,
) -> None:
    """Show the settings that the file and the environment make, as TOML."""
    from actorchat.settings import resolve

    for line in rendered(resolve(file), effective=effective, origin=origin):
        say(line)


def curve_key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the secret key goes.")],
) -> None:
    """Make a CURVE key pair for ZeroMQ: write the secret key to FILE, print the public one."""
    from actorchat.gateway.curve import write_secret_key

    try:
        public = write_secret_key(file)
    except FileExistsError:
        # Not even by force: whoever knows a server by its old key would be locked out.
        raise CommandFailed(
            Exit.IO, "exists", f"{file} is there already", "choose another name"
        ) from None
    say(public)


def rendered(resolved: Resolved, *, effective: bool, origin: bool) -> list[str]:
    """Return the lines of `show`."""
    import json

    lines = []
    for key, where in resolved.origins.items():
        if where == "default" and not effective:
            continue
        value: object = resolved.settings
        for part in key.split("."):
            value = getattr(value, part)
        # A JSON scalar is a TOML scalar.
        line = f"{key} = {json.dumps(value)}"
        lines.append(f"{line}  # {where}" if origin else line)
    return lines
