"""Knows the commands about who is online. Must not know the protocol."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from nodes.cli.option import As, Data, Json, Server, Timeout
from nodes.cli.terminal import say, say_json

if TYPE_CHECKING:
    from actorchat.client import Presence

TIMEOUT_S = 10.0
LEVELS = ("everyone", "contacts", "nobody")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("presence", epilog="Example: actorchat presence ann cat --follow --as bob")(
        presence
    )
    app.command("privacy", epilog="Example: actorchat privacy contacts --as bob")(privacy)


def presence(
    users: Annotated[list[str], typer.Argument(metavar="USER...", help="Whom to look at.")],
    follow: Annotated[bool, typer.Option("--follow", help="Go on: print what changes.")] = False,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Print who is online, or was last seen when."""
    from nodes.cli.wire import as_user, run_async

    async def look() -> None:
        _, chat = as_user(server, data, as_, timeout_s=timeout)
        async with chat:
            for sight in await chat.watch(*users):
                _print(sight, json=json)
            if follow:
                async for sight in chat.presence():
                    _print(sight, json=json)

    run_async(look())


def privacy(
    level: Annotated[
        str | None,
        typer.Argument(metavar="[LEVEL]", help="everyone, contacts or nobody; none: show it."),
    ] = None,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Set or show who may see when you are online; you see those who may see you."""
    from nodes.cli.wire import run_errand

    if level is not None and level not in LEVELS:
        raise typer.BadParameter("LEVEL is everyone, contacts or nobody")
    chosen = cast("Literal['everyone', 'contacts', 'nobody'] | None", level)

    say(run_errand(lambda chat: chat.privacy(chosen), as_, server, data, timeout))


def _print(sight: Presence, *, json: bool) -> None:
    from nodes.cli.sight import presence_line

    if json:
        say_json({"user": sight.user, "online": sight.online, "last_seen": sight.last_seen})
    else:
        say(presence_line(sight))
        sys.stdout.flush()
