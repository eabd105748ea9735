"""Knows the commands that run a registry and look into one. Must not know what it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nodes.cli.option import Json, Timeout
from nodes.cli.terminal import is_terminal, say, say_json, say_table

if TYPE_CHECKING:
    from actorchat.cluster.registry import Registry

DEFAULT_ADDRESS = "tcp://127.0.0.1:7750"
ASK_TIMEOUT_S = 5.0
SHOWN_BYTES = 60

At = Annotated[
    str,
    typer.Option(
        "--at", metavar="ADDRESS", help="tcp://host:port of a registry, or zk://host:port,…/root."
    ),
]
KeyFile = Annotated[
    str, typer.Option("--key-file", metavar="FILE", help="The secret that it shares with nodes.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    registry = typer.Typer(help="Run a registry, and look into one.", no_args_is_help=True)
    registry.command("up", epilog="Example: actorchat registry up --data ./registry")(up)
    registry.command("tree", epilog="Example: actorchat registry tree /members")(tree)
    app.add_typer(registry, name="registry")


def up(
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Where it keeps its journal.")
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option("--listen", metavar="HOST:PORT", help="Where to listen; port 0 picks one."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings, as TOML.")
    ] = None,
    json: Json = False,
) -> None:
    """Run a registry in the foreground until Ctrl-C."""
    from actorchat.settings.loader import gather
    from actorchat.settings.registry import RegistrySettings, registry_contradictions

    flags: dict[str, object] = {
        "registry.data_dir": None if data is None else str(data),
        "registry.listen": listen,
    }
    settings, _ = gather(RegistrySettings, registry_contradictions, config, overrides=flags)
    from nodes import registry

    def ready(address: str) -> None:
        folder = settings.registry.data_dir
        if json:
            say_json({"address": address, "data": folder})
        else:
            text = f"registry listens at {address}, journal in {folder}; Ctrl-C stops it."
            typer.echo(text, err=not is_terminal())

    raise typer.Exit(registry.run(settings, on_ready=ready))


def tree(
    path: Annotated[str, typer.Argument(metavar="[PATH]", help="Where to begin.")] = "/",
    at: At = DEFAULT_ADDRESS,
    key_file: KeyFile = "",
    json: Json = False,
    timeout: Timeout = ASK_TIMEOUT_S,
) -> None:
    """Show what is kept in a registry: members, the slot table, candidates."""
    from actorchat.cluster.backend import open_registry
    from nodes.cli.wire import run_async
    from nodes.roles.registry import read_key

    registry = open_registry(at, key=read_key(key_file), call_timeout_s=timeout)
    rows = run_async(_walk(registry, path))
    if json:
        say_json(rows)
        return
    if not rows:
        say("nothing")
        return
    shown = [
        tuple(str(row[name]) for name in ("path", "version", "owner", "value")) for row in rows
    ]
    say_table(("path", "version", "session", "value"), shown)


async def _walk(registry: Registry, path: str) -> list[dict[str, str | int]]:
    from actorchat.cluster.registry import child_of

    await registry.start()
    try:
        rows: list[dict[str, str | int]] = []
        pending = [path]
        while pending:
            at = pending.pop()
            entry = await registry.get(at)
            if entry is None:
                continue
            value = entry.value[:SHOWN_BYTES].decode("ascii", "backslashreplace")
            shown = "".join(char if char.isprintable() else "." for char in value)
            rows.append(
                {
                    "path": at,
                    "version": entry.version,
                    "owner": f"{entry.owner:x}" if entry.owner else "",
                    "size": len(entry.value),
                    "value": shown,
                }
            )
            pending += [child_of(at, name) for name in reversed(await registry.children(at))]
        return rows
    finally:
        await registry.close()
