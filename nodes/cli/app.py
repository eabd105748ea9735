"""Knows which commands there are, and how their failures end the process. Must not know how."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from nodes.cli import (
    account,
    act,
    actors,
    block,
    bot,
    cluster,
    cluster_node,
    config,
    erase,
    export,
    file,
    group,
    hook,
    message,
    node,
    people,
    presence,
    replay,
    search,
    store,
    whereis,
)
from nodes.cli import registry as registry_commands
from nodes.cli.failure import EXPLAINED, Exit, explain
from nodes.cli.terminal import note

# The paragraphs of an epilog are parted by blank lines, the lines of one are joined.
_STATUSES = "  ·  ".join(f"{int(status)} {text}" for status, text in EXPLAINED.items())
_EPILOG = (
    f"Exit status: {_STATUSES}.\n\n"
    "First steps: actorchat up; in another terminal: actorchat user add ann --generate; "
    "actorchat user add bob --generate; actorchat send bob hello --as ann; actorchat chat ann "
    "--as bob."
)

app = typer.Typer(
    name="actorchat",
    help="A durable chat server, and a client of it.",
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        from actorchat import __version__

        typer.echo(f"actorchat {__version__}")
        raise typer.Exit


@app.callback()
def settle(
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when it fails.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Take the options that stand before a command."""
    _Run.is_debug = debug


class _Run:
    is_debug = False


for _part in (
    node,
    actors,
    account,
    people,
    message,
    act,
    group,
    presence,
    config,
    store,
    replay,
    registry_commands,
    cluster,
    cluster_node,
    file,
    bot,
    hook,
    block,
    erase,
    export,
    search,
    whereis,
):
    _part.register(app)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status, having told any failure in one line."""
    _Run.is_debug = False
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(given, prog_name="actorchat")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else Exit.FAILED
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Exception as error:
        if _Run.is_debug:
            raise
        failure = explain(error)
        hint = f" ({failure.hint})" if failure.hint else ""
        note(f"actorchat: {failure.code}: {failure}{hint}")
        return failure.status
    return Exit.OK
