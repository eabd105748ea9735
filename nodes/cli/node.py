"""Knows the commands that run a node and look at one. Must not know what a node is made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from actorchat.errors import ActorchatError
from nodes.cli.failure import CommandFailed, Exit, explain
from nodes.cli.option import Data, Json, Server, Timeout
from nodes.cli.place import data_dir, server_address
from nodes.cli.terminal import is_terminal, note, say_json, say_table

if TYPE_CHECKING:
    from nodes.boot import NodeInfo

STATUS_TIMEOUT_S = 5.0
# Where the gateways beside TCP listen when no address is chosen.
DEFAULT_LISTEN = {
    "gateway.ws.listen": "127.0.0.1:7701",
    "gateway.zmq.listen": "127.0.0.1:7702",
    "gateway.http.listen": "127.0.0.1:7780",
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("up", epilog="Example: actorchat up --data ./data --tcp 127.0.0.1:7700")(up)
    app.command("status", epilog="Example: actorchat status --json | jq .sessions")(status)


def up(
    data: Data = None,
    tcp: Annotated[
        str | None,
        typer.Option("--tcp", metavar="HOST:PORT", help="Where to listen; port 0 picks one."),
    ] = None,
    ws: Annotated[
        str | None,
        typer.Option("--ws", metavar="HOST:PORT", help="And for WebSocket; '' for not."),
    ] = None,
    http: Annotated[
        str | None,
        typer.Option("--http", metavar="HOST:PORT", help="Where to listen for HTTP; '' for not."),
    ] = None,
    zmq: Annotated[
        str | None,
        typer.Option("--zmq", metavar="HOST:PORT", help="And for ZeroMQ; '' for not."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings, as TOML.")
    ] = None,
    json: Json = False,
) -> None:
    """Run a node in the foreground until Ctrl-C."""
    from actorchat.settings import resolve

    flags: dict[str, object] = {
        "node.data_dir": None if data is None else str(data),
        "gateway.tcp.listen": tcp,
        "gateway.ws.listen": ws,
        "gateway.http.listen": http,
        "gateway.zmq.listen": zmq,
    }
    resolved = resolve(config, overrides=flags)
    origins = resolved.origins
    if origins["node.data_dir"] == "default":
        flags["node.data_dir"] = str(data_dir())
    # Who chooses an address has a reason, a second node for one, and chooses the others as well.
    if all(origins[key] == "default" for key in ("gateway.tcp.listen", *DEFAULT_LISTEN)):
        flags.update(DEFAULT_LISTEN)
    resolved = resolve(config, overrides=flags)
    from nodes import boot

    def ready(info: NodeInfo) -> None:
        tell_ready(info, json=json)

    status = boot.run(resolved.settings, on_ready=ready)
    raise typer.Exit(status)


def tell_ready(info: NodeInfo, *, json: bool) -> None:
    """Say where a node listens, and what to try."""
    described = {"tcp": info.tcp, **info.also, "data": str(info.data), "pid": info.pid}
    if json:
        say_json(described)
        return
    where = "" if info.data == data_dir() else f" --data {info.data}"
    listens = " and ".join((info.tcp, *info.also.values()))
    lines = [
        f"actorchat listens at {listens}, data in {info.data} (process {info.pid})",
        "Try in another terminal:",
        f"  actorchat user add ann --generate{where}",
        f"  actorchat user add bob --generate{where}",
        f"  actorchat send bob hello --as ann{where}",
        f"  actorchat chat ann --as bob{where}",
        "Ctrl-C stops it.",
    ]
    for line in lines:
        typer.echo(line, err=not is_terminal())


def status(
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = STATUS_TIMEOUT_S,
) -> None:
    """Show how a node is doing. Exit status: 0 if it answers, 1 if not, 2 if it refuses."""
    from nodes.cli.wire import as_operator, run_async

    async def ask() -> dict[str, int | str]:
        async with as_operator(server, data, timeout) as operator:
            return await operator.status()

    try:
        counters = run_async(ask())
    except (ActorchatError, OSError) as error:
        failure = explain(error)
        is_refused = failure.status in {Exit.REFUSED, Exit.USAGE}
        raise CommandFailed(
            Exit.USAGE if is_refused else Exit.FAILED, failure.code, str(failure), failure.hint
        ) from None
    if json:
        say_json(counters)
        return
    if is_terminal():
        note(f"{server_address(server, data)}")
    say_table(("counter", "value"), [(name, _shown(name, n)) for name, n in counters.items()])


def _shown(name: str, value: int | str) -> str:
    if not isinstance(value, int) or not is_terminal():
        return str(value)
    if name.endswith("uptime_s"):
        minutes, seconds = divmod(value, 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        return f"{days} d {hours:02}:{minutes:02}:{seconds:02}"
    return f"{value:,}"
