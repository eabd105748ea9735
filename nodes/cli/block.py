"""Knows the commands by which a user keeps another one away. Must not know the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nodes.cli.option import As, Data, Json, Server, Timeout
from nodes.cli.people import TIMEOUT_S, ask_server
from nodes.cli.terminal import note, say_json, say_table

if TYPE_CHECKING:
    from actorchat.client import Chat

Whom = Annotated[str, typer.Argument(metavar="USER", help="Whom to keep away, or let come again.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("block", epilog="Example: actorchat block eve --as ann")(block)
    app.command("unblock", epilog="Example: actorchat unblock eve --as ann")(unblock)
    app.command("blocks", epilog="Example: actorchat blocks --as ann")(blocks)


def block(
    user: Whom,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Have nothing more of a user reach you; they can't tell."""
    ask_server(lambda chat: chat.block(user), as_, server, data, timeout)
    note(f"{user} is blocked")


def unblock(
    user: Whom,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Let a user reach you again; what they sent meanwhile stays hidden."""
    ask_server(lambda chat: chat.unblock(user), as_, server, data, timeout)
    note(f"{user} is not blocked")


def blocks(
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """List those whom you block."""

    async def ask(chat: Chat) -> list[str]:
        return await chat.blocks()

    found = ask_server(ask, as_, server, data, timeout)
    if json:
        say_json({"blocks": found})
    else:
        say_table(("blocked",), [(name,) for name in found])
