"""Knows the commands that look at the actors of a running node. Must not know what they are for."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from nodes.cli.option import Data, Json, Server, Timeout
from nodes.cli.terminal import is_terminal, note, say, say_json, say_table, visible

TIMEOUT_S = 5.0

# What `top` shows of each; `info` shows everything.
_COLUMNS = ("id", "label", "state", "queued", "handled", "memory_bytes", "message_type", "age_s")


class By(StrEnum):
    """What `top` can rank by."""

    QUEUE = "queue"
    REDUCTIONS = "reductions"
    MEMORY = "memory"


# The bound of what a node shows at once; here as a number, so that help needs no library.
Count = Annotated[
    int, typer.Option("--count", "-n", metavar="N", min=1, max=50, help="How many are shown.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    actors = typer.Typer(
        help="Look at the actors of a running node; for its operator.", no_args_is_help=True
    )
    actors.command("tree", epilog="Example: actorchat actors tree --count 3")(tree)
    actors.command("top", epilog="Example: actorchat actors top --by memory --json")(top)
    actors.command("info", epilog="Example: actorchat actors info broker")(info)
    app.add_typer(actors, name="actors")


def tree(
    count: Annotated[
        int,
        typer.Option(
            "--count", "-n", metavar="N", min=1, max=50, help="Children shown of each supervisor."
        ),
    ] = 10,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Show who supervises whom: the first children of each, 200 actors at most."""
    lines = _ask(server, data, timeout, view="tree", count=count)["actors"]
    if json:
        for line in lines:
            say_json(line)
    elif is_terminal():
        _draw(lines)
    else:
        for line in _in_order(lines):
            say(line)


def top(
    count: Count = 10,
    by: Annotated[
        By,
        typer.Option(
            "--by",
            help="queue: messages that wait; reductions: messages handled; memory: an estimate, "
            "for which the node stands still for some µs an actor.",
        ),
    ] = By.QUEUE,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Show the actors that have most waiting, did most, or hold most memory."""
    answer = _ask(server, data, timeout, view="top", count=count, by=by.value)
    actors = answer["actors"]
    if json:
        for actor in actors:
            say_json(actor)
        return
    say_table(_COLUMNS, [[_shown(actor[name]) for name in _COLUMNS] for actor in actors])
    if is_terminal():
        note(f"{len(actors)} of {answer['total']:,} actors")


def info(
    who: Annotated[
        str, typer.Argument(metavar="ACTOR", help="Its name, or the id that the others show.")
    ],
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Show all that can be told of one actor."""
    (actor,) = _ask(server, data, timeout, view="info", who=who)["actors"]
    if json:
        say_json(actor)
        return
    say_table(("field", "value"), [(name, _shown(value)) for name, value in actor.items()])


def _ask(server: str | None, data: Path | None, timeout_s: float, **asked: Any) -> dict[str, Any]:
    from nodes.cli.wire import as_operator, run_async

    async def ask() -> dict[str, Any]:
        async with as_operator(server, data, timeout_s) as operator:
            return await operator.actors(**asked)

    return run_async(ask())


def _shown(value: str | float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) and is_terminal() else str(value)


def _line(line: dict[str, Any]) -> str:
    queued = f", {line['queued']:,} waiting" if line["queued"] else ""
    return visible(f"{line['label']}  {line['id']} {line['state']}{queued}")


def _more(line: dict[str, Any]) -> str:
    return f"... and {line['more']:,} more"


def _in_order(lines: list[dict[str, Any]]) -> list[str]:
    """Return the lines indented by depth, with what is left out behind a supervisor's children."""
    shown: list[str] = []
    cut: list[dict[str, Any]] = []  # supervisors above, whose children are not all shown

    def close(depth: int) -> None:
        while cut and cut[-1]["depth"] >= depth:
            line = cut.pop()
            shown.append("  " * (line["depth"] + 1) + _more(line))

    for line in lines:
        close(line["depth"])
        shown.append("  " * line["depth"] + _line(line))
        if line["more"]:
            cut.append(line)
    close(0)
    return shown


def _draw(lines: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    root = Tree("", hide_root=True)
    above = [root]  # by depth
    branches: list[tuple[Tree, dict[str, Any]]] = []
    for line in lines:
        del above[line["depth"] + 1 :]
        branch = above[-1].add(Text(_line(line)))
        above.append(branch)
        branches.append((branch, line))
    for branch, line in branches:
        if line["more"]:
            branch.add(Text(_more(line), style="dim"))
    Console().print(root)
